"""Sharded checkpoints and folders are read completely, and invalid indices are rejected."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from lmc_utils.connect.checkpoints.files import read
from lmc_utils.settings import ParameterError

STATE = {"weight": torch.ones(2, 3), "bias": torch.zeros(2), "scale": torch.full((1,), 3.0)}
PARTS = [{"weight": STATE["weight"]}, {"bias": STATE["bias"], "scale": STATE["scale"]}]


def write(folder: Path, stem: str = "model", ending: str = "safetensors", index: str = "") -> Path:
    """A checkpoint in two files with an index, as `save_pretrained` writes it."""
    places = {}
    for row, part in enumerate(PARTS):
        name = f"{stem}-{row + 1:05}-of-00002.{ending}"
        save_file(part, folder / name) if ending == "safetensors" else torch.save(part, folder / name)
        places |= dict.fromkeys(part, name)
    path = folder / (index or f"{stem}.{ending}.index.json")
    path.write_text(json.dumps({"metadata": {"total_size": 36}, "weight_map": places}))
    return path


def require_state(path: Path) -> list[str]:
    found, notes = read(path)
    assert set(found) == set(STATE)
    assert all(torch.equal(found[name], value) for name, value in STATE.items())
    return notes


@pytest.mark.parametrize(("stem", "ending"), [("model", "safetensors"), ("pytorch_model", "bin"), ("mine", "pt")])
def test_an_index_and_its_folder_give_all_tensors(tmp_path: Path, stem: str, ending: str) -> None:
    index = write(tmp_path, stem, ending)
    for name in ("optimizer.pt", "scheduler.pt", "rng_state.pth", "training_args.bin"):
        torch.save({"other": torch.ones(1)}, tmp_path / name)
    (tmp_path / "config.json").write_text("{}")
    assert require_state(index) == []
    assert require_state(tmp_path) == [f"{tmp_path.name}: {index.name} was read"]


@pytest.mark.parametrize("name", ["model.safetensors", "pytorch_model.bin", "epoch_9.ckpt"])
def test_a_folder_of_one_network_is_read(tmp_path: Path, name: str) -> None:
    save_file(STATE, tmp_path / name) if name.endswith("rs") else torch.save({"state_dict": STATE}, tmp_path / name)
    torch.save({"other": torch.ones(1)}, tmp_path / "optimizer.pt")
    assert require_state(tmp_path)[0] == f"{tmp_path.name}: {name} was read"


def test_one_of_several_files_is_rejected_and_names_the_index(tmp_path: Path) -> None:
    write(tmp_path)
    with pytest.raises(
        ParameterError, match=r"^checkpoint: '.*' is file 2 of 2 of a checkpoint; give its index, '.*json'"
    ):
        read(tmp_path / "model-00002-of-00002.safetensors")
    save_file(STATE, tmp_path / "all-00001-of-00001.safetensors")
    require_state(tmp_path / "all-00001-of-00001.safetensors")


def edit(change: Callable[[dict[str, Any]], Any]) -> Callable[[Path], None]:
    def apply(index: Path) -> None:
        content = json.loads(index.read_text())
        change(content)
        index.write_text(json.dumps(content))

    return apply


def number_as_name(index: Path) -> None:
    edit(lambda content: content.update(weight_map={"bias": "x.bin"}))(index)
    torch.save({1: STATE["bias"]}, index.parent / "x.bin")


@pytest.mark.parametrize(
    ("damage", "line"),
    [
        (edit(lambda index: index["weight_map"].update(bias="../x.safetensors")), "must name files beside it"),
        (edit(lambda index: index["weight_map"].update(bias="/etc/passwd")), "must name files beside it"),
        (edit(lambda index: index["weight_map"].update(bias="..\\x.bin")), "must name files beside it"),
        (edit(lambda index: index["weight_map"].update(more="a.bin")), r"files named in .* are missing: a.bin$"),
        (edit(lambda index: index["weight_map"].update(more="x" * 5000)), r"files named in .* are missing:"),
        (number_as_name, r".* must hold tensors by name \(got the key 1\)$"),
        (edit(lambda index: index["weight_map"].update(more="model-00001-of-00002.safetensors")), "in no file: more$"),
        (edit(lambda index: index["weight_map"].pop("bias")), "in a file, not in the index: bias$"),
        (edit(lambda index: index["weight_map"].update(bias=3)), "must map each tensor to a file"),
        (edit(lambda index: index.pop("weight_map")), "is not an index with a weight_map: "),
        (lambda index: index.write_text("[" * 100_000), "is not an index with a weight_map: "),
        (lambda index: index.write_bytes(b"\xff\xfe"), "is not an index with a weight_map: "),
        (
            lambda index: save_file({**PARTS[0], **PARTS[1]}, index.parent / "model-00002-of-00002.safetensors"),
            r"weight is in several files, also in .*",
        ),
        (lambda index: (index.parent / "model-00002-of-00002.safetensors").unlink(), "are missing: model-00002"),
    ],
)  # fmt: skip
def test_an_index_that_does_not_fit_is_a_one_line_error(
    tmp_path: Path, damage: Callable[[Path], Any], line: str
) -> None:
    index = write(tmp_path)
    damage(index)
    with pytest.raises(ParameterError, match=f"^checkpoint: .*{line}") as refused:
        read(index)
    assert "\n" not in str(refused.value)


def test_folders_without_one_network_say_what_to_give(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match=r"no checkpoint file in the folder .*$"):
        read(tmp_path)
    (tmp_path / "checkpoint-500").mkdir()
    write(tmp_path / "checkpoint-500")
    with pytest.raises(ParameterError, match=r"no checkpoint file in the folder .* give one of its folders:"):
        read(tmp_path)
    for name in ("a.pt", "b.pt"):
        torch.save(STATE, tmp_path / name)
    with pytest.raises(ParameterError, match=r".* has several checkpoints, a.pt, b.pt; give one of them$"):
        read(tmp_path)
    save_file(STATE, tmp_path / "checkpoint-500" / "model.safetensors")
    with pytest.raises(ParameterError, match=r".* has model.safetensors and model.safetensors.index.json; give one of"):
        read(tmp_path / "checkpoint-500")


def test_folders_that_cannot_be_read_are_a_one_line_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "inside").mkdir()
    (tmp_path / "open").mkdir()
    (tmp_path / "open" / "model.safetensors").touch()
    closed = {tmp_path / "inside"}
    iterdir, stat = Path.iterdir, Path.stat

    def iterdir_unless_closed(path: Path) -> Any:
        if path in closed:
            raise PermissionError(13, "Permission denied", str(path))
        return iterdir(path)

    def stat_unless_closed(path: Path, **options: Any) -> Any:
        if path.parent in closed:
            raise PermissionError(13, "Permission denied", str(path))
        return stat(path, **options)

    monkeypatch.setattr(Path, "iterdir", iterdir_unless_closed)  # tests may be run by root, who may read all folders
    monkeypatch.setattr(Path, "stat", stat_unless_closed)
    with pytest.raises(ParameterError, match=r"no checkpoint file in the folder .* give one of its folders: open$"):
        read(tmp_path)
    closed.add(tmp_path)
    with pytest.raises(ParameterError, match=r"^checkpoint: cannot read the folder '.*': Permission denied$"):
        read(tmp_path)


def test_names_that_are_too_long_are_a_one_line_error(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match=r"^no such file:"):
        read(Path("x" * 300))
