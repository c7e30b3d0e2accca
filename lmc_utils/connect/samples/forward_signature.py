"""The arguments of a network's forward pass, from its signature."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from torch import nn

from lmc_utils.formatting import one_line


def parameters(network: nn.Module | None) -> Mapping[str, inspect.Parameter]:
    """The parameters of a forward pass by name; empty if unknown.

    >>> list(parameters(nn.LSTM(2, 2)))
    ['input', 'hx']
    """
    signature = _signature(network)
    return {} if signature is None else signature.parameters


def accepts(network: nn.Module, arguments: Any) -> bool:
    """Whether a forward pass accepts these arguments; True if unknown.

    Args:
        network: a module.
        arguments: a dict of named ones, or a sequence of positional ones.

    >>> accepts(nn.Linear(2, 2), [1]), accepts(nn.Linear(2, 2), [1, 2]), accepts(nn.LSTM(2, 2), {"input": 1})
    (True, False, True)
    """
    signature = _signature(network)
    if signature is None or network._forward_pre_hooks:  # a hook may change the arguments
        return True
    try:
        signature.bind(**arguments) if isinstance(arguments, dict) else signature.bind(*arguments)
    except TypeError:
        return False
    return True


def requires(network: nn.Module) -> int:
    """The number of positional arguments that a forward pass requires.

    >>> requires(nn.LSTM(2, 2)), requires(nn.Bilinear(2, 2, 1))
    (1, 2)
    """
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return sum(each.default is each.empty and each.kind in positional for each in parameters(network).values())


def described(network: nn.Module) -> str:
    """The signature of a forward pass in one line.

    >>> described(nn.LSTM(2, 2))
    'forward(input, hx=None)'
    """
    names = [str(each.replace(annotation=each.empty)) for each in parameters(network).values()]
    return f"forward({one_line(', '.join(names), 100)})"


def _signature(network: nn.Module | None) -> inspect.Signature | None:
    try:
        return None if network is None else inspect.signature(network.forward)
    except (TypeError, ValueError):
        return None
