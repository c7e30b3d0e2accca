"""Scores of many versions of a small module in one pass, where torch can vectorise it and it is worth it."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from lmc_utils.measure.batches import Batch, Batches, joined
from lmc_utils.measure.module_outputs import alike, outputs
from lmc_utils.measure.module_scores import Scores, of_one
from lmc_utils.measure.module_state import State, run_with

_LAYERS = (nn.Linear, nn.LayerNorm, nn.BatchNorm1d)  # with others, many passes were as fast as one of many
_PARAMETERS = 2**20  # of the largest network that is vectorised
_SAMPLES = 1024  # that go at once, where batches are smaller
_WORKING = 2**28  # bytes of activations


def suits(module: nn.Module) -> bool:
    """True for a module so small and simple that vectorising it is worth it."""
    holders = [part for part in module.modules() if any(True for _ in part.parameters(recurse=False))]
    size = sum(value.numel() for value in module.parameters())
    hooked = any(part._forward_hooks or part._forward_pre_hooks for part in module.modules())
    return size <= _PARAMETERS and not hooked and all(type(part) in _LAYERS for part in holders)


def scores(module: nn.Module, versions: State, batches: Batches, measured: Scores) -> Tensor | None:
    """The mean scores of all versions of a module, (versions, scores), float64; None where torch cannot vectorise it.

    The first pass is compared with one through the module itself. Batches are joined only for this package's own
    scores, which look at each sample by itself, and where the outputs for the first of them stay the same.

    Args:
        module: in evaluation mode; it holds the last of the versions.
        versions: the tensors that differ, each of shape (versions, ...).
        batches: samples.
        measured: the scores.
    """
    count = len(next(iter(versions.values())))
    device = next(module.parameters()).device
    total = torch.zeros(count, len(measured.names), dtype=torch.float64)
    at_once, plain = 0, None
    with torch.no_grad(), _without_fallback():
        for batch in joined(batches, _SAMPLES) if measured.own and _one_by_one(module, batches) else batches:
            if not at_once:
                plain, size = _output_and_size(module, batch.to(device))
                at_once = max(1, _WORKING // max(1, size))
            for start in range(0, count, at_once):
                rows, on_device = range(start, min(start + at_once, count)), batch.to(device)
                found = _together(module, versions, on_device, slice(rows.start, rows.stop))
                if found is None:
                    return None
                if plain is not None and rows.stop == count:
                    if not alike(of_one(found, -1), plain):
                        return None
                    plain = None
                total[rows.start : rows.stop] += measured.sums_of_each(found, on_device, len(rows)).cpu()
    return total / batches.samples


def _one_by_one(module: nn.Module, batches: Batches) -> bool:
    """True where the outputs for a batch are independent of the other samples that it is joined to."""
    device = next(module.parameters()).device
    alone, together = (next(iter(each)).to(device) for each in (batches.batches, joined(batches, _SAMPLES)))
    first, whole = outputs(alone.run(module)), outputs(together.run(module))
    return alike(first, [part[: alone.size] for part in whole])


@contextmanager
def _without_fallback() -> Iterator[None]:
    """Let torch raise an error where it would work on one network after the other."""
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="There is a performance drop")
        yield


def _together(module: nn.Module, versions: State, batch: Batch, rows: slice) -> Any | None:
    try:
        return torch.func.vmap(lambda values: run_with(module, values, batch))(
            {name: value[rows] for name, value in versions.items()}
        )
    except Exception:  # whatever torch says where it has no rule: then one after the other
        return None


def _output_and_size(module: nn.Module, batch: Batch) -> tuple[Any, int]:
    """The output of a network for a batch, and the bytes of the outputs of all its parts."""
    seen = [0]

    def note(_: nn.Module, __: Any, output: Any) -> None:
        seen[0] += sum(part.numel() * part.element_size() for part in outputs(output))

    hooks = [part.register_forward_hook(note) for part in module.modules()]
    try:
        output = batch.run(module)
    finally:
        for hook in hooks:
            hook.remove()
    return output, seen[0]
