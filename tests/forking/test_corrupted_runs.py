"""Corruption of a finished run's files is detected, reported in one line, and repaired to the same bits."""

from __future__ import annotations

import shutil
from pathlib import Path

import killed_training
import pytest
import run_corruption
from interrupted_training import interrupt_training

from lmc_utils.forking import Experiment, Run, store, train
from lmc_utils.networks import training

SMALL = killed_training.SMALL


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return train(SMALL, tmp_path_factory.mktemp("runs"))


@pytest.fixture
def copy(run: Run, tmp_path: Path) -> Path:
    return Path(shutil.copytree(run.folder.path, tmp_path / run.folder.path.name))


def train_on_another_machine(experiment: Experiment, folder: Path) -> None:
    """Train where the same steps give other bits."""
    real = training.train_epoch

    def rounded_otherwise(*arguments: object, **more: object) -> object:
        state = real(*arguments, **more)
        return state._replace(theta=state.theta * (1 + 1e-6))

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(training, "train_epoch", rounded_otherwise)
        train(experiment, folder)


@pytest.mark.parametrize("name", run_corruption.CORRUPTIONS)
def test_corruption_is_named_and_repaired(name: str, run: Run, copy: Path) -> None:
    corrupt, again = run_corruption.CORRUPTIONS[name]
    corrupt(copy)
    done = run_corruption.repair(SMALL, copy.parent)
    assert done.trained == list(again)
    assert run_corruption.equal(copy, run.folder.path)
    assert (copy / "key.json").read_bytes() == (run.folder.path / "key.json").read_bytes()
    names = [{path.name for path in folder.iterdir()} - {"lock"} for folder in (copy, run.folder.path)]
    assert names[0] == names[1]
    assert all(line.startswith(f"run {copy.name}: corrupted, so ") and "\n" not in line for line in done.lines)
    assert bool(done.lines) is (name not in run_corruption.UNREPORTED)


@pytest.mark.parametrize("seed", range(10))
def test_random_corruption_is_repaired(seed: int, run: Run, copy: Path) -> None:
    run_corruption.random_corruption(copy, seed)
    train(SMALL, copy.parent)
    assert run_corruption.equal(copy, run.folder.path)


def test_a_run_corrupted_during_a_measurement_is_not_measured(run: Run, copy: Path) -> None:
    opened = train(SMALL, copy.parent)
    run_corruption.a_bit_of_the_parameters(copy)
    with pytest.raises(store.Corrupted, match="epoch 2: its content is not what was saved"):
        list(opened.pairs([2]))


def test_repair_on_another_machine_retrains_all_later_epochs(run: Run, copy: Path, trained: list[int]) -> None:
    """If the same training gives other bits, no epoch of the old run is used after one of the new run."""
    run_corruption.epoch_file(copy, 2).unlink()
    train_on_another_machine(SMALL, copy.parent)
    assert trained == [2, 3, 4]
    assert run_corruption.equal(copy, run.folder.path, [0, 1])
    assert not run_corruption.equal(copy, run.folder.path, [4])


def test_repair_of_a_thinned_run_on_another_machine_retrains_all_later_epochs(
    tmp_path: Path, trained: list[int]
) -> None:
    thin = Experiment(**SMALL.to_json() | {"keep": 3, "fork_epochs": [0], "epochs": 7})
    folder = train(thin, tmp_path).folder
    assert folder.epochs() == [0, 3, 6, 7]
    folder.drop(3)
    trained.clear()
    train_on_another_machine(thin, tmp_path)
    assert trained == [1, 2, 3, 4, 5, 6, 7]


def test_thinned_runs_keep_the_listed_epochs_and_can_be_completed(run: Run, tmp_path: Path, trained: list[int]) -> None:
    thin = Experiment(**SMALL.to_json() | {"keep": 3})
    assert thin.kept_epochs() == [0, 2, 3, 4]
    folder = train(thin, tmp_path).folder
    assert folder.path.name == run.folder.path.name
    assert folder.epochs() == thin.kept_epochs()
    assert run_corruption.equal_networks(folder, run.folder, thin.kept_epochs())
    assert trained == [1, 2, 3, 4]
    train(SMALL, tmp_path)
    assert trained == [1, 2, 3, 4, 1]
    assert run_corruption.equal_networks(folder, run.folder)
    train(thin, tmp_path)
    assert folder.epochs() == [0, 1, 2, 3, 4]  # they were requested


def test_a_thinned_run_resumes(run: Run, tmp_path: Path, trained: list[int]) -> None:
    thin = Experiment(**SMALL.to_json() | {"keep": 9, "fork_epochs": [0, 2]})
    interrupt_training(thin, tmp_path, after=3)
    assert trained == [1, 2, 3, 4]
    folder = train(thin, tmp_path).folder
    assert trained == [1, 2, 3, 4, 4]
    assert folder.epochs() == [0, 2, 4]
    assert run_corruption.equal_networks(folder, run.folder, [0, 2, 4])


def test_killed_training_leaves_whole_files_and_resumes_to_equal_bits(tmp_path: Path) -> None:
    assert all(killed_training.kill_training(tmp_path, times=2, seed=0))
