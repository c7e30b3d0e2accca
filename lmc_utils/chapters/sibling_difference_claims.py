"""What the chapter on what parts siblings claims, with the rules that decide."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import xarray as xr

from lmc_utils.chapters.first_steps_after_fork import JUMP, first_jumps
from lmc_utils.chapters.what_parts_siblings import ADAMW_RATE, SHOWN, largest_fall, stacked
from lmc_utils.chapters.when_stability_begins_claims import directions
from lmc_utils.measure.barriers import STABLE_BELOW
from lmc_utils.measure.claim_table import ClaimTable
from lmc_utils.measure.claims import Cases, Claim, Interval, Rule, intervals, weakest
from lmc_utils.measure.statistics import jackknife

UNSTABLE, STABLE = Rule("at least", STABLE_BELOW), Rule("below", STABLE_BELOW)
POSITIVE, GROWS = Rule("above", 0.0), Rule("above", 1.0)
_KINKED = "relu"
_LATE = 15  # fork epoch
_CLOSE = 3.0  # points of disagreement that count as equal
_DIFFERENT = 5.0  # percent of the test samples: another function


def claims_about_differences(
    barriers: Mapping[str, xr.DataArray], steps: Mapping[str, xr.Dataset], smooth: xr.DataArray
) -> ClaimTable:
    """The chapter's statements about how small a difference is enough, with their outcomes.

    Args:
        barriers: error barriers (points) by difference, among them `data order`.
        steps: from `first_steps_after_fork.first_steps`, by activation function.
        smooth: error barriers (points) of networks without kinks whose siblings differ by the smallest noise, with the
            dimension activation.
    """
    smallest = barriers[SHOWN[0]].isel(fork_epoch=[0])
    apart = (barriers["data order"] - barriers["noise 1e-1"]).isel(fork_epoch=slice(-1))
    late = [one for each in barriers.values() for one in intervals(each.isel(fork_epoch=[-1]), "points")]
    smallest_steps = {name: each.sel(difference=SHOWN[0]) for name, each in steps.items()}
    without_kinks = {name: each for name, each in smallest_steps.items() if name != _KINKED}
    return ClaimTable(
        (
            Claim(
                "Noise of a millionth of the initialisation's standard deviation is enough: siblings that differ by it "
                "at initialisation are unstable.",
                ((UNSTABLE, intervals(smallest, "points")),),
            ),
            Claim(
                "One weight is enough: siblings that differ in it at initialisation are unstable.",
                ((UNSTABLE, intervals(barriers["one weight"].isel(fork_epoch=[0]), "points")),),
            ),
            Claim(
                "Another order of the data leads to a higher barrier than the largest noise, at every early fork.",
                ((POSITIVE, intervals(apart, "points", label="data order less noise")),),
            ),
            Claim("At the last fork no difference makes siblings unstable.", ((STABLE, (weakest(STABLE, late),)),)),
            Claim(
                "In networks with ReLU whose siblings differ by the smallest noise, the distance first jumps in the "
                "step in which a unit is first active in one sibling and not in the other, for a sample of the batch.",
                ((Rule("at most", 0.0), (_switches_and_jumps(smallest_steps),)),),
            ),
            Claim(
                "Networks without kinks have no such jumps: in no step does the distance grow by half.",
                ((Rule("below", JUMP), (_fastest_growth(without_kinks),)),),
            ),
            Claim("There, too, the distance grows.", ((GROWS, _pace(without_kinks)),)),
            Claim(
                "In the end the smallest noise at initialisation makes these networks unstable, too.",
                ((UNSTABLE, intervals(smooth.isel(fork_epoch=[0]), "points")),),
            ),
        )
    )


def _switches_and_jumps(steps: Mapping[str, xr.Dataset]) -> Cases:
    """The steps between the first switched unit and the first jump, for each parent whose distance jumps."""
    between: list[float] = []
    if _KINKED in steps:
        found = first_jumps(steps[_KINKED])
        between += abs(found.switch.fillna(np.inf) - found.jump).dropna("parent").values.tolist()
    return Cases("between the first switched unit and the first jump", tuple(between), "steps")


def _fastest_growth(steps: Mapping[str, xr.Dataset]) -> Cases:
    """The largest growth of the distance in a step, as a factor, for each parent of each network."""
    growth = [(each.distance.shift(step=-1) / each.distance).max("step").values for each in steps.values()]
    return Cases("largest growth in a step", tuple(np.ravel(growth).tolist()), "times")


def _pace(steps: Mapping[str, xr.Dataset]) -> tuple[Interval, ...]:
    """Mean growth of the distance per step, as a factor, of each network."""
    paces = {name: first_jumps(each).overall.drop_vars("difference") for name, each in steps.items()}
    return intervals(stacked("activation", paces).expand_dims("pair"), "times a step") if paces else ()


def claims_about_time(tables: Mapping[str, xr.DataArray], onsets: Mapping[str, xr.Dataset]) -> ClaimTable:
    """The chapter's statements about when siblings part, controls, noise and time, with their outcomes.

    Args:
        tables: error barriers (points) of the tables `steps`, `restart`, `trained`, `decay` and `adamw`.
        onsets: from `onset_in_time`, of fixed `steps` and of fixed `time`.
    """
    restart, decay = tables["restart"], tables["decay"]
    late = restart.sel(fork_epoch=restart.fork_epoch >= _LATE)
    adamw = tables["adamw"].sel(learning_rate=ADAMW_RATE)
    trained = tables["trained"].isel(fork_epoch=0, drop=True)
    return ClaimTable(
        (
            Claim(
                "There is no single moment: from none of the measured forks to the next does the barrier fall by half "
                "of its height at initialisation.",
                (
                    (
                        Rule("below", 0.5),
                        intervals(largest_fall(tables["steps"]), "of the barrier", label="largest fall"),
                    ),
                ),
            ),
            Claim(
                f"It is not that late siblings have too little training left: where each trains a whole schedule after "
                f"the fork, those that fork at epoch {_LATE} or later are stable.",
                ((STABLE, intervals(late, "points")),),
            ),
            Claim(
                "Nor does a whole schedule of their own keep siblings of the first two epochs together.",
                ((UNSTABLE, intervals(restart.sel(fork_epoch=restart.fork_epoch <= 2), "points")),),
            ),
            Claim(
                "Siblings of a trained network stay together if they train again at its learning rate.",
                ((STABLE, intervals(trained.sel(restart_rate=[0.1]), "points")),),
            ),
            Claim(
                "At twice the learning rate they do not.",
                ((UNSTABLE, intervals(trained.sel(restart_rate=[0.2]), "points")),),
            ),
            Claim(
                "Where the rate stays constant until a short decay at the end, siblings of the last measured fork are "
                "stable.",
                ((STABLE, intervals(decay.isel(fork_epoch=[-1]), "points")),),
            ),
            Claim(
                "At a fixed number of steps, the noisier the gradient, the later stability begins.",
                ((POSITIVE, intervals(directions(onsets["steps"].onset), "", label="mean rank correlation")),),
            ),
            Claim(
                "At a fixed product of learning rate and steps, the noisier the gradient, the later stability begins, "
                "in units of this product.",
                ((POSITIVE, intervals(directions(onsets["time"].onset), "", label="mean rank correlation")),),
            ),
            Claim(
                f"With AdamW, too, siblings of the forks at epochs 0, 1 and 2 are unstable (rate {ADAMW_RATE:g}),",
                ((UNSTABLE, intervals(adamw.sel(fork_epoch=[0, 1, 2]), "points")),),
            ),
            Claim(
                "and those of the last fork are stable.", ((STABLE, intervals(adamw.isel(fork_epoch=[-1]), "points")),)
            ),
        )
    )


def claims_about_functions(similar: Mapping[str, xr.Dataset], averages: xr.Dataset) -> ClaimTable:
    """The chapter's statements about functions and averages on test samples, with their outcomes.

    Args:
        similar: from `measure.functional_similarity`, of `siblings`, `independent` parents and each parent with
            `itself` some epochs earlier, on the test set.
        averages: the table `averages_of_siblings`.
    """
    siblings = similar["siblings"].disagreement
    independent = jackknife(similar["independent"].disagreement)
    early, late = siblings.isel(fork_epoch=[0]), siblings.isel(fork_epoch=[-1])
    itself = similar["itself"].disagreement.expand_dims("pair", -1)
    apart = intervals(early - independent, "points", label="siblings less independent networks")
    most = averages.sel(split="test").isel(networks=-1, drop=True).expand_dims("pair", -1)
    cost = most.average_error - most.single_error
    gain = most.single_error - most.ensemble_error
    more = gain.isel(fork_epoch=[0]) - gain.isel(fork_epoch=-1, drop=True)
    return ClaimTable(
        (
            Claim(
                f"Siblings of the first fork disagree as often as independent networks: within {_CLOSE:g} points.",
                ((Rule("above", -_CLOSE), apart), (Rule("below", _CLOSE), apart)),
            ),
            Claim(
                f"No barrier is not the same function: siblings of the last fork disagree on at least {_DIFFERENT:g} % "
                "of the test samples,",
                ((Rule("at least", _DIFFERENT), intervals(late, "%")),),
            ),
            Claim(
                "and more often than a network with itself some epochs earlier.",
                ((POSITIVE, intervals(late - itself, "points")),),
            ),
            Claim(
                "The average of the most siblings of the first fork has a higher test error than a single one.",
                ((POSITIVE, intervals(cost.isel(fork_epoch=[0]), "points")),),
            ),
            Claim(
                "Where the average is safe it gains almost nothing: at the last fork less than one point over a single "
                "network.",
                ((Rule("below", 1.0), intervals(-cost.isel(fork_epoch=[-1]), "points")),),
            ),
            Claim(
                "The ensemble gains more where the average fails: more at the first fork than at the last.",
                ((POSITIVE, intervals(more, "points")),),
            ),
        )
    )
