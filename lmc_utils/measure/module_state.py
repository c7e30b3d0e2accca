"""Tensors of any PyTorch module by name, and its normalisations with running statistics."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase

from lmc_utils.measure.batches import Batch
from lmc_utils.settings import ParameterError

State = Mapping[str, Tensor]
"""Tensors of a network by name, as `state_dict` gives them."""

REGISTRIES = frozenset(vars(nn.Module())) - {"training"}  # where torch keeps parameters, buffers, submodules and hooks
_STATISTICS = ("running_mean", "running_var")


def norms(module: nn.Module) -> dict[str, nn.Module]:
    """The normalisations of torch that keep running statistics, by name.

    >>> list(norms(nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.LayerNorm(3))))
    ['1']
    """
    parts = module.named_modules()
    return {name: part for name, part in parts if isinstance(part, _NormBase) and part.running_mean is not None}


def statistics(module: nn.Module) -> list[str]:
    """The names of the running means and variances of its normalisations.

    >>> statistics(nn.BatchNorm1d(3))
    ['running_mean', 'running_var']
    """
    return [f"{place}.{name}".lstrip(".") for place in norms(module) for name in _STATISTICS]


def tensors(module: nn.Module) -> dict[str, Tensor]:
    """Parameters and buffers by name, each once where it has several."""
    return {**dict(module.named_parameters()), **dict(module.named_buffers())}


def run_with(module: nn.Module, values: State, batch: Batch) -> Any:
    """Run a module on a batch with other tensors in place of its own, which do not change.

    Args:
        module: may hold a tensor or a submodule under several names.
        values: tensors by name, as in `tensors`; the module's own are used for missing ones.
        batch: on the device of the module.
    """
    own, names = tensors(module), dict[int, list[str]]()
    for place, part in module.named_modules():  # each submodule once: torch cannot swap a tensor twice
        for name, value in (*part._parameters.items(), *part._buffers.items()):
            names.setdefault(id(value), []).append(f"{place}.{name}".lstrip("."))
    swapped = {other: value for name, value in values.items() for other in names[id(own[name])]}
    return batch.run(lambda *args, **named: torch.func.functional_call(module, swapped, args, named, tie_weights=False))


def layers(module: nn.Module) -> dict[str, list[str]]:
    """The parameters and running statistics of each submodule that holds any directly, by the submodule's name.

    >>> layers(nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1, bias=False)))
    {'0': ['0.weight', '0.bias'], '2': ['2.weight']}
    """
    names = [*dict(module.named_parameters()), *statistics(module)]
    owners = dict.fromkeys(name.rpartition(".")[0] or name for name in names)
    return {owner: [name for name in names if owner in (name.rpartition(".")[0], name)] for owner in owners}


class Attributes:
    """Snapshot of the attributes of a module besides tensors and submodules, to be restored before each measurement.

    A forward pass may change them, such as a largest input or a list of activations, which would affect the next one.

    >>> module = nn.Linear(2, 1)
    >>> module.sizes = []
    >>> attributes = Attributes(module)
    >>> module.sizes.append(3)
    >>> attributes.restore()
    >>> module.sizes
    []
    """

    def __init__(self, module: nn.Module) -> None:
        scripted = torch.jit.ScriptModule  # its attributes are its code
        self._parts = [part for part in module.modules() if not isinstance(part, scripted)]
        own = [*module.modules(), *module.parameters(), *module.buffers()]
        self._same = {id(each): each for each in own}
        memo = dict(self._same)
        self._saved = [
            {name: _copied(value, memo) for name, value in vars(part).items() if name not in REGISTRIES}
            for part in self._parts
        ]

    def restore(self) -> None:
        """Restore the attributes of all submodules."""
        memo = dict(self._same)
        for part, saved in zip(self._parts, self._saved, strict=True):
            for name in vars(part).keys() - saved.keys() - REGISTRIES:
                del vars(part)[name]
            vars(part).update({name: _copied(value, memo) for name, value in saved.items()})


def _copied(value: Any, memo: dict[int, Any]) -> Any:
    """A deep copy, or the value itself if it cannot be copied."""
    if isinstance(value, (bool, int, float, str, type(None))):
        return value
    try:
        return copy.deepcopy(value, memo)
    except Exception:  # its copying may run any code
        return value


def require_single(module: nn.Module, what: str) -> None:
    """Raise ParameterError if parameters have less than single precision; `what` names the operation that needs it."""
    others = {str(value.dtype) for value in module.parameters() if value.dtype not in (torch.float32, torch.float64)}
    if others:
        raise ParameterError(f"{what}: parameters must be in float32 or float64 (got {', '.join(sorted(others))})")


def mixed(values: Sequence[Tensor], weights: Sequence[float], out: Tensor) -> Tensor:
    """Write a weighted sum of tensors into another one; exact where one weight is 1 and the others are 0.

    >>> mixed([torch.tensor([0.0, 1.0]), torch.tensor([1.0, 3.0])], [0.5, 0.5], torch.zeros(2))
    tensor([0.5000, 2.0000])
    """
    used = [(value, weight) for value, weight in zip(values, weights, strict=True) if weight]
    if len(used) == 1 and used[0][1] == 1:
        return out.copy_(used[0][0])
    if len(used) == 2:
        return torch.lerp(used[0][0].to(out), used[1][0].to(out), used[1][1], out=out)
    wide = torch.promote_types(out.dtype, torch.float32)
    total = torch.zeros_like(out, dtype=wide)
    for value, weight in used:
        total.add_(value.to(total), alpha=weight)
    return out.copy_(total)
