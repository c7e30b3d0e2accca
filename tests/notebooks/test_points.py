"""The notebooks for sweeps record the expected numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from lmc_utils.chapters.recipe_verdicts import unfold
from lmc_utils.chapters.toy_stability_onset import Walkers
from lmc_utils.chapters.when_stability_begins import by_fork
from lmc_utils.forking import result_tables
from lmc_utils.measure import stability_onset
from lmc_utils.measure.statistics import bounds
from lmc_utils.running import notebooks, recorded_numbers

ROOT = Path(__file__).parents[2]


def recorded(name: str, folder: Path, **more: object) -> dict[str, float]:
    notebook = notebooks.point(name)
    notebooks.execute(notebook, notebook.preset("smoke") | more, folder / "out.ipynb")
    return recorded_numbers.read(folder / "out.ipynb")


def test_the_onset_is_that_of_the_recorded_barriers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LMC_RUNS", str(tmp_path / "runs"))
    found = recorded("one_boundary", tmp_path, seed=1)
    table = xr.Dataset(dict(found))
    error = by_fork(table, "train_error_at")
    for split in ("train", "test"):
        barrier = by_fork(table, f"error_barrier_{split}")
        assert barrier.fork_epoch.values.tolist() == [0, 1, 2, 4]
        assert float(barrier[-1]) == pytest.approx(0, abs=1e-6), "those that part at the end are one network"
        onset = stability_onset.stable_from(barrier)
        assert found[f"stable_from_{split}"] == pytest.approx(float(onset))
        assert found[f"stable_from_step_{split}"] == pytest.approx(500 // 64 * float(onset))
        assert found[f"train_error_there_{split}"] == pytest.approx(float(stability_onset.at_fork(error, onset)))
    assert found["final_error_train"] == pytest.approx(found["train_error_at_fork_4"], abs=6), "the parent's, nearly"


def test_several_parents_are_recorded_one_by_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LMC_RUNS", str(tmp_path / "runs"))
    found = recorded("one_boundary", tmp_path, parents=2, fork_steps=[0, 3])
    for fork in ("0", "0.4286"):
        of_each = [found[f"error_barrier_train_fork_{fork}_parent_{parent}"] for parent in (0, 1)]
        assert found[f"error_barrier_train_fork_{fork}"] == pytest.approx(np.mean(of_each))
        assert np.isfinite(found[f"final_error_train_fork_{fork}"])


def test_a_stored_row_is_reproduced_within_its_interval(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The smallest row of `results/elsewhere.sh`, made again; another machine rounds in another way."""
    monkeypatch.setenv("LMC_RUNS", str(tmp_path / "runs"))
    again = unfold(xr.Dataset(dict(recorded("one_recipe", tmp_path, parents=4))))
    stored = unfold(result_tables.read("elsewhere_smoke"))
    assert set(again) == set(stored)
    for name, values in stored.items():
        if "parent" in values.dims:
            ends = bounds(values.expand_dims("pair"))
            mean = again[name].mean("parent", skipna=False)
            inside = (ends.sel(bound="low") - 1e-6 <= mean) & (mean <= ends.sel(bound="high") + 1e-6)
            assert bool((inside | values.isnull().any("parent")).all()), name


def test_the_toy_notebook_records_its_onset(tmp_path: Path) -> None:
    found = recorded("toy_freezing", tmp_path, temperature=0.2)
    assert found == {"stable_from": Walkers(temperature=0.2, pairs=20).fork_time()}
    assert np.isfinite(found["stable_from"])
