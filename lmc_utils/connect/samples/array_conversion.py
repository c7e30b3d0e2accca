"""Convert NumPy arrays and lists of numbers to tensors."""

from __future__ import annotations

import numbers
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lmc_utils.settings import ParameterError


def tensors(given: Any, precision: torch.dtype | None = None) -> Any:
    """Convert arrays in tuples, lists and mappings to tensors, without sharing memory; mappings become dicts.

    Args:
        given: arrays, tensors or other values, which are unchanged.
        precision: lower precision for float64 arrays, NumPy's default.

    Raises:
        ParameterError: an array that is not numeric.

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
    """Whether an array is float64 although the precision is lower.

    >>> is_wider(np.ones(2), torch.float32), is_wider(torch.ones(2).double(), torch.float32)
    (True, False)
    """
    if precision is None or not isinstance(part, np.ndarray):
        return False
    return part.dtype == np.float64 and precision.itemsize < 8


def numbers_as_tensor(given: Any) -> Any:
    """Convert a list of numbers to a tensor; other values are unchanged.

    >>> numbers_as_tensor([1, 2]), numbers_as_tensor([1, "a"])
    (tensor([1, 2]), [1, 'a'])
    """
    if isinstance(given, (list, tuple)) and given and all(map(is_number, given)):
        return torch.stack([torch.as_tensor(each) for each in given])
    return given


def is_number(given: Any) -> bool:
    """Whether a value is a single number, also as a 0-dimensional array or tensor.

    >>> is_number(3), is_number(torch.tensor(3)), is_number(torch.tensor([3]))
    (True, True, False)
    """
    return isinstance(given, (bool, numbers.Number, np.generic)) or (
        isinstance(given, (Tensor, np.ndarray)) and given.ndim == 0
    )
