"""Several networks of one architecture: all pairs, their agreement, planes, and pairs for other measurements."""

from __future__ import annotations

import inspect
import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr
from torch import nn

from lmc_utils.connect.averages import OPTIONS, understood
from lmc_utils.connect.endpoints import ORDINALS, EqualNetworks, endpoints, require_different, require_mapping
from lmc_utils.connect.network_evaluator import described, evaluator_of
from lmc_utils.connect.reports.report import Report
from lmc_utils.connect.samples.batch_reading import BatchFunction
from lmc_utils.connect.samples.random_generators import unchanged_random
from lmc_utils.connect.two_networks import pair, with_barriers, without_split
from lmc_utils.formatting import describe_error, listed
from lmc_utils.measure import planes
from lmc_utils.measure.batchnorm import CONVENTIONS
from lmc_utils.measure.functional_similarity import functional_similarity
from lmc_utils.measure.labelled_arrays import Place
from lmc_utils.measure.module_scores import Score
from lmc_utils.measure.module_state import State
from lmc_utils.measure.pairs import Pairs
from lmc_utils.measure.planes import PlaneGrid
from lmc_utils.measure.points import Interrupted
from lmc_utils.progress import bar
from lmc_utils.settings import ParameterError, require, require_choice

Network = nn.Module | State

_NOT_OF_PAIRS = ("endpoint_difference", "constant_error", "read")
_OF_ONE_PAIR = (
    "endpoint_difference", "read", "failed", "not_finite", "distance_before", "distance_after", "channels_permuted",
    "curve_length", "curve_off_line", "loss_with_own_statistics", "error_with_own_statistics",
)  # fmt: skip


def pairwise(networks: Mapping[str, Network], data: Any, **options: Any) -> xr.Dataset:
    """Barriers between all pairs of several networks; a pair that fails does not affect the others.

    Args:
        networks: modules or states, by name.
        data, options: as for `pair`; `model` is required if all are states. `layers`, `layer_groups` and
            `curvature` are available only in `pair`.

    Returns:
        `loss_barrier`, `loss_at_half` and, if there is an error, `error_barrier` and `error_at_half`, with the
        dimensions `first` and `second`; 0 on the diagonal. With `align` and `curve` also their scalar results. Each
        pair is measured once, from the earlier to the later network. `failed` gives the reason why a pair could not be
        measured, with the names of both networks; its numbers are NaN. The attributes are those common to all pairs.
        Pairs of equal networks, if any, are listed in the attribute `equal`, a text; their numbers are 0.

    Raises:
        ParameterError: fewer than two networks, an unsupported option, or an error that is the same for all pairs and
            not about a network.
        points.Interrupted: the measurement was interrupted; it holds the results so far.

    >>> import torch
    >>> from lmc_utils.progress import hidden
    >>> networks = {"a": nn.Linear(3, 2), "b": nn.Linear(3, 2), "c": nn.Linear(4, 2)}
    >>> with hidden():
    ...     found = pairwise(networks, (torch.randn(9, 3), torch.randint(0, 2, (9,))))
    >>> found.failed.sel(first="a", second="c").item()
    "a and c: second: shapes differ from the network's: weight is (2, 4) for (2, 3)"
    >>> float(found.loss_barrier.sel(first="a", second="b"))
    0.0
    """
    require_mapping(networks)
    require(len(networks) >= 2, "networks", "at least two networks", len(networks))
    _require_options(options, pair)
    for name in ("layers", "layer_groups", "curvature"):
        if options.get(name):
            raise ParameterError(f"{name} is measured for two networks only (got {len(networks)})")
    require_choice("batchnorm", options.get("batchnorm", "reestimate"), CONVENTIONS)
    names, common, equal = list(networks), dict[str, Any](), list[str]()
    dims, same = ("first", "second"), np.eye(len(names)) > 0
    failed = xr.DataArray(np.full(same.shape, "", dtype=object), dict.fromkeys(dims, names), dims)
    matrix = xr.Dataset({"failed": failed})
    problems: list[Exception] = []
    pairs_of_two = list(itertools.combinations(range(len(names)), 2))
    try:
        for one, other in bar(pairs_of_two, "measuring pairs", unit="pair"):
            first, second = names[one], names[other]
            both = f"{first} and {second}"
            try:
                report, is_equal = _measured(networks[first], networks[second], data, options)
            except Exception as problem:  # a user's network, loss or samples may raise anything
                failed.values[[one, other], [other, one]] = f"{both}: {_reason(problem)}"
                problems.append(problem)
                continue
            if is_equal:
                equal.append(both)
                same[[one, other], [other, one]] = True
                for quantity in matrix.data_vars.keys() - {"failed"} - report.dataset.data_vars.keys():
                    matrix[quantity].values[[one, other], [other, one]] = 0
            attrs = report.attrs if not common else {k: v for k, v in common.items() if _equal(report.attrs.get(k), v)}
            common = {name: value for name, value in attrs.items() if name not in _OF_ONE_PAIR}
            if not np.isfinite(report.loss_barrier):
                line = report.sentence.partition(";")[0]
                failed.values[[one, other], [other, one]] = f"{both}: {line}"
            for quantity, value in report.dataset.data_vars.items():
                if not value.dims and quantity != "highest_at":
                    if quantity not in matrix:
                        matrix[quantity] = (dims, np.where(same, 0.0, np.nan), value.attrs)
                    matrix[quantity].values[[one, other], [other, one]] = float(value)
    except KeyboardInterrupt as stop:
        raise Interrupted(matrix.assign_attrs(common | _named_equal(equal))) from stop
    reasons = {_reason(problem) for problem in problems}
    if len(problems) == len(pairs_of_two) and len(reasons) == 1 and not reasons.pop().startswith(ORDINALS):
        raise problems[0]  # it is about the data or an option, not about a pair
    return matrix.assign_attrs(common | _named_equal(equal))


