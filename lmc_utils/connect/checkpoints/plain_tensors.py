"""Check that tensors can be interpolated (dense, with values, at least 16 bits), and convert their types."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from lmc_utils.settings import ParameterError


def require_plain(which: str, name: str, value: Tensor) -> None:
    """Raise ParameterError with advice if a tensor cannot be interpolated."""
    for holds, what, way_out in _kinds(value):
        if holds:
            raise ParameterError(f"{which}: {name} is {what}, not a plain tensor; give {way_out}")


def converted(
    values: Mapping[str, Tensor], own: Mapping[str, Tensor], which: str
) -> tuple[dict[str, Tensor], list[str]]:
    """Convert tensors to the types of a module, as `load_state_dict` does; also return notes on conversions.

    Raises:
        ParameterError: a type that cannot be converted: real numbers to integers or the reverse, complex to real
            numbers, integers that do not fit.

    >>> converted({"bias": torch.ones(1).half()}, {"bias": torch.ones(1)}, "first")
    ({'bias': tensor([1.])}, ['first: 1 of 1 tensors were converted from float16 to float32, the type in the network'])
    """
    result, counts = dict(values), Counter[tuple[str, str]]()
    for name, value in values.items():
        dtype = own[name].dtype
        if value.dtype == dtype:
            continue
        result[name] = value.to(dtype)
        if _kind(value.dtype) != _kind(dtype) or (
            not _inexact(dtype) and not torch.equal(result[name].to(value), value)
        ):
            raise ParameterError(
                f"{which}: dtypes differ from the network's: {name} is {_short(value.dtype)} for {_short(dtype)}"
            )
        counts[_short(value.dtype), _short(dtype)] += 1
    return result, [
        f"{which}: {count} of {len(values)} tensors were converted from {old} to {new}, the type in the network"
        for (old, new), count in counts.items()
    ]


def _kinds(value: Tensor) -> list[tuple[bool, str, str]]:
    """Kinds of tensors that cannot be interpolated: whether this is one, its description, and advice."""
    name = type(value).__name__
    if nn.parameter.is_lazy(value):
        return [(True, "without a shape", "a network that has seen a first batch")]
    return [
        (value.is_meta, "without values, on the meta device", "one that was loaded"),
        (name == "DTensor", "a DTensor, in pieces", "`value.full_tensor()`"),
        (value.is_nested, "a nested tensor", "a tensor for each part"),
        (value.is_quantized, "quantised", "`value.dequantize()`"),
        (value.layout != torch.strided, f"of layout {_short(value.layout)}", "`value.to_dense()`"),
        (_dispatched(value), f"of the class {name}", "tensors of torch's own class"),
        (value.is_floating_point() and value.dtype.itemsize < 2, f"of type {_short(value.dtype)}", "float16 or wider"),
        (_kind(value.dtype) == "other", f"of type {_short(value.dtype)}", "float16 or wider"),
    ]


def _dispatched(value: Tensor) -> bool:
    """Whether a tensor is of a subclass with its own dispatch."""
    return type(value).__torch_dispatch__ is not Tensor.__torch_dispatch__


def _kind(dtype: torch.dtype) -> str:
    if dtype.is_complex:
        return "complex"
    if dtype.is_floating_point:
        return "real"
    integers = {torch.bool, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64}
    return "integer" if dtype in integers | {torch.uint16, torch.uint32, torch.uint64} else "other"


def _inexact(dtype: torch.dtype) -> bool:
    return dtype.is_floating_point or dtype.is_complex


def _short(value: Any) -> str:
    return str(value).removeprefix("torch.")
