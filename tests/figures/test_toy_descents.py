"""Figures of the simulated siblings show the computed trajectories."""

from __future__ import annotations

import numpy as np
import pytest

from lmc_utils.figures import toy_descents
from lmc_utils.toy import descent, multidimensional
from lmc_utils.toy.descent import random_starts, wilson_interval

FORKS = [0.0, 0.5]
PLANE = multidimensional.on_circle(3)


@pytest.fixture(scope="module")
def walks() -> np.ndarray:
    return descent.descend(
        PLANE, starts=random_starts(PLANE, 2, 0), fork_times=FORKS, seed=0, steps=30, every_step=True
    )


def test_fractions_are_drawn_with_confidence_bands() -> None:
    shares = [0.5, 0.0]
    figure = toy_descents.barrier_frequency(
        {"left": {"a": shares, "b": shares[::-1]}, "right": {"c": shares}}, FORKS, 40
    )
    assert [axis.get_title() for axis in figure.axes] == ["left", "right"]
    assert figure.axes[1].lines[0].get_ydata().tolist() == shares
    corners = figure.axes[1].collections[0].get_paths()[0].vertices
    low, high = wilson_interval(shares, 40)
    for x, end in [*zip(FORKS, low, strict=True), *zip(FORKS, high, strict=True)]:
        assert np.any(np.all(np.isclose(corners, [x, end]), axis=1))


@pytest.mark.parametrize("pair", [0, 1])
def test_siblings_end_where_their_trajectories_end(walks: np.ndarray, pair: int) -> None:
    plane = toy_descents.trajectories_in_plane(walks, PLANE, FORKS, pair=pair, n_points=21)
    line = toy_descents.trajectories_on_line(walks[..., :1], PLANE[:, :1], FORKS, pair=pair)
    for row in (1, 2):
        segment = np.array(plane.axes[row - 1].lines[3].get_xydata())
        np.testing.assert_array_equal(segment, walks[-1, [0, row], pair])
        ends = line.axes[row - 1].lines[-1].get_ydata()
        np.testing.assert_array_equal(ends, walks[-1, [0, row], pair, 0])


def test_the_surface_is_cut_off_at_a_level_rim() -> None:
    figure = toy_descents.landscape_in_plane(PLANE, n_points=41)
    assert [axis.get_title() for axis in figure.axes[:2]] == ["side view", "top view"]
    assert figure.axes[0].get_zlim() == (0, 2.5)


def test_every_draw_is_a_dot_and_the_line_is_their_median() -> None:
    shares = np.array([[0.1, 0.2, 0.9], [0.5, 0.6, 0.7]])
    left = toy_descents.barriers_between_random_solutions([1, 4], shares, shares).axes[0]
    assert left.lines[-1].get_ydata().tolist() == [0.2, 0.6]
    assert len(left.lines) == 3 + 1
