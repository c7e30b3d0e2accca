"""The chapter on degenerate valleys: its parameters, and what it measures itself."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import torch
import xarray as xr

from lmc_utils.forking import Experiment, Member, Run
from lmc_utils.measure import barriers, curvature, hessian, lines, spectral_density, spectrum
from lmc_utils.measure.direction_curvature import against_random
from lmc_utils.measure.labelled_arrays import Place, Quantity, blank
from lmc_utils.measure.pairs import Pairs
from lmc_utils.measure.reductions import end_of_training
from lmc_utils.measure.stacked_evaluator import require_stacked
from lmc_utils.measure.steep_directions import steep_directions
from lmc_utils.networks.stack import Networks
from lmc_utils.progress import hidden
from lmc_utils.settings import Settings, at_least, parameter

DENSITY_PROBES, DENSITY_STEPS = 2, 60  # random vectors of each spectral density, and Lanczos steps for each
AFTER = (1, 2, 5, 10, 25)  # epochs after the fork
EPOCHS = (1, 5, 10, 20, 50, 100, 200)  # of the parents
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
