"""Rises of groups of layers are those of a small run; claims hold and fail on made-up rises with known results."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from lmc_utils.chapters import groups_of_layers as chapter
from lmc_utils.forking import Experiment, train
from lmc_utils.measure import barriers, layer_groups, lines

LAYERS, PARENTS, FORKS = 4, 10, [0, 1, 5]


def test_rises_and_lags_are_those_of_the_lines_of_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LMC_RUNS", str(tmp_path))
    run = train(Experiment(widths=(4, 4), epochs=4, fork_epochs=(0, 1), parents=2, train_samples=128, keep=2))
    rises = chapter.group_rises(run)
    assert rises.dims == ("step", "split", "fork_epoch", "parent", "pair", "end", "group", "layer")
    line = lines.line(run.pairs(), [0.0, 0.5, 1.0]).squeeze("epoch")
    whole = chapter.by_group(rises)["all"]
    middle = barriers.midpoint_barrier(line.loss)
    np.testing.assert_allclose(whole.sel(step="midpoint").mean("end"), middle, rtol=1e-4, atol=1e-6)  # float32
    other = (line.loss.sel(alpha=1) - line.loss.sel(alpha=0)).values
    np.testing.assert_allclose(whole.sel(step="exchange", end=0), other, atol=1e-6)
    assert rises.layer.values.tolist() == [1, 2, 3]

    by_lag = chapter.single_rise_by_lag(run, rises)
    assert by_lag.lag.values.tolist() == ["1", "2", "5", "15", "end"]
    stored = {(fork, lag) for fork in (0, 1) for lag in chapter.LAGS if fork + lag in (0, 1, 2, 4)}
    for fork in (0, 1):
        for lag in chapter.LAGS:
            cell = by_lag.sel(lag=str(lag), fork_epoch=fork)
            if (fork, lag) not in stored:
                assert cell.isnull().all()
                continue
            measured = lines.layer_line(run.pairs([fork + lag]), splits=["train"]).squeeze(["split", "epoch"])
            expected = barriers.layer_rise(measured.loss).sel(fork_epoch=fork)
            np.testing.assert_allclose(cell, expected, rtol=1e-4, atol=1e-6)
    at_end = rises.sel(step="midpoint", split="train", group="single").mean("end")
    np.testing.assert_array_equal(by_lag.sel(lag="end"), at_end)


def made_up(compensating: bool) -> xr.DataArray:
    """Each layer alone raises the loss by about 1; of groups, either the largest raises it least, or they add up."""
    coords: dict[str, Sequence[object]] = {
        "step": ["midpoint", "exchange", "random"],
        "split": ["train", "test"],
        "fork_epoch": FORKS,
        "parent": range(PARENTS),
        "pair": ["0-1"],
        "end": [0, 1],
        "group": [*layer_groups.GROUPS],
        "layer": range(1, LAYERS + 1),
    }
    rises = xr.DataArray(np.zeros([len(each) for each in coords.values()]), coords)
    counts = layer_groups.members(LAYERS).sum(-1).double().numpy()
    less = np.where(counts == 1, 1.0, 2.5 / counts)
    for step, scale in {"midpoint": 1.0, "exchange": 3.0, "random": 0.8}.items():
        adding = step == "random" if compensating else step != "random"
        rises.loc[{"step": step}] = scale * (np.where(counts == 1, 1.0, 1.2 * counts) if adding else less)
    if not compensating:
        rises.loc[{"step": "exchange"}] = 0.5
        rises.loc[{"step": "random", "group": "single"}] = 2.0
    return rises + 0.01 * np.random.default_rng(0).normal(size=rises.shape)


@pytest.mark.parametrize("compensating", [True, False])
def test_claims_tell_layers_that_compensate_from_layers_that_add_up(compensating: bool) -> None:
    rises = made_up(compensating)
    by_lag = rises.sel(step="midpoint", split="train", group="single").mean("end").expand_dims(lag=["1"])
    claims = chapter.claims_about_layers(rises, -by_lag if compensating else by_lag).claims
    assert {claim.outcome for claim in claims} == {"holds" if compensating else "fails"}
    assert len(claims) == 7


def test_with_two_layers_there_are_no_later_ones() -> None:
    rises = made_up(True).isel(layer=slice(2))
    by_lag = rises.sel(step="midpoint", split="train", group="single").mean("end").expand_dims(lag=["1"])
    assert chapter.claims_about_layers(rises, by_lag).claims[1].outcome == "cannot tell"


def test_numbers_are_means_over_parents_and_homes() -> None:
    rises = made_up(True)
    by_lag = rises.sel(step="midpoint", split="train", group="single").mean("end").expand_dims(lag=["1"])
    numbers = chapter.group_numbers(rises, by_lag)
    own = rises.sel(step="midpoint", split="test", fork_epoch=1, group="single").mean(["parent", "pair", "end"])
    assert numbers["group_rise"]["single_2"].sel(split="test", fork_epoch=1).item() == pytest.approx(float(own[1]))
    total = numbers["group_rise"]["single_sum"].sel(split="test", fork_epoch=1).item()
    assert total == pytest.approx(float(own.sum()))
    exchanged = rises.sel(step="exchange", split="train", fork_epoch=0, group="single").squeeze("pair")
    differences = abs(exchanged.sel(end=0) - exchanged.sel(end=1))
    assert numbers["home_difference"].sel(fork_epoch=0).item() == pytest.approx(float(differences.mean()))
    assert [*numbers["exchange_rise"]] == ["single_1", "single_2", "single_3", "single_4", "single_sum"]
