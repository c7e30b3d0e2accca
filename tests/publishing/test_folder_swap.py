"""One folder replaces another, and a reader always finds a complete one."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import pytest

from lmc_utils.publishing import folder_swap


class Killed(BaseException):
    """Simulates a kill: no exception handler or cleanup runs."""


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path, Path]:
    """The paths of the folder to replace, the new one and the temporary one."""
    for name in ("html", "html.new"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "index.html").write_text(name)
    return tmp_path / "html", tmp_path / "html.new", tmp_path / "html.old"


def says(place: Path) -> str:
    return (place / "index.html").read_text()


def replace_until_killed(
    folders: tuple[Path, Path, Path], owner: object, name: str, killed: Callable[..., object]
) -> str:
    """The content after a kill in a system function and a restoration, which leaves no other folder."""
    with mock.patch.object(owner, name, killed), pytest.raises(Killed):
        folder_swap.replace(*folders)
    folder_swap.restore(*folders)
    assert os.listdir(folders[0].parent) == ["html"]
    return says(folders[0])


@pytest.mark.parametrize("in_one_step", [True, False])
def test_the_new_folder_replaces_the_old_one(
    in_one_step: bool, folders: tuple[Path, Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    if not in_one_step:
        monkeypatch.setattr(folder_swap, "_exchange", lambda one, other: False)
    place, fresh, _ = folders
    folder_swap.replace(*folders)
    assert says(place) == "html.new"
    assert os.listdir(place.parent) == ["html"]
    fresh.mkdir()
    shutil.rmtree(place)
    folder_swap.replace(*folders)  # the first time
    assert os.listdir(place.parent) == ["html"]


def test_readers_always_find_a_whole_folder(folders: tuple[Path, Path, Path]) -> None:
    place, fresh, aside = folders
    shutil.copytree(fresh, fresh.with_name("try"))
    if not folder_swap._exchange(place, fresh.with_name("try")):
        pytest.skip("this system cannot exchange folders in one step")
    done, seen = threading.Event(), set()

    def look() -> None:
        while not done.is_set():
            try:
                seen.add(says(place) in ("html", "html.new"))
            except OSError:
                seen.add(False)

    watcher = threading.Thread(target=look)
    watcher.start()
    for _ in range(200):
        shutil.copytree(place, fresh, dirs_exist_ok=True)
        folder_swap.replace(place, fresh, aside)
    done.set()
    watcher.join()
    assert seen == {True}


@pytest.mark.parametrize("at", [1, 2])
def test_a_kill_at_a_rename_loses_nothing(
    at: int, folders: tuple[Path, Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folder_swap, "_exchange", lambda one, other: False)
    renames, rename = 0, Path.rename

    def killed(path: Path, target: Path) -> Path:
        nonlocal renames
        renames += 1
        if renames == at:
            raise Killed
        return rename(path, target)

    assert replace_until_killed(folders, Path, "rename", killed) == "html"


@pytest.mark.parametrize("in_one_step", [True, False])
def test_a_kill_during_removal_of_the_old_folder_keeps_the_new_one(
    in_one_step: bool, folders: tuple[Path, Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    if not in_one_step:
        monkeypatch.setattr(folder_swap, "_exchange", lambda one, other: False)

    def killed(path: Path) -> None:
        raise Killed

    assert replace_until_killed(folders, shutil, "rmtree", killed) == "html.new"
