"""What lies between two networks of the reader's own: `connect.pair`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from typing import Any

import numpy as np
import torch
import xarray as xr
from torch import nn

from lmc_utils.connect import layerwise, module_curves, second_order
from lmc_utils.connect.alignment import Matching
from lmc_utils.connect.batches import feed, unchanged_random
from lmc_utils.connect.checking import endpoint_difference
from lmc_utils.connect.curves import Bending
from lmc_utils.connect.endpoints import Point, ends
from lmc_utils.connect.module_alignment import renamed
from lmc_utils.connect.point_scores import Walker, at, order_of
from lmc_utils.connect.report import Report
from lmc_utils.connect.scores import Score, Scores, cross_entropy, misclassified
from lmc_utils.connect.state_dicts import State
from lmc_utils.measure import approximations, barriers
from lmc_utils.measure.batchnorm import CONVENTIONS
from lmc_utils.measure.labelled_arrays import Quantity, blank
from lmc_utils.measure.lines import LineGrid
from lmc_utils.progress import bar
from lmc_utils.settings import ParameterError, require, require_choice


class Interrupted(KeyboardInterrupt):
    """The work was stopped. `report` has what was done; NaN stands for the rest."""

    def __init__(self, report: Report) -> None:
        super().__init__(f"{report.sentence} They are kept: `error.report`")
        self.report = report


def pair(
    first: nn.Module | State,
    second: nn.Module | State,
    data: Any,
    model: nn.Module | None = None,
    loss: Score | None = None,
    error: Score | None = None,
    alphas: int | Sequence[float] = 21,
    batchnorm: str = "reestimate",
    estimated_on: Any = None,
    layers: bool | Sequence[str] = False,
    curvature: bool = False,
    align: bool | Matching = False,
    curve: bool | Bending = False,
) -> Report:
    """Measure the straight line between two networks of one architecture, of whatever kind.

    Both ends are compared with a plain forward pass of the networks as they were given. Neither these nor the random
    generators are changed. Dropout is off.

    Args:
        first, second: modules, or their states as `state_dict` gives them.
        data: samples, see `feeding.feed`: two tensors, a `Dataset`, a `DataLoader`, or other batches.
        model: a module of the architecture; needed for two states.
        loss: from output and target of a batch to one value a sample; by default cross-entropy (nats), for outputs that
            are logits or hold them as `logits`.
        error: likewise, from 0 to 1; by default the misclassified samples with the default loss, and none with another.
        alphas: how many points, evenly spaced, or which ones, in [0, 1]; 0, 1/2 and 1 are always among them.
        batchnorm: where points have running statistics from: `reestimate` (anew at each point, also at both ends),
            `interpolate` (mixed as the parameters) or `keep` (of each network in turn).
        estimated_on: samples to re-estimate on, by default `data`.
        layers: also how much the loss rises when one layer alone goes half-way, for every layer, or for the modules of
            these names (Adilova et al., arXiv 2307.06966).
        curvature: also slope and curvature along the line at both ends, and the second-order approximations of the
            barrier that they give (Singh et al., arXiv 2406.16300).
        align: rename the channels of the second network first, so that its weights are most like the first's, see
            `renaming.renamed`; for sequences of torch's fully connected and convolutional layers.
        curve: also train a bent way between the networks, on the samples to estimate on, and measure it, see `bending`.

    Raises:
        ParameterError: something that is not understood, in one line; before or while both ends are compared.
        Interrupted: the work was stopped; it has a report of what was done.

    >>> import torch
    >>> _ = torch.manual_seed(0)
    >>> samples = torch.randn(20, 3), torch.randint(0, 2, (20,))
    >>> report = pair(nn.Linear(3, 2), nn.Linear(3, 2), samples)
    >>> float(report.loss_barrier)  # the loss is convex
    0.0
    """
    require_choice("batchnorm", batchnorm, CONVENTIONS)
    grid = _grid(alphas)
    with unchanged_random():
        both, names = ends(first, second, model), dict[str, Any]()
        if align:
            both, names = renamed(both, align if isinstance(align, Matching) else Matching())
        samples = feed(data)
        own = samples if estimated_on is None else feed(estimated_on, "estimated_on")
        chosen = misclassified if loss is None and error is None else error
        walker = Walker(both, samples, Scores(loss or cross_entropy, chosen), batchnorm, own)
        groups = layerwise.groups(both, layers) if layers else {}
        difference = endpoint_difference(both, samples)
        attrs = _attributes(walker, difference, loss) | names
        # What may be refused comes before the line, so that nothing is lost.
        estimates = _curvature(walker, grid) if curvature else {}
        how = curve if isinstance(curve, Bending) else Bending()
        bends = module_curves.bent(walker, how) if curve else []
        found = _line(walker, grid, attrs).assign(estimates)
        try:
            found = found.assign_attrs(**_own_scores(walker))
            if curvature:
                found = found.assign_attrs(differentiated=_differentiated(walker))
            if bends:
                found = _with_way(found, module_curves.along(walker, how, bends))
            if groups:
                found = found.merge(_layers(walker, groups, found))
        except KeyboardInterrupt as stop:
            raise Interrupted(Report(found)) from stop
    return Report(found)


def _grid(alphas: int | Sequence[float]) -> np.ndarray[Any, Any]:
    if isinstance(alphas, int):
        return LineGrid(alphas=alphas, alpha_range=(0.0, 1.0)).values()
    given = np.asarray(list(alphas), dtype=np.float64)
    require(bool(((given >= 0) & (given <= 1)).all()), "alphas", "points from 0 to 1", given.tolist())
    return np.union1d(given, [0.0, 0.5, 1.0])


def _attributes(walker: Walker, difference: float, loss: Callable[..., Any] | None) -> dict[str, Any]:
    both = walker.ends
    conventions = {
        "reestimate": f"reestimate (on {walker.estimated_on.said})",
        "interpolate": "interpolate",
        "keep": "keep (mean of the statistics of each network in turn)",
    }
    sizes = sum(value.numel() for value in both.module.parameters())
    return {
        "network": f"{type(both.module).__name__}, {sizes:,} parameters",
        "dtype": ", ".join(sorted({str(value.dtype).removeprefix("torch.") for value in both.module.parameters()})),
        "data": walker.feed.said,
        "loss_function": getattr(loss or cross_entropy, "__name__", type(loss).__name__),
        "batchnorm": conventions[walker.batchnorm] if both.norms else "none",
        "endpoint_difference": difference,
        **({"read": "; ".join(both.said)} if both.said else {}),
        "device": str(both.device),
        "versions": f"lmc-utils {version('lmc-utils')}, torch {torch.__version__}",
    }


def _line(walker: Walker, grid: np.ndarray[Any, Any], attrs: Mapping[str, Any]) -> xr.Dataset:
    """Scores along the line, and the barriers that they make; where the work is stopped, what was done."""
    units = {"loss": Quantity(("alpha",), "nats" if walker.scores.loss is cross_entropy else "")}
    units |= {"error": Quantity(("alpha",), "percent")} if walker.scores.error else {}
    found = blank({"alpha": grid.tolist()}, units, {})
    kept = blank({"alpha": grid.tolist(), "kept": ["first", "second"]}, _kept(units), {}) if walker.kept else None
    order = order_of(grid.tolist())
    points = [at(walker.ends.states, grid[row]) for row in order]
    shown = bar(description="measuring the line", unit="point", total=len(points))
    try:
        with shown:
            for number, scores in walker.measure(points):
                row = order[number]
                if not bool(scores.isfinite().all()):
                    raise ParameterError(f"loss: expected finite numbers, got others at alpha {grid[row]:g}")
                for column, name in enumerate(walker.scores.names):
                    found[name].values[row] = scores[:, column].mean()
                    if kept is not None:
                        kept[f"{name}_kept"].values[row] = scores[:, column]
                shown.update()
    except KeyboardInterrupt as stop:
        raise Interrupted(Report(_with_barriers(found).assign_attrs(attrs))) from stop
    whole = _with_barriers(found if kept is None else found.merge(kept))
    return whole.assign_attrs(attrs)


def _kept(units: Mapping[str, Quantity]) -> dict[str, Quantity]:
    return {f"{name}_kept": Quantity((*each.dims, "kept"), each.units) for name, each in units.items()}


def _with_barriers(found: xr.Dataset) -> xr.Dataset:
    curves = found[[name for name in ("loss", "error") if name in found]].to_array("of")
    heights, halves = barriers.barrier_height(curves), barriers.midpoint_barrier(curves)
    more = {
        "loss_barrier": heights.sel(of="loss", drop=True),
        "loss_at_half": halves.sel(of="loss", drop=True),
        "highest_at": barriers.barrier_position(curves.sel(of="loss", drop=True)),
    }
    if "error" in found:
        more |= {
            "error_barrier": barriers.error_barrier(found.error),
            "error_barrier_above_chord": heights.sel(of="error", drop=True),
            "error_at_half": halves.sel(of="error", drop=True),
        }
    units = {name: found["loss" if name.startswith("loss") else "error"].attrs for name in more if name != "highest_at"}
    return found.assign({name: each.assign_attrs(units.get(name, {}) | each.attrs) for name, each in more.items()})


def _with_way(found: xr.Dataset, way: xr.Dataset) -> xr.Dataset:
    """With the scores along a bent way, and its barriers by the definitions of the straight line's."""
    curves = {name: way[name].rename(way="alpha") for name in map(str, way.data_vars)}
    more = {"curve_loss_barrier": barriers.barrier_height(curves["curve_loss"])}
    if "curve_error" in curves:
        more["curve_error_barrier"] = barriers.error_barrier(curves["curve_error"])
    return found.merge(way.assign(more)).assign_attrs(way.attrs)


