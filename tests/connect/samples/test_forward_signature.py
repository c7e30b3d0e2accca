"""A signature accepts the arguments that Python accepts, and an unknown one accepts all."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from lmc_utils.connect.samples.forward_signature import accepts, described, requires


class Masked(nn.Module):
    def forward(self, x: Tensor, /, mask: Tensor, scale: float = 1.0, *, offset: float) -> Tensor:
        return x * mask * scale + offset


@pytest.mark.parametrize(
    "arguments", [[1], [1, 2], [1, 2, 3], [1, 2, 3, 4], {"x": 1, "mask": 2, "offset": 3}, {"mask": 1}]
)
@pytest.mark.parametrize(
    "network", [Masked(), nn.Bilinear(1, 1, 1), nn.Linear(1, 1)], ids=lambda each: type(each).__name__
)
def test_what_is_accepted_is_what_python_would_bind(network: nn.Module, arguments: Any) -> None:
    names, positional = (arguments, ()) if isinstance(arguments, dict) else ({}, arguments)
    assert accepts(network, arguments) == binds(network.forward, positional, names)


def binds(function: Callable[..., Any], positional: Any, names: Any) -> bool:
    """Whether a call binds: an error of the call itself has no traceback entry inside the function."""
    try:
        function(*positional, **names)
    except TypeError as error:
        return error.__traceback__ is not None and error.__traceback__.tb_next is not None
    return True


def test_a_hook_that_may_change_the_arguments_accepts_all() -> None:
    network = nn.Linear(1, 1)
    assert not accepts(network, [1, 2])
    network.register_forward_pre_hook(lambda _, given: given[:1])
    assert accepts(network, [1, 2])
    assert network(torch.ones(2, 1), None).shape == (2, 1)


def test_required_arguments_are_those_without_defaults_that_have_a_place() -> None:
    assert [requires(each) for each in (Masked(), nn.Identity(), nn.Bilinear(1, 1, 1))] == [2, 1, 2]
    assert described(Masked()) == "forward(x, mask, scale=1.0, offset)"