def _named_equal(pairs_of_equal: Sequence[str]) -> dict[str, str]:
    """The attribute that lists pairs of equal networks, as a text, since files of datasets cannot hold lists."""
    return {"equal": ", ".join(pairs_of_equal)} if pairs_of_equal else {}


def _measured(first: Network, second: Network, data: Any, options: Mapping[str, Any]) -> tuple[Report, bool]:
    """The report of a pair, and whether its networks are equal: all points of their line have the scores of both."""
    try:
        return pair(first, second, data, **options), False
    except EqualNetworks:
        given = {name: options[name] for name in ("model", *OPTIONS) if name in options}
        _, evaluator, attrs = understood({"first": first, "second": second}, data, **given)
    scores = dict(zip(evaluator.quantities, evaluator.known[0][1][0].tolist(), strict=True))
    not_finite = [name for name, score in scores.items() if not math.isfinite(score)]
    if not_finite:
        raise ParameterError(f"the networks are equal, and their {listed(not_finite)} is NaN or infinite")
    line = xr.Dataset({name: ("alpha", [score] * 3) for name, score in scores.items()}, {"alpha": [0.0, 0.5, 1.0]})
    for name, (units, _) in evaluator.quantities.items():
        line[name].attrs = {"units": units} if units else {}
    return Report(with_barriers(line).assign_attrs(attrs)), True


def _require_options(options: Mapping[str, Any], function: Callable[..., Any]) -> None:
    """Raise ParameterError if an option is not a keyword-only argument of a function."""
    parameters = inspect.signature(function).parameters.values()
    for name in options:
        require_choice("option", name, [each.name for each in parameters if each.kind == each.KEYWORD_ONLY])


def _reason(problem: Exception) -> str:
    line = describe_error(problem)
    return line if isinstance(problem, ParameterError) else f"{type(problem).__name__}: {line}"


def _equal(one: Any, other: Any) -> bool:
    return type(one) is type(other) and bool(np.all(one == other))


def agreement(
    first: Network, second: Network, data: Any, *, model: nn.Module | None = None, **options: Any
) -> xr.Dataset:
    """Disagreement of the predicted classes of two networks, and linear CKA of their last hidden layers.

    Args:
        first, second: modules or states.
        data, model: as for `pair`.
        options: `loss`, `error`, `batch`, `batchnorm` and `estimated_on`, as for `pair`.

    Returns:
        `disagreement` and `both_wrong` (percent of the samples) and `cka`, see `measure.functional_similarity`. The
        attributes describe networks, samples and methods; if `cka` is undefined, `cka_left_out` gives the reason.

    Raises:
        ParameterError: unsupported input, see `pair`, or networks that are no classifiers.
        points.Interrupted: the measurement was interrupted.

    >>> import torch
    >>> from lmc_utils.progress import hidden
    >>> network = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))
    >>> with hidden():
    ...     found = agreement(network, network, (torch.randn(9, 3), torch.randint(0, 2, (9,))))
    >>> float(found.disagreement), round(float(found.cka), 6)
    (0.0, 1.0)
    """
    with unchanged_random():
        ends, evaluator, attrs = understood({"first": first, "second": second}, data, model=model, **options)
        found = functional_similarity(Pairs(evaluator, {}, [()], lambda _: ends.states))
    return without_split(found).assign_attrs(attrs)


