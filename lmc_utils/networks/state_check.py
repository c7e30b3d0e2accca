"""Refuse what is not understood: a network is its parameters, the statistics of `norms.BatchNorm`, and nothing else.

Measurements run many networks through one module, in batches of their own choosing. A module with other buffers would
lend the first network's to all of them; one that changes in a forward pass, draws random numbers, or lets samples of a
batch meet would give numbers that depend on the order of the work. Each gets one line instead of a wrong number.
"""

from __future__ import annotations

import copy
import random
import types
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from lmc_utils.networks import stack
from lmc_utils.networks.layers import Dropout, Parameters
from lmc_utils.networks.lifted import Lifted, inside
from lmc_utils.networks.normalisation import BatchNorm
from lmc_utils.settings import ParameterError

_FEW = 4  # samples that are enough to see it
_SHOWN = 4  # names in the line
_OF_EVERY_MODULE = frozenset(vars(nn.Module()))


def refuse_buffers(network: nn.Module) -> None:
    """Refuse a module with buffers that are not understood; the running statistics of `norms.BatchNorm` are.

    Raises:
        ParameterError: it has some; the line names them.

    >>> refuse_buffers(nn.Sequential(nn.BatchNorm1d(3)))
    Traceback (most recent call last):
    lmc_utils.settings.ParameterError: network: expected parameters and no other state, this one has the buffers
    0.running_mean, 0.running_var, 0.num_batches_tracked
    >>> refuse_buffers(nn.Sequential(BatchNorm(1, 3)))
    """
    norms = dict(network.named_modules()) if not isinstance(network, Lifted) else {}
    understood = {
        f"{place}.{name}".lstrip(".")
        for place, part in norms.items()
        if type(part) is BatchNorm
        for name in ("running_mean", "running_var")
    }
    names = [name for name, _ in inside(network).named_buffers()]
    _refuse("has the buffers", [name for name in names if name not in understood])


