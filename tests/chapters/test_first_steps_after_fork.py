"""Siblings step by step: distances as trained by hand, and jumps where a unit is active in one sibling only."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import xarray as xr

from lmc_utils.chapters.first_steps_after_fork import first_jumps, first_steps, require_comparable
from lmc_utils.forking import Experiment, Member, train
from lmc_utils.networks import forked_training, models, stack
from lmc_utils.settings import ParameterError

SMALL = Experiment(dataset="digits", train_samples=640, widths=(16,), epochs=1, fork_epochs=(0,), parents=2)
NOISE = replace(SMALL, difference="noise", difference_size=1e-3)


@pytest.fixture(scope="module")
def steps() -> xr.Dataset:
    return first_steps({"noise": NOISE, "order": SMALL}, 10)


def test_after_an_epoch_of_steps_the_distance_is_that_of_the_trained_run(
    steps: xr.Dataset, tmp_path_factory: pytest.TempPathFactory
) -> None:
    for name, experiment in {"noise": NOISE, "order": SMALL}.items():
        run = train(experiment, tmp_path_factory.mktemp("runs"))
        for parent in range(2):
            first, second = run.thetas([Member(parent, 0, 0), Member(parent, 0, 1)], 1).double()
            found = float(steps.distance.sel(difference=name, parent=parent, step=10))
            # float32 in another size of stack, and a difference of 1e-3 that may grow
            assert found == pytest.approx(float((first - second).norm()), rel=0.02)


def test_siblings_start_apart_by_their_noise_and_those_of_another_order_together(steps: xr.Dataset) -> None:
    assert (steps.distance.sel(difference="order", step=0) == 0).all()
    network = models.build(SMALL, (8, 8, 1), 10)
    spread = 0.0
    for name, value in stack.initialise(network, [forked_training.init_seed(0, 0)]).items():
        spread += value.numel() * float(value.double().var(correction=0)) if name.endswith("weight") else 0.0
    expected = 1e-3 * np.sqrt(2 * spread)  # of the difference of two independent draws
    assert float(steps.distance.sel(difference="noise", parent=0, step=0)) == pytest.approx(expected, rel=0.1)


def test_units_are_counted_that_are_active_in_one_sibling_only(steps: xr.Dataset) -> None:
    assert steps.switched_units.sel(difference="order").isnull().all(), "they see different batches"
    assert steps.switched_units.sel(difference="noise").isel(step=slice(-1)).notnull().all()
    large = first_steps({"noise": replace(NOISE, difference_size=10.0)}, 1).switched_units.isel(step=0)
    assert (large > 64 * 16 / 4).all(), "nearly independent units differ for about half of all samples"
    assert first_steps({"none": replace(NOISE, difference_size=0)}, 3).switched_units.isel(step=slice(3)).sum() == 0


def test_copies_stay_equal_and_restarts_have_their_own_rate() -> None:
    restart = replace(SMALL, after_fork="restart", restart_rate=0.01, schedule="constant")
    found = first_steps(
        {"copies": replace(SMALL, difference_size=0), "restart": restart, "at the rate of the parent": SMALL}, 2
    ).distance.isel(step=-1)
    assert (found.sel(difference="copies") == 0).all()
    assert (found.sel(difference="restart") < 0.2 * found.sel(difference="at the rate of the parent")).all()


@pytest.mark.parametrize(
    ("changes", "steps", "line"),
    [({}, 11, "first_steps must be <= 10, the steps of training (got 11)"),
     ({"dropout": 0.1}, 5, "dropout must be 0 in this chapter, which trains single steps (got 0.1)")],
)  # fmt: skip
def test_steps_beyond_the_end_and_dropout_are_rejected(changes: dict[str, Any], steps: int, line: str) -> None:
    with pytest.raises(ParameterError) as caught:
        require_comparable(replace(SMALL, **changes), steps)
    assert str(caught.value) == line


def test_jumps_and_switches_of_known_distances() -> None:
    distance = [[1.0, 1.0, 10.0, 10.0, 20.0], [1.0, 1.1, 1.21, 1.331, 1.4641]]
    switched = [[0.0, 2.0, 0.0, 1.0, np.nan], [0.0, 0.0, 0.0, 0.0, np.nan]]
    dims = ("difference", "parent", "step")
    found = first_jumps(
        xr.Dataset(
            {"distance": (dims, [distance]), "switched_units": (dims, [switched])},
            {"difference": ["noise"], "parent": [0, 1], "step": range(5)},
        )
    ).squeeze("difference")
    np.testing.assert_array_equal(found.jump, [1, np.nan])
    np.testing.assert_array_equal(found.switch, [1, np.nan])
    np.testing.assert_allclose(found.before, [1.0, 1.1])
    np.testing.assert_allclose(found.overall, [20**0.25, 1.1])
