"""Folders of `torch.distributed.checkpoint` are read without running the pickles in them."""

from __future__ import annotations

import enum
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed.checkpoint as dcp
from torch import nn
from torch.distributed.checkpoint.metadata import ChunkStorageMetadata, TensorProperties, TensorStorageMetadata

from lmc_utils.connect.checkpoints.distributed import _require_whole
from lmc_utils.connect.checkpoints.files import read
from lmc_utils.settings import ParameterError

RUN: list[str] = []


class Trap:
    def __reduce__(self) -> Any:
        return RUN.append, ("reduced",)


@pytest.mark.filterwarnings("ignore:torch.distributed is disabled")
def test_the_state_is_read_and_nothing_is_run(tmp_path: Path) -> None:
    network = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    optimiser = torch.optim.Adam(network.parameters())
    network(torch.randn(4, 2)).sum().backward()
    optimiser.step()
    content = {"model": network.state_dict(), "optim": optimiser.state_dict(), "epoch": 3, "trap": Trap()}
    dcp.save(content, checkpoint_id=tmp_path)
    RUN.clear()
    found, notes = read(tmp_path)
    assert notes == [f"{tmp_path.name}: using entry 'model'"]
    assert set(found) == set(network.state_dict())
    assert all(torch.equal(found[name], value) for name, value in network.state_dict().items())
    assert not RUN


class ByGetattr(pickle.Pickler):
    """Writes members of an Enum as Python 3.11.2 does."""

    def reducer_override(self, value: Any) -> Any:
        return (getattr, (type(value), value.name)) if isinstance(value, enum.Enum) else NotImplemented


@pytest.mark.filterwarnings("ignore:torch.distributed is disabled")
def test_metadata_of_other_versions_of_python_are_read(tmp_path: Path) -> None:
    dcp.save({"weight": torch.ones(2)}, checkpoint_id=tmp_path)
    metadata = pickle.loads((tmp_path / ".metadata").read_bytes())
    with (tmp_path / ".metadata").open("wb") as file:
        ByGetattr(file).dump(metadata)
    assert b"getattr" in (tmp_path / ".metadata").read_bytes()
    assert torch.equal(read(tmp_path)[0]["weight"], torch.ones(2))


class Reach:
    def __reduce__(self) -> Any:
        return getattr, (Path, "home")


@pytest.mark.parametrize("content", [pickle.dumps(Trap()), pickle.dumps(Reach()), b"hello", pickle.dumps({"a": 1})])
def test_metadata_of_other_classes_is_a_one_line_error(tmp_path: Path, content: bytes) -> None:
    (tmp_path / ".metadata").write_bytes(content)
    with pytest.raises(
        ParameterError, match=r"^checkpoint: cannot read '.*', of torch.distributed.checkpoint: .*; if you"
    ):
        read(tmp_path)
    assert not RUN


@pytest.mark.filterwarnings("ignore:torch.distributed is disabled")
def test_a_file_outside_of_the_folder_is_not_read(tmp_path: Path) -> None:
    dcp.save({"weight": torch.ones(2)}, checkpoint_id=tmp_path)
    metadata = pickle.loads((tmp_path / ".metadata").read_bytes())
    for each in metadata.storage_data.values():
        each.relative_path = f"../{tmp_path.name}/{each.relative_path}"
    (tmp_path / ".metadata").write_bytes(pickle.dumps(metadata))
    with pytest.raises(ParameterError, match=r"it names a file outside of the folder, \.\./"):
        read(tmp_path)


def chunks(*boxes: tuple[tuple[int, ...], tuple[int, ...]]) -> Callable[[Any], None]:
    """Metadata in which the first tensor, of 2 x 4 elements, has chunks with these offsets and sizes."""

    def change(metadata: Any) -> None:
        made = [ChunkStorageMetadata(torch.Size(offsets), torch.Size(sizes)) for offsets, sizes in boxes]
        metadata.state_dict_metadata["model.a"].chunks = made

    return change


def paths(**places: tuple[str, ...]) -> Callable[[Any], None]:
    return lambda metadata: metadata.planner_data.update({"model.a": places["a"], "b": places["b"]})


@pytest.mark.filterwarnings("ignore:torch.distributed is disabled")
@pytest.mark.parametrize(
    ("change", "line"),
    [
        (chunks(), "the chunks of model.a do not cover each of its elements exactly once$"),
        (chunks(((0, 0), (2, 3))), "the chunks of model.a do not cover"),
        (chunks(((0, 0), (2, 4)), ((0, 0), (2, 4))), "the chunks of model.a do not cover"),
        (chunks(((0, 0), (2, 2)), ((0, 1), (2, 2))), "the chunks of model.a do not cover"),  # as many elements
        (chunks(((0, 0), (2, 2)), ((0, 3), (2, 2))), "the chunks of model.a do not cover"),
        (chunks(((0, 0), (1, 2)), ((0, 2), (1, 2)), ((1, 0), (1, 2)), ((0, 2), (1, 2))), "of model.a do not cover"),
        (chunks(((0, 4), (2, -4))), "the chunks of model.a do not have its dimensions$"),
        (chunks(((0,), (2,))), "the chunks of model.a do not have its dimensions$"),
        (paths(a=("b",), b=("b",)), "it has several values in one place, b$"),
        (paths(a=("b", "x"), b=("b",)), "it has several values in one place, b$"),
        (paths(a=("b",), b=("b", "x", "y")), "it has several values in one place, b.x.y$"),
    ],
)
def test_values_that_are_not_whole_are_a_one_line_error(
    tmp_path: Path, change: Callable[[Any], None], line: str
) -> None:
    dcp.save({"model": {"a": torch.ones(2, 4)}, "b": torch.ones(3)}, checkpoint_id=tmp_path)
    metadata = pickle.loads((tmp_path / ".metadata").read_bytes())
    change(metadata)
    (tmp_path / ".metadata").write_bytes(pickle.dumps(metadata))
    with pytest.raises(ParameterError, match=f"^checkpoint: '.*' is corrupted or incomplete: .*{line}"):
        read(tmp_path)


@pytest.mark.parametrize(
    ("size", "boxes"),
    [
        ((), [((), ())]),
        ((0, 3), []),
        ((5,), [((0,), (3,)), ((3,), (2,)), ((5,), (0,))]),  # a process without a part of it
        ((2, 4), [((0, 0), (1, 3)), ((0, 3), (2, 1)), ((1, 0), (1, 3))]),
        ((1,) * 20, [((0,) * 20, (1,) * 20)]),
    ],
)
def test_tensors_in_any_whole_chunks_are_accepted(size: Any, boxes: Any) -> None:
    made = [ChunkStorageMetadata(torch.Size(offsets), torch.Size(sizes)) for offsets, sizes in boxes]
    _require_whole("a", TensorStorageMetadata(TensorProperties(), torch.Size(size), made))
