"""Figures of the distance chapter show the numbers they were given."""

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from lmc_utils.figures import distances
from lmc_utils.measure.statistics import Correlation

COORDS = {"fork_epoch": [0, 2], "parent": [0, 1, 2], "pair": ["0-1"]}
EPOCHS = {"epoch": [0, 1, 2, 3]}


def random(seed: int = 0, **more: list[object]) -> xr.DataArray:
    coords = COORDS | more
    numbers = np.random.default_rng(seed).uniform(0.1, 1, size=[len(values) for values in coords.values()])
    return xr.DataArray(numbers, coords=coords)


def drawn(axis: Axes) -> list[tuple[float, ...]]:
    return [tuple(np.round(np.asarray(line.get_ydata(), dtype=float), 9)) for line in axis.lines]


def curve(values: xr.DataArray) -> tuple[float, ...]:
    return tuple(np.round(values.values, 9))


def test_during_training_draws_means_ranges_and_the_baseline() -> None:
    values, guess = random(**EPOCHS), random(1, **EPOCHS)
    figure = distances.curves_during_training({"distance": values, "other": random(2, **EPOCHS)}, {"distance": guess})
    first, second = figure.axes
    for fork in COORDS["fork_epoch"]:
        for shown in (values, guess):
            assert curve(shown.sel(fork_epoch=fork).mean(["parent", "pair"])) in drawn(first)
    assert [line.get_linestyle() for line in first.lines].count(":") == 2
    assert [line.get_linestyle() for line in second.lines].count(":") == 1  # the legend's
    band = first.collections[0].get_paths()[0].vertices[:, 1]
    own = values.sel(fork_epoch=0)
    np.testing.assert_allclose([band.min(), band.max()], [own.min(), own.max()])
    assert [text.get_text() for text in second.get_legend().get_texts()] == ["0", "2", "random baseline"]


def test_final_angles_draws_every_pair_and_the_baseline_where_it_is_known() -> None:
    apexes = ["fork_point", "initialisation"]
    angles, baseline = 90 * random(apex=apexes), 90 * random(1, apex=apexes[:1])
    figure = distances.final_angles(angles, baseline)
    for axis, apex in zip(figure.axes, apexes, strict=True):
        assert axis.get_title() == f"from the {apex.replace('_', ' ')}"
        dots = sorted(y for line in axis.lines if line.get_marker() == "o" for y in line.get_ydata())
        np.testing.assert_allclose(dots, sorted(angles.sel(apex=apex).values.ravel()))
    assert curve(baseline.sel(apex="fork_point").mean(["parent", "pair"])) in drawn(figure.axes[0])
    assert ":" not in [line.get_linestyle() for line in figure.axes[1].lines]


def test_layers_are_written_into_their_cells() -> None:
    values = random(layer=["all", "linear1"])
    figure = distances.heat_map_by_layer({"relative": values, "degrees": 90 * values})
    mean = values.mean(["parent", "pair"]).transpose("layer", "fork_epoch").values
    for axis, expected, form in zip(figure.axes, (mean, 90 * mean), ("{:.2f}", "{:.0f}"), strict=True):
        assert [text.get_text() for text in axis.texts] == [form.format(value) for value in expected.ravel()]


def test_prediction_by_lag_draws_estimates_intervals_and_the_rival() -> None:
    found = [Correlation(0.2, 0.1, 0.4), Correlation(0.5, 0.3, 0.9)]
    axis = distances.prediction_by_lag({"distance": found}, [1, 2], 0.95).axes[0]
    assert (0.2, 0.5) in drawn(axis)
    assert (0.95, 0.95) in drawn(axis)
    assert {tuple(point) for point in axis.collections[0].get_paths()[0].vertices} >= {(1, 0.1), (1, 0.4), (2, 0.9)}


def test_paths_of_all_pairs_and_their_means() -> None:
    distance, barrier = random(**EPOCHS), random(1, **EPOCHS)
    axis = distances.barrier_by_distance(distance, barrier, "points").axes[0]
    for fork in COORDS["fork_epoch"]:
        for parent in COORDS["parent"]:
            where = {"fork_epoch": fork, "parent": parent, "pair": "0-1"}
            assert curve(barrier.sel(where)) in drawn(axis)
        assert curve(barrier.sel(fork_epoch=fork).mean(["parent", "pair"])) in drawn(axis)
    assert axis.get_ylabel() == "points"
