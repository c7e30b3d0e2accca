"""The sweep over weight decays measures what each of its runs would; its ends are named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from lmc_utils.chapters import barrier_approximation as chapter
from lmc_utils.forking import Experiment, train
from lmc_utils.measure import lines
from lmc_utils.measure.statistics import Bootstrap


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
    found = chapter.least_and_most_decay(swept, Bootstrap(resamples=100))
    for name in ("ratio", "late_ratio"):
        assert found[name].sel(weight_decay="least_decay").item() == pytest.approx(2)
        assert found[name].sel(weight_decay="most_decay").item() == pytest.approx(4)
    assert {name: each.estimate for name, each in found["spearman"].items()} == {"least_decay": 1, "most_decay": 1}
