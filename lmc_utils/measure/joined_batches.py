"""Batches joined to larger ones, for small networks whose forward passes take longer to start than to compute."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Sequence

import torch
from torch import Tensor, nn

from lmc_utils.measure.batches import Batch, Batches
from lmc_utils.measure.module_scores import Scores
from lmc_utils.measure.module_state import run_with, tensors

_LAYERS = (nn.Linear, nn.LayerNorm, nn.BatchNorm1d)  # with others, larger batches were no faster
_PARAMETERS = 2**20  # of the largest network for which it was faster
_SAMPLES = 4096  # of a joined batch; starting a pass is then a small part of it
_BYTES = 2**28  # of samples that are held a second time


def joinable(module: nn.Module, batches: Batches, measured: Scores) -> list[list[Batch]]:
    """The batches in groups to be joined; none where joining is impossible or not worth it.

    Only this package's own scores look at each sample by itself; a user's loss may compare the samples of a batch.
    """
    held = batches.batches
    if not (measured.own and _suits(module) and isinstance(held, list)):
        return []
    if sum(part.numel() * part.element_size() for batch in held for part in batch.parts()) > _BYTES:
        return []
    found = list(groups(held, _SAMPLES))
    return found if len(found) < len(held) else []


def groups(batches: Iterable[Batch], samples: int) -> Iterator[list[Batch]]:
    """Neighbours of one tensor each, of at least so many samples together, as far as that goes."""
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


def takes_single_samples(module: nn.Module, batch: Batch) -> bool:
    """Whether torch can run a module on each sample by itself; not where weights or inputs decide what it computes.

    Such a decision may let samples act on each other at some points of a line and not at its ends.

    Args:
        module: it may be left with other attributes.
        batch: with one tensor of inputs, on the device of the module.
    """
    try:
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that it is slow
            rows = batch.inputs[:2]
            values = {name: value.expand(len(rows), *value.shape) for name, value in tensors(module).items()}
            torch.func.vmap(lambda own, row: run_with(module, own, Batch(row[None], None, 1)))(values, rows)
    except Exception:  # whatever torch says where it has no rule
        return False
    return True


def _suits(module: nn.Module) -> bool:
    """Whether a module is so small and simple that larger batches are faster."""
    holders = [part for part in module.modules() if any(True for _ in part.parameters(recurse=False))]
    size = sum(value.numel() for value in module.parameters())
    hooked = any(part._forward_hooks or part._forward_pre_hooks for part in module.modules())
    return size <= _PARAMETERS and not hooked and all(type(part) in _LAYERS for part in holders)


def _kind(batch: Batch) -> list[object]:
    return [(part.shape[1:], part.dtype) for part in (batch.inputs, batch.target)]
