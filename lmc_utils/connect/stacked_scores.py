"""Many points between two small networks in one pass, where torch can vectorise the network and it is worth it."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from lmc_utils.connect.batches import Batch, Feed, joined
from lmc_utils.connect.checking import alike, outputs
from lmc_utils.connect.endpoints import Ends, Point
from lmc_utils.connect.scores import Scores, of_one
from lmc_utils.connect.state_dicts import State, tensors

_LAYERS = (nn.Linear, nn.LayerNorm, nn.BatchNorm1d)  # with others, many passes were as fast as one of many
_PARAMETERS = 2**20  # of the largest network that goes as a stack
_SAMPLES = 1024  # that go at once, where batches are smaller
_WORKING = 2**28  # bytes of activations of a stack


def scores(ends: Ends, feed: Feed, measured: Scores, points: Sequence[Point]) -> Tensor | None:
    """The mean scores of all points, (points, scores), float64; None where this is not the way.

    The first pass is compared with one through the copy itself.

    Args:
        ends: the networks; their running statistics are mixed as the parameters are.
        feed: samples that they are measured on.
        measured: the scores.
        points: what to measure.
    """
    if not _suits(ends.module):
        return None
    names = [*ends.parameters, *ends.statistics]
    own = tensors(ends.module)
    rest = {name: value for name, value in own.items() if name not in names}
    stack = {name: own[name].new_empty(len(points), *own[name].shape) for name in names}
    for row, point in enumerate(points):
        ends.lay(point, names)
        for name in names:
            stack[name][row] = own[name]
    total = torch.zeros(len(points), len(measured.names), dtype=torch.float64)
    at_once = 0
    with torch.no_grad(), _without_fallback():
        for batch in joined(feed, _SAMPLES) if _one_by_one(ends, feed) else feed:
            there = batch.to(ends.device)
            if not at_once:
                found = _together(ends.module, stack, rest, there, slice(len(points) - 1, len(points)))
                if found is None or not alike(of_one(found, 0), there.run(ends.module)):
                    return None
                at_once = max(1, _WORKING // max(1, _bytes_of(ends.module, there)))
            for start in range(0, len(points), at_once):
                rows = range(start, min(start + at_once, len(points)))
                found = _together(ends.module, stack, rest, there, slice(rows.start, rows.stop))
                if found is None:
                    return None
                total[rows.start : rows.stop] += measured.sums_of_each(found, there, len(rows)).cpu()
    return total / feed.samples


def _one_by_one(ends: Ends, feed: Feed) -> bool:
    """Whether samples do not meet in the network: a batch joined to others gives what it gives alone."""
    alone, together = (next(iter(each)).to(ends.device) for each in (feed.batches, joined(feed, _SAMPLES)))
    first, whole = outputs(alone.run(ends.module)), outputs(together.run(ends.module))
    return alike(first, [part[: alone.size] for part in whole])


def _suits(module: nn.Module) -> bool:
    holders = [part for part in module.modules() if any(True for _ in part.parameters(recurse=False))]
    size = sum(value.numel() for value in module.parameters())
    return size <= _PARAMETERS and all(type(part) in _LAYERS for part in holders)


@contextmanager
def _without_fallback() -> Iterator[None]:
    """Where torch would work on one network after the other inside, let it say so instead."""
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="There is a performance drop")
        yield


def _together(module: nn.Module, stack: State, rest: State, batch: Batch, rows: slice) -> Any | None:
    def one(values: State) -> Any:
        def run(*args: Any, **named: Any) -> Any:
            return torch.func.functional_call(module, (dict(values), dict(rest)), args, named)

        return batch.run(run)

    try:
        return torch.func.vmap(one)({name: value[rows] for name, value in stack.items()})
    except Exception:  # whatever torch says where it has no rule: then one after the other
        return None


def _bytes_of(module: nn.Module, batch: Batch) -> int:
    """Bytes of what all parts of a network put out for a batch."""
    seen = [0]

    def note(_: nn.Module, __: Any, output: Any) -> None:
        seen[0] += sum(part.numel() * part.element_size() for part in outputs(output))

    hooks = [part.register_forward_hook(note) for part in module.modules()]
    try:
        batch.run(module)
    finally:
        for hook in hooks:
            hook.remove()
    return seen[0]
