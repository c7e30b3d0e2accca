"""Independent copies of networks, so that the user's own are never run or changed."""

from __future__ import annotations

import copy
import gc
import logging
import types
import weakref
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from lmc_utils.connect.checkpoints.state_dicts import same
from lmc_utils.formatting import listed, one_line
from lmc_utils.measure.module_state import State, tensors
from lmc_utils.settings import ParameterError

_ATOMIC = (
    type,
    types.BuiltinFunctionType,
    types.ModuleType,
    logging.Logger,
    logging.Handler,
)  # types that `deepcopy` does not enter


def evaluating_copy(network: nn.Module, name: str) -> nn.Module:
    """A deep copy of a network in evaluation mode, without gradients; kept activations are detached.

    Args:
        network: the original; not changed.
        name: its name in messages.

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
        raise ParameterError(f"{name}: the network cannot be put in evaluation mode: {reason}") from error
    after = tensors(result)
    changed = [key for key in {**before, **after} if not _alike(before.get(key), after.get(key))]
    if changed:
        raise ParameterError(
            f"{name}: evaluation mode changes {listed(changed)}; call `.eval()` on all networks first, and they "
            "are measured in that mode"
        )
    return result


def separate_copy(network: nn.Module, name: str) -> nn.Module:
    """A deep copy of a network in its current mode, without gradients, that shares nothing with it.

    Args:
        network: the original; not changed.
        name: its name in messages.

    Raises:
        ParameterError: a network that cannot be copied, has no parameters or no values, or whose copy would still refer
            to the original, for example through a function that it holds.
    """
    require_values(tensors(network), name)
    if not any(True for _ in network.parameters()):
        raise ParameterError(f"{name}: the network has no parameters")
    reachable = list(_reachable(network))
    computed = (each for each in reachable if isinstance(each, Tensor) and each.grad_fn is not None)
    memo: dict[int, Any] = {id(value): value.detach().clone() for value in computed}
    functions = [each for each in reachable if isinstance(each, types.FunctionType) and each.__closure__]
    memo |= {id(each): _with_empty_cells(each) for each in functions}
    way_out = "give its `state_dict()`, and a new network as `model`"
    try:
        with torch.no_grad():
            result = copy.deepcopy(network, memo)
            for each in functions:
                _fill_cells(each, memo)
    except Exception as error:  # copying an attribute may raise anything
        reason = one_line(f"{type(error).__name__}: {error}", 150)
        raise ParameterError(f"{name}: the network cannot be copied: {reason}; {way_out}") from error
    own = {id(part) for part in network.modules()} | {id(value) for value in tensors(network).values()}
    if any(id(each) in own for each in _reachable(result)):
        raise ParameterError(
            f"{name}: the network cannot be copied: a function that it holds refers to the network itself, so "
            "that a copy would use it, too; make it a method"
        )
    for parameter in result.parameters():
        parameter.requires_grad_(False)
    return result


def require_values(state: State, name: str) -> None:
    """Raise ParameterError if tensors have no shape yet (lazy), or no values (meta)."""
    lazy = [key for key, value in state.items() if nn.parameter.is_lazy(value)]
    if lazy:
        raise ParameterError(
            f"{name}: shapes are not known yet, {listed(lazy)} wait for a first batch; run the network once"
        )
    empty = [key for key, value in state.items() if isinstance(value, Tensor) and value.is_meta]
    if empty:
        raise ParameterError(
            f"{name}: {listed(empty)} are on the meta device and have no values; make the network on the CPU"
        )


def _alike(one: Tensor | None, other: Tensor | None) -> bool:
    return one is not None and other is not None and one.dtype == other.dtype and same(one, other)


def _with_empty_cells(function: types.FunctionType) -> types.FunctionType:
    """A copy of a function with new, empty closure cells."""
    cells = tuple(types.CellType() for _ in function.__closure__ or ())
    result = types.FunctionType(
        function.__code__, function.__globals__, function.__name__, function.__defaults__, cells
    )
    result.__kwdefaults__ = function.__kwdefaults__
    vars(result).update(vars(function))
    return result


def _fill_cells(function: types.FunctionType, memo: dict[int, Any]) -> None:
    """Fill the closure of a copied function with copies of enclosed values, or the originals if copying fails."""
    copied: types.FunctionType = memo[id(function)]
    for old, new in zip(function.__closure__ or (), copied.__closure__ or (), strict=True):
        try:
            enclosed = old.cell_contents
        except ValueError:  # an enclosed name has no value yet
            continue
        try:
            new.cell_contents = copy.deepcopy(enclosed, memo)
        except Exception:  # copying may raise anything
            new.cell_contents = enclosed


def _reachable(network: nn.Module) -> Iterator[Any]:
    """Yield all objects that a network refers to; for functions, enclosed values, and global modules and tensors."""
    seen, waiting = set[int](), list[Any]([network])
    while waiting:
        each = waiting.pop()
        if id(each) in seen or isinstance(each, _ATOMIC):
            continue
        seen.add(id(each))
        yield each
        if isinstance(each, types.FunctionType):
            defaults = (*(each.__defaults__ or ()), *(each.__kwdefaults__ or {}).values())
            named = (each.__globals__.get(name) for name in each.__code__.co_names)
            used = (value for value in named if isinstance(value, (nn.Module, Tensor)))
            waiting.extend([*(each.__closure__ or ()), *defaults, *used])
        elif isinstance(each, weakref.ReferenceType):
            waiting.append(each())
        elif not isinstance(each, Tensor):
            referents = gc.get_referents(each)
            waiting.extend(value for value in referents if gc.is_tracked(value) or isinstance(value, Tensor))
