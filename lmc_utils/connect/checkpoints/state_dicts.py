"""Tensors of a network by name, from a module or a state, checked against a module of the architecture."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from lmc_utils.connect.checkpoints import extra_states, plain_tensors, wrappers
from lmc_utils.connect.checkpoints.pickled_files import GATHER_A_STATE, unread_class
from lmc_utils.formatting import listed
from lmc_utils.measure.module_state import State, norms, statistics, tensors
from lmc_utils.settings import ParameterError

_COUNT = "num_batches_tracked"


def state_of(network: nn.Module | State, module: nn.Module, which: str) -> tuple[State, list[str]]:
    """The parameters and buffers of a network, under the names of a module of the architecture.

    Args:
        network: a module or a state. Names may contain parts added by wrappers, and those of a state a prefix, see
            `wrappers.fit`. A state may lack constant buffers, and may have non-persistent ones if they are equal. Its
            tensors are converted to the types of the module, as by `load_state_dict`.
        module: of the architecture.
        which: the network's name, for messages.

    Returns:
        The tensors, which share memory with `network` unless their type was converted, and notes on how they were
        found.

    Raises:
        ParameterError: different names, shapes or types, parameters shared in only one of both, a different extra
            state, unsupported tensors, or weights that are NaN or infinite.

    >>> state_of({"module.weight": torch.ones(1, 2), "module.bias": torch.zeros(1)}, nn.Linear(2, 1), "first")
    ({'weight': tensor([[1., 1.]]), 'bias': tensor([0.])}, ['first: the prefix module. was left out'])
    """
    own, shared = _all_names(module), names_of_shared(module)
    given, extra, notes = _named_as_in(module, network, which)
    extra_states.require_equal(module, extra, which)
    values = _tensors(given, which)
    for name, value in values.items():
        plain_tensors.require_plain(which, name, value)
    if isinstance(network, nn.Module):
        _require_names(which, own, values, [name for name in own if name not in values])
        if _ties(network) != _ties(module):
            raise ParameterError(f"{which}: its parameters are not shared in the same way as in the other network")
        _require_alike(which, "type", {name: (value.dtype, values[name].dtype) for name, value in own.items()})
    else:
        values, more = _completed(values, module, which)
        lacking = [name for name in extra_states.extra_states(module) if name not in extra]
        more += [f"{which}: it lacks {listed(lacking)}, the module's is used"] if lacking else []
        notes += more
    _require_alike(
        which, "shape", {name: (tuple(own[name].shape), tuple(value.shape)) for name, value in values.items()}
    )
    if not isinstance(network, nn.Module):
        values, more = plain_tensors.converted(values, own, which)
        notes += more
    for name, group in shared.items():
        apart = [other for other in group if other in values and not same(values[name], values[other])]
        if apart:
            raise ParameterError(f"{which}: {name} and {apart[0]} differ, but are one shared tensor in the network")
    counted = {*dict(module.named_parameters()), *statistics(module)}
    state = {name: values[name].detach() for name in tensors(module)}
    broken = [name for name in state if name in counted and not _finite(state[name])]
    if broken:
        raise ParameterError(f"{which}: some weights are NaN or infinite: {listed(broken)}")
    return state, notes


def extra_state_of(network: nn.Module | State, module: nn.Module, which: str) -> dict[str, Any]:
    """The extra states of a network, as `get_extra_state` gives them, under the module's names."""
    names = network.state_dict() if isinstance(network, nn.Module) else network
    return _named_as_in(module, network, which)[1] if any(map(extra_states.is_extra, names)) else {}


