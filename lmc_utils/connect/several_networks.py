"""Several networks of one architecture: all pairs, planes through three, and layer-wise lines from pair to pair."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr
from torch import nn

from lmc_utils.connect.batch_reading import BatchFunction
from lmc_utils.connect.endpoints import ORDINALS, endpoints, require_different
from lmc_utils.connect.random_generators import unchanged_random
from lmc_utils.connect.two_networks import described, evaluator_of, pair
from lmc_utils.measure import planes
from lmc_utils.measure.batchnorm import CONVENTIONS
from lmc_utils.measure.labelled_arrays import Place
from lmc_utils.measure.module_scores import Score
from lmc_utils.measure.module_state import State
from lmc_utils.measure.pairs import Pairs
from lmc_utils.measure.planes import PlaneGrid
from lmc_utils.settings import ParameterError, require, require_choice

Network = nn.Module | State


def pairwise(networks: Mapping[str, Network], data: Any, **options: Any) -> xr.Dataset:
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
    barriers: dict[str, np.ndarray[Any, Any]] = {}
    attrs: dict[str, Any] = {}
    for one, other in itertools.combinations(range(len(names)), 2):
        report = pair(networks[names[one]], networks[names[other]], data, **options)
        attrs = {name: value for name, value in report.attrs.items() if name in ("network", "data", "batchnorm")}
        for quantity in ("loss_barrier", "loss_at_half", "error_barrier", "error_at_half"):
            if quantity in report.dataset:
                square = barriers.setdefault(quantity, np.zeros((len(names), len(names))))
                square[one, other] = square[other, one] = float(report[quantity])
    dims = ("first", "second")
    return xr.Dataset({name: (dims, each) for name, each in barriers.items()}, dict.fromkeys(dims, names), attrs)


def pairs(
    networks: Mapping[str, Sequence[Network]],
    data: Any,
    *,
    model: nn.Module | None = None,
    loss: Score | None = None,
    error: Score | None = None,
    batch: BatchFunction | None = None,
    batchnorm: str = "reestimate",
    estimated_on: Any = None,
    layers: Sequence[str] | None = None,
) -> Pairs:
    """Pairs of networks of any kind, such as two runs at several epochs, for every measurement of `lmc_utils.measure`.

    `lines.line` measures the lines between them, `lines.layer_line` one layer after the other, `curvature.along`
    derivatives; with a third network, `planes.plane` and `ridges.tracks` the plane through all three.

    Args:
        networks: by label, two networks of one architecture, or three; modules or their states.
        data, model, loss, error, batch, batchnorm, estimated_on: as for `pair`.
        layers: names of the modules that count as layers; by default every module that holds parameters itself.

    Returns:
        Pairs with the dimension `pair`, and the split `data`.

    Raises:
        ParameterError: no networks, not two or three under each label, or something that is not understood.

    >>> import torch
    >>> from lmc_utils.measure import lines
    >>> from lmc_utils.progress import hidden
    >>> _ = torch.manual_seed(0)
    >>> early, late = ([nn.Linear(3, 2) for _ in range(2)] for _ in range(2))
    >>> samples = torch.randn(20, 3), torch.randint(0, 2, (20,))
    >>> with hidden():
    ...     found = lines.layer_line(pairs({"epoch 1": early, "epoch 9": late}, samples))
    >>> found.loss.dims, found.pair.values.tolist()
    (('split', 'pair', 'end', 'layer', 'alpha'), ['epoch 1', 'epoch 9'])
    """
    counts = {len(each) for each in networks.values()}
    require(counts in ({2}, {3}), "networks", "two networks under each label, or three", sorted(counts))
    require_choice("batchnorm", batchnorm, CONVENTIONS)
    labels, (count,) = list(networks), counts
    with unchanged_random():
        names = [f"{label}, {ordinal}" for label in labels for ordinal in ORDINALS[:count]]
        ends = endpoints([each for label in labels for each in networks[label]], model=model, names=names)
        for number in range(len(names)):
            if number % count:
                require_different(ends, number - 1, number)
        evaluator, difference = evaluator_of(
            ends, data, batch=batch, loss=loss, error=error, batchnorm=batchnorm, estimated_on=estimated_on,
            layers=layers,
        )  # fmt: skip
        attrs = described(ends, evaluator, difference)
    third = "third" if count == 3 else None
    provenance = {name: str(value) for name, value in attrs.items() if name not in ("endpoint_difference", "read")}
    places = [(row,) for row in range(len(labels))]

    def read(place: Place) -> Sequence[State]:
        return ends.states[place[0] * count : (place[0] + 1) * count]

    return Pairs(evaluator, {"pair": labels}, places, read, third, provenance)


def plane(
    first: Network, second: Network, third: Network, data: Any, *, grid: PlaneGrid | None = None, **options: Any
) -> xr.Dataset:
    """Loss and error on the plane through three networks of one architecture, of whatever kind.

    Args:
        first, second, third: modules or states.
        data, options: as for `pairs`.
        grid: the points of the plane.

    Returns:
        `loss` and, where there is one, `error` with the dimensions row and column; where they and the networks lie, see
        `measure.planes.plane`.

    Raises:
        ParameterError: what `pairs` raises, or three networks on one line.

    >>> import torch
    >>> from lmc_utils.progress import hidden
    >>> _ = torch.manual_seed(0)
    >>> samples = torch.randn(20, 3), torch.randint(0, 2, (20,))
    >>> with hidden():
    ...     found = plane(*(nn.Linear(3, 2) for _ in range(3)), samples, grid=PlaneGrid(grid=5))
    >>> found.loss.dims, bool(found.loss.notnull().all())
    (('row', 'column'), True)
    """
    triple = pairs({"plane": [first, second, third]}, data, **options)
    with unchanged_random():
        measured = planes.plane(triple, grid or PlaneGrid()).isel(split=0, pair=0, drop=True)
    if bool(measured.colinear):
        raise ParameterError("third: the three networks lie on one line, and span no plane")
    return measured