def _own_scores(walker: Walker) -> dict[str, Any]:
    """What each network has with the statistics that it came with, where the line has others."""
    if not walker.ends.norms or walker.batchnorm != "reestimate":
        return {}
    names = [*walker.ends.parameters, *walker.ends.statistics]
    scores = []
    for end in (0, 1):
        walker.ends.lay_end(end, names)
        scores.append(walker.mean(walker.ends.module).tolist())
    return {
        f"{name}_with_own_statistics": list(each)
        for name, each in zip(walker.scores.names, zip(*scores, strict=True), strict=True)
    }


def _curvature(walker: Walker, grid: np.ndarray[Any, Any]) -> dict[str, xr.DataArray]:
    slopes, curvatures = zip(*(second_order.derivatives(walker, end) for end in (0, 1)), strict=True)
    coords = {"alpha": [0.0, 1.0]}
    slope, curvature = (xr.DataArray(list(each), coords=coords, dims="alpha") for each in (slopes, curvatures))
    named = {"slope": slope, "curvature": curvature}
    estimates = {
        "second_order": approximations.second_order(curvature, grid),
        "second_order_with_slope": approximations.second_order(curvature, grid, slope=slope),
    }
    return {
        name: each.rename(alpha="end").assign_coords(end=["first", "second"]) for name, each in named.items()
    } | estimates


def _differentiated(walker: Walker) -> str:
    return second_order.DIFFERENTIATED[walker.batchnorm] if walker.ends.norms else "no statistics"


def _layers(walker: Walker, groups: Mapping[str, Sequence[str]], found: xr.Dataset) -> xr.Dataset:
    """Rises of the scores when one layer alone goes half-way, the mean over both ends."""
    points: list[Point] = [layerwise.half_way(walker.ends, names, end) for end in (0, 1) for names in groups.values()]
    values = np.zeros((len(points), len(walker.scores.names)))
    for row, scores in bar(walker.measure(points), "measuring layers", unit="point", total=len(points)):
        values[row] = scores.mean(0)
    by_end = values.reshape(2, len(groups), -1)
    rises = {}
    for column, name in enumerate(walker.scores.names):
        home = found[name].sel(alpha=[0.0, 1.0]).values
        rise = (by_end[:, :, column] - home[:, None]).mean(0)
        attrs = {**found[name].attrs, "long_name": f"rise of the {name}, one layer half-way"}
        rises["layer_rise" if name == "loss" else f"layer_{name}_rise"] = ("layer", rise, attrs)
    return xr.Dataset(rises, coords={"layer": list(groups)})
