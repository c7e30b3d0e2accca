"""The chapter on the barrier and its second-order approximation: its parameters, and its sweep over weight decays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import xarray as xr

from lmc_utils.forking import Experiment, Run, train
from lmc_utils.measure import approximations, barrier_predictions, barriers, curvature, lines
from lmc_utils.measure.claim_table import ClaimTable
from lmc_utils.measure.claims import Cases, Claim, Interval, Rule, intervals
from lmc_utils.measure.lines import LineGrid
from lmc_utils.measure.pairs import Pairs
from lmc_utils.measure.reductions import end_of_training, pair_mean
from lmc_utils.measure.statistics import Correlation, by_fork, correlation
from lmc_utils.settings import Settings, at_least, between, increasing, odd_at_least, one_of, parameter

ORDERS = Rule("above", 0.9)
RANKS = Rule("above", 0.0)
OVER_HALF, UNDER_TWICE = Rule("above", 0.0), Rule("below", 0.0)  # differences from half and twice the barrier
EXACT = Rule("below", 0.01)
NEGATIVE = Rule("below", 0.0)


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
    sweep_parents: int = parameter(2, "parents of the smooth family and of each weight decay", at_least(1))

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
        """The same experiment with an activation without kinks, and fewer parents."""
        return replace(experiment, activation=self.smooth_activation, parents=self.fewer(experiment))

    def fewer(self, experiment: Experiment) -> int:
        """The number of parents where a picture needs only a few."""
        return min(self.sweep_parents, experiment.parents)


def measured_and_implied(pairs: Pairs, parameters: Parameters) -> xr.Dataset:
    """The barrier along the line, and that which the curvature along it implies, see `approximations.from_curvature`.

    Args:
        pairs: networks, of which those at the end of training are measured.
        parameters: the points of the line, and how many of them the curvature is measured at.

    Returns:
        `measured` and `implied` (nats); dimensions of the pairs without epoch, then alpha.
    """
    line = end_of_training(lines.line(pairs, parameters.line(), splits=["train"]), "train")
    along = curvature.along(pairs, approximations.gauss_legendre(parameters.nodes), by_layer=False)
    implied = approximations.from_curvature(end_of_training(along).curvature, line.alpha)
    return xr.Dataset({"measured": barriers.loss_barrier(line.loss), "implied": implied})


def ranks(
    guesses: Mapping[str, xr.DataArray], measured: xr.DataArray, distance: xr.DataArray
) -> dict[str, dict[str, Correlation]]:
    """Rank correlations of predictions with the barrier, within forks and across them, see `statistics.by_fork`.

    Args:
        guesses: by name, `second_order` among them.
        measured: the barrier.
        distance: the squared distance of each pair, the baseline.

    Returns:
        Those of the guesses and of the `distance_baseline`; and those of the second-order approximation and of the
        distance, each with the other one taken out, `given_distance` and `distance_given`.
    """
    formula = guesses["second_order"]
    return {name: by_fork(each, measured) for name, each in {**guesses, "distance_baseline": distance}.items()} | {
        "given_distance": by_fork(formula, measured, given=distance),
        "distance_given": by_fork(distance, measured, given=formula),
    }


def layer_ranks(guesses: Mapping[str, xr.DataArray], rise: xr.DataArray) -> dict[str, dict[str, Correlation]]:
    """Rank correlations with the rise of each layer, over all layers and pairs, and within one layer of one fork.

    Args:
        guesses: by name, with the dimensions of the rise.
        rise: with the dimension layer and those of pairs.
    """

    def apart(values: xr.DataArray) -> xr.DataArray:
        return values.stack(cell=("fork_epoch", "layer"), create_index=False)

    return {
        name: {
            "everywhere": correlation(each, rise),
            "within layers": correlation(apart(each), apart(rise), within="cell"),
        }
        for name, each in guesses.items()
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


def least_and_most_decay(swept: xr.Dataset) -> dict[str, Any]:
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
            str(name): correlation(each.predicted, each.measured) for name, each in ends.groupby("weight_decay")
        },
    }


def claims(
    found: Mapping[str, Mapping[str, Correlation]],
    of_layers: Correlation,
    predicted: xr.DataArray,
    measured: xr.DataArray,
    identity: xr.Dataset,
    kinked: xr.DataArray,
) -> ClaimTable:
    """The chapter's six statements about the second-order approximation, with their outcomes.

    Args:
        found: rank correlations, from `ranks`.
        of_layers: that of the layer-wise prediction within one layer of one fork.
        predicted, measured: the barrier of each pair at the midpoint, nats.
        identity: of smooth pairs, the `measured` barrier along the line, and that `implied` by the curvature.
        kinked: the barrier at the midpoint that the curvature implies for pairs with kinks.
    """
    formula, given = found["second_order"], found["given_distance"]
    early = kinked.isel(fork_epoch=slice(None, -1))
    largest = identity.measured.max(skipna=False)
    difference = abs(identity.implied - identity.measured).max(skipna=False) / largest
    return ClaimTable(
        (
            Claim(
                f"Across all forks, the second-order formula ranks barriers with a correlation above {ORDERS.bound:g}.",
                ((ORDERS, (Interval("all pairs", *formula["across forks"]),)),),
            ),
            Claim(
                "Within one fork epoch, it still ranks them.",
                ((RANKS, tuple(Interval(name, *each) for name, each in formula.items() if name != "across forks")),),
            ),
            Claim(
                "Within one fork epoch, it ranks pairs of equal distance: curvature knows more than distance.",
                ((RANKS, (Interval("all pairs, given the squared distance", *given["within forks"]),)),),
            ),
            Claim(
                "At every fork, the predicted barrier is more than half and less than twice the measured one.",
                (
                    (OVER_HALF, intervals(predicted - measured / 2, "nats", label="predicted less half of measured")),
                    (UNDER_TWICE, intervals(predicted - 2 * measured, "nats", label="predicted less twice measured")),
                ),
            ),
            Claim(
                "Within one layer of one fork, the layer-wise prediction ranks how much the loss rises.",
                ((RANKS, (Interval("all pairs", *of_layers),)),),
            ),
            Claim(
                "The curvature along the line implies the barrier of smooth networks; that of ReLU networks it misses: "
                "between early siblings it implies none.",
                (
                    (EXACT, (Cases("largest difference over the largest barrier", (float(difference),)),)),
                    (NEGATIVE, (Cases("implied barriers of early pairs", tuple(early.values.flat), "nats"),)),
                ),
            ),
        )
    )