def require_understood(module: nn.Module, first: State, second: State) -> None:
    """Reject tensors that differ between two networks and cannot be interpolated.

    Raises:
        ParameterError: differing parameters that are not real numbers, or differing buffers other than running
            statistics.
    """
    parameters = dict(module.named_parameters())
    differ = [name for name in first if not same(first[name], second[name])]
    discrete = [name for name in differ if name in parameters and not parameters[name].is_floating_point()]
    if discrete:
        raise ParameterError(f"network: parameters that differ must be real numbers; these are not: {listed(discrete)}")
    mixed = {*parameters, *statistics(module), *(f"{place}.{_COUNT}".lstrip(".") for place in norms(module))}
    fixed = [name for name in differ if name not in mixed]
    if fixed:
        expected = "buffers must be equal in both, or be running statistics of torch's normalisations"
        raise ParameterError(f"network: {expected}; these differ: {listed(fixed)}; {_way_out(module, fixed)}")


def _way_out(module: nn.Module, names: Sequence[str]) -> str:
    """Advice for buffers that differ."""
    originals = {name.removesuffix("_orig") for name, _ in module.named_parameters() if name.endswith("_orig")}
    if any(re.search(r"(^|\.)parametrizations\..*\._[uv]$", name) for name in names):
        by = "parametrize.remove_parametrizations(layer, 'weight')"
        return f"some are spectral normalisation's: fold it into the weights of both, `torch.nn.utils.{by}`"
    if any(name[-2:] in ("_u", "_v") and name[:-2] in originals for name in names):
        by = "remove_spectral_norm(layer)"
        return f"some are spectral normalisation's: fold it into the weights of both, `torch.nn.utils.{by}`"
    if any(name.removesuffix("_mask") in originals for name in names):
        by = "prune.remove(layer, 'weight')"
        return f"some are masks of pruning: apply them to the weights of both, `torch.nn.utils.{by}`"
    scripted = any(isinstance(part, torch.jit.ScriptModule) for part in module.modules())
    if scripted and any(name.endswith(("running_mean", "running_var")) for name in names):
        return "give both `state_dict()`s, and the network before `torch.jit` as `model`"
    return "if they do not matter, copy them from one network to the other"


def same(one: Tensor, other: Tensor) -> bool:
    """Compare the numbers of two tensors, in the type of the first.

    >>> same(torch.tensor([1.0, torch.nan]), torch.tensor([1.0, torch.nan], dtype=torch.float64))
    True
    """
    if one is other or one.shape != other.shape:
        return one is other
    other = other.to(one)
    if torch.equal(one, other) or not one.is_floating_point():
        return torch.equal(one, other)
    empty = one.isnan()  # NaN in both counts as equal
    return bool(empty.any()) and torch.equal(empty, other.isnan()) and torch.equal(one[~empty], other[~empty])


def _named_as_in(
    module: nn.Module, network: nn.Module | Mapping[str, Any], which: str
) -> tuple[dict[str, Any], dict[str, Any], list[str]]:
    """The values of a network under the names of a module, its extra states, and notes on how they were found."""
    given = {**_all_names(network), **extra_states.extra_states(network)} if isinstance(network, nn.Module) else network
    shared, constant = names_of_shared(module), _constant_buffers(module)
    extra = list(extra_states.extra_states(module))
    saved = [name for name in module.state_dict() if name not in constant and name not in extra]
    needed = [(name, *shared.get(name, ())) for name in saved if not name.endswith(_COUNT)]
    fitted = wrappers.fit(given, [*_all_names(module), *extra], needed, which, prefixes=given is network)
    values = {name: given[original] for original, name in fitted.names.items()}
    others = {name: value for name, value in values.items() if name not in extra}
    return others, {name: values[name] for name in extra if name in values}, fitted.notes


def _tensors(given: Mapping[str, Any], which: str) -> dict[str, Tensor]:
    kinds = {name: unread_class(value) or type(value).__name__ for name, value in given.items()}
    others = [f"{name} ({kinds[name]})" for name, value in given.items() if not isinstance(value, Tensor)]
    if others:
        raise ParameterError(f"{which}: must hold tensors by name; these are not: {listed(others)}")
    return dict(given)