def refuse_state(network: nn.Module, inputs: Tensor) -> None:
    """Refuse a module whose output for a sample depends on more than its parameters and that sample.

    Forward passes of two networks with parameters drawn at random tell, on copies of a few samples; they run in the
    mode, training or evaluation, that the module is in, but for `norms.BatchNorm` and `layers.Dropout`: what these do
    in training is understood.

    Args:
        network: a stack, or a lifted module.
        inputs: shape (samples, ...), as one network takes them.

    Raises:
        ParameterError: it has other buffers, or no parameters; a forward pass changes a parameter, an attribute or the
            samples; it draws random numbers; asked again it answers otherwise; or the samples of a batch, or the
            networks of a stack, are not worked on one by one. The line names what it is.
    """
    refuse_buffers(network)
    network = _settled(network)
    module, run, values = inside(network), partial(_run, network), _two(network, inputs)
    _refuse("has no parameters", [] if values else [""])
    few = inputs[:_FEW].clone()
    fewer = few[: max(1, len(few) // 2)].clone()
    before = {**_state(module), **{name: value.clone() for name, value in values.items()}}
    as_given = few.clone()
    with torch.no_grad(), torch.random.fork_rng([inputs.device] if inputs.is_cuda else []):
        random_before = _generators(inputs)
        first = run(values, few)
        drawn = not _equal(random_before, _generators(inputs))
        after = {**_state(module), **values}
        changed = [name for name in after if name not in before or not _equal(before[name], after[name])]
        _refuse("changes in a forward pass:", changed)
        _refuse("draws random numbers in a forward pass", [""] if drawn else [])
        alone = run({name: value[:1] for name, value in values.items()}, few)
        _refuse("changes the samples", [] if _equal(few, as_given) else [""])
        _refuse("answers otherwise when it is asked again", [] if _equal(first, run(values, few)) else [""])
        _refuse("mixes the networks of a stack", [] if _near(first[:1], alone) else [""])
        try:
            without_others = run(values, fewer)
        except Exception:  # whatever a layer says that wants more samples
            _refuse("mixes the samples of a batch", [""])
        _refuse("mixes the samples of a batch", [] if _near(first[:, : len(fewer)], without_others) else [""])


def _refuse(why: str, names: Sequence[str]) -> None:
    if names:
        more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        named = f" {', '.join(names[:_SHOWN])}{more}".rstrip()
        raise ParameterError(f"network: expected parameters and no other state, this one {why}{named}")


def _settled(network: nn.Module) -> nn.Module:
    """The network, or a copy of it in which what is understood is in evaluation mode."""
    understood = (BatchNorm, Dropout)
    if not any(type(part) in understood and part.training for part in network.modules()):
        return network
    copied = copy.deepcopy(network)
    for part in copied.modules():
        if type(part) in understood:
            part.eval()
    return copied


def _two(network: nn.Module, inputs: Tensor) -> Parameters:
    """Parameters and buffers of two networks, drawn at random: those of a network may be zero and hide what it does."""
    generator = torch.Generator().manual_seed(0)
    like = inputs if inputs.is_floating_point() else inputs.device

    def draw(value: Tensor) -> Tensor:
        size = value[0].numel()
        drawn: Tensor = torch.randn(2, *value.shape[1:], generator=generator, dtype=value.dtype) / max(1, size) ** 0.25
        return drawn.to(like)

    values = {name: draw(value.detach()) for name, value in network.named_parameters()}
    if isinstance(network, Lifted):
        return values
    statistics = {name: draw(value) for name, value in stack.buffers(network).items()}
    return values | {name: 1 + value.abs() if name.endswith("_var") else value for name, value in statistics.items()}


def _run(network: nn.Module, values: Parameters, samples: Tensor) -> Tensor:
    """From parameters and samples, which all networks see, to the logits of each network."""
    count = len(next(iter(values.values())))
    if isinstance(network, Lifted):
        each = ({name: value[row] for name, value in values.items()} for row in range(count))
        return torch.stack([torch.func.functional_call(inside(network), one, (samples,)) for one in each])
    shared = samples.unsqueeze(0) if count == 1 else samples.repeat(count, *(1,) * samples.dim())
    logits: Tensor = torch.func.functional_call(network, values, (shared,))
    return logits


def _near(one: Tensor, other: Tensor) -> bool:
    """Equal up to rounding, class by class, so that a large logit of one class hides nothing in the others."""
    return not bool(((one - other).abs() > 1e-3 * other.abs().flatten(0, -2).amax(0)).any())


def _generators(inputs: Tensor) -> list[Any]:
    states: list[Any] = [torch.get_rng_state(), random.getstate(), np.random.get_state()]  # noqa: NPY002
    return [*states, torch.cuda.get_rng_state(inputs.device)] if inputs.is_cuda else states


def _state(module: nn.Module) -> dict[str, Any]:
    """Copies of all parameters, and of the attributes that are a module's own, by their full names."""
    state: dict[str, Any] = {name: value.detach().clone() for name, value in module.named_parameters()}
    for place, part in module.named_modules():
        for name, value in vars(part).items():
            full = f"{place}.{name}".lstrip(".")
            state |= {} if name in _OF_EVERY_MODULE else {full: _copy(full, value)}
    return state


def _copy(name: str, value: Any) -> Any:
    if isinstance(value, Tensor):
        return value.detach().clone()
    try:
        return copy.deepcopy(value)
    except Exception:  # whatever an attribute does when it is copied: what cannot be compared is not understood
        _refuse("has an attribute that cannot be copied:", [name])


def _equal(one: Any, other: Any, compared: frozenset[tuple[int, int]] = frozenset()) -> bool:
    """Whether two attributes hold the same; those that cannot be compared do not. A circle is followed once."""
    both = (id(one), id(other))
    if one is other or both in compared:
        return True
    if type(one) is not type(other):
        return False
    compared |= {both}
    if isinstance(one, (Tensor, np.ndarray)):
        alike = one.shape == other.shape and (one.dtype == other.dtype or isinstance(one, np.ndarray))
        return alike and bool(((one == other) | ((one != one) & (other != other))).all())
    if isinstance(one, Mapping):
        return list(one) == list(other) and all(_equal(one[name], other[name], compared) for name in one)
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(_equal(*pair, compared) for pair in zip(one, other, strict=True))
    if isinstance(one, types.MethodType):  # a copy is bound to a copy
        return one.__func__ is other.__func__
    if getattr(type(one), "__eq__", None) is object.__eq__:  # equal only to itself: what it is made of tells
        return hasattr(one, "__dict__") and _equal(vars(one), vars(other), compared)
    try:
        return bool(one == other)
    except Exception:  # whatever an object does when it is compared
        return False
