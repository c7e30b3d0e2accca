"""The chapter on distances and angles: their summaries, what predicts a barrier, and the barrier at a distance."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import xarray as xr

from lmc_utils.measure import geometry, statistics
from lmc_utils.measure.claim_table import ClaimTable
from lmc_utils.measure.claims import Claim, Interval, Rule, intervals
from lmc_utils.measure.reductions import after_fork, end_of_training, pair_mean
from lmc_utils.measure.statistics import Correlation, by_fork, correlation

SETTLED = 0.95  # of the final distance
POSITIVE, NEGATIVE = Rule("above", 0.0), Rule("below", 0.0)
ACUTE = Rule("below", 90.0)
LITTLE = Rule("above", -0.5), Rule("below", 0.5)  # of a rank correlation: less than a quarter of the variance of ranks


def weight_norm(whole: xr.Dataset) -> xr.DataArray:
    """The length of the weights of the siblings of each pair, in quadratic mean.

    Args:
        whole: from `geometry.track`, of whole networks or of layers.

    >>> weight_norm(xr.Dataset({"norm": ("sibling", [1.0, 7.0])})).item()
    5.0
    """
    length: xr.DataArray = np.sqrt((whole.norm**2).mean("sibling"))
    return length


def distance_numbers(whole: xr.Dataset, null: xr.Dataset) -> xr.Dataset:
    """Distances and path lengths at the end of training, means over parents and their pairs or siblings.

    Args:
        whole: of whole networks, from `geometry.track`.
        null: of random walks with steps as long, from `random_walk_null.random_walks`.

    Returns:
        By fork epoch: the means of variables of `whole` under their names; `distance_sd` over pairs; the distance over
        the length of the weights, `relative_distance`; `chance_distance` and `chance_path_ratio`; and `settled`, the
        epoch from which on the distance is at least `SETTLED` of the final one. For the last fork epoch, the distance
        over that of random walks after one epoch, `late_first_of_chance`, and at the end, `late_last_of_chance`.
    """
    last, last_null = end_of_training(whole), end_of_training(null)
    mean, mean_null = pair_mean(last), pair_mean(last_null)
    of_chance = pair_mean(whole.distance / null.distance).isel(fork_epoch=[-1])
    return mean[["distance", "parent_distance", "path_length", "path_ratio", "fork_distance"]].assign(
        distance_sd=last.distance.std(["parent", "pair"]),
        relative_distance=pair_mean(last.distance / weight_norm(last)),
        chance_distance=mean_null.distance,
        chance_path_ratio=mean_null.path_ratio,
        settled=statistics.start_of_last_stretch(pair_mean(whole.distance) >= SETTLED * mean.distance),
        late_first_of_chance=after_fork(of_chance, 1).mean(),
        late_last_of_chance=end_of_training(of_chance).mean(),
    )


def angle_numbers(whole: xr.Dataset, null: xr.Dataset) -> dict[str, xr.DataArray]:
    """Angles between siblings, means over parents and pairs; arguments as for `distance_numbers`.

    Returns:
        At the end of training, by apex: `angle` and `cosine`, and `chance_angle_origin`; `kept` and
        `cosine_without_start`, `walk_share` and `place_share`, see `geometry.along_the_start`. As seen from the fork
        point, the angle one epoch after the fork, `first_angle`, and the `narrowest_angle` of all epochs.
    """
    mean, started = pair_mean(end_of_training(whole)), pair_mean(end_of_training(geometry.along_the_start(whole)))
    opening = pair_mean(whole.angle.sel(apex="fork_point"))
    return {
        "angle": mean.angle,
        "cosine": mean.cosine,
        "chance_angle_origin": pair_mean(end_of_training(null.angle)).sel(apex="origin"),
        "kept": started.start_left,
        "cosine_without_start": started.cosine,
        "walk_share": started.displacement_fraction,
        "place_share": started.position_fraction,
        "first_angle": after_fork(opening, 1),
        "narrowest_angle": opening.min("epoch"),
    }


def correlations_by_lag(
    predictors: Mapping[str, xr.DataArray], final: xr.DataArray, *, lags: Iterable[int]
) -> dict[str, list[Correlation]]:
    """How well what is known some epochs after the fork ranks the final barriers, for each of these numbers of epochs.

    Args:
        predictors: with the dimensions of `final` and epoch.
        final: with the dimensions fork_epoch, parent and pair.
        lags: epochs after the fork.
    """
    steps = list(lags)
    return {name: [correlation(after_fork(values, lag), final) for lag in steps] for name, values in predictors.items()}


def ranks(whole: xr.Dataset, final: xr.DataArray) -> dict[str, dict[str, Correlation]]:
    """Rank correlations of distance and angle with the final barrier, within forks and across, see `by_fork`.

    Args:
        whole: of whole networks, from `geometry.track`.
        final: with the dimensions fork_epoch, parent and pair.

    Returns:
        Of `early distance` and `early angle` from the fork point, one epoch after the fork, and of `final distance`.
    """
    known = {
        "early distance": after_fork(whole.distance, 1),
        "early angle": after_fork(whole.angle.sel(apex="fork_point"), 1),
        "final distance": end_of_training(whole.distance),
    }
    return {name: by_fork(each, final) for name, each in known.items()}


def barrier_at_distance(barrier: xr.DataArray, distance: xr.DataArray, far: float) -> xr.DataArray:
    """The barrier when siblings are first so far apart, between two epochs along a straight line.

    Args:
        barrier, distance: with the dimensions fork_epoch and epoch; NaN before the fork.
        far: a distance that each of them reaches.

    Returns:
        By fork epoch, of those that both have; NaN where there are fewer than two epochs.

    >>> coords = {"fork_epoch": [0], "epoch": [0, 1, 2]}
    >>> distance, barrier = (xr.DataArray([each], coords=coords) for each in ([0.0, 2.0, 4.0], [0.0, 10.0, 30.0]))
    >>> barrier_at_distance(barrier, distance, 3.0).values
    array([20.])
    """

    def at_first_arrival(heights: np.ndarray, lengths: np.ndarray) -> float:
        seen = ~np.isnan(lengths)
        if seen.sum() < 2:
            return float("nan")
        heights, lengths = heights[seen], lengths[seen]
        after = int((lengths >= far).argmax())
        return float(np.interp(far, lengths[after - 1 : after + 1], heights[after - 1 : after + 1]))

    barriers: xr.DataArray = xr.apply_ufunc(
        at_first_arrival, barrier, distance, input_core_dims=[["epoch"], ["epoch"]], join="inner", vectorize=True
    )
    return barriers


def barrier_numbers(barrier: xr.DataArray, distance: xr.DataArray, settled: xr.DataArray) -> dict[str, Any]:
    """The barrier at equal distances, when the distance has settled, and at the end of training.

    Args:
        barrier, distance: means over pairs, with the dimensions fork_epoch and epoch.
        settled: the epoch from which on the distance has settled, by fork epoch.

    Returns:
        `common_distance`, half of the largest distance that every fork epoch but the last one reaches;
        `barrier_at_common_distance`, `barrier_when_settled` and `error_barrier`, by fork epoch.
    """
    early = distance.isel(fork_epoch=slice(None, -1)) if distance.sizes["fork_epoch"] > 1 else distance
    common = 0.5 * float(early.max("epoch").min())
    return {
        "common_distance": common,
        "barrier_at_common_distance": barrier_at_distance(barrier, early, common),
        "barrier_when_settled": barrier.sel(epoch=settled),
        "error_barrier": end_of_training(barrier),
    }


def furthest_and_nearest(distances: xr.DataArray) -> dict[str, float]:
    """Which layer has moved furthest and which least, counted from 1, and how far, as the text quotes it."""
    return {
        "furthest_layer": int(distances.values.argmax()) + 1,
        "nearest_layer": int(distances.values.argmin()) + 1,
        "furthest_layer_distance": float(distances.max()),
        "nearest_layer_distance": float(distances.min()),
        "layers": distances.size,
    }


def claims(
    whole: xr.Dataset, barrier: xr.DataArray, found: Mapping[str, Mapping[str, Correlation]], settled: xr.DataArray
) -> ClaimTable:
    """The chapter's eight statements about distance and angle, with their outcomes.

    Args:
        whole: of whole networks, from `geometry.track`.
        barrier: the signed error barrier at the midpoint, by epoch.
        found: rank correlations, from `ranks`.
        settled: the epoch from which on the distance has settled, by fork epoch.
    """
    distance, angle = end_of_training(whole.distance), whole.angle.sel(apex="fork_point", drop=True)
    nearer = -distance.diff("fork_epoch", label="lower")
    change = end_of_training(angle) - after_fork(angle, 1)
    growth = (end_of_training(barrier) - barrier.sel(epoch=settled, drop=True)).isel(fork_epoch=slice(None, -1))

    def pooled(name: str, where: str = "within forks") -> tuple[Interval, ...]:
        return (Interval(f"{name}, {where}", *found[name][where]),)

    early_distance, early_angle = pooled("early distance"), pooled("early angle")
    return ClaimTable(
        (
            Claim(
                "The later the fork, the nearer siblings end (distance less that of the next fork).",
                ((POSITIVE, intervals(nearer, "")),),
            ),
            Claim(
                "At every fork, siblings end at less than a right angle as seen from the fork point.",
                ((ACUTE, intervals(end_of_training(angle), "degrees")),),
            ),
            Claim(
                "From one epoch after the fork to the end, the angle opens at the first fork and closes at the last.",
                (
                    (POSITIVE, intervals(change.isel(fork_epoch=[0]), "degrees")),
                    (NEGATIVE, intervals(change.isel(fork_epoch=[-1]), "degrees")),
                ),
            ),
            Claim(
                "Across forks, the distance one epoch after the fork ranks the final barriers.",
                ((POSITIVE, pooled("early distance", "across forks")),),
            ),
            Claim(
                f"Within one fork, it says little about them (a correlation below {LITTLE[1].bound:g} either way).",
                tuple((rule, early_distance) for rule in LITTLE),
            ),
            Claim(
                "Within one fork, the angle one epoch after the fork says as little.",
                tuple((rule, early_angle) for rule in LITTLE),
            ),
            Claim(
                "Within one fork, the distance at the end of training ranks the barriers.",
                ((POSITIVE, pooled("final distance")),),
            ),
            Claim(
                "After the distance of early siblings has settled, their barrier still grows.",
                ((POSITIVE, intervals(growth, "points")),),
            ),
        )
    )
