"""Compare outputs of PyTorch modules up to rounding."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import torch
from torch import Tensor, nn


def outputs(output: Any) -> list[Tensor]:
    """The real-valued tensors in a network's output, also in dicts, dataclasses and other objects with attributes.

    >>> from types import SimpleNamespace
    >>> [each.shape for each in outputs(SimpleNamespace(logits=torch.zeros(2, 3), past=[torch.zeros(4)], name="a"))]
    [torch.Size([2, 3]), torch.Size([4])]
    """
    return [part for part in leaves(output) if isinstance(part, Tensor) and part.is_floating_point()]


def leaves(output: Any) -> Iterator[Any]:
    """Yield the leaves of an output: values in dicts, sequences and attributes, recursively; each object once."""
    waiting, seen = [output], list[Any]()
    while waiting:
        each = waiting.pop()
        parts = _parts(each)
        if parts is None:
            yield each
        elif not any(each is other for other in seen):
            seen.append(each)
            waiting += reversed(parts)


def _parts(output: Any) -> list[Any] | None:
    """Values that an object contains; None for a leaf."""
    if isinstance(output, Mapping):
        return list(output.values())
    if isinstance(output, (tuple, list)):
        return list(output)
    if isinstance(output, (Tensor, nn.Module, type)) or callable(output):
        return None
    if is_dataclass(output):
        return [getattr(output, field.name) for field in fields(output)]
    return list(vars(output).values()) if hasattr(output, "__dict__") else None


def tolerance(dtype: torch.dtype) -> float:
    """Relative tolerance for rounding: the largest plausible difference as a fraction of an output's largest value.

    >>> tolerance(torch.float32) < 1e-4, tolerance(torch.float64) < 1e-9
    (True, True)
    """
    return float(torch.finfo(dtype).eps ** 0.6)


def alike(one: Any, other: Any) -> bool:
    """Whether two outputs are the same up to rounding."""
    mine, theirs = outputs(one), outputs(other)
    return len(mine) == len(theirs) and all(map(_near, mine, theirs))


def _near(one: Tensor, other: Tensor) -> bool:
    return one.shape == other.shape and difference(one, other)[0] <= tolerance(one.dtype)


def difference(one: Tensor, other: Tensor) -> tuple[float, tuple[int, ...]]:
    """Largest difference over the largest magnitude, and its index; equal entries, even infinite ones, count as 0."""
    if one.numel() == 0:
        return 0.0, ()
    one, other = one.double(), other.double()
    same = (one == other) | (one.isnan() & other.isnan())
    away = torch.where(same, torch.zeros_like(one), (one - other).abs()).nan_to_num(nan=torch.inf)
    size = torch.where(other.isfinite(), other.abs(), torch.zeros_like(other)).max().clamp(min=1e-300)
    place = torch.unravel_index(away.argmax(), away.shape)
    return float(away.max() / size), tuple(int(each) for each in place)
