"""The sweep over weight decays gives the measurements of its single runs; its ends are named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from lmc_utils.chapters import barrier_approximation as chapter
from lmc_utils.forking import Experiment, train
from lmc_utils.measure import lines
from lmc_utils.measure.statistics import Correlation


def test_each_decay_is_a_run_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LMC_RUNS", str(tmp_path))
    small = {"widths": (4,), "epochs": 2, "fork_epochs": (0, 1), "parents": 1, "train_samples": 128}
    run = train(Experiment(weight_decay=0.1, **small))  # type: ignore[arg-type]
    swept = chapter.decay_sweep(run, chapter.Parameters(decays=(0.0, 0.1), sweep_parents=1))
    assert swept.weight_decay.values.tolist() == [0.0, 0.1]
    for decay in (0.0, 0.1):
        own = train(Experiment(weight_decay=decay, **small)).pairs()  # type: ignore[arg-type]
        loss = lines.line(own, lines.ENDS_AND_MIDPOINT, splits=["train"]).loss.squeeze()
        barrier = loss.sel(alpha=0.5) - loss.sel(alpha=[0, 1]).mean("alpha")
        np.testing.assert_allclose(swept.measured.sel(weight_decay=decay).squeeze(), barrier, atol=1e-12)
        own_loss = loss.sel(alpha=[0, 1]).mean("alpha")
        np.testing.assert_allclose(swept.loss.sel(weight_decay=decay).squeeze(), own_loss, rtol=1e-5)  # float32


def test_the_first_and_last_points_are_the_least_and_most_decay() -> None:
    coords = {"weight_decay": [0.0, 0.1, 0.2], "fork_epoch": [0, 5], "parent": [0, 1], "pair": ["0-1"]}
    measured = xr.DataArray(np.random.default_rng(0).uniform(1, 2, size=(3, 2, 2, 1)), coords=coords)
    factor = xr.DataArray([2.0, 3.0, 4.0], coords={"weight_decay": coords["weight_decay"]})
    swept = xr.Dataset({"measured": measured, "predicted": factor * measured, "loss": measured})
    found = chapter.least_and_most_decay(swept)
    for name in ("ratio", "late_ratio"):
        assert found[name].sel(weight_decay="least_decay").item() == pytest.approx(2)
        assert found[name].sel(weight_decay="most_decay").item() == pytest.approx(4)
    assert {name: each.estimate for name, each in found["spearman"].items()} == {"least_decay": 1, "most_decay": 1}


def test_claims_tell_a_formula_that_knows_more_than_distance_from_one_that_does_not() -> None:
    """Barriers are distance times curvature; a formula that knows the distance alone is left with nothing."""
    coords = {"fork_epoch": [0, 1, 5], "parent": range(12), "pair": ["0-1"]}
    generator = np.random.default_rng(0)
    distance, bend, noise = (xr.DataArray(each, coords) for each in generator.uniform(1, 2, size=(3, 3, 12, 1)))
    measured = distance * bend * xr.DataArray([100.0, 10.0, 1.0], {"fork_epoch": coords["fork_epoch"]})
    line = xr.Dataset({"measured": xr.DataArray([0.0, 1.0], dims="alpha"), "implied": ("alpha", [0.0, 1.02])})
    outcomes = {}
    for name, formula in {"knows": measured, "distance": distance + 1e-3 * noise}.items():
        found = chapter.ranks({"second_order": formula}, measured, distance)
        of_layers = Correlation(0.9, 0.8, 0.95)
        claims = chapter.claims(found, of_layers, formula, measured, line, -noise).claims
        outcomes[name] = [claim.outcome for claim in claims]
    assert outcomes["knows"][1:5] == ["cannot tell", "cannot tell", "holds", "holds"], "no interval of a perfect order"
    assert outcomes["distance"][2] == "cannot tell"
    assert outcomes["distance"][3] == "fails"
    assert {each[5] for each in outcomes.values()} == {"fails"}, "two percent off"


def test_layers_are_ranked_within_one_layer_of_one_fork() -> None:
    coords = {"fork_epoch": [0, 5], "parent": range(12), "pair": ["0-1"], "layer": ["a", "b"]}
    first, second = (xr.DataArray(each, coords) for each in np.random.default_rng(1).normal(size=(2, 2, 12, 1, 2)))
    size = xr.DataArray([[1.0, 10.0], [100.0, 1000.0]], {"fork_epoch": [0, 5], "layer": ["a", "b"]})
    found = chapter.layer_ranks({"guess": first + size * 10}, second + size * 10)["guess"]
    assert found["everywhere"].estimate > 0.9
    assert abs(found["within layers"].estimate) < 0.5
