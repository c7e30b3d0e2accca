"""The tensors of a network by name, from a module or from a state, checked against a module of the architecture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from lmc_utils.measure.module_state import State, norms, statistics, tensors
from lmc_utils.settings import ParameterError

_PREFIXES = ("module.", "_orig_mod.")  # of DataParallel and of torch.compile
_COUNT = "num_batches_tracked"
_SHOWN = 3


def state_of(network: nn.Module | State, module: nn.Module, which: str) -> tuple[State, list[str]]:
    """The parameters and buffers of a network, under the names that a module of the architecture has for them.

    Args:
        network: a module, or a state; a wrapper's prefix that all its names share is left out.
        module: of the architecture.
        which: the network's name, for messages.

    Returns:
        The tensors, which share memory with what was given, and what was done to find them, in words.

    Raises:
        ParameterError: other names, shapes or types, parameters that are shared in one only, or weights that are
            NaN or infinite.

    >>> state_of({"module.weight": torch.ones(1, 2), "module.bias": torch.zeros(1)}, nn.Linear(2, 1), "first")
    ({'weight': tensor([[1., 1.]]), 'bias': tensor([0.])}, ['first: the prefix module. was left out'])
    """
    shared, notes = _shared(module), list[str]()
    if isinstance(network, nn.Module):
        values = _all_names(network)
        expected = _all_names(module)
        _require_names(which, expected, values, [name for name in expected if name not in values])
        if _shared(network) != shared:
            raise ParameterError(f"{which}: expected parameters that are shared as in the other network, they are not")
        _require_alike(which, "type", {name: (value.dtype, values[name].dtype) for name, value in expected.items()})
    else:
        values, notes = _unwrapped(network, module, which)
        expected = module.state_dict()
        others = {name: [other for other in shared.get(name, ()) if other in values] for name in expected}
        absent = [name for name in expected if name not in values and not others[name] and not name.endswith(_COUNT)]
        _require_names(which, expected, values, absent)
        values |= {name: values[others[name][0]] for name in expected if name not in values and others[name]}
        values = {**tensors(module), **values}  # a file lacks buffers that are not saved
    _require_alike(
        which,
        "shape",
        {name: (tuple(value.shape), tuple(values[name].shape)) for name, value in expected.items() if name in values},
    )
    for name, group in shared.items():
        apart = [other for other in group if not same(values[name], values[other])]
        if apart:
            raise ParameterError(
                f"{which}: expected {name} and {apart[0]} to be equal, they are one tensor of the network"
            )
    counted = {*dict(module.named_parameters()), *statistics(module)}
    state = {name: values[name].detach() for name in tensors(module)}
    broken = [name for name in state if name in counted and not _finite(state[name])]
    if broken:
        raise ParameterError(f"{which}: some weights are NaN or infinite: {listed(broken)}")
    return state, notes


def require_understood(module: nn.Module, first: State, second: State) -> None:
    """Reject tensors that differ between two networks and cannot be mixed.

    Raises:
        ParameterError: parameters that are no real numbers, or buffers other than running statistics, that differ.
    """
    parameters = dict(module.named_parameters())
    differ = [name for name in first if not same(first[name], second[name])]
    discrete = [name for name in differ if name in parameters and not parameters[name].is_floating_point()]
    if discrete:
        raise ParameterError(f"network: expected real parameters, those that differ and are none: {listed(discrete)}")
    mixed = {*parameters, *statistics(module), *(f"{place}.{_COUNT}".lstrip(".") for place in norms(module))}
    fixed = [name for name in differ if name not in mixed]
    if fixed:
        expected = "buffers that are equal in both, or running statistics of torch's normalisations"
        raise ParameterError(f"network: expected {expected}; these differ: {listed(fixed)}")


def same(one: Tensor, other: Tensor) -> bool:
    """Whether two tensors hold the same numbers, in the type of the first.

    >>> same(torch.tensor([1.0, torch.nan]), torch.tensor([1.0, torch.nan], dtype=torch.float64))
    True
    """
    if one is other or one.shape != other.shape:
        return one is other
    other = other.to(one)
    if torch.equal(one, other) or not one.is_floating_point():
        return torch.equal(one, other)
    empty = one.isnan()  # where both are, they are the same
    return bool(empty.any()) and torch.equal(empty, other.isnan()) and torch.equal(one[~empty], other[~empty])


def listed(names: Sequence[str]) -> str:
    """The first three of some names, and how many more there are.

    >>> listed(["a", "b", "c", "d", "e"])
    'a, b, c and 2 more'
    """
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def _unwrapped(mapping: Mapping[str, Any], module: nn.Module, which: str) -> tuple[dict[str, Tensor], list[str]]:
    """A state without the prefixes of wrappers that all its names share, and what was left out."""
    state, notes, own = dict(mapping), list[str](), list(module.state_dict())
    for prefix in _PREFIXES * 2:
        if state and all(name.startswith(prefix) for name in state) and not all(n.startswith(prefix) for n in own):
            state = {name.removeprefix(prefix): value for name, value in state.items()}
            notes.append(f"{which}: the prefix {prefix} was left out")
    others = [name for name, value in state.items() if not isinstance(value, Tensor)]
    if others:
        raise ParameterError(f"{which}: expected tensors by name, got other things as {listed(others)}")
    return state, notes


def _require_names(which: str, expected: Mapping[str, Any], actual: Mapping[str, Any], absent: Sequence[str]) -> None:
    more = [name for name in actual if name not in expected]
    parts = [f"lacks {listed(absent)}"] if absent else []
    parts += [f"has unexpected {listed(more)}"] if more else []
    if parts:
        raise ParameterError(f"{which}: expected the names of the network's tensors; it {' and '.join(parts)}")


def _require_alike(which: str, what: str, both: Mapping[str, tuple[Any, Any]]) -> None:
    others = [f"{name} is {got} for {expected}" for name, (expected, got) in both.items() if expected != got]
    if others:
        raise ParameterError(f"{which}: expected the {what}s of the network's tensors; {listed(others)}")


def _all_names(module: nn.Module) -> dict[str, Tensor]:
    return {**dict(module.named_parameters(remove_duplicate=False)), **dict(module.named_buffers())}


def _shared(module: nn.Module) -> dict[str, tuple[str, ...]]:
    """For each name of a parameter that has several, the others."""
    names: dict[int, list[str]] = {}
    for name, value in module.named_parameters(remove_duplicate=False):
        names.setdefault(id(value), []).append(name)
    groups = [group for group in names.values() if len(group) > 1]
    return {name: tuple(other for other in group if other != name) for group in groups for name in group}


def _finite(value: Tensor) -> bool:
    return not value.is_floating_point() or bool(value.isfinite().all())
