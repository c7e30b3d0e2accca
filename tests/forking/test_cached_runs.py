"""The runs on disk can be listed, checked and removed."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from lmc_utils.forking import Experiment, cached_runs, store, train
from lmc_utils.settings import ParameterError

TINY = Experiment(dataset="digits", widths=(4,), epochs=2, fork_epochs=(0,), parents=1, device="cpu")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    train(TINY, tmp_path)
    train(Experiment(**TINY.to_json() | {"seed": 3}), tmp_path)
    (tmp_path / "notes").mkdir()
    (tmp_path / "a file").write_text("")
    return tmp_path


def test_runs_describe_themselves(folder: Path) -> None:
    newest, oldest = cached_runs.list_runs(folder)
    assert newest.epochs == oldest.epochs == "2 of 2"
    assert oldest.describe() == 'dataset="digits" widths=[4] epochs=2 fork_epochs=[0] parents=1'
    assert newest.describe() == oldest.describe() + " seed=3"
    assert newest.check() == "intact"
    assert newest.size == sum(path.stat().st_size for path in newest.path.iterdir())
    assert 0 <= newest.age < 0.1


def test_corruption_is_detected(folder: Path) -> None:
    path = cached_runs.list_runs(folder)[0].path / "epoch_0001.safetensors"
    path.write_bytes(path.read_bytes()[:-1])
    assert {run.check() for run in cached_runs.list_runs(folder)} == {
        "intact",
        "corrupted: epoch 1: its file cannot be read",
    }
    path.unlink()
    gap = "incomplete: epoch 1 missing (not stored with keep=2, or lost)"
    assert {run.check() for run in cached_runs.list_runs(folder)} == {"intact", gap}
    (path.parent / "epoch_0000.safetensors").unlink()
    assert {run.check() for run in cached_runs.list_runs(folder)} == {"intact", "incomplete: epochs 0 to 1 missing"}


def test_an_interrupted_training_is_incomplete(tmp_path: Path) -> None:
    train(TINY, tmp_path)
    (run,) = cached_runs.list_runs(tmp_path)
    (run.path / "epoch_0002.safetensors").unlink()
    assert run.check() == "incomplete: trained to epoch 1 of 2"


@pytest.mark.parametrize("content", ["", "{}", "[1]", '{"experiment": {}}', "[" * 5000])
def test_an_invalid_key_is_reported(folder: Path, content: str) -> None:
    run = cached_runs.list_runs(folder)[0]
    (run.path / "key.json").write_text(content)
    again = next(each for each in cached_runs.list_runs(folder) if each.path == run.path)
    assert again.epochs == "-"
    assert again.describe().startswith("unknown: ")
    assert again.check() == "cannot be checked"
    again.remove()
    assert run.path not in [each.path for each in cached_runs.list_runs(folder)]


def test_runs_with_keys_of_other_versions_are_listed(tmp_path: Path) -> None:
    store.RunFolder({"experiment": 3}, tmp_path)
    store.RunFolder({"other": "things"}, tmp_path)
    assert [run.describe().partition(":")[0] for run in cached_runs.list_runs(tmp_path)] == ["unknown", "unknown"]


def test_runs_are_selected_by_name_prefix(folder: Path) -> None:
    runs = cached_runs.list_runs(folder)
    name = runs[0].path.name
    assert next(cached_runs.pick(runs, [name[:12]])) == runs[0]
    with pytest.raises(ParameterError, match="'' is ambiguous; it begins the names of the runs "):
        list(cached_runs.pick(runs, [""]))
    with pytest.raises(ParameterError, match="unknown run 'nothing'"):
        list(cached_runs.pick(runs, ["nothing"]))


def test_a_run_in_training_is_not_removed(folder: Path) -> None:
    run = cached_runs.list_runs(folder)[0]
    key = json.loads((run.path / "key.json").read_text())
    with (
        store.RunFolder(key, folder).lock(),
        pytest.raises(ParameterError, match=r"run .* is in use by another process"),
    ):
        run.remove()
    assert run.epochs == "2 of 2"
    run.remove()
    assert not run.path.exists()


def test_age_counts_from_the_last_use(folder: Path) -> None:
    for run in cached_runs.list_runs(folder):
        os.utime(run.path, (0, time.time() - 10 * 86400))
    assert [round(run.age) for run in cached_runs.list_runs(folder)] == [10, 10]
    train(TINY, folder)
    assert sorted(round(run.age) for run in cached_runs.list_runs(folder)) == [0, 10]


def test_other_files_are_no_runs_and_link_targets_survive_removal(folder: Path, tmp_path: Path) -> None:
    (folder / "deadbeefdeadbeef").mkdir()
    (folder / "deadbeefdeadbeef" / "thesis.txt").write_text("")
    assert len(cached_runs.list_runs(folder)) == 2
    run = cached_runs.list_runs(folder)[0]
    elsewhere = run.path.rename(folder / "elsewhere")
    run.path.symlink_to(elsewhere)
    again = next(each for each in cached_runs.list_runs(folder) if each.path == run.path)
    again.remove()
    assert len(list(elsewhere.glob("epoch_*"))) == 3
    assert not run.path.is_symlink()


def test_a_missing_folder_has_no_runs(tmp_path: Path) -> None:
    assert cached_runs.list_runs(tmp_path / "nowhere") == []
