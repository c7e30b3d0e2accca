"""Tensors and plain values are read beside objects of any class, without running code of these."""

from __future__ import annotations

import argparse
import collections
import datetime
import types
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.serialization import get_safe_globals, safe_globals

from lmc_utils.connect.checkpoints.pickled_files import load, unread_class
from lmc_utils.settings import ParameterError

RUN: list[str] = []


class Options(dict):  # type: ignore[type-arg]
    """As trainers keep settings."""


class Trap:
    """Records if it was run, by any of the ways in which unpickling can run code."""

    def __reduce__(self) -> Any:
        return RUN.append, ("reduced",)


class State:
    def __init__(self) -> None:
        self.value = 1

    def __setstate__(self, state: Any) -> None:
        RUN.append("state set")


@pytest.mark.parametrize(
    "beside",
    [
        argparse.Namespace(rate=0.1, folder=Path("runs")),
        types.SimpleNamespace(a=1),
        Path("runs"),
        np.float64(0.5),
        np.arange(3),
        np.dtype("float32"),
        datetime.datetime(2026, 1, 1),
        torch.nn.functional.relu,
        torch.optim.SGD([torch.ones(1)], 0.1),
        frozenset([1]),
        State(),
    ],
    ids=lambda value: type(value).__name__,
)
@pytest.mark.parametrize("zipped", [True, False])
def test_tensors_are_read_beside_any_object(tmp_path: Path, beside: Any, zipped: bool) -> None:
    torch.save({"w": torch.arange(3.0), "beside": beside}, tmp_path / "x.pt", _use_new_zipfile_serialization=zipped)
    found = load(tmp_path / "x.pt")
    assert found["w"].tolist() == [0, 1, 2]
    assert unread_class(found["beside"])
    assert not RUN


@pytest.mark.parametrize(
    ("beside", "plain"),
    [
        (Options(a=1, b=Options(c=torch.ones(1))), {"a": 1, "b": {"c": torch.ones(1)}}),
        (collections.defaultdict(list, a=[1]), {"a": [1]}),
        (collections.deque([1, 2]), [1, 2]),
    ],
    ids=["dict", "defaultdict", "deque"],
)
def test_kinds_of_dicts_and_lists_are_read_as_plain_ones(tmp_path: Path, beside: Any, plain: Any) -> None:
    torch.save({"w": torch.ones(1), "beside": beside}, tmp_path / "x.pt")
    assert load(tmp_path / "x.pt")["beside"] == plain


def test_a_network_is_not_built(tmp_path: Path) -> None:
    torch.save(nn.Linear(2, 3), tmp_path / "x.pt")
    assert unread_class(load(tmp_path / "x.pt")) == "torch.nn.modules.linear.Linear"


def test_what_would_be_run_is_not(tmp_path: Path) -> None:
    torch.save({"w": torch.ones(1), "trap": Trap()}, tmp_path / "x.pt")
    with pytest.raises(ParameterError, match=r"^checkpoint: .* holds more than tensors and plain values:"):
        load(tmp_path / "x.pt")
    assert not RUN


def test_a_registered_class_is_not_built_and_stays_registered(tmp_path: Path) -> None:
    torch.save({"w": torch.ones(1), "beside": State()}, tmp_path / "x.pt")
    torch.save(torch.ones(1), tmp_path / "broken.pt")
    (tmp_path / "broken.pt").write_bytes((tmp_path / "broken.pt").read_bytes()[:200])
    with safe_globals([State, (RUN.append, "builtins.print")]):
        before = {*get_safe_globals()}
        assert unread_class(load(tmp_path / "x.pt")["beside"]) == f"{State.__module__}.State"
        with pytest.raises(ParameterError):
            load(tmp_path / "broken.pt")
        assert {*get_safe_globals()} == before
    assert not RUN


def test_a_torchscript_archive_is_a_one_line_error(tmp_path: Path) -> None:
    torch.jit.script(nn.Linear(2, 3)).save(str(tmp_path / "x.pt"))
    with pytest.raises(
        ParameterError, match=r"^checkpoint: '.*' is a TorchScript archive, whose code is not run; save"
    ):
        load(tmp_path / "x.pt")


def test_a_class_whose_name_no_class_can_have_is_a_one_line_error(tmp_path: Path) -> None:
    torch.save({"w": torch.ones(1)}, tmp_path / "whole.pt")
    with zipfile.ZipFile(tmp_path / "whole.pt") as whole, zipfile.ZipFile(tmp_path / "x.pt", "w") as damaged:
        for name in whole.namelist():
            damaged.writestr(name, b"\x80\x02cfoo\nb\0ar\n)R." if name.endswith("data.pkl") else whole.read(name))
    with pytest.raises(ParameterError, match=r"^checkpoint: .* holds more than tensors and plain values: foo.b, which"):
        load(tmp_path / "x.pt")
