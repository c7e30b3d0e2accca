"""What a module of torch puts out, and whether two outputs are the same up to rounding."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.utils import _pytree as pytree


def outputs(output: Any) -> list[Tensor]:
    """The real tensors in what a network puts out."""
    return [
        part for part in pytree.tree_leaves(_plain(output)) if isinstance(part, Tensor) and part.is_floating_point()
    ]


def tolerance(dtype: torch.dtype) -> float:
    """The largest rounding difference between two ways to compute an output, as a fraction of its largest value.

    >>> tolerance(torch.float32) < 1e-4, tolerance(torch.float64) < 1e-9
    (True, True)
    """
    return float(torch.finfo(dtype).eps ** 0.6)


def alike(one: Any, other: Any) -> bool:
    """Whether two outputs are the same up to rounding."""
    mine, theirs = outputs(one), outputs(other)
    return len(mine) == len(theirs) and all(map(_near, mine, theirs))


def _plain(output: Any) -> Any:
    """A dict of a class of its own, as some libraries put out, as a dict."""
    return dict(output) if isinstance(output, dict) else output


def _near(one: Tensor, other: Tensor) -> bool:
    return one.shape == other.shape and difference(one, other)[0] <= tolerance(one.dtype)


def difference(one: Tensor, other: Tensor) -> tuple[float, tuple[int, ...]]:
    """The largest difference over the largest size, and where it is; what is equal in both, as infinity, counts 0."""
    if one.numel() == 0:
        return 0.0, ()
    one, other = one.double(), other.double()
    same = (one == other) | (one.isnan() & other.isnan())
    away = torch.where(same, torch.zeros_like(one), (one - other).abs()).nan_to_num(nan=torch.inf)
    size = torch.where(other.isfinite(), other.abs(), torch.zeros_like(other)).max().clamp(min=1e-300)
    place = torch.unravel_index(away.argmax(), away.shape)
    return float(away.max() / size), tuple(int(each) for each in place)
