"""The line between two networks of any kind: `connect.pair`."""

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
from lmc_utils.measure import approximations, barriers, curvature, curves, lines, points
from lmc_utils.measure.batchnorm import CONVENTIONS
from lmc_utils.measure.curves import CurveSettings
from lmc_utils.measure.lines import LineGrid
from lmc_utils.measure.module_evaluator import ModuleEvaluator
from lmc_utils.measure.module_scores import Score
from lmc_utils.measure.module_state import State
from lmc_utils.measure.pairs import Pairs
from lmc_utils.settings import ParameterError, require, require_choice

_FARTHEST = 1e6  # beyond it, single precision has no numbers for some networks
_NEARLY_EQUAL = 1e-9  # alphas that are no further apart are one


class Interrupted(KeyboardInterrupt):
    """The work was stopped. `report` has what was done; NaN stands for the rest."""

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
    curvature: bool = False,
    align: bool | Matching = False,
    curve: bool | CurveSettings = False,
    rescale: bool = False,
) -> Report:
    """Measure the straight line between two networks of one architecture, of whatever kind.

    Both ends are compared with plain forward passes of copies of the networks as they were given, on all samples.
    Neither the networks nor the samples nor the random generators are changed. Dropout is off. Where a loss or error is
    NaN or infinite, so are the barriers that need it, and the attribute `not_finite` has the alphas. Where a part fails
    after some points were measured, the attribute `failed` says which and why.

    Args:
        first, second: modules, or their states as `state_dict` gives them.
        data: samples, see `repeatable_data.repeatable`: two tensors, a `Dataset`, a `DataLoader`, or other batches.
        batch: for other data, a function from what they yield to (inputs, target), where inputs are a tensor, a tuple
            of arguments or a dict of named ones.
        model: a module of the architecture; needed for two states.
        loss: from output and target of a batch to one value a sample; by default cross-entropy (nats), for outputs that
            are logits or hold them as `logits`.
        error: likewise, from 0 to 1; by default the misclassified samples with the default loss, and none with another.
        alphas: how many points, evenly spaced from 0 to 1, or which ones; 0, 1/2 and 1 are always among them. Beyond 0
            and 1 the line goes on, but barriers are those between the networks.
        batchnorm: where points have running statistics from: `reestimate` (anew at each point, also at both ends),
            `interpolate` (mixed as the parameters; beyond the networks those of the nearer one) or `keep` (of each
            network in turn; barriers are the means of both).
        estimated_on: samples to re-estimate on, by default `data`.
        layers: also how much the loss rises when one layer alone goes to the midpoint, for every layer, or for the
            modules of these names (Adilova et al., arXiv 2307.06966).
        curvature: also slope and curvature along the line at both ends, and the second-order approximations of the
            barrier that they give (Singh et al., arXiv 2406.16300).
        align: permute the channels of the second network first, so that its weights are most like the first's, see
            `alignment.aligned_state`; for every network whose forward pass `torch.export` can record.
        curve: also train a curve between the networks, on the samples to estimate on, and measure it, see
            `measure.curves`.
        rescale: also give the activations at each point the means and standard deviations mixed from those at the
            ends, see `module_rescaling`; for the line alone.

    Raises:
        ParameterError: something that is not understood, in one line; before or while both ends are compared.
        Interrupted: the work was stopped; it has a report of what was done.

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
    beside = {"layers": layers, "curvature": curvature, "curve": curve} if rescale else {}
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
        # What may be rejected comes before the line; what fails after it leaves the line as it is.
        estimates = _curvature(pairs, grid) if curvature else {}
        path = curves.train(pairs, curve if isinstance(curve, CurveSettings) else CurveSettings()) if curve else None
        results = _line(pairs, grid, attrs).assign(estimates)
        if curvature:
            results = results.assign_attrs(differentiated=evaluator.differentiated)
        further: dict[str, Callable[[], xr.Dataset]] = {}
        if align:
            further["alignment"] = lambda: _unaligned(replace(pairs, read=lambda _: given), results)
        if path is not None:
            others = f"other samples ({evaluator.estimated_on.description})"
            trained_on = "the samples measured" if estimated_on is None else others
            further["curve"] = lambda: _curve(path, trained_on)
        if layers:
            further["layers"] = lambda: _layers(pairs, results)
        return Report(_with_further(results, pairs, {} if "failed" in results.attrs else further), pairs)


def _with_further(results: xr.Dataset, pairs: Pairs, parts: Mapping[str, Callable[[], xr.Dataset]]) -> xr.Dataset:
    """With further measurements; of one that fails the attribute `failed` says why, and nothing else is lost."""
    for name, measure in parts.items():
        try:
            found = measure()
            results = results.merge(found).assign_attrs(results.attrs | found.attrs)
        except KeyboardInterrupt as stop:
            raise Interrupted(Report(results, pairs)) from stop
        except Exception as error:  # whatever it is, it must not take the line with it
            line = str(error) if isinstance(error, ParameterError) else f"{type(error).__name__}: {error}"
            earlier = [results.attrs["failed"]] if "failed" in results.attrs else []
            results = results.assign_attrs(failed="; ".join([*earlier, f"{name}: {one_line(line, 300)}"]))
    return results


def _grid(alphas: int | Sequence[float]) -> np.ndarray[Any, Any]:
    """The points to measure, increasing; those that are nearly equal are one."""
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
    """Scores along the line, and the barriers that they make; where the work is stopped or fails, what was done."""
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
    """Scores along a line with barriers by every definition; where statistics are kept, means over both ends'."""
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


def _unaligned(pairs: Pairs, results: xr.Dataset) -> xr.Dataset:
    """How far the midpoint of the networks as they are, not aligned, is above the chord; the ends are the same."""
    midpoint = _single_pair(lines.line(pairs, [0.5])).sel(alpha=0.5, drop=True)
    ends = results.sel(alpha=[0.0, 1.0]).mean("alpha", skipna=False)
    rises = {
        f"{name}_at_half_unaligned": (midpoint[name] - ends[name]).assign_attrs(results[f"{name}_at_half"].attrs)
        for name in pairs.evaluator.quantities
    }
    return xr.Dataset(rises)


def _curve(path: curves.Curves, trained_on: str) -> xr.Dataset:
    """The scores along a curve, and its barriers by the definitions of the straight line's."""
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
    """What each network has with the statistics that it came with, where the line has others."""
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
    """Rises of the scores when one layer alone goes to the midpoint, the mean over both ends."""
    measured = _single_pair(lines.layer_line(pairs, [0.5])).sel(alpha=0.5, drop=True)
    rises = {}
    for name in pairs.evaluator.quantities:
        attrs = {**results[name].attrs, "long_name": f"rise of the {name}, one layer at the midpoint"}
        home = results[name].sel(alpha=[0.0, 1.0]).rename(alpha="end").assign_coords(end=[0, 1])
        rise = (measured[name] - home).mean("end", skipna=False).assign_attrs(attrs)
        rises["layer_rise" if name == "loss" else f"layer_{name}_rise"] = rise
    return xr.Dataset(rises)