def agreement_matrix(
    networks: Mapping[str, Network], data: Any, *, model: nn.Module | None = None, **options: Any
) -> xr.Dataset:
    """Agreement between all pairs of several networks, as symmetric matrices.

    Args:
        networks: modules or states, by name.
        data, model, options: as for `agreement`.

    Returns:
        The quantities and attributes of `agreement`, with the dimensions `first` and `second`. On the diagonal, each
        network is compared with itself, so that `both_wrong` is its error.

    Raises:
        ParameterError: fewer than two networks, or as raised by `agreement`.
        points.Interrupted: the measurement was interrupted.
    """
    require_mapping(networks)
    require(len(networks) >= 2, "networks", "at least two networks", len(networks))
    with unchanged_random():
        ends, evaluator, attrs = understood(networks, data, model=model, **options)
        coords = {"first": list(networks), "second": list(networks)}
        places = list(itertools.combinations_with_replacement(range(len(networks)), 2))
        found = functional_similarity(
            Pairs(evaluator, coords, places, lambda place: [ends.states[row] for row in place])
        )
    for each in found.data_vars.values():
        each.values = np.triu(each.values) + np.swapaxes(np.triu(each.values, 1), -1, -2)
    return without_split(found).assign_attrs(attrs)


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
    """Make pairs of any networks, such as two runs at several epochs, for the measurements of `lmc_utils.measure`.

    `lines.line` measures the lines between them, `lines.layer_line` one layer after the other, `curvature.along`
    derivatives; with a third network, `planes.plane` and `ridges.tracks` the plane through all three.

    Args:
        networks: by label, two networks of one architecture, or three; modules or their states.
        data, model, loss, error, batch, batchnorm, estimated_on: as for `pair`.
        layers: names of the modules that count as layers; by default every module with parameters of its own.

    Returns:
        Pairs with the dimension `pair`, and the split `data`.

    Raises:
        ParameterError: no networks, not two or three under each label, or unsupported input.

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
    require_mapping(networks)
    counts = {len(each) if isinstance(each, (Sequence, nn.ModuleList)) else 1 for each in networks.values()}
    if counts not in ({2}, {3}):
        raise ParameterError(
            f"networks must be two or three under each label (got {listed([str(count) for count in sorted(counts)])})"
        )
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
    provenance = {name: str(value) for name, value in attrs.items() if name not in _NOT_OF_PAIRS}
    places = [(row,) for row in range(len(labels))]

    def read(place: Place) -> Sequence[State]:
        return ends.states[place[0] * count : (place[0] + 1) * count]

    return Pairs(evaluator, {"pair": labels}, places, read, third, provenance)


def plane(
    first: Network, second: Network, third: Network, data: Any, *, grid: PlaneGrid | None = None, **options: Any
) -> xr.Dataset:
    """Loss and error on the plane through any three networks of one architecture.

    Args:
        first, second, third: modules or states.
        data, options: as for `pairs`.
        grid: the points of the plane.

    Returns:
        `loss` and, if measured, `error` with the dimensions row and column; for the coordinates of grid and networks
        see `measure.planes.plane`.

    Raises:
        ParameterError: as raised by `pairs`, or three networks on one line.
        points.Interrupted: the measurement was interrupted; it holds the points measured so far.

    >>> import torch
    >>> from lmc_utils.progress import hidden
    >>> _ = torch.manual_seed(0)
    >>> samples = torch.randn(20, 3), torch.randint(0, 2, (20,))
    >>> with hidden():
    ...     found = plane(*(nn.Linear(3, 2) for _ in range(3)), samples, grid=PlaneGrid(grid=5))
    >>> found.loss.dims, bool(found.loss.notnull().all())
    (('row', 'column'), True)
    """
    _require_options(options, pairs)
    triple = pairs({"plane": [first, second, third]}, data, **options)
    try:
        with unchanged_random():
            measured = planes.plane(triple, grid or PlaneGrid()).isel(split=0, pair=0, drop=True)
    except Interrupted as stop:
        raise Interrupted(stop.partial.isel(split=0, pair=0, drop=True)) from stop
    if bool(measured.colinear):
        raise ParameterError("third: the three networks lie on one line, and span no plane")
    return measured
