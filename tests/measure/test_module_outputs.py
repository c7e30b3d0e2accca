"""The real-valued tensors in an output are found at any depth."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor

from lmc_utils.measure.module_outputs import alike, outputs

ONE, TWO = torch.zeros(2, 3), torch.ones(4)


@dataclass
class Record:
    logits: Tensor
    more: Any = None


@dataclass(slots=True)
class Slots:
    logits: Tensor
    more: Any = None


class Named(NamedTuple):
    logits: Tensor
    more: Any = None


def made(kind: Any) -> Any:
    return kind(logits=ONE, more=[{"a": TWO}, "text", torch.arange(3), None, 2])


@pytest.mark.parametrize("kind", [dict, OrderedDict, Record, Slots, Named, SimpleNamespace])
def test_real_tensors_are_found_in_their_order_and_compared(kind: Any) -> None:
    found = outputs(made(kind))
    assert [id(part) for part in found] == [id(ONE), id(TWO)]
    assert alike(made(kind), made(kind))
    assert not alike(made(kind), kind(logits=ONE, more=TWO + 1))
    assert not alike(made(kind), kind(logits=ONE))


def test_an_output_that_holds_itself_is_read_once() -> None:
    output = SimpleNamespace(logits=ONE)
    output.itself = output
    assert [id(part) for part in outputs((output, output))] == [id(ONE)]
