"""Tables of sweeps as labelled arrays, and the chapter's own sweep."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from scipy import stats

from lmc_utils.chapters import when_stability_begins, when_stability_begins_claims, when_stability_begins_numbers
from lmc_utils.chapters.when_stability_begins import Parameters
from lmc_utils.running import sweep_grid, sweep_tables
from lmc_utils.running.notebooks import Notebook
from lmc_utils.settings import ParameterError

ROOT = Path(__file__).parents[2]
FORKS = (0, 2, 10)


def table(labels: list[object], name: str = "rate", learnt: bool = True) -> xr.Dataset:
    """A sweep whose barriers fall linearly from 4 at the first fork to 0 at the second, with ten steps per epoch."""
    points = sweep_grid.grid_points([("norm", ["none"]), (name, labels), ("seed", [0, 1])])
    numbers = {"stable_from_train": 1.0, "stable_from_step_train": 10.0, "final_error_train": 1.0 if learnt else 80.0}
    numbers |= {f"error_barrier_train_fork_{fork}": height for fork, height in zip(FORKS, (4.0, 0.0, 0.0), strict=True)}
    numbers |= {f"train_error_at_fork_{fork}": error for fork, error in zip(FORKS, (90.0, 50.0, 10.0), strict=True)}
    return sweep_tables.dataset([numbers] * len(points), points)


def test_one_axis_in_epochs_steps_and_train_error() -> None:
    found = when_stability_begins.onset_along_parameter(table([0.1, 0.2]), "rate", "train")
    assert found.barrier.dims == ("rate", "parent", "fork_epoch")
    assert found.fork_epoch.values.tolist() == list(FORKS)
    for name, value in {"begins": 1.0, "share": 0.1, "steps": 10.0, "error_there": 70.0}.items():
        assert found[name].dims == ("rate", "parent")
        assert np.all(found[name] == value), name


def test_the_onset_depends_on_the_threshold() -> None:
    found = when_stability_begins.onset_along_parameter(table([0.1]), "rate", "train", below=1.0)
    assert found.begins.values.tolist() == [[1.5, 1.5]]
    assert found.steps.values.tolist() == [[15.0, 15.0]]
    from_the_start = when_stability_begins.onset_along_parameter(table([0.1]), "rate", "train", below=5.0)
    assert from_the_start.steps.values.tolist() == [[0.0, 0.0]]


def test_a_network_that_has_not_learnt_has_no_onset() -> None:
    found = when_stability_begins.onset_along_parameter(table([0.1], learnt=False), "rate", "train")
    assert not found.learnt.any()
    assert found.begins.isnull().all()


@pytest.mark.parametrize(("kind", "values"), [("width", [8, 16]), ("depth", [1, 2])])
def test_lists_of_widths_are_read_as_width_or_depth(kind: str, values: list[int]) -> None:
    found = when_stability_begins.onset_along_parameter(table([[8], [16, 16]], "widths"), "widths", "train", kind=kind)
    assert found[kind].values.tolist() == values


def test_tables_of_other_sweeps_are_rejected() -> None:
    with pytest.raises(ParameterError, match=r"table must be a sweep over rate and seed \(its dimensions: norm,"):
        when_stability_begins.onset_along_parameter(table([0.1], "other"), "rate", "train")
    with pytest.raises(ParameterError, match="table has no numbers named error_barrier_test_fork_0,"):
        when_stability_begins.onset_along_parameter(table([0.1]), "rate", "test")


@pytest.mark.parametrize(("epochs", "preset"), [(4, "default"), (7, "default"), (20, "default"), (4, "smoke")])
def test_the_points_of_the_chapter_are_points_of_the_notebook(epochs: int, preset: str) -> None:
    plan = Parameters(**{**Parameters.preset(preset), "live_epochs": epochs})
    points = plan.live_points()
    assert len(points) == len(plan.live_rates) * plan.live_seeds
    sweep_grid.check_points(Notebook(ROOT / "notebooks" / "points" / "one_boundary.ipynb"), points)


def test_the_learning_rate_falls_as_a_cosine() -> None:
    there = when_stability_begins_numbers.rate_at(xr.DataArray(0.4), xr.DataArray([0.0, 1 / 3, 0.5, 1.0]))
    np.testing.assert_allclose(there, [0.4, 0.3, 0.2, 0.0], atol=1e-12)


def test_the_direction_of_each_network_is_its_rank_correlation_with_the_axis() -> None:
    values = xr.DataArray(
        [[1.0, 9.0, 2.0], [2.0, 3.0, np.nan], [4.0, 4.0, 4.0]], {"parent": range(3), "rate": [4, 5, 6]}
    )
    found = when_stability_begins_claims.directions(values).squeeze("pair").values
    np.testing.assert_allclose(found, [stats.spearmanr([4, 5, 6], [1, 9, 2]).statistic, 1.0, np.nan])
    said = when_stability_begins_claims.direction_table({"rate": values[:2]}).splitlines()
    assert said[2].startswith("| rate | 0.75 [")
    assert (
        when_stability_begins_claims.direction_table({"rate": values}).splitlines()[2]
        == "| rate | not measured, no interval |"
    )


def test_axes_are_found_by_their_names_in_the_text() -> None:
    plan = Parameters(below=1.0)
    assert when_stability_begins.onset_along_axis(
        "depth", table([[8], [8, 8]], "widths"), plan
    ).depth.values.tolist() == [1, 2]
    assert when_stability_begins.onset_along_axis(
        "training samples", table([10], "train_samples"), plan
    ).begins.values.tolist() == [[1.5, 1.5]]


def onset(name: str, labels: list[float], factor: float = 1.0) -> xr.Dataset:
    """Two parents whose onsets are the label and one epoch later, after half of training."""
    values = xr.DataArray([[label * factor, label * factor + 1] for label in labels], dims=[name, "parent"])
    values = values.assign_coords({name: labels})
    share = xr.full_like(values, 0.5)
    return xr.Dataset({"begins": values, "share": share, "steps": 10 * values, "error_there": values})


def test_onsets_are_compared_at_equal_noise() -> None:
    axes = {
        "learning rate": onset("learning_rate", [0.0125, 0.025, 0.05, 0.1, 0.2, 0.4]),
        "batch size": onset("batch_size", [16, 32, 64, 128, 256]),
        "training samples": onset("train_samples", [250, 500, 1000, 2000, 4000]),
    }
    noise = {
        "learning rate": axes["learning rate"].learning_rate / 0.1,
        "batch size": 64 / axes["batch size"].batch_size,
        "training samples": axes["training samples"].train_samples / 4000,
    }
    found = when_stability_begins_numbers.equal_noise_numbers(axes, noise)
    expected = {"low_rate": 0.025, "half_rate": 0.05, "high_rate": 0.2, "half_data": 2000, "quarter_data": 1000}
    expected |= {"low_batch": 256, "half_batch": 128, "high_batch": 32}
    assert {name: float(value) - 0.5 for name, value in found["onset"].items()} == pytest.approx(expected)
    left = {"low": 0.125, "default": 0.5, "high_rate": 1.0, "high_batch": 1.0, "highest_batch": 2.0}
    assert {name: float(value) for name, value in found["noise_left"].items()} == pytest.approx(left), "the half"
    assert float(when_stability_begins_numbers.progress_numbers(axes)["steps"]["fewest_samples"]) == 5005


def test_onsets_are_quoted_at_the_ends_of_each_axis_and_at_the_default() -> None:
    """Every onset is that of its label in one parent and one epoch later in the other."""
    decays = onset("weight_decay", [0.0, 0.001, 0.003, 0.01], 1000.0)
    axes = {"learning rate": onset("learning_rate", [0.05, 0.1, 0.4], 100.0), "weight decay": decays}
    axes |= {"width": onset("width", [16.0, 32.0])}
    found = when_stability_begins_numbers.onset_numbers({name: axis.begins for name, axis in axes.items()})
    assert found["first"] == pytest.approx({"learning rate": 5.5, "weight decay": 0.5, "width": 16.5})
    assert found["last"] == pytest.approx({"learning rate": 40.5, "weight decay": 10.5, "width": 32.5})
    half_width = stats.t.ppf(0.975, 1) * 0.5  # two parents, half an epoch from their mean
    default = {name: float(value) for name, value in found["stable_from_default"].items()}
    assert default == pytest.approx({"": 10.5, "low": 10.5 - half_width, "high": 10.5 + half_width})
    assert float(found["decay_lowest"]) == pytest.approx(0.5)
    assert float(found["decay_highest"]) == pytest.approx(3.5), "0.01 is beyond"
    assert float(found["onset_width_32"]) == 32.5


def test_resnet8_is_quoted_at_the_ends_of_its_axes() -> None:
    rate = onset("learning_rate", [0.1, 2.0, 3.0]).assign(error_there=lambda axis: 10 * axis.begins)
    axes = {"learning rate": rate, "batch size": onset("batch_size", [64.0, 256.0])}
    found = {name: float(value) for name, value in when_stability_begins_numbers.resnet8_numbers(axes).items()}
    expected = {"first": 0.6, "last": 3.5, "error_there": 35, "small_batch": 64.5, "large_batch": 256.5}
    assert found == pytest.approx(expected | {"quarter_rate": 0.6, "quarter_batch": 256.5})


def at(name: str, onsets: dict[float, float]) -> xr.Dataset:
    """Two networks, with the onset of each label in one and a tenth of an epoch later in the other."""
    values = xr.DataArray([[each, each + 0.1] for each in onsets.values()], dims=[name, "parent"])
    values = values.assign_coords({name: list(onsets), "parent": [0, 1]})
    return xr.Dataset({"begins": values, "error_there": 50 - values})


SWEPT = {
    "learning rate": at("learning_rate", {0.025: 1, 0.05: 2, 0.1: 4, 0.2: 8}),
    "batch size": at("batch_size", {32: 8, 64: 4, 128: 2, 256: 1}),
    "training samples": at("train_samples", {1000: 1, 4000: 4}),
    "depth": at("depth", {1: 1, 2: 2, 3: 4}),
    "width": at("width", {16: 9, 64: 4}),
}
RESNET8 = {
    "learning rate": at("learning_rate", {0.1: 1, 0.2: 2, 0.4: 4}),
    "batch size": at("batch_size", {64: 4, 128: 2, 256: 1}),
}


def outcomes(swept: dict[str, xr.Dataset] | None = None, resnet8: dict[str, xr.Dataset] | None = None) -> list[str]:
    table = when_stability_begins_claims.claims(SWEPT | (swept or {}), RESNET8 | (resnet8 or {}))
    return [claim.outcome for claim in table.claims]


def test_the_claims_follow_the_tables() -> None:
    assert outcomes() == ["holds"] * 8
    backwards = {
        name: table.assign(begins=20 - table.begins, error_there=table.begins) for name, table in SWEPT.items()
    }
    assert outcomes(backwards)[:6] == ["fails"] * 6
    later = {"batch size": SWEPT["batch size"].assign(begins=SWEPT["batch size"].begins + 3)}
    assert outcomes(later)[6] == "fails"
    flat = at("learning_rate", {0.1: 1, 0.2: 1, 0.4: 1})
    assert outcomes(resnet8={"learning rate": flat})[0] == "cannot tell"
    assert outcomes(resnet8={"learning rate": flat.assign(begins=flat.begins + 5)})[7] == "fails"
