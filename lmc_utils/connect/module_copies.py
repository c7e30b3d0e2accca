"""Copies of networks that share nothing with them, so that nothing of the user's is ever run or changed."""

from __future__ import annotations

import copy
import gc
import types
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from lmc_utils.connect.state_dicts import same
from lmc_utils.formatting import listed, one_line
from lmc_utils.measure.module_state import State, tensors
from lmc_utils.settings import ParameterError

_ATOMIC = (type, types.BuiltinFunctionType, types.ModuleType)  # what `deepcopy` does not enter


def evaluating_copy(network: nn.Module, name: str) -> nn.Module:
    """A deep copy of a network in evaluation mode, without gradients; kept activations are detached.

    Args:
        network: it stays as it is.
        name: what it is called in messages.

    Raises:
        ParameterError: a network that cannot be copied, has no parameters or no values, or whose tensors change in
            evaluation mode.

    >>> network = nn.Dropout()
    >>> network.layer = nn.Linear(2, 1)
    >>> evaluating_copy(network, "first").training, network.training
    (False, True)
    """
    result, before = separate_copy(network, name), tensors(network)
    try:
        result.eval()
    except Exception as error:
        reason = one_line(f"{type(error).__name__}: {error}", 150)
        raise ParameterError(f"{name}: expected a network with an evaluation mode, got {reason}") from error
    after = tensors(result)
    changed = [key for key in {**before, **after} if not _alike(before.get(key), after.get(key))]
    if changed:
        raise ParameterError(
            f"{name}: expected tensors that evaluation mode leaves as they are, it changes {listed(changed)}; "
            "call `.eval()` on all networks first, and what lies between them is measured in that mode"
        )
    return result


def separate_copy(network: nn.Module, name: str) -> nn.Module:
    """A deep copy of a network in its own mode, without gradients, that shares nothing with it.

    Args:
        network: it stays as it is.
        name: what it is called in messages.

    Raises:
        ParameterError: a network that cannot be copied, has no parameters or no values, or whose copy would still
            compute with the network itself, as a function does that it holds and that refers to it.
    """
    require_values(tensors(network), name)
    if not any(True for _ in network.parameters()):
        raise ParameterError(f"{name}: expected a network with parameters, this one has none")
    memo: dict[int, Any] = {id(value): value.detach().clone() for value in _computed_tensors(network)}
    way_out = "give its `state_dict()`, and a new network as `model`"
    try:
        with torch.no_grad():
            result = copy.deepcopy(network, memo)
    except Exception as error:  # whatever an attribute does when it is copied
        reason = one_line(f"{type(error).__name__}: {error}", 150)
        raise ParameterError(f"{name}: expected a network that can be copied, got {reason}; {way_out}") from error
    own = {id(part) for part in network.modules()} | {id(value) for value in tensors(network).values()}
    if any(id(each) in own for each in _reachable(result)):
        raise ParameterError(
            f"{name}: expected a network that can be copied, a function that it holds refers to the network itself, so "
            "that a copy computes with it, too; make it a method"
        )
    for parameter in result.parameters():
        parameter.requires_grad_(False)
    return result


def require_values(state: State, name: str) -> None:
    """Raise ParameterError where tensors have no shape yet, or no values."""
    lazy = [key for key, value in state.items() if nn.parameter.is_lazy(value)]
    if lazy:
        raise ParameterError(
            f"{name}: expected a network whose shapes are known, {listed(lazy)} wait for a first batch; run it once"
        )
    empty = [key for key, value in state.items() if isinstance(value, Tensor) and value.is_meta]
    if empty:
        raise ParameterError(
            f"{name}: expected a network with values, {listed(empty)} are on the meta device; make it on the CPU"
        )


def _alike(one: Tensor | None, other: Tensor | None) -> bool:
    return one is not None and other is not None and one.dtype == other.dtype and same(one, other)


def _computed_tensors(network: nn.Module) -> Iterator[Tensor]:
    """Tensors that autograd has computed and that the network holds on to, which torch does not copy."""
    return (each for each in _reachable(network) if isinstance(each, Tensor) and each.grad_fn is not None)


def _reachable(network: nn.Module) -> Iterator[Any]:
    """All that a network refers to, directly or not; of a function what it has enclosed, not its module's names."""
    seen, waiting = set[int](), list[Any]([network])
    while waiting:
        each = waiting.pop()
        if id(each) in seen or isinstance(each, _ATOMIC):
            continue
        seen.add(id(each))
        yield each
        if isinstance(each, types.FunctionType):
            waiting.extend(
                [*(each.__closure__ or ()), *(each.__defaults__ or ()), *(each.__kwdefaults__ or {}).values()]
            )
        elif not isinstance(each, Tensor):
            waiting.extend(gc.get_referents(each))
