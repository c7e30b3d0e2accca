"""The chapter on the barrier and its second-order approximation: its parameters, and its sweep over weight decays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import xarray as xr

from lmc_utils.forking import Experiment, Run, train
from lmc_utils.measure import approximations, barrier_predictions, curvature
from lmc_utils.measure.lines import LineGrid
from lmc_utils.measure.pairs import Pairs
from lmc_utils.measure.reductions import end_of_training, pair_mean
from lmc_utils.measure.statistics import METHODS, Bootstrap, Correlation
from lmc_utils.settings import Settings, at_least, between, increasing, odd_at_least, one_of, parameter


@dataclass(frozen=True)
class Parameters(Settings):
    """How the chapter measures and compares.

    >>> Parameters(alphas=20)
    Traceback (most recent call last):
    lmc_utils.settings.ParameterError: alphas must be odd and >= 3 (got 20)
    """

    alphas: int = parameter(21, "evenly spaced points from one sibling to the other", odd_at_least(3), bytes_each=64)
    nodes: int = parameter(32, "quadrature points for the curvature along the line", between(1, 200))
    smooth_activation: str = parameter("gelu", "activation function of the smooth networks", one_of(("gelu", "tanh")))
    decays: tuple[float, ...] = parameter((0.0, 1e-4, 1e-3, 3e-3), "weight decays to compare", increasing(at_least(0)))
    sweep_parents: int = parameter(2, "parents for each weight decay", at_least(1))

    PRESETS: ClassVar[dict[str, dict[str, Any]]] = {
        "smoke": {"alphas": 5, "nodes": 6, "decays": [0.0, 1e-3], "sweep_parents": 1}
    }

    def line(self) -> LineGrid:
        """The line from one sibling to the other."""
        return LineGrid(alphas=self.alphas, alpha_range=(0.0, 1.0))

    def overview(self) -> dict[str, str]:
        """The other families, see `Settings.overview`."""
        decays = ", ".join(f"{decay:g}" for decay in self.decays)
        more = f"{self.sweep_parents} parents for each weight decay of {decays}"
        return {"also trained": f"the same with `{self.smooth_activation}`, and {more}"}

    def smoothed(self, experiment: Experiment) -> Experiment:
        """The same experiment with an activation without kinks."""
        return replace(experiment, activation=self.smooth_activation)


def implied_barrier(pairs: Pairs, alphas: Sequence[float] | np.ndarray, nodes: int) -> xr.DataArray:
    """The barrier that the curvature along the line implies, see `approximations.from_curvature`.

    Args:
        pairs: networks, of which those at the end of training are measured.
        alphas: where to reconstruct the barrier, in [0, 1].
        nodes: at how many points the curvature is measured.

    Returns:
        Nats; dimensions of the pairs without epoch, then alpha.
    """
    along = curvature.along(pairs, approximations.gauss_legendre(nodes), by_layer=False)
    return approximations.from_curvature(end_of_training(along).curvature, alphas)


def correlation_numbers(
    guesses: Mapping[str, xr.DataArray], measured: xr.DataArray, distance: xr.DataArray, bootstrap: Bootstrap
) -> dict[str, dict[str, Correlation]]:
    """Correlations of predictions with the barrier, by method; as they are, and with distance taken out of both.

    Args:
        guesses: by name, `second_order` among them.
        measured: the barrier.
        distance: the squared distance of each pair, the baseline.
        bootstrap: how intervals are found.

    Returns:
        Under each method those of the guesses and of the `distance_baseline`; that of the second-order approximation
        `per_distance` with the barrier per distance; and that of the distance with it, `distance_per_distance`.
    """
    rivals = {**guesses, "distance_baseline": distance}
    scaled = {"per_distance": guesses["second_order"] / distance, "distance_per_distance": distance}
    return {
        method: bootstrap.correlations(rivals, measured, method=method)
        | bootstrap.correlations(scaled, measured / distance, method=method)
        for method in METHODS
    }


def decay_sweep(run: Run, parameters: Parameters) -> xr.Dataset:
    """The barrier at the midpoint and its second-order approximation for each of the weight decays.

    Args:
        run: whose experiment is trained again with other weight decays; it stands for its own.
        parameters: the weight decays, and how many parents each has.

    Returns:
        Dimensions weight_decay, fork_epoch, parent and pair: `measured` and `predicted` (nats), `loss`, the mean of
        the endpoints' own, and their squared `distance`.
    """
    parents = parameters.sweep_parents
    result = []
    for decay in parameters.decays:
        experiment = replace(run.experiment, weight_decay=decay, parents=parents)
        own = decay == run.experiment.weight_decay and parents <= run.experiment.parents
        pairs = (run if own else train(experiment)).pairs(parents=range(parents))
        ends = end_of_training(curvature.along(pairs, by_layer=False))
        swept = barrier_predictions.midpoint(pairs, ends).rename(second_order="predicted")
        result.append(swept.assign(loss=ends.loss.mean("alpha")).assign_coords(weight_decay=decay))
    return xr.concat(result, "weight_decay")


def least_and_most_decay(swept: xr.Dataset, bootstrap: Bootstrap) -> dict[str, Any]:
    """What `decay_sweep` found at the least and at the most weight decay, `NAME_least_decay` and `NAME_most_decay`.

    Returns:
        `least_decay` and `most_decay` themselves; `ratio` of prediction and measurement and `early_barrier` at the
        first fork epoch, `late_ratio` at the last one; the endpoints' mean `loss`; and the rank correlation `spearman`
        of prediction and measurement over all pairs.
    """
    ends = swept.isel(weight_decay=[0, -1]).assign_coords(weight_decay=["least_decay", "most_decay"])
    ratio = approximations.ratio(ends.predicted, ends.measured)
    least, most = swept.weight_decay.values[[0, -1]]
    return {
        "least_decay": least,
        "most_decay": most,
        "ratio": ratio.isel(fork_epoch=0),
        "late_ratio": ratio.isel(fork_epoch=-1),
        "early_barrier": pair_mean(ends.measured.isel(fork_epoch=0)),
        "loss": ends.loss.mean(["fork_epoch", "parent", "pair"]),
        "spearman": {
            str(name): bootstrap.correlation(each.predicted, each.measured)
            for name, each in ends.groupby("weight_decay")
        },
    }
