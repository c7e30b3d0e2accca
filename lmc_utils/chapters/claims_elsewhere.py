"""The claims that are tested on several networks and data sets: statistics, rules and bounds, fixed before any run.

The list was committed before the first run. Since then only words of statements were changed, no statistic, no rule and
no bound.

Each claim is one number for each parent (or one rank correlation over all parents), whose 95 % interval must lie on one
side of a bound, or between two. Most bounds are those of the chapter that makes the claim for the default network. A
claim is tested on many recipes at once, so verdicts are corrected for their number (Holm), claim by claim.

Siblings fork at three moments: `first`, at initialisation; `early`, after a twentieth of training; and `late`, after
three eighths of it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import xarray as xr

from lmc_utils.measure.barriers import STABLE_BELOW
from lmc_utils.measure.claims import Rule
from lmc_utils.measure.statistics import Correlation, correlation

__all__ = ["CLAIMS", "FIRST", "EARLY", "LATE", "GeneralClaim"]

FIRST, EARLY, LATE = "first", "early", "late"

Statistic = Callable[[xr.Dataset], xr.DataArray | Correlation]

_POSITIVE, _NEGATIVE = (Rule("above", 0.0),), (Rule("below", 0.0),)
_UNSTABLE, _STABLE = (Rule("at least", STABLE_BELOW),), (Rule("below", STABLE_BELOW),)
_TWICE = (Rule("above", -1.0), Rule("below", 1.0))  # of a logarithm to base 2
_TENTH = (Rule("above", -0.1), Rule("below", 0.1))
_CLOSE = (Rule("above", -3.0), Rule("below", 3.0))  # points of disagreement, as in the chapter on what parts siblings


@dataclass(frozen=True)
class GeneralClaim:
    """A claim about any recipe.

    Attributes:
        name: of the claim, in tables.
        statement: what is claimed, as a sentence.
        chapter: the number of the chapter that makes it for the default network.
        quantity, unit: what the statistic is, on an axis, and its unit.
        rules: the interval of the statistic must meet all of them.
        statistic: from what `one_recipe.measure` finds to one number for each parent, or to a correlation.
        activations: the activation functions that it is about; empty for all.
    """

    name: str
    statement: str
    chapter: int
    quantity: str
    unit: str
    rules: tuple[Rule, ...]
    statistic: Statistic
    activations: tuple[str, ...] = ()

    @property
    def axis(self) -> str:
        """The quantity with its unit."""
        return f"{self.quantity} ({self.unit})" if self.unit else self.quantity


def _at(name: str, fork: str) -> Statistic:
    return lambda found: found[name].sel(fork=fork, drop=True)


def _change(name: str, fork: str, other: str) -> Statistic:
    """The value of one fork less that of another."""
    return lambda found: found[name].sel(fork=fork, drop=True) - found[name].sel(fork=other, drop=True)


def _logarithm_of_ratio(one: Statistic, other: Statistic) -> Statistic:
    """To base 2; NaN where a value is not positive."""

    def statistic(found: xr.Dataset) -> xr.DataArray:
        values = [xr.DataArray(each(found)) for each in (one, other)]
        first, second = (np.log2(each.where(each > 0)) for each in values)
        return xr.DataArray(first - second)

    return statistic


def _rank_correlation(within: str | None = None, given: str | None = None) -> Statistic:
    """Of the barrier and its second-order prediction, over the pairs of all forks."""

    def statistic(found: xr.Dataset) -> Correlation:
        third = None if given is None else found[given]
        return correlation(found.predicted_barrier, found.loss_barrier, within=within, given=third)

    return statistic


def _relative_change_of_trace(found: xr.Dataset) -> xr.DataArray:
    ratio: xr.DataArray = found.trace.sel(fork=LATE, drop=True) / found.trace.sel(fork=FIRST, drop=True)
    return ratio - 1


def _ratio_of_distances(found: xr.Dataset) -> xr.DataArray:
    """The distance of siblings of the first fork over that of late ones, as a logarithm to base 2."""
    squared = found.squared_distance
    return xr.DataArray(np.log2(squared.sel(fork=FIRST, drop=True) / squared.sel(fork=LATE, drop=True)) / 2)


CLAIMS = (
    GeneralClaim(
        "early_unstable",
        f"Siblings that fork at initialisation are unstable: their error barrier is at least {STABLE_BELOW:g} points.",
        *(2, "error barrier", "points", _UNSTABLE, _at("error_barrier", FIRST)),
    ),
    GeneralClaim(
        "barrier_falls",
        "The later the fork, the lower the barrier: that of the first fork is higher than that of the late one.",
        *(2, "fall of the barrier", "points", _POSITIVE, _change("error_barrier", FIRST, LATE)),
    ),
    GeneralClaim(
        "late_stable",
        f"Siblings that fork after three eighths of training are stable: below {STABLE_BELOW:g} points.",
        *(2, "error barrier", "points", _STABLE, _at("error_barrier", LATE)),
    ),
    GeneralClaim(
        "late_average",
        "After an eighth of training from the late fork on, the midpoint makes fewer training errors than the "
        "siblings.",
        *(2, "midpoint less siblings", "points", _NEGATIVE, lambda found: found.soon_midpoint_error),
    ),
    GeneralClaim(
        "late_stable_after_restart",
        "Late siblings are also stable if each trains a whole schedule after the fork.",
        *(10, "error barrier", "points", _STABLE, lambda found: found.restart_barrier),
    ),
    GeneralClaim(
        "smallest_difference",
        "Noise of a millionth of the initialisation's standard deviation is enough to make siblings unstable that fork "
        "at initialisation.",
        *(10, "error barrier", "points", _UNSTABLE, lambda found: found.noise_barrier),
    ),
    GeneralClaim(
        "formula_ranks",
        "Across forks, the second-order formula ranks barriers with a correlation above 0.9.",
        *(3, "rank correlation", "", (Rule("above", 0.9),), _rank_correlation()),
    ),
    GeneralClaim(
        "formula_ranks_within_forks",
        "Within one fork, the second-order formula still ranks barriers.",
        *(3, "rank correlation", "", _POSITIVE, _rank_correlation("fork")),
    ),
    GeneralClaim(
        "formula_beyond_distance",
        "Within one fork, the formula ranks barriers of pairs of equal distance: curvature knows more than distance.",
        *(3, "partial correlation", "", _POSITIVE, _rank_correlation("fork", "squared_distance")),
    ),
    GeneralClaim(
        "formula_magnitude",
        "At the first fork, the predicted barrier is more than half and less than twice the measured one, in the "
        "geometric mean over parents.",
        *(3, "predicted / measured", "doublings", _TWICE),
        _logarithm_of_ratio(_at("predicted_barrier", FIRST), _at("loss_barrier", FIRST)),
    ),
    GeneralClaim(
        "formula_ranks_layers",
        "Between siblings of the first fork, the formula ranks the layers by how much the loss rises if only one of "
        "them moves to the midpoint.",
        *(3, "rank correlation", "", _POSITIVE, lambda found: found.layer_rank),
    ),
    GeneralClaim(
        "kinks",
        "Derivatives miss part of the curvature of networks with kinks: over a stretch of the line between siblings of "
        "the first fork, the slope changes more than the second derivative says.",
        *(3, "stretch / derivative", "doublings", _POSITIVE, lambda found: found.stretch_over_derivative),
        activations=("relu",),
    ),
    GeneralClaim(
        "no_kinks",
        "Control: of networks without kinks derivatives miss less than a tenth.",
        *(3, "stretch / derivative", "doublings", tuple(Rule(each.side, float(np.sign(each.bound) * np.log2(1.1)))
                                               for each in _TENTH), lambda found: found.stretch_over_derivative),
        activations=("gelu", "tanh"),
    ),
    GeneralClaim(
        "layers_compensate",
        "Layers compensate for each other: between siblings of the first fork, all together raise the training loss by "
        "less than the sum of what each raises alone.",
        *(3, "all less sum of single", "nats", _NEGATIVE, lambda found: found.layers_together_less_sum),
    ),
    GeneralClaim(
        "farther",
        "Siblings of the first fork end farther apart than late ones.",
        *(4, "distance, first / late", "doublings", _POSITIVE, _ratio_of_distances),
    ),
    GeneralClaim(
        "wider_angle",
        "Seen from the fork point, siblings of the first fork end at a wider angle than late ones.",
        *(4, "fall of the angle", "degrees", _POSITIVE, _change("angle", FIRST, LATE)),
    ),
    GeneralClaim(
        "permutations_help",
        "Permutations explain some of the barrier: alignment takes away part of that of siblings of the first fork.",
        *(7, "barrier taken away", "points", _POSITIVE),
        lambda found: found.error_barrier.sel(fork=FIRST, drop=True) - found.aligned_barrier,
    ),
    GeneralClaim(
        "permutations_do_not_suffice",
        "Permutations do not explain all of it: after alignment, siblings of the first fork are still unstable.",
        *(7, "barrier left", "points", _UNSTABLE, lambda found: found.aligned_barrier),
    ),
    GeneralClaim(
        "curve",
        "A curve avoids the barrier: siblings of the first fork are stable along a trained curve.",
        *(7, "barrier on the curve", "points", _STABLE, lambda found: found.curve_barrier.dropna("parent")),
    ),
    GeneralClaim(
        "different_functions",
        "No barrier is not the same function: late siblings disagree on at least 5 % of the test samples.",
        *(10, "disagreement", "%", (Rule("at least", 5.0),), _at("disagreement", LATE)),
    ),
    GeneralClaim(
        "as_different_as_independent",
        "Siblings of the first fork disagree as often as independent networks, within 3 points.",
        *(10, "siblings less others", "points", _CLOSE),
        lambda found: found.disagreement.sel(fork=FIRST, drop=True) - found.independent_disagreement,
    ),
    GeneralClaim(
        "ensemble",
        "The ensemble of two siblings gains more test accuracy where their average fails: more at the first fork than "
        "at the late one.",
        *(10, "fall of the gain", "points", _POSITIVE, _change("ensemble_gain", FIRST, LATE)),
    ),
    GeneralClaim(
        "same_trace",
        "The sharpness of the valleys does not depend on the fork: the traces of the Hessian after the first and the "
        "late fork differ by less than a tenth.",
        *(11, "change of the trace", "", _TENTH, _relative_change_of_trace),
    ),
    GeneralClaim(
        "alignment_falls",
        "The direction to the other sibling depends on the fork: its alignment is higher after the first fork than "
        "after the late one.",
        *(11, "fall of the alignment", "", _POSITIVE, _change("alignment", FIRST, LATE)),
    ),
    GeneralClaim(
        "late_alignment_low",
        "Late siblings differ along directions that are less than half as steep as random ones.",
        *(11, "alignment", "", (Rule("below", 0.5),), _at("alignment", LATE)),
    ),
    GeneralClaim(
        "remainder",
        "The remainder makes the direction between siblings of the first fork flatter than the Gauss-Newton matrix "
        "says.",
        *(11, "remainder", "nats", _NEGATIVE),
        lambda found: (found.curvature - found.gauss_newton).sel(fork=FIRST, drop=True),
    ),
)  # fmt: skip
