"""Checkpoint files of all kinds are read without running code in them; other files give a one-line error."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from lmc_utils.connect.checkpoints.files import read
from lmc_utils.settings import ParameterError

STATE = {"weight": torch.ones(2, 3), "bias": torch.zeros(2)}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (STATE, []),
        ({"epoch": 3, "state_dict": STATE}, ["x.pt: using entry 'state_dict'"]),
        (
            {"model": {"network": STATE}},
            ["x.pt: using entry 'model.network'"],
        ),
    ],
)
def test_wrappers_of_a_state_are_removed_and_reported(tmp_path: Path, content: Any, said: list[str]) -> None:
    torch.save(content, tmp_path / "x.pt")
    found, told = read(tmp_path / "x.pt")
    assert told == said
    assert all(torch.equal(found[name], value) for name, value in STATE.items())


def test_a_safetensors_file_is_read(tmp_path: Path) -> None:
    save_file(STATE, tmp_path / "x.safetensors")
    assert torch.equal(read(tmp_path / "x.safetensors")[0]["weight"], STATE["weight"])


class Trap:
    """Unpickling it writes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.touch, (self.path,)


def test_code_in_a_file_is_not_executed(tmp_path: Path) -> None:
    torch.save({"weight": Trap(tmp_path / "sprung")}, tmp_path / "x.pt")
    with pytest.raises(ParameterError, match=r"^checkpoint: .* holds more than tensors and plain values:"):
        read(tmp_path / "x.pt")
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize(
    ("name", "content", "line"),
    [
        ("x.pt", b"x", ".*was not written by torch.save"),
        ("x.pt", b"hello", ".*was not written by torch.save"),
        (
            "x.pt",
            b"version https://git-lfs.github.com/spec/v1\n",
            r".* is a Git LFS pointer; fetch the file by `git lfs pull`",
        ),
        ("x.pt", {"w": np.ones(2)}, r".* does not hold tensors by name but the names w; make tensors of"),
        ("x.pt", b"", ".*was not written by torch.save"),
        ("x.safetensors", b"hello", r".* is not a safetensors file: Error while deserializing header: header"),
        ("x.pt", [1], r".* does not hold tensors by name but list; save the tensors alone,"),
        ("x.pt", {"epoch": 3}, r".* does not hold tensors by name but the names epoch; save the tensors"),
        (
            "x.pt",
            nn.Linear(2, 3),
            r".* holds an object \(a torch.nn.modules.linear.Linear\), not tensors by",
        ),
        ("x.pt", None, "no such file: "),
    ],
)
def test_an_invalid_checkpoint_is_a_one_line_error(tmp_path: Path, name: str, content: Any, line: str) -> None:
    path = tmp_path / name
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        torch.save(content, path)
    with pytest.raises(ParameterError, match=f"^(checkpoint: )?{line}") as refused:
        read(path)
    assert "\n" not in str(refused.value)
