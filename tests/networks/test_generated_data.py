"""Generated data are made once, and made again if their file has changed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from lmc_utils.networks import generated_data
from lmc_utils.networks.generated_data import cached_arrays

ARRAYS = {"x": np.arange(6.0).reshape(2, 3), "y": np.array([3, 1], np.int64), "column": np.arange(6.0)[::2]}


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A list that records generated data in order."""
    monkeypatch.setenv("LMC_RUNS", str(tmp_path))
    return []


def ask(made: list[str], name: str = "arrays") -> None:
    found = cached_arrays(name, ["numpy"], lambda: made.append(name) or ARRAYS)  # type: ignore[func-returns-value]
    assert {key: array.dtype for key, array in found.items()} == {key: array.dtype for key, array in ARRAYS.items()}
    assert all(np.array_equal(found[key], ARRAYS[key]) for key in ARRAYS)


def test_generated_data_are_cached(made: list[str], tmp_path: Path) -> None:
    for _ in range(3):
        ask(made)
    assert made == ["arrays"]
    assert len(list(tmp_path.glob("generated/*"))) == 1


def test_other_names_and_versions_are_generated_again(made: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    ask(made)
    ask(made, "others")
    monkeypatch.setattr(generated_data, "versions", lambda _: {"numpy": "1.0"})
    ask(made)
    assert made == ["arrays", "others", "arrays"]


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_bytes(path.read_bytes()[:-1]),
        lambda path: path.write_bytes(path.read_bytes()[:-1] + b"\1"),
        lambda path: path.write_bytes(b""),
        lambda path: path.unlink(),
        lambda path: path.write_bytes(generated_data.save(ARRAYS)),
    ],
    ids=["cut off", "a bit", "empty", "gone", "nothing said"],
)
def test_a_corrupted_file_is_generated_again(made: list[str], tmp_path: Path, damage: Callable[[Path], None]) -> None:
    ask(made)
    (path,) = tmp_path.glob("generated/*")
    whole = path.read_bytes()
    damage(path)
    ask(made)
    ask(made)
    assert made == ["arrays", "arrays"]
    assert path.read_bytes() == whole


def test_without_a_writable_folder_data_are_generated_each_time(made: list[str], tmp_path: Path) -> None:
    (tmp_path / "generated").write_text("a file")
    ask(made)
    ask(made)
    assert made == ["arrays", "arrays"]
