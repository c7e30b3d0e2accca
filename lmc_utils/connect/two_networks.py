"""Measure the line between any two networks: `connect.pair`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from numbers import Integral
from typing import Any

import numpy as np
import torch
import xarray as xr
from torch import nn

from lmc_utils.connect.alignment.aligned_pairs import Matching, aligned_state
from lmc_utils.connect.alignment.module_rescaling import rescaled
from lmc_utils.connect.endpoints import endpoints, require_different
from lmc_utils.connect.network_evaluator import described, evaluator_of
from lmc_utils.connect.reports.report import Report
from lmc_utils.connect.samples.batch_reading import BatchFunction
from lmc_utils.connect.samples.random_generators import unchanged_random
from lmc_utils.connect.samples.repeatable_data import repeatable
from lmc_utils.formatting import one_line, short_repr
from lmc_utils.measure import approximations, barriers, curvature, curves, layer_groups, lines, points
from lmc_utils.measure.batchnorm import CONVENTIONS
from lmc_utils.measure.curves import CurveSettings
from lmc_utils.measure.ensembles import CROSS_ENTROPY_ONLY
from lmc_utils.measure.functional_similarity import functional_similarity
from lmc_utils.measure.lines import LineGrid
from lmc_utils.measure.module_evaluator import ModuleEvaluator
from lmc_utils.measure.module_scores import Score, cross_entropy
from lmc_utils.measure.module_state import State
from lmc_utils.measure.pairs import Pairs
from lmc_utils.settings import ParameterError, require, require_choice

_FARTHEST = 1e6  # larger alphas may overflow single precision
_NEARLY_EQUAL = 1e-9  # closer alphas count as one


class Interrupted(KeyboardInterrupt):
    """The measurement was interrupted. `report` holds the results so far, NaN elsewhere."""

    def __init__(self, report: Report) -> None:
        super().__init__(f"{report.sentence} They are kept: `error.report`")
        self.report = report


def pair(
    first: nn.Module | State,
    second: nn.Module | State,
    data: Any,
    *,
    model: nn.Module | None = None,
    loss: Score | None = None,
    error: Score | None = None,
    batch: BatchFunction | None = None,
    alphas: int | Sequence[float] = 21,
    batchnorm: str = "reestimate",
    estimated_on: Any = None,
    layers: bool | Sequence[str] = False,
    layer_groups: bool = False,
    curvature: bool = False,
    align: bool | Matching = False,
    curve: bool | CurveSettings = False,
    rescale: bool = False,
    agreement: bool = False,
) -> Report:
    """Measure the straight line between any two networks of one architecture.

    Both ends are verified against forward passes of independent copies of the networks, on all samples. Networks,
    samples and random generators are not changed. Dropout is off. If a loss or error is NaN or infinite, the barriers
    that need it are NaN or infinite as well, and the attribute `not_finite` lists the alphas. If a part fails after
    some points were measured, the attribute `failed` names it and the reason.

    Args:
        first, second: modules, or their states as `state_dict` gives them.
        data: samples, see `repeatable_data.repeatable`: two tensors, a `Dataset`, a `DataLoader`, or other batches.
        batch: for other data, a function from an item to (inputs, target), where inputs are a tensor, a tuple of
            arguments or a dict of named ones.
        model: a module of the architecture; required for two states.
        loss: per-sample loss, called as loss(output, target); by default cross-entropy (nats), for outputs that are
            logits or contain them as `logits`.
        error: per-sample error in [0, 1], called as error(output, target); by default misclassification with the
            default loss, and none with another.
        alphas: the number of points, evenly spaced from 0 to 1, or a list of points; 0, 1/2 and 1 are always included.
            Values outside [0, 1] extrapolate; barriers are those between the networks.
        batchnorm: source of running statistics: `reestimate` (at each point, also at both ends), `interpolate` (with
            the weights of the parameters; outside the networks those of the nearer one) or `keep` (those of each
            network in turn; barriers are the means of both).
        estimated_on: samples to re-estimate on, by default `data`.
        layers: also measure the rise of the loss if only one layer moves to the midpoint, for every layer, or for the
            modules with these names (Adilova et al., arXiv 2307.06966).
        layer_groups: besides single layers, as with `layers`, also move groups of them to the midpoint, from the input
            up to each layer and from the output down to it, and each group as far in a random direction, see
            `measure.layer_groups`. In all, this measures fourteen networks for each layer instead of two.
        curvature: also measure slope and curvature along the line at both ends, and derive second-order approximations
            of the barrier (Singh et al., arXiv 2406.16300).
        align: first permute the channels of the second network to match the weights of the first, see
            `alignment.aligned_state`; for networks whose forward pass `torch.export` can record.
        curve: also train a curve between the networks, on the `estimated_on` samples, and measure it, see
            `measure.curves`.
        rescale: also rescale activations at each point to means and standard deviations interpolated between the ends,
            see `module_rescaling`; only for the line.
        agreement: also measure for how many samples both networks predict different classes, and how similar their
            last hidden layers are, see `measure.functional_similarity`. If this is impossible, as with a user-defined
            loss, the attribute `agreement_left_out` gives the reason.

    Raises:
        ParameterError: unsupported input, in one line; before or while both ends are verified.
        Interrupted: the measurement was interrupted; it holds a report of the results so far.

    >>> from lmc_utils.progress import hidden
    >>> _ = torch.manual_seed(0)
    >>> samples = torch.randn(20, 3), torch.randint(0, 2, (20,))
    >>> with hidden():
    ...     report = pair(nn.Linear(3, 2), nn.Linear(3, 2), samples)
    >>> float(report.loss_barrier)  # the loss is convex
    0.0
    """
    require_choice("batchnorm", batchnorm, CONVENTIONS)
    grid = _grid(alphas)
    beside = {"layers": layers or layer_groups, "curvature": curvature, "curve": curve} if rescale else {}
    asked = ", ".join(name for name, given in beside.items() if given)
    if asked:
        raise ParameterError(f"rescale cannot be combined with {asked}")
    with torch.inference_mode(False), torch.enable_grad(), unchanged_random():
        both, attrs = endpoints([first, second], model=model), dict[str, Any]()
        require_different(both, 0, 1)
        samples = repeatable(data, batch=batch, network=both.module)
        given = both.states
        if align:
            matching = align if isinstance(align, Matching) else Matching()
            permuted, attrs = aligned_state(both.module, *both.states, batch=next(iter(samples)), settings=matching)
            both = replace(both, states=(both.states[0], permuted))
        evaluator, difference = evaluator_of(
            both, samples, batch=batch, loss=loss, error=error, batchnorm=batchnorm, estimated_on=estimated_on,
            layers=None if isinstance(layers, bool) else layers,
        )  # fmt: skip
        if rescale:
            evaluator = rescaled(evaluator)
            attrs["rescaled"] = evaluator.description
        pairs = Pairs(evaluator, {}, [()], lambda _: both.states)
        attrs = {**described(both, evaluator, difference), **_own_scores(evaluator), **attrs}
        # Inputs are validated before the line is measured; later failures leave its results intact.
        estimates = _curvature(pairs, grid) if curvature else {}
        path = curves.train(pairs, curve if isinstance(curve, CurveSettings) else CurveSettings()) if curve else None
        results = _line(pairs, grid, attrs).assign(estimates)
        if curvature:
            results = results.assign_attrs(differentiated=evaluator.differentiated)
        further: dict[str, Callable[[], xr.Dataset]] = {}
        if agreement:
            further["agreement"] = lambda: _agreement(pairs, evaluator)
        if align:
            further["alignment"] = lambda: _unaligned(replace(pairs, read=lambda _: given), results)
        if path is not None:
            others = f"other samples ({evaluator.estimated_on.description})"
            trained_on = "the samples measured" if estimated_on is None else others
            further["curve"] = lambda: _curve(path, trained_on)
        if layers or layer_groups:
            further["layers"] = lambda: _layers(pairs, results)
        if layer_groups:
            further["layer_groups"] = lambda: _layer_groups(pairs, results)
        return Report(_with_further(results, pairs, {} if "failed" in results.attrs else further), pairs)


def _with_further(results: xr.Dataset, pairs: Pairs, parts: Mapping[str, Callable[[], xr.Dataset]]) -> xr.Dataset:
    """Add further measurements; if one fails, the attribute `failed` gives the reason, and the others are kept."""
    for name, measure in parts.items():
        try:
            found = measure()
            results = results.merge(found).assign_attrs(results.attrs | found.attrs)
        except KeyboardInterrupt as stop:
            raise Interrupted(Report(results, pairs)) from stop
        except Exception as error:  # whatever it is, the results of the line must survive
            line = str(error) if isinstance(error, ParameterError) else f"{type(error).__name__}: {error}"
            earlier = [results.attrs["failed"]] if "failed" in results.attrs else []
            results = results.assign_attrs(failed="; ".join([*earlier, f"{name}: {one_line(line, 300)}"]))
    return results


def _grid(alphas: int | Sequence[float]) -> np.ndarray[Any, Any]:
    """The points to measure, increasing; nearly equal ones are merged."""
    if isinstance(alphas, (Integral, bool)):
        return LineGrid(alphas=alphas if isinstance(alphas, bool) else int(alphas), alpha_range=(0.0, 1.0)).values()
    expected = "a number of points, or a sequence of positions"
    if isinstance(alphas, (str, bytes)):
        raise ParameterError(f"alphas must be {expected} (got the text {short_repr(alphas)})")
    try:
        positions = np.array(list(alphas) if isinstance(alphas, Iterable) else alphas, dtype=np.float64)
    except (TypeError, ValueError):
        raise ParameterError(f"alphas must be {expected} (got {short_repr(alphas)})") from None
    require(positions.ndim == 1 and bool(np.isfinite(positions).all()), "alphas", expected, alphas)
    require(bool((np.abs(positions) <= _FARTHEST).all()), "alphas", f"between -{_FARTHEST:g} and {_FARTHEST:g}", alphas)
    grid = [0.0, 0.5, 1.0]
    for position in np.sort(positions).tolist():
        if min(abs(position - other) for other in grid) > _NEARLY_EQUAL:
            grid.append(position)
    return np.sort(grid)


def _line(pairs: Pairs, grid: np.ndarray[Any, Any], attrs: Mapping[str, Any]) -> xr.Dataset:
    """Scores along the line and the resulting barriers; partial results after an interruption or failure."""
    try:
        results = with_barriers(_single_pair(lines.line(pairs, grid))).assign_attrs(attrs)
    except points.Interrupted as stop:
        done = stop.partial.drop_vars([name for name in stop.partial if str(name).endswith("_kept")])
        raise Interrupted(Report(with_barriers(_single_pair(done)).assign_attrs(attrs))) from stop
    except points.Failed as stop:
        if not bool(stop.partial.loss.notnull().any()):
            raise
        return with_barriers(_single_pair(stop.partial)).assign_attrs(attrs, failed=str(stop))
    scores = results[list(pairs.evaluator.quantities)].to_array()
    if not bool(scores.notnull().any()):
        raise ParameterError("the loss is NaN or infinite at every point")
    not_finite = results.alpha.values[scores.isnull().any("variable").values].tolist()
    return results.assign_attrs(not_finite=not_finite) if not_finite else results


def _single_pair(results: xr.Dataset) -> xr.Dataset:
    """Measurements of a single pair on a single split, without the split and the attributes."""
    return results.isel(split=0, drop=True).drop_attrs(deep=False)


def with_barriers(results: xr.Dataset) -> xr.Dataset:
    """Scores along a line with barriers by all definitions; if statistics are kept, means over those of both ends."""
    more = {
        "loss_barrier": barriers.of_each_statistics(barriers.barrier_height, results, "loss"),
        "loss_at_half": barriers.of_each_statistics(barriers.midpoint_barrier, results, "loss"),
        "highest_at": barriers.highest_position(results, "loss"),
    }
    if "error" in results:
        more |= {
            "error_barrier": barriers.of_each_statistics(barriers.error_barrier, results, "error"),
            "error_barrier_above_chord": barriers.of_each_statistics(barriers.barrier_height, results, "error"),
            "error_at_half": barriers.of_each_statistics(barriers.midpoint_barrier, results, "error"),
        }
    points_of_error = {"units": "percentage points"}
    units = {name: results.loss.attrs if name.startswith("loss") else points_of_error for name in more}
    units["highest_at"] = {"units": "alpha"}
    return results.assign({name: each.assign_attrs(each.attrs | units[name]) for name, each in more.items()})


def _agreement(pairs: Pairs, evaluator: ModuleEvaluator) -> xr.Dataset:
    """Functional similarity of both networks, or an attribute that says why it was left out."""
    if evaluator.measured.loss is not cross_entropy:
        return xr.Dataset(attrs={"agreement_left_out": CROSS_ENTROPY_ONLY})
    try:
        return without_split(functional_similarity(pairs))
    except ParameterError as error:
        return xr.Dataset(attrs={"agreement_left_out": str(error)})


def without_split(found: xr.Dataset) -> xr.Dataset:
    """Functional similarities on the only split; if CKA is undefined, the attribute `cka_left_out` gives the reason."""
    undefined = found.cka.attrs.get("undefined")
    return _single_pair(found).assign_attrs({"cka_left_out": undefined} if undefined else {})


def _unaligned(pairs: Pairs, results: xr.Dataset) -> xr.Dataset:
    """Height above the chord of the midpoint without alignment; the ends are the same."""
    midpoint = _single_pair(lines.line(pairs, [0.5])).sel(alpha=0.5, drop=True)
    ends = results.sel(alpha=[0.0, 1.0]).mean("alpha", skipna=False)
    rises = {
        f"{name}_at_half_unaligned": (midpoint[name] - ends[name]).assign_attrs(results[f"{name}_at_half"].attrs)
        for name in pairs.evaluator.quantities
    }
    return xr.Dataset(rises)


def _curve(path: curves.Curves, trained_on: str) -> xr.Dataset:
    """The scores along a curve, and its barriers by the definitions used for the straight line."""
    measured = _single_pair(path.measure())
    scores = {name: measured[name] for name in ("loss", "error") if name in measured}
    more = {"curve_loss_barrier": barriers.of_each_statistics(barriers.barrier_height, measured, "loss")}
    if "error" in scores:
        more["curve_error_barrier"] = barriers.of_each_statistics(barriers.error_barrier, measured, "error")
    curve_scores = {f"curve_{name}": each.rename(alpha="fraction") for name, each in scores.items()}
    return xr.Dataset(curve_scores | more).assign_attrs(
        curve=f"{path.settings.describe()} on {trained_on}",
        fitted_on=trained_on,
        curve_length=float(measured.length),
        curve_off_line=float(measured.off_line),
    )


def _own_scores(evaluator: ModuleEvaluator) -> dict[str, Any]:
    """Scores of each network with its own statistics, if the line uses others."""
    if not evaluator.norms or evaluator.convention != "reestimate":
        return {}
    scores = torch.stack([each[0] for _, each in evaluator.known], 1).tolist()
    return {f"{name}_with_own_statistics": each for name, each in zip(evaluator.quantities, scores, strict=True)}


def _curvature(pairs: Pairs, grid: np.ndarray[Any, Any]) -> dict[str, xr.DataArray]:
    derivatives = curvature.along(pairs, by_layer=False)
    named = {name: derivatives[name].drop_attrs() for name in ("slope", "curvature")}
    estimates = {
        "second_order": approximations.second_order(named["curvature"], grid),
        "second_order_with_slope": approximations.second_order(named["curvature"], grid, slope=named["slope"]),
    }
    by_end = {name: each.rename(alpha="end").assign_coords(end=["first", "second"]) for name, each in named.items()}
    return by_end | estimates


def _layers(pairs: Pairs, results: xr.Dataset) -> xr.Dataset:
    """Rises of the scores if only one layer moves to the midpoint, mean over both ends."""
    return _rises("layer", "one layer at the midpoint", lines.layer_line(pairs, [0.5]), results)


def _layer_groups(pairs: Pairs, results: xr.Dataset) -> xr.Dataset:
    """The same for groups of layers, and for random steps of the same length."""
    groups = _rises("group", "a group of layers at the midpoint", layer_groups.group_line(pairs, [0.5]), results)
    seed, steps = 0, "a group of layers moved in a random direction"
    random = _rises("random", steps, layer_groups.random_steps(pairs, [0.5], seed=seed), results)
    direction = f"isotropic in each layer, as far as to the midpoint (seed {seed})"
    return groups.merge(random).assign_attrs(random_direction=direction)


def _rises(kind: str, words: str, moved: xr.Dataset, results: xr.Dataset) -> xr.Dataset:
    """Rises of the scores of both ends, mean over them: `KIND_rise` of the loss, `KIND_error_rise` of the error."""
    moved, rises = _single_pair(moved).sel(alpha=0.5, drop=True), {}
    for name in (each for each in ("loss", "error") if each in results):
        attrs = {**results[name].attrs, "long_name": f"rise of the {name}, {words}"}
        home = results[name].sel(alpha=[0.0, 1.0]).rename(alpha="end").assign_coords(end=[0, 1])
        rise = (moved[name] - home).mean("end", skipna=False).assign_attrs(attrs)
        rises[f"{kind}_rise" if name == "loss" else f"{kind}_{name}_rise"] = rise
    return xr.Dataset(rises)
