"""Figures of the barrier chapter show the numbers they were given."""

import numpy as np
import pytest
import xarray as xr
from matplotlib.axes import Axes

from lmc_utils.figures import approximations
from lmc_utils.measure.statistics import Correlation

ALPHAS, LAYERS, DECAYS = [0.0, 0.5, 1.0], ["conv1", "linear"], [0.0, 0.1, 0.2]
PAIRS = {"fork_epoch": [0, 2], "parent": [0, 1, 2], "pair": ["0-1"]}
KNOWN = Correlation(0.9, 0.5, 1.0)


def random(seed: int = 0, **more: list[object]) -> xr.DataArray:
    coords = PAIRS | more
    numbers = np.random.default_rng(seed).uniform(0.1, 1, size=[len(values) for values in coords.values()])
    return xr.DataArray(numbers, coords=coords, attrs={"units": "nats"})


def drawn(axis: Axes) -> list[tuple[float, ...]]:
    return [tuple(np.round(np.asarray(line.get_ydata(), dtype=float), 9)) for line in axis.lines]


def curve(values: xr.DataArray) -> tuple[float, ...]:
    return tuple(np.round(values.values, 9))


def test_along_the_line_draws_measured_and_predicted_means() -> None:
    measured, guess = random(alpha=ALPHAS), random(1, alpha=ALPHAS)
    figure = approximations.barrier_along_line(measured, {"guess": guess})
    for axis, fork in zip(figure.axes, PAIRS["fork_epoch"], strict=True):
        for values in (measured, guess):
            assert curve(values.sel(fork_epoch=fork).mean(["parent", "pair"])) in drawn(axis)
    assert "guess" in [text.get_text() for text in figure.legends[0].get_texts()]


def test_scatter_shows_every_positive_pair_and_counts_the_others() -> None:
    measured, guess = random(layer=LAYERS), random(1, layer=LAYERS)
    guess[0, 0, 0, 0] = -1
    figure = approximations.predicted_against_measured(
        measured, {"guess": guess, "rival": random(2, layer=LAYERS)}, {"guess": KNOWN, "rival": KNOWN}
    )
    shown = [dot for line in figure.axes[0].lines if line.get_linestyle() == "None" for dot in line.get_xydata()]
    assert len(shown) == 11
    expected = {
        (round(float(x), 9), round(float(y), 9)) for x, y in zip(guess.values.flat, measured.values.flat, strict=True)
    }
    assert {tuple(np.round(dot, 9)) for dot in shown} == {dot for dot in expected if dot[0] > 0}
    assert "0.900 [0.500, 1.000]\n(1 not positive)" in figure.axes[0].get_title()
    assert "not positive" not in figure.axes[1].get_title()


def test_the_identity_line_needs_predictions_in_the_same_unit() -> None:
    guess, distance = random(1), random(2).assign_attrs(units="")
    axes = approximations.predicted_against_measured(
        random(), {"guess": guess, "distance": distance}, {"guess": KNOWN, "distance": KNOWN}
    ).axes
    dashed = [[line for line in axis.lines if line.get_linestyle() == "--"] for axis in axes]
    assert [len(lines) for lines in dashed] == [1, 0]


def test_trend_draws_means_over_fork_epochs() -> None:
    measured, guess = random(), random(1)
    axis = approximations.barrier_by_fork(measured, {"guess": guess}).axes[0]
    for values in (measured, guess):
        assert curve(values.mean(["parent", "pair"])) in drawn(axis)
    assert [label.get_text() for label in axis.get_xticklabels()] == ["0", "2"]


def test_implied_draws_both_barriers() -> None:
    measured, bent = random(alpha=ALPHAS), random(1, alpha=ALPHAS)
    axis = approximations.barrier_from_curvature({"smooth": (measured, bent)}).axes[0]
    for values in (measured, bent):
        assert curve(values.sel(fork_epoch=2).mean(["parent", "pair"])) in drawn(axis)


@pytest.mark.parametrize("scale", [1.0, -1.0])
def test_the_heat_map_writes_every_mean_even_where_none_is_positive(scale: float) -> None:
    measured = scale * random(layer=LAYERS)
    axis = approximations.rise_by_layer(measured, measured).axes[0]
    means = 1000 * measured.mean(["parent", "pair"]).transpose("layer", "fork_epoch")
    assert [text.get_text() for text in axis.texts] == [f"{value:.3g}" for value in means.values.flat]


def test_the_fractions_of_a_matrix_sum_to_one() -> None:
    curvature = random(layer=LAYERS, with_layer=LAYERS).mean(["parent", "pair"])
    for axis in approximations.curvature_by_layer_pair(curvature).axes[:2]:
        # Four fractions, each rounded to two digits.
        assert sum(float(text.get_text()) for text in axis.texts) == pytest.approx(1, abs=0.02)


def test_the_sweep_draws_ratio_and_loss_for_each_fork() -> None:
    ratio = random(weight_decay=DECAYS).mean(["parent", "pair"]).transpose("weight_decay", "fork_epoch")
    left, right = approximations.weight_decay_sweep(ratio, 2 * ratio).axes
    for fork in PAIRS["fork_epoch"]:
        assert curve(ratio.sel(fork_epoch=fork)) in drawn(left)
        assert curve(2 * ratio.sel(fork_epoch=fork)) in drawn(right)


def test_correlations_stand_at_their_place_and_their_bars_are_the_intervals() -> None:
    alone = Correlation(0.2, np.nan, np.nan)
    found = {"one": {"fork 0": KNOWN, "within forks": alone}, "other": {"fork 0": alone, "within forks": KNOWN}}
    axis = approximations.correlations_by_fork(found).axes[0]
    assert [label.get_text() for label in axis.get_xticklabels()] == ["fork 0", "within\nforks"]
    assert drawn(axis)[:2] == [(0.9, 0.2), (0.2, 0.9)]
    bars = [bar.get_segments() for bar in axis.collections]  # type: ignore[attr-defined]
    assert bars[0][0][:, 1].tolist() == [0.5, 1.0]