def _completed(values: Mapping[str, Tensor], module: nn.Module, which: str) -> tuple[dict[str, Tensor], list[str]]:
    """Complete a state with the module's missing tensors: those saved under another name, and constant buffers."""
    own, shared, saved = _all_names(module), names_of_shared(module), module.state_dict()
    result, notes = dict(values), list[str]()
    for name, group in shared.items():
        present = [other for other in group if other in values]
        if name not in values and present:
            result[name] = values[present[0]]
    buffers = [name for name in _constant_buffers(module) if name in saved and name not in result]
    absent = [
        name
        for name in own
        if name in saved and name not in result and name not in buffers and not name.endswith(_COUNT)
    ]
    _require_names(which, own, result, absent, hint=_hint(values))
    if buffers:
        notes.append(f"{which}: it lacks constant buffers, those of the module are used: {listed(buffers)}")
    unsaved = [name for name in values if name not in saved]
    differing = [name for name in unsaved if not (same(own[name], values[name]) or same(values[name], own[name]))]
    if differing:
        raise ParameterError(
            f"{which}: buffers that the module does not save must have the module's own values; these differ: "
            f"{listed(differing)}"
        )
    if unsaved:
        notes.append(f"{which}: ignoring buffers that the module does not save (they are equal): {listed(unsaved)}")
    return {**own, **{name: value for name, value in result.items() if name in saved}}, notes


def _hint(names: Iterable[str]) -> str:
    """Advice for names that reveal how a state was saved."""
    parts = {part for name in names for part in name.split(".")}
    if any(part.startswith(("lora_A", "lora_B", "lora_embedding")) for part in parts):
        return "; these are a LoRA adapter's: give its base, --base PATH or checkpoints.read(..., base=...)"
    if any(part.endswith("flat_param") for part in parts):
        return f"; these are FSDP's flat parameters: {GATHER_A_STATE}"
    return ""


def _require_names(
    which: str, expected: Mapping[str, Any], actual: Mapping[str, Any], absent: Sequence[str], *, hint: str = ""
) -> None:
    more = [name for name in actual if name not in expected]
    parts = [f"lacks {listed(absent)}"] if absent else []
    parts += [f"has unexpected {listed(more)}"] if more else []
    if parts:
        raise ParameterError(f"{which}: names of tensors differ from the network's: it {' and '.join(parts)}{hint}")


def _require_alike(which: str, what: str, both: Mapping[str, tuple[Any, Any]]) -> None:
    others = [f"{name} is {got} for {expected}" for name, (expected, got) in both.items() if expected != got]
    if others:
        raise ParameterError(f"{which}: {what}s differ from the network's: {listed(others)}")


def _all_names(module: nn.Module) -> dict[str, Tensor]:
    """Parameters and buffers by name, under each of their names."""
    parameters, buffers = module.named_parameters(remove_duplicate=False), module.named_buffers(remove_duplicate=False)
    return {**dict(parameters), **dict(buffers)}


def _constant_buffers(module: nn.Module) -> set[str]:
    """The names of buffers that are neither running statistics nor their counts."""
    moving = {*statistics(module), *(f"{place}.{_COUNT}".lstrip(".") for place in norms(module))}
    shared = names_of_shared(module)
    moving |= {other for name in moving for other in shared.get(name, ())}
    return {name for name, _ in module.named_buffers(remove_duplicate=False)} - moving


def _ties(module: nn.Module) -> set[frozenset[str]]:
    """The groups of names of shared parameters, without parts added by wrappers."""
    groups = _other_names(module.named_parameters(remove_duplicate=False))
    return {frozenset(map(wrappers.without_parts, (name, *others))) for name, others in groups.items()}


def names_of_shared(module: nn.Module) -> dict[str, tuple[str, ...]]:
    """The other names of each parameter or buffer that has several."""
    return _other_names(_all_names(module).items())


def _other_names(named: Iterable[tuple[str, Tensor]]) -> dict[str, tuple[str, ...]]:
    names: dict[int, list[str]] = {}
    for name, value in named:
        names.setdefault(id(value), []).append(name)
    groups = [group for group in names.values() if len(group) > 1]
    return {name: tuple(other for other in group if other != name) for group in groups for name in group}


def _finite(value: Tensor) -> bool:
    return not value.is_floating_point() or bool(value.isfinite().all())
