"""All pairs of several networks of one architecture."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr
from torch import nn

from lmc_utils.connect.state_dicts import State
from lmc_utils.connect.two_networks import pair
from lmc_utils.settings import require


def pairwise(networks: Mapping[str, nn.Module | State], data: Any, **options: Any) -> xr.Dataset:
    """The barriers between all pairs of several networks.

    Args:
        networks: modules or states, by name.
        data, options: as for `pair`; `model`, where all are states.

    Returns:
        `loss_barrier`, `loss_at_half` and, where there is an error, `error_barrier` and `error_at_half`, with the
        dimensions `first` and `second`; 0 on the diagonal. Each pair is measured once, from the earlier to the later.

    Raises:
        ParameterError: fewer than two networks, or what `pair` raises.
    """
    require(len(networks) >= 2, "networks", "at least two", len(networks))
    names = list(networks)
    found: dict[str, np.ndarray[Any, Any]] = {}
    attrs: dict[str, Any] = {}
    for one, other in itertools.combinations(range(len(names)), 2):
        report = pair(networks[names[one]], networks[names[other]], data, **options)
        attrs = {name: value for name, value in report.attrs.items() if name in ("network", "data", "batchnorm")}
        for quantity in ("loss_barrier", "loss_at_half", "error_barrier", "error_at_half"):
            if quantity in report.dataset:
                square = found.setdefault(quantity, np.zeros((len(names), len(names))))
                square[one, other] = square[other, one] = float(report[quantity])
    dims = ("first", "second")
    return xr.Dataset({name: (dims, each) for name, each in found.items()}, dict.fromkeys(dims, names), attrs)
