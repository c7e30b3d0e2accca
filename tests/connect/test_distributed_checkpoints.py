"""Folders of `torch.distributed.checkpoint` are read without running the pickles in them."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed.checkpoint as dcp
from torch import nn

from lmc_utils.connect.checkpoints import read
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
    assert notes == [f"{tmp_path.name}: what it holds as model was taken"]
    assert set(found) == set(network.state_dict())
    assert all(torch.equal(found[name], value) for name, value in network.state_dict().items())
    assert not RUN


@pytest.mark.parametrize("content", [pickle.dumps(Trap()), b"hello", pickle.dumps({"a": 1})])
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
