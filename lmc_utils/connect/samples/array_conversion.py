"""NumPy's arrays and lists of numbers as tensors."""

from __future__ import annotations

import numbers
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lmc_utils.settings import ParameterError


def tensors(given: Any, precision: torch.dtype | None = None) -> Any:
    """With tensors for the arrays in tuples, lists and dicts, which share no memory with them; dicts for mappings.

    Args:
        given: arrays, tensors, other values, which stay as they are.
        precision: of float64 arrays, NumPy's own choice, where it is lower.

    Raises:
        ParameterError: an array of something else than numbers.

    >>> tensors({"a": (np.ones(2), "text")}, torch.float32)
    {'a': (tensor([1., 1.]), 'text')}
    """
    if isinstance(given, np.ndarray):
        if given.dtype.kind not in "biufc":
            raise ParameterError(f"arrays must hold numbers (got one of {given.dtype})")
        value = torch.from_numpy(np.array(given, order="C"))
        return value.to(precision) if is_wider(given, precision) else value
    if isinstance(given, np.generic):
        return torch.as_tensor(given)
    if isinstance(given, Mapping):
        return {name: tensors(part, precision) for name, part in given.items()}
    if isinstance(given, (tuple, list)) and not hasattr(given, "_fields"):
        return type(given)(tensors(part, precision) for part in given)
    return given


def is_wider(part: Any, precision: torch.dtype | None) -> bool:
    """True for an array of float64, for a lower precision.

    >>> is_wider(np.ones(2), torch.float32), is_wider(torch.ones(2).double(), torch.float32)
    (True, False)
    """
    if precision is None or not isinstance(part, np.ndarray):
        return False
    return part.dtype == np.float64 and precision.itemsize < 8


def numbers_as_tensor(given: Any) -> Any:
    """A list of numbers as a tensor; anything else as it is.

    >>> numbers_as_tensor([1, 2]), numbers_as_tensor([1, "a"])
    (tensor([1, 2]), [1, 'a'])
    """
    if isinstance(given, (list, tuple)) and given and all(map(is_number, given)):
        return torch.stack([torch.as_tensor(each) for each in given])
    return given


def is_number(given: Any) -> bool:
    """True for one number, also as an array or tensor without axes.

    >>> is_number(3), is_number(torch.tensor(3)), is_number(torch.tensor([3]))
    (True, True, False)
    """
    return isinstance(given, (bool, numbers.Number, np.generic)) or (
        isinstance(given, (Tensor, np.ndarray)) and given.ndim == 0
    )
