"""Runs are written atomically, and corruption is always detected."""

import errno
import threading
from pathlib import Path

import filelock
import numpy as np
import pytest

from lmc_utils import provenance
from lmc_utils.forking import store
from lmc_utils.settings import ParameterError

KEY = {"seed": 0, "widths": [4, 4]}


def array(value: float) -> np.ndarray:
    return np.full((2, 3), value, np.float32)


def state(value: float) -> dict[str, np.ndarray]:
    return {"theta": array(value), "momentum": array(-value), "buffers": np.zeros((2, 0), np.float32)}


@pytest.fixture
def folder(tmp_path: Path) -> store.RunFolder:
    made = store.RunFolder(KEY, tmp_path)
    for epoch in range(3):
        made.save(epoch, state(epoch), after=range(max(0, epoch - 1), epoch))
    return made


def test_saved_epochs_are_read_back(folder: store.RunFolder) -> None:
    assert folder.epochs() == [0, 1, 2]
    for epoch in range(3):
        assert folder.fault(epoch) is None
        assert np.array_equal(folder.rows(epoch, "theta", [1, 0, 1]), array(epoch)[[1, 0, 1]])
        found = folder.state(epoch)
        assert set(found) == set(state(epoch))
        assert all(np.array_equal(found[name], values) for name, values in state(epoch).items())
    assert [folder.newest(before) for before in range(4)] == [None, 0, 1, 2]


def test_rows_are_those_requested(tmp_path: Path) -> None:
    made = store.RunFolder(KEY, tmp_path)
    values = np.arange(40, dtype=np.float32).reshape(8, 5)
    made.save(0, {"theta": values, "momentum": -values})
    assert np.array_equal(made.rows(0, "theta", [6, 1, 1]), values[[6, 1, 1]])


def test_different_settings_have_different_folders(tmp_path: Path) -> None:
    assert store.RunFolder(KEY, tmp_path).path != store.RunFolder(KEY | {"seed": 1}, tmp_path).path
    assert store.RunFolder(KEY, tmp_path).epochs() == []


def test_a_corrupted_epoch_is_named_and_ignored(folder: store.RunFolder) -> None:
    path = folder.path / "epoch_0002.safetensors"
    path.write_bytes(path.read_bytes()[:-4])
    assert folder.fault(2) == "its file cannot be read"
    assert folder.newest(3) == 1
    with pytest.raises(
        store.Corrupted, match=f"^run {folder.path.name}, epoch 2: its file cannot be read; train the run"
    ):
        folder.rows(2, "theta", [0])


def test_an_epoch_trained_from_a_replaced_epoch_is_not_intact(folder: store.RunFolder) -> None:
    folder.save(1, state(5), after=[0])
    assert folder.fault(1) is None
    assert folder.fault(2) == "it was not trained from epoch 1 as it is here"
    folder.drop(1)
    assert folder.fault(2) is None  # nothing contradicts it


def test_a_file_is_read_once_in_a_process_until_it_changes(
    folder: store.RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[Path] = []
    real = store.safe_open

    def counted(path: Path, framework: str) -> object:
        opened.append(path)
        return real(path, framework)

    monkeypatch.setattr(store, "safe_open", counted)
    again = store.RunFolder(KEY, folder.path.parent)
    assert again.fault(0) is None and again.fault(0) is None  # noqa: PT018
    assert len(opened) <= 1
    path = folder.path / "epoch_0000.safetensors"
    changed = bytearray(path.read_bytes())
    changed[-1] ^= 1
    path.unlink()
    path.write_bytes(changed)
    assert again.fault(0) == "its content is not what was saved"


def test_a_crash_while_an_epoch_is_written_leaves_the_epoch_before(
    folder: store.RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(path: Path, *content: bytes) -> None:
        path.with_name(f".{path.name}.4711.partial").write_bytes(content[0])
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(store, "write_whole", crash)
        with pytest.raises(KeyboardInterrupt):
            folder.save(3, state(3))
    assert folder.newest(4) == 2
    assert len(list(folder.path.glob(".*"))) == 1
    with folder.lock():
        assert not list(folder.path.glob(".*"))


def test_a_full_disk_is_a_one_line_error(folder: store.RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(provenance.os, "fsync", full)
    with pytest.raises(provenance.DiskFull) as caught:
        folder.save(3, state(3))
    line = str(caught.value)
    assert line.startswith("the disk is full: 'epoch_0003.safetensors' takes ")
    assert str(folder.path) in line
    assert folder.epochs() == [0, 1, 2]
    assert not list(folder.path.glob(".*"))


def test_the_lock_blocks_other_processes(folder: store.RunFolder) -> None:
    entered = threading.Event()

    def enter() -> None:
        with folder.lock():
            entered.set()

    other = threading.Thread(target=enter)
    with folder.lock():
        other.start()
        assert not entered.wait(0.3)
        with pytest.raises(filelock.Timeout), store.RunFolder(KEY, folder.path.parent).lock(timeout=0):
            pass
    other.join(timeout=10)
    assert entered.is_set()


def test_a_pickle_in_place_of_an_epoch_is_not_loaded(folder: store.RunFolder) -> None:
    with (folder.path / "epoch_0002.safetensors").open("wb") as file:
        np.save(file, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(store.Corrupted, match="its file cannot be read"):
        folder.rows(2, "theta", [0])


def test_a_read_only_run_can_be_read(folder: store.RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("nothing is to be written")

    monkeypatch.setattr(store, "write_whole", refuse)
    again = store.RunFolder(KEY, folder.path.parent)
    assert np.array_equal(again.rows(2, "theta", [0]), array(2)[:1])


def test_an_unusable_folder_is_a_one_line_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ParameterError, match=r"cannot store runs in .* \[Errno 20\] Not a directory: .*"):
        store.RunFolder(KEY, tmp_path / "file")
