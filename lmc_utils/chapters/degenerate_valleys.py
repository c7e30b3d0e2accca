"""The chapter on degenerate valleys: its parameters, what it measures itself, and the numbers of its text."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import torch
import xarray as xr

from lmc_utils.forking import Experiment, Member, Run, result_tables
from lmc_utils.measure import barriers, curvature, hessian, lines, spectral_density, spectrum
from lmc_utils.measure.direction_curvature import against_random
from lmc_utils.measure.labelled_arrays import Place, Quantity, blank
from lmc_utils.measure.pairs import Pairs
from lmc_utils.measure.reductions import end_of_training, pair_mean
from lmc_utils.measure.stacked_evaluator import require_stacked
from lmc_utils.measure.steep_directions import steep_directions
from lmc_utils.networks.stack import Networks
from lmc_utils.progress import hidden
from lmc_utils.settings import Settings, at_least, parameter

OUTLIER = 0.1  # of the largest eigenvalue, or more
FLAT = 1e-3  # of the largest eigenvalue, or less
COUNTS = (10, 50, 100)  # of steepest directions
DENSITY_PROBES, DENSITY_STEPS = 2, 60  # random vectors of each spectral density, and Lanczos steps for each
AFTER = (1, 2, 5, 10, 25)  # epochs after the fork
EPOCHS = (1, 5, 10, 20, 50, 100, 200)  # of the parents
TABLES = (
    *("steep_directions_of_siblings", "steep_directions_of_resnets", "all_eigenvalues"),
    "all_eigenvalues_of_resnet8",
    "sixteen_siblings",
)
_NEARBY = 0.02  # of the distance between siblings, to either side


@dataclass(frozen=True)
class Parameters(Settings):
    """What the chapter measures itself, besides training the experiment."""

    hessian_samples: int = parameter(1000, "training samples for Hessians (all, if fewer)", at_least(2))
    probes: int = parameter(4, "random vectors for the trace of each Hessian", at_least(2))
    eigenpairs: int = parameter(50, "largest eigenvalues of each spectrum that is shown", at_least(1))

    PRESETS: ClassVar[dict[str, dict[str, Any]]] = {
        "smoke": {"hessian_samples": 100, "probes": 2, "eigenpairs": 20},
    }

    def few(self, pairs: Pairs, times: int = 1) -> Pairs:
        """The same pairs on `hessian_samples` training samples, or so many times as many."""
        return replace(pairs, evaluator=require_stacked(pairs).with_few_samples(times * self.hessian_samples))


def spectra(run: Run, parameters: Parameters) -> xr.Dataset:
    """The steepest directions of the first parent's first two siblings at the end of training.

    Returns:
        See `measure.steep_directions`; with the dimension fork_epoch.
    """
    pairs = parameters.few(run.pairs(parents=[0])).only(pair="0-1")
    found = steep_directions(pairs, eigenpairs=parameters.eigenpairs)
    return found.sel(pair="0-1", drop=True).squeeze(["parent", "epoch"], drop=True)


def densities(run: Run, parameters: Parameters) -> xr.Dataset:
    """The density of all eigenvalues at the first parent's first sibling, for the first and the last fork.

    On four times `hessian_samples` training samples: all those of the default run, as for the table `all_eigenvalues`.

    Returns:
        `node` (nats) and `weight` of `spectral_density.Quadrature`; with the dimensions fork_epoch, probe and step.
    """
    pairs = parameters.few(run.pairs(parents=[0]), times=4).only(pair="0-1")
    evaluator = require_stacked(pairs)
    steps = min(DENSITY_STEPS, evaluator.parameters)
    forks = run.experiment.fork_epochs
    found = {}
    for fork in dict.fromkeys((forks[0], forks[-1])):
        for _, corners in pairs.only(fork_epoch=fork):
            matrix = hessian.operator(evaluator, evaluator.select(corners, [0]))
            with hidden():
                nodes = spectral_density.density(matrix, probes=DENSITY_PROBES, steps=steps, seed=0)
            found[fork] = xr.Dataset(
                {"node": (("probe", "step"), nodes.nodes), "weight": (("probe", "step"), nodes.weights)}
            )
    return xr.concat(found.values(), xr.Variable("fork_epoch", list(found)))


def during_training(run: Run, parameters: Parameters) -> xr.Dataset:
    """The largest eigenvalue and the trace of the Hessian of each parent, at some epochs.

    Returns:
        `largest` and `trace` (nats), with the dimensions parent and epoch: the stored ones among
        `EPOCHS`, and the last.
    """
    kept, last = set(run.experiment.kept_epochs()), run.experiment.epochs
    epochs = [*(epoch for epoch in EPOCHS if epoch in kept and epoch < last), last]
    parents = list(range(run.experiment.parents))
    evaluator = require_stacked(parameters.few(run.pairs()))
    found = xr.Dataset(
        {name: (("parent", "epoch"), np.zeros((len(parents), len(epochs)))) for name in ("largest", "trace")},
        {"parent": parents, "epoch": epochs},
    )
    for column, epoch in enumerate(epochs):
        networks = run.networks([Member(parent) for parent in parents], epoch)
        for row in parents:
            matrix = hessian.operator(evaluator, evaluator.select(networks, [row]))
            with hidden():
                largest = spectrum.largest_eigenpairs(matrix, 1, seed=0, tolerance=1e-3).values[0]
                found.largest[row, column] = largest
                found.trace[row, column] = spectrum.trace(matrix, probes=parameters.probes).mean
    return found


def towards_siblings(run: Run, parameters: Parameters, part: str = "hessian") -> xr.Dataset:
    """The curvature towards the other sibling at the end of training, see `direction_curvature.against_random`."""
    pairs = parameters.few(run.pairs())
    return against_random(pairs, probes=parameters.probes, part=part).squeeze("epoch", drop=True)


def epochs_after_fork(experiment: Experiment) -> dict[tuple[int, float], int]:
    """The whole epochs at which `alignment_after_fork` measures, by the epochs after the fork and the fork epoch.

    >>> epochs_after_fork(Experiment(epochs=4, fork_epochs=(0, 1.5)))
    {(1, 0): 1, (1, 1.5): 3, (2, 0): 2, (2, 1.5): 4}
    """
    every = itertools.product(AFTER, experiment.fork_epochs)
    found = {(after, fork): math.ceil(fork + after) for after, fork in every}
    return {place: epoch for place, epoch in found.items() if epoch <= experiment.last_epoch}


def alignment_after_fork(run: Run, parameters: Parameters) -> xr.DataArray:
    """The alignment of the direction to the other sibling, so many epochs after the fork.

    Returns:
        See `direction_curvature.compared`; with the dimensions after (`AFTER`), fork_epoch, parent and pair. After a
        fork within an epoch, those at the next whole epoch; NaN after the end of training.

    Raises:
        ParameterError: an epoch is not stored.
    """
    everything = run.pairs().coords
    coords = {name: everything[name] for name in ("fork_epoch", "parent", "pair")}
    found = blank({"after": list(AFTER), **coords}, {"alignment": Quantity(("after", *coords))}, {})
    for (after, fork), epoch in epochs_after_fork(run.experiment).items():
        pairs = parameters.few(run.pairs([epoch])).only(fork_epoch=fork)
        measured = against_random(pairs, probes=parameters.probes).alignment
        found.alignment.loc[{"after": after, "fork_epoch": fork}] = measured.sel(fork_epoch=fork, epoch=epoch)
    alignment: xr.DataArray = found.alignment
    return alignment


def last_alignments(after: xr.DataArray) -> dict[str, Any]:
    """The mean alignment at the last time after each fork that was measured, and the latest of these times (epochs).

    NaN where none was, as after a fork at the end of training.

    Args:
        after: from `alignment_after_fork`.

    >>> values = xr.DataArray([[9.0, 8.0], [2.0, np.nan]], {"after": [1, 25], "fork_epoch": [0, 15]})
    >>> found = last_alignments(values)
    >>> found["alignment_last"].values.tolist(), found["last_time"]
    ([2.0, 8.0], 25.0)
    """
    means = pair_mean(after)
    times = means.after.where(means.notnull()).max("after")
    last = means.where(means.after == times).sum("after", min_count=1)
    return {"alignment_last": last, "last_time": times.max().item()}


def training_numbers(during: xr.Dataset) -> dict[str, Any]:
    """What the text quotes of `during_training`, means over parents: first, last and highest."""
    means = during.mean("parent")
    return {
        f"parent_{name}": {"first": each[0], "last": each[-1], "highest": each.max()} for name, each in means.items()
    }


def nearby_curvature(run: Run, parameters: Parameters) -> xr.Dataset:
    """Slope and curvature towards the other sibling, at one point and over a short stretch of the line around it.

    Over the stretch, the curvature is the change of the slope over the length, so that kinks count, which derivatives
    do not see.

    Returns:
        `slope`, `derivative` (the second) and `stretch` (nats); and `random_stretch`, in a random direction of the same
        length. With the dimensions fork_epoch, parent and pair.
    """
    pairs = parameters.few(run.pairs())

    def random_pair(place: Place) -> Networks:
        ends = pairs.read(place)
        drawn = torch.from_numpy(np.random.default_rng(list(place)).standard_normal(len(ends.theta[0]))).float()
        away = drawn * (ends.theta[1] - ends.theta[0]).norm() / drawn.norm()
        return Networks(torch.stack([ends.theta[0], ends.theta[0] + away]), ends.buffers)

    towards, random = (_along_stretch(each) for each in (pairs, replace(pairs, read=random_pair)))
    return towards.assign(random_stretch=random.stretch)


def _along_stretch(pairs: Pairs) -> xr.Dataset:
    found = end_of_training(curvature.along(pairs, [-_NEARBY, 0.0, _NEARBY], by_layer=False)).drop_vars("epoch")
    change = found.slope.isel(alpha=2, drop=True) - found.slope.isel(alpha=0, drop=True)
    here = found.sel(alpha=0, drop=True)
    return xr.Dataset({"slope": here.slope, "derivative": here.curvature, "stretch": change / (2 * _NEARBY)})


def loss_barriers(run: Run) -> xr.DataArray:
    """The loss barrier at the midpoint (nats, training set); with the dimensions fork_epoch, parent and pair."""
    line = lines.line(run.pairs(), lines.ENDS_AND_MIDPOINT, splits=["train"])
    found: xr.DataArray = barriers.midpoint_barrier(end_of_training(line, "train").loss).reset_coords(drop=True)
    return found


def falls(towards: xr.Dataset, barrier: xr.DataArray) -> xr.Dataset:
    """How much smaller the barrier is than at the first fork, and each factor that a quadratic loss makes it of.

    If the loss rises from each sibling as its own quadratic until the two meet at the midpoint, the barrier is an
    eighth of the curvature along the line plus half the slope, which is left out here. The curvature is the product of
    squared distance, alignment and trace, up to a constant.

    Args:
        towards: from `towards_siblings`.
        barrier: from `loss_barriers`.

    Returns:
        Ratios of the first fork's value to those of later forks, `distance` (squared), `alignment`, `trace`, their
        `product`, `barrier`, and `unexplained`, the barrier's over the product; of the means over the pairs of each
        parent, with the dimensions fork_epoch, parent and pair (of length 1). All are NaN where one is not positive.

    >>> labels = {"fork_epoch": [0, 5], "parent": [0], "pair": ["0-1"]}
    >>> values = xr.DataArray([[[8.0]], [[2.0]]], labels, list(labels))
    >>> towards = xr.Dataset({"squared_distance": values, "alignment": values, "trace": values})
    >>> found = falls(towards, values).squeeze()
    >>> found.distance.item(), found.product.item(), found.barrier.item(), found.unexplained.item()
    (4.0, 64.0, 4.0, 0.0625)
    """
    parts = {
        "distance": towards.squared_distance,
        "alignment": towards.alignment,
        "trace": towards.trace,
        "barrier": barrier,
    }
    means = {name: each.mean("pair").where(lambda value: value > 0) for name, each in parts.items()}
    ratio = {
        name: (each.isel(fork_epoch=0, drop=True) / each.isel(fork_epoch=slice(1, None))).expand_dims("pair", -1)
        for name, each in means.items()
    }
    product = ratio["distance"] * ratio["alignment"] * ratio["trace"]
    found = xr.Dataset({**ratio, "product": product, "unexplained": ratio["barrier"] / product})
    return found.where(found.unexplained.notnull())


def density_numbers(density: xr.Dataset, shares: xr.Dataset) -> dict[str, Any]:
    """Fractions of flat and of clearly negative eigenvalues, by an estimated density and by all eigenvalues.

    Args:
        density: from `densities`.
        shares: the table `all_eigenvalues`, of which the first parent is used.

    >>> labels = {"fork_epoch": [0]}
    >>> parts = {"node": [[[-1.0, 0.0, 2.0]]], "weight": [[[0.25, 0.25, 0.5]]]}
    >>> density = xr.Dataset({name: (("fork_epoch", "probe", "step"), part) for name, part in parts.items()}, labels)
    >>> below = xr.DataArray([[[0.2]]], {**labels, "threshold": [FLAT]}, ["fork_epoch", "parent", "threshold"])
    >>> found = density_numbers(density, xr.Dataset({"share_below": below, "share_negative": below}))
    >>> [[found[source][name].item() for name in ("flat", "negative")] for source in ("density", "exact")]
    [[0.25, 0.25], [0.2, 0.2]]
    """
    relative = density.node / density.node.max(["probe", "step"])
    first = shares.isel(parent=0)

    def fraction(met: xr.DataArray) -> xr.DataArray:
        found: xr.DataArray = density.weight.where(met, 0).sum("step").mean("probe")
        return found

    return {
        "density": {"flat": fraction(abs(relative) <= FLAT), "negative": fraction(relative < -FLAT)},
        "exact": {"flat": flat(first), "negative": negative(first)},
    }


def spectrum_numbers(steep: xr.Dataset, shares: xr.Dataset) -> dict[str, Any]:
    """What the text quotes of spectra, means over parents.

    Args:
        steep: the table `steep_directions_of_siblings`.
        shares: the table `all_eigenvalues`.
    """
    outliers = (steep.eigenvalue >= OUTLIER * steep.eigenvalue.isel(number=0)).sum("number")
    return {
        "outliers": pair_mean(outliers.astype(float)),
        "largest_eigenvalue": pair_mean(steep.eigenvalue.isel(number=0, drop=True)),
        "trace": pair_mean(steep.trace),
        **small_eigenvalues(shares),
    }


def small_eigenvalues(shares: xr.Dataset) -> dict[str, xr.DataArray]:
    """The fractions of flat directions and of clearly negative eigenvalues, means over parents.

    Args:
        shares: the table `all_eigenvalues` or `all_eigenvalues_of_resnet8`.
    """
    mean = shares.mean("parent")
    return {"flat_share_1e_3": flat(mean), "negative_share": negative(mean)}


def flat(shares: xr.Dataset) -> xr.DataArray:
    """The fraction of flat directions, see `FLAT`."""
    found: xr.DataArray = shares.share_below.sel(threshold=FLAT, method="nearest", drop=True)
    return found


def negative(shares: xr.Dataset) -> xr.DataArray:
    """The fraction of directions that are not flat, see `FLAT`, and have a negative eigenvalue."""
    found: xr.DataArray = shares.share_negative.sel(threshold=FLAT, method="nearest", drop=True)
    return found


def parameter_count(steep: xr.Dataset) -> int:
    """The number of parameters of the networks of a table, from the definition of the alignment.

    A rerun may have networks of another size than those of the book's tables.

    Args:
        steep: from `measure.steep_directions`.

    >>> steep_values = {"alignment": 1.5, "squared_distance": 4.0, "trace": 4.0, "curvature": 12.0}
    >>> parameter_count(xr.Dataset(steep_values))
    2
    """
    return round(float((steep.alignment * steep.squared_distance * steep.trace / steep.curvature).median()))


def direction_numbers(steep: xr.Dataset, parameters: int) -> dict[str, Any]:
    """What the text quotes of the direction to the other sibling, means over parents and pairs.

    Args:
        steep: the table `steep_directions_of_siblings`.
        parameters: of its networks, see `parameter_count`.
    """
    random = random_curvature(steep)
    tops = {
        f"top_{count}": {
            "length": pair_mean(steep.length_share.sel(number=count, drop=True)),
            "curvature": pair_mean(steep.curvature_share.sel(number=count, drop=True)),
            "length_chance": count / parameters,
            "curvature_chance": random.sel(number=count).item(),
        }
        for count in COUNTS
    }
    rise = pair_mean(steep.rise).transpose("part", ...)
    return {**tops, "rise": rise, "line_over_random": rise.sel(part="line") / rise.sel(part="random")}


def random_curvature(steep: xr.Dataset) -> xr.DataArray:
    """The fraction of the curvature along a random direction that so many of the steepest directions hold.

    Args:
        steep: from `measure.steep_directions`.

    Returns:
        The expected curvature in these directions over that in all, mean over pairs; with the dimension number.

    >>> eigenvalue = xr.DataArray([[[[4.0, 2.0]]]], dims=["fork_epoch", "parent", "pair", "number"])
    >>> random_curvature(xr.Dataset({"eigenvalue": eigenvalue, "trace": eigenvalue.sum("number") + 2})).values
    array([0.5 , 0.75])
    """
    within: xr.DataArray = steep.eigenvalue.cumsum("number") / steep.trace
    return within.mean(["fork_epoch", "parent", "pair"])


def angles_at_mean(around: xr.Dataset) -> dict[str, xr.DataArray]:
    """The angle between two of several networks as seen from their mean, in degrees, and its standard deviation.

    By the law of cosines, with the root mean square distance from the mean for each network.

    Args:
        around: see `measure.sibling_sets.around_mean`.

    >>> triangle = {"radius": 1.0, "distance": 3**0.5, "distance_spread": 0.0}
    >>> {name: round(each.item(), 6) for name, each in angles_at_mean(xr.Dataset(triangle)).items()}
    {'angle': 120.0, 'angle_spread': 0.0}
    """
    angle: xr.DataArray = np.arccos(1 - around.distance**2 / (2 * around.radius**2))
    spread = around.distance * around.distance_spread / (around.radius**2 * np.sin(angle))
    return {"angle": np.degrees(angle), "angle_spread": np.degrees(spread)}


def above_networks(around: xr.Dataset) -> xr.DataArray:
    """How much higher the loss (nats) is on the sphere through several networks than at them.

    Args:
        around: see `measure.sibling_sets.around_mean`.
    """
    found: xr.DataArray = around.loss.sel(where="sphere", drop=True) - around.loss.sel(where="networks", drop=True)
    return found


def resnet_numbers(steep: xr.Dataset) -> dict[str, Any]:
    """What the text quotes of ResNet-8, means over parents.

    Args:
        steep: the table `steep_directions_of_resnets`.
    """
    return {
        "alignment_resnet8": pair_mean(steep.alignment),
        "squared_distance_resnet8": pair_mean(steep.squared_distance),
        "trace_resnet8": pair_mean(steep.trace),
        "rise_resnet8": pair_mean(steep.rise).transpose("part", ...),
    }


def mean_falls(found: xr.Dataset) -> dict[str, Any]:
    """Geometric means over parents of what `falls` found, by name."""
    logarithms: xr.Dataset = np.log(found)  # type: ignore[assignment]
    return {str(name): np.exp(each) for name, each in pair_mean(logarithms).items()}


def how_tables_were_made() -> str:
    """The commands and the provenance of all tables of the chapter, in Markdown."""
    return result_tables.made(map(result_tables.read, TABLES))
