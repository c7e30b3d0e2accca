"""Refuse what is not understood: a network here is its parameters and nothing else.

Measurements run many networks through one module, in batches of their own choosing. A module with buffers would lend
the first network's to all of them; one that changes in a forward pass, draws random numbers, or lets samples of a batch
meet would give numbers that depend on the order of the work. Each of them gets one line instead of a wrong number.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from lmc_utils.networks.lifted import Lifted
from lmc_utils.settings import ParameterError

_FEW = 4  # samples that are enough to see it
_SHOWN = 4  # names in the line
_OF_EVERY_MODULE = frozenset(vars(nn.Module()))


def refuse_buffers(network: nn.Module) -> None:
    """Refuse a module with buffers, such as the running statistics of batch normalisation.

    Raises:
        ParameterError: it has some; the line names them.

    >>> refuse_buffers(nn.Sequential(nn.BatchNorm1d(3)))
    Traceback (most recent call last):
    lmc_utils.settings.ParameterError: network: expected parameters and no other state, this one has the buffers
    0.running_mean, 0.running_var, 0.num_batches_tracked
    """
    _refuse("has the buffers", [name for name, _ in _module(network).named_buffers()])


def refuse_state(network: nn.Module, inputs: Tensor) -> None:
    """Refuse a module whose output for a sample depends on more than its parameters and that sample.

    Two forward passes of a few samples tell; they run in the mode, training or evaluation, that the module is in.

    Args:
        network: a stack, or a lifted module.
        inputs: shape (samples, ...), as one network takes them.

    Raises:
        ParameterError: it has buffers; a forward pass changes a parameter or an attribute; it draws random numbers; or
            the samples of a batch are not worked on one by one. The line names what it is.
    """
    refuse_buffers(network)
    module, run = _module(network), _run(network)
    before = _state(module)
    devices = [inputs.device] if inputs.is_cuda else []
    with torch.no_grad(), torch.random.fork_rng(devices):
        random = _generators(devices)
        few, fewer = run(inputs[:_FEW]), run(inputs[: _FEW // 2])
        drawn = not all(map(torch.equal, random, _generators(devices)))
    after = _state(module)
    changed = [name for name in after if name not in before or not _equal(before[name], after[name])]
    _refuse("changes in a forward pass:", changed)
    _refuse("draws random numbers in a forward pass", [""] if drawn else [])
    alike = torch.allclose(few[: len(fewer)], fewer, rtol=1e-3, atol=1e-4 * float(few.abs().max()), equal_nan=True)
    _refuse("mixes the samples of a batch", [] if alike else [""])


def _refuse(why: str, names: Sequence[str]) -> None:
    if names:
        more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        named = f" {', '.join(names[:_SHOWN])}{more}".rstrip()
        raise ParameterError(f"network: expected parameters and no other state, this one {why}{named}")


def _module(network: nn.Module) -> nn.Module:
    return network.module if isinstance(network, Lifted) else network


def _run(network: nn.Module) -> Callable[[Tensor], Tensor]:
    """The first network of a stack: samples to logits."""
    if isinstance(network, Lifted):
        return network.module

    def first(samples: Tensor) -> Tensor:
        like = samples if samples.is_floating_point() else samples.device
        values = {name: value[:1].detach().to(like) for name, value in network.named_parameters()}
        logits: Tensor = torch.func.functional_call(network, values, (samples.unsqueeze(0),))
        return logits[0]

    return first


def _generators(devices: Iterable[torch.device]) -> list[Tensor]:
    return [torch.get_rng_state(), *(torch.cuda.get_rng_state(device) for device in devices)]


def _state(module: nn.Module) -> dict[str, Any]:
    """Copies of all parameters, and of the attributes that are a module's own, by their full names."""
    state: dict[str, Any] = {name: value.detach().clone() for name, value in module.named_parameters()}
    for place, part in module.named_modules():
        own = {name: value for name, value in vars(part).items() if name not in _OF_EVERY_MODULE}
        for name, value in own.items():
            full = f"{place}.{name}".lstrip(".")
            state[full] = _copy(full, value)
    return state


def _copy(name: str, value: Any) -> Any:
    if isinstance(value, Tensor):
        return value.detach().clone()
    try:
        return copy.deepcopy(value)
    except Exception:  # whatever an attribute does when it is copied: what cannot be compared is not understood
        _refuse("has an attribute that cannot be copied:", [name])


def _equal(one: Any, other: Any, compared: frozenset[tuple[int, int]] = frozenset()) -> bool:
    """Whether two attributes hold the same; what leads back to itself is compared once."""
    both = (id(one), id(other))
    if one is other or both in compared:
        return True
    if type(one) is not type(other):
        return False
    compared |= {both}
    if isinstance(one, Tensor):
        return one.shape == other.shape and one.dtype == other.dtype and torch.equal(one, other)
    if isinstance(one, np.ndarray):
        return bool(np.array_equal(one, other))
    if isinstance(one, Mapping):
        return list(one) == list(other) and all(_equal(one[name], other[name], compared) for name in one)
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(_equal(*pair, compared) for pair in zip(one, other, strict=True))
    if getattr(type(one), "__eq__", None) is object.__eq__:  # equal only to itself: what it is made of tells
        return _equal(getattr(one, "__dict__", None), getattr(other, "__dict__", None), compared)
    return bool(one == other)
