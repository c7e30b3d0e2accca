"""Join batches into larger ones, for small networks whose forward passes take longer to launch than to compute.

Only plain sequences of torch's own layers are run on joined batches. In any other forward pass, samples of a batch may
affect each other at some points of a line, even if not at those where this is checked.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import torch
from torch import Tensor, nn

from lmc_utils.measure.batches import Batch, Batches
from lmc_utils.measure.module_scores import Scores

_LAYERS = (  # with convolutions, larger batches were no faster
    *(nn.Sequential, nn.Linear, nn.LayerNorm, nn.BatchNorm1d, nn.Flatten, nn.Identity, nn.Dropout),
    *(nn.ReLU, nn.LeakyReLU, nn.ReLU6, nn.ELU, nn.SELU, nn.GELU, nn.SiLU, nn.Tanh, nn.Sigmoid, nn.Softplus),
)
_PARAMETERS = 2**20  # of the largest network for which joining was faster
_SAMPLES = 4096  # of a joined batch; launching a pass is then a small part of its time
_BYTES = 2**28  # of samples that are held in memory twice


def joinable(module: nn.Module, batches: Batches, measured: Scores) -> list[list[Batch]]:
    """Group the batches to be joined; an empty list where joining is impossible or not worth it.

    Only this package's own scores are known to treat samples independently; a user's loss may compare them.
    """
    held = batches.batches
    if not (measured.own and _suits(module) and isinstance(held, list)):
        return []
    if sum(part.numel() * part.element_size() for batch in held for part in batch.parts()) > _BYTES:
        return []
    found = list(groups(held, _SAMPLES))
    return found if len(found) < len(held) else []


def groups(batches: Iterable[Batch], samples: int) -> Iterator[list[Batch]]:
    """Yield groups of consecutive batches of the same form, each with at least so many samples where possible."""
    waiting: list[Batch] = []
    for batch in batches:
        parts = (batch.inputs, batch.target)
        alike = all(isinstance(part, Tensor) and part.dim() and len(part) == batch.size for part in parts)
        if waiting and not (alike and _kind(batch) == _kind(waiting[0])):
            yield waiting
            waiting = []
        waiting.append(batch)
        if not alike or sum(each.size for each in waiting) >= samples:
            yield waiting
            waiting = []
    if waiting:
        yield waiting


def joined(group: Sequence[Batch]) -> Batch:
    """One batch of all samples of a group."""
    if len(group) == 1:
        return group[0]
    inputs, target = (torch.cat([getattr(batch, part) for batch in group]) for part in ("inputs", "target"))
    return Batch(inputs, target, len(inputs))


def _suits(module: nn.Module) -> bool:
    """Whether a module is small, and built only of layers in which samples of a batch cannot affect each other."""
    size = sum(value.numel() for value in module.parameters())
    return size <= _PARAMETERS and all(map(_looks_at_single_samples, module.modules()))


def _looks_at_single_samples(part: nn.Module) -> bool:
    changed = part._forward_hooks or part._forward_pre_hooks or "forward" in vars(part)
    if changed or type(part) not in _LAYERS:
        return False
    if isinstance(part, nn.BatchNorm1d):
        return part.running_mean is not None
    return not isinstance(part, nn.Flatten) or part.start_dim > 0


def _kind(batch: Batch) -> list[object]:
    return [(part.shape[1:], part.dtype) for part in (batch.inputs, batch.target)]
