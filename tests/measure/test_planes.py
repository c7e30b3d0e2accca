"""Planes through weight space have exact coordinates, and the losses of the networks on them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from lmc_utils.forking import Experiment, Member, Run, train
from lmc_utils.measure import planes
from lmc_utils.measure.stacked_scores import evaluate
from lmc_utils.measure.trajectory_projection import THIRDS
from lmc_utils.settings import ParameterError


def test_the_basis_of_a_known_triangle_is_orthonormal_and_exact() -> None:
    corners = torch.randn(3, 50, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    found = planes.basis(corners)
    torch.testing.assert_close(found.axes @ found.axes.T, torch.eye(2, dtype=torch.float64), atol=1e-12, rtol=0)
    torch.testing.assert_close(found.origin + found.corners @ found.axes, corners, atol=1e-12, rtol=0)
    inside, off = found.locate(corners)
    torch.testing.assert_close(inside, found.corners, atol=1e-12, rtol=0)
    torch.testing.assert_close(off, torch.zeros(3, dtype=torch.float64), atol=1e-12, rtol=0)
    assert found.corners[0].tolist() == [0, 0]
    assert found.corners[1, 0] > 0
    assert found.corners[1, 1] == 0
    assert found.corners[2, 1] > 0


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
def test_points_on_one_line_are_reported(scale: float) -> None:
    first, way = scale * torch.randn(2, 50, generator=torch.Generator().manual_seed(0))
    for others in ((0, 0), (1, 2), (0, 1), (1, 0), (1, 1)):
        with pytest.raises(planes.Colinear, match="the three points lie on one line, and span no plane"):
            planes.basis(torch.stack([first, first + others[0] * way, first + others[1] * way]))


def test_a_plane_gives_the_losses_of_its_corners(run: Run) -> None:
    for third in THIRDS:
        plane = planes.plane(run.pairs(third=third), planes.PlaneGrid(grid=2, margin=0)).sel(epoch=3)
        assert plane.loss.dims == ("split", "fork_epoch", "parent", "pair", "row", "column")
        for fork in run.experiment.fork_epochs:
            ends = run.thetas([Member(1, fork, 0), Member(1, fork, 1)], 3)
            top = run.thetas([Member(1)], fork if third == "fork_point" else 3)
            seen = planes.basis(torch.cat([ends, top]))
            cut = plane.sel(split="test", fork_epoch=fork, parent=1, pair="0-1")
            np.testing.assert_allclose(cut.corner, seen.corners, atol=1e-12)
            spots = torch.tensor([[float(x), float(y)] for y in cut.y for x in cut.x], dtype=torch.float64)
            loss, error = evaluate(run.network, (seen.origin + spots @ seen.axes).float(), *run.dataset.test)
            np.testing.assert_allclose(cut.loss.values.ravel(), loss, rtol=1e-5)
            np.testing.assert_allclose(cut.error.values.ravel(), error, atol=0.1)
            at_corners = evaluate(run.network, (seen.origin + seen.corners @ seen.axes).float(), *run.dataset.test)[0]
            own = evaluate(run.network, torch.cat([ends, top]), *run.dataset.test)[0]
            torch.testing.assert_close(at_corners, own, rtol=1e-5, atol=1e-6)


def test_only_the_requested_parents_and_splits_are_measured(run: Run) -> None:
    whole = planes.plane(run.pairs(third="parent"), planes.PlaneGrid(grid=3))
    part = planes.plane(run.pairs(third="parent", parents=[1]), planes.PlaneGrid(grid=3), splits=["test"])
    assert part.parent.values.tolist() == [1]
    np.testing.assert_array_equal(part.loss, whole.loss.sel(split=["test"], parent=[1]))


def test_siblings_before_the_fork_span_no_plane(run: Run, tmp_path: Path) -> None:
    late = train(Experiment(**run.experiment.to_json() | {"fork_epochs": [0, 3]}), tmp_path)
    plane = planes.plane(late.pairs(third="fork_point"), planes.PlaneGrid(grid=2), splits=["test"])
    assert plane.colinear.sel(fork_epoch=3).all()
    assert plane.loss.sel(fork_epoch=3).isnull().all()
    assert not plane.colinear.sel(fork_epoch=0).any()
    assert plane.loss.sel(fork_epoch=0).notnull().all()


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"grid": 1}, r"grid must be >= 2 \(got 1\)"),
        ({"margin": -1}, r"margin must be >= 0 \(got -1.0\)"),
    ],
)
def test_an_invalid_plane_is_rejected(change: dict[str, object], line: str) -> None:
    with pytest.raises(ParameterError, match=line):
        planes.PlaneGrid(**change)


def test_an_unknown_third_point_is_rejected(run: Run) -> None:
    with pytest.raises(ParameterError, match="unknown third 'fork'; choose from: fork_point, parent"):
        run.pairs(third="fork")
