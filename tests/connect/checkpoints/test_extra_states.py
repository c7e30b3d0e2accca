"""Extra states must be equal in all networks, and are loaded into the measured module."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from lmc_utils import connect
from lmc_utils.connect.checkpoints.files import read
from lmc_utils.connect.endpoints import endpoints
from lmc_utils.settings import ParameterError

DATA = torch.randn(12, 3), torch.randint(0, 2, (12,))


class Scaled(nn.Module):
    """Its scale is no tensor, and is saved as an extra state."""

    def __init__(self, scale: float) -> None:
        super().__init__()
        self.layer, self.scale = nn.Linear(3, 2), scale

    def forward(self, inputs: Tensor) -> Tensor:
        return self.layer(inputs) * self.scale

    def get_extra_state(self) -> Any:
        return {"scale": self.scale, "history": [torch.ones(2)]}

    def set_extra_state(self, state: Any) -> None:
        self.scale = state["scale"]


def test_files_bring_their_extra_state_and_the_users_module_keeps_its_own(tmp_path: Path) -> None:
    first, second, module = Scaled(5.0), Scaled(5.0), Scaled(1.0)
    for name, network in (("a.pt", first), ("b.pt", second)):
        torch.save({"state_dict": {f"model.{n}": v for n, v in network.state_dict().items()}}, tmp_path / name)
    states = [read(tmp_path / name)[0] for name in ("a.pt", "b.pt")]
    expected = connect.pair(first, second, DATA, alphas=3)
    assert connect.pair(*states, DATA, model=module, alphas=3).loss.values.tolist() == expected.loss.values.tolist()
    assert module.scale == 1.0


def test_extra_states_that_differ_are_a_one_line_error() -> None:
    first, second = Scaled(5.0), Scaled(4.0)
    for other in (second, second.state_dict()):
        with pytest.raises(ParameterError, match=r"^second: _extra_state differs between the networks, and there is"):
            endpoints([first, other])


def test_a_file_without_extra_state_uses_the_modules_and_says_so() -> None:
    first, second = (
        Scaled(5.0),
        {name: value for name, value in Scaled(5.0).state_dict().items() if name != "_extra_state"},
    )
    assert endpoints([first, second]).notes == ("second: it lacks _extra_state, the module's is used",)


def test_an_extra_state_of_an_unknown_class_is_a_one_line_error(tmp_path: Path) -> None:
    torch.save({**Scaled(1.0).state_dict(), "_extra_state": {"scale": argparse.Namespace()}}, tmp_path / "x.pt")
    with pytest.raises(ParameterError, match=r"^second: _extra_state holds an object \(argparse.Namespace\), which"):
        endpoints([Scaled(1.0), read(tmp_path / "x.pt")[0]])
