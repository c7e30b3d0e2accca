"""Runs on disk appear whole or not at all, and never hide damage."""

import threading
from pathlib import Path

import numpy as np
import pytest

from lmc_utils.forking import store
from lmc_utils.settings import ParameterError

KEY = {"seed": 0, "widths": [4, 4]}


def array(value: float) -> np.ndarray:
    return np.full((2, 3), value, np.float32)


@pytest.fixture
def folder(tmp_path: Path) -> store.RunFolder:
    made = store.RunFolder(KEY, tmp_path)
    for epoch in range(3):
        made.save(epoch, array(epoch), array(-epoch))
    return made


def test_what_was_saved_is_read_back(folder: store.RunFolder) -> None:
    assert folder.newest() == 2
    for epoch in range(3):
        assert np.array_equal(folder.thetas(epoch), array(epoch))
    assert np.array_equal(folder.momentum(2), array(-2))
    assert len(list(folder.path.glob("momentum_*"))) == 1


def test_other_settings_are_another_run(tmp_path: Path) -> None:
    assert store.RunFolder(KEY, tmp_path).path != store.RunFolder(KEY | {"seed": 1}, tmp_path).path
    assert store.RunFolder(KEY, tmp_path).newest() is None


@pytest.mark.parametrize("name", ["epoch_0002.npy", "epoch_0001.npy", "momentum_0002.npy"])
def test_a_truncated_file_does_not_count(folder: store.RunFolder, name: str) -> None:
    path = folder.path / name
    path.write_bytes(path.read_bytes()[:-4])
    assert folder.newest() is None


def test_a_crash_between_momentum_and_epoch_leaves_the_epoch_before(
    folder: store.RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = store.RunFolder._write

    def crash(self: store.RunFolder, name: str, content: np.ndarray) -> None:
        if name.startswith("epoch"):
            raise KeyboardInterrupt
        write(self, name, content)

    monkeypatch.setattr(store.RunFolder, "_write", crash)
    with pytest.raises(KeyboardInterrupt):
        folder.save(3, array(3), array(-3))
    assert folder.newest() == 2


def test_the_lock_makes_others_wait(folder: store.RunFolder) -> None:
    entered = threading.Event()

    def enter() -> None:
        with folder.lock():
            entered.set()

    other = threading.Thread(target=enter)
    with folder.lock():
        other.start()
        assert not entered.wait(0.3)
    other.join(timeout=10)
    assert entered.is_set()


def test_nothing_is_pickled(folder: store.RunFolder) -> None:
    np.save(folder.path / "epoch_0002.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(ValueError, match="Array can't be memory-mapped"):
        folder.thetas(2)


def test_an_impossible_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ParameterError, match="LMC_RUNS: expected a folder to keep runs in"):
        store.RunFolder(KEY, tmp_path / "file")


def test_the_environment_chooses_the_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LMC_RUNS", str(tmp_path))
    assert store.root() == tmp_path
