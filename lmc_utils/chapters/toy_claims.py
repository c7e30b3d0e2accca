"""The claims of the chapter on toy landscapes; pairs of descents are the unit of its intervals."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import xarray as xr

from lmc_utils.chapters.toy_landscapes import Landscape
from lmc_utils.chapters.toy_siblings import Descent, Separated
from lmc_utils.measure.claim_table import ClaimTable
from lmc_utils.measure.claims import Cases, Claim, Interval, Rule, intervals
from lmc_utils.toy import barriers, descent, landscape

LOWERS = Rule("below", 1.0)  # of the barrier with one solution fewer
TOO_HIGH = Rule("above", 1.0)  # of the barrier: an exact formula gives 1
FALLS = Rule("above", 0.0)
RARE, FREQUENT = Rule("below", 5.0), Rule("above", 5.0)  # percent of the pairs: fewer with a barrier count as none


def claims(
    chosen: Landscape, settings: Descent, separated: Mapping[str, Separated], heights: landscape.Array
) -> ClaimTable:
    """The chapter's statements about barriers in products of local landscapes, with their outcomes.

    Frequencies of barriers have Wilson's intervals; their falls, and heights, Student's t intervals of means over
    pairs, or over draws of the flat directions.

    Args:
        chosen: the landscapes on a line.
        settings: of the descents.
        separated: which pairs have a barrier, shape (forks, pairs): `line`, `plane`, and `KIND_n_DIMENSION` as from
            `toy_siblings.separated_in_fields`.
        heights: from `toy_siblings.between_random_solutions`, the lowest rank first and the full one last.
    """
    counts = range(2, chosen.m_max + 1)
    ridges = [barriers.neighbour_barriers(landscape.on_interval(count)) for count in counts]
    largest, smallest = np.array([[ridge.max(), ridge.min()] for ridge in ridges]).T
    factors = np.concatenate([barriers.approximation_factors(landscape.on_interval(count)) for count in counts])
    before_end = [place for place, time in enumerate(settings.fork_times) if time < 1]
    first = before_end[0] if before_end else 0

    def fields(kind: str) -> dict[str, Separated]:
        return {f"{kind} factors, {n} dimensions": separated[f"{kind}_n_{n}"] for n in settings.dimensions}

    def first_forks(pairs: Mapping[str, Separated]) -> tuple[Interval, ...]:
        return tuple(_frequency(label, each[first]) for label, each in pairs.items())

    def falls(pairs: Mapping[str, Separated]) -> tuple[Interval, ...]:
        if len(before_end) < 2:
            return ()
        return tuple(_mean(label, 100.0 * (each[first] - 1.0 * each[before_end[-1]]), "points")[0]
                     for label, each in pairs.items())  # fmt: skip

    lines = {"on the line": separated["line"], "in the plane": separated["plane"]}
    # in many dimensions most descents are still in the middle of the circle at the end
    fewest = min(settings.dimensions)
    circle = {"on the circle": separated[f"circle_n_{fewest}"]}
    return ClaimTable(
        (
            Claim(
                "More nearby solutions lower the barriers: with each equally spaced solution that is added to one "
                f"interval, up to {chosen.m_max}, the largest and the smallest barrier fall.",
                (
                    (
                        LOWERS,
                        (
                            _cases("largest barriers", largest[1:] / largest[:-1], "of the previous one"),
                            _cases("smallest barriers", smallest[1:] / smallest[:-1], "of the previous one"),
                        ),
                    ),
                ),
            ),
            Claim(
                "Later forks have fewer barriers: from the first fork to the last one before the end, the percentage "
                "of pairs with a barrier falls.",
                ((FALLS, falls(lines | fields("degenerate"))),),
            ),
            Claim(
                "At the corners of a simplex, degenerate factors bring the barriers of early forks back: fewer than "
                f"{RARE.bound:g} % of the pairs of the first fork have one with isotropic factors, and more have one "
                "with degenerate factors.",
                ((RARE, first_forks(fields("isotropic"))), (FREQUENT, first_forks(fields("degenerate")))),
            ),
            Claim(
                "Degenerate factors are not the only way: with isotropic factors and solutions on a circle in "
                f"{fewest} dimensions, more than {FREQUENT.bound:g} % of the pairs of the first fork have a barrier, "
                "too, and later forks have fewer.",
                ((FREQUENT, first_forks(circle)), (FALLS, falls(circle))),
            ),
            Claim(
                "Degenerate factors by themselves do not lower the barriers: between random solutions, the median "
                "barrier over the typical height of the landscape is higher at the lowest rank than at full rank.",
                ((FALLS, _mean("logarithm of the ratio", np.log(heights[0] / heights[-1]), "")),),
            ),
            Claim(
                "The second-order formula overestimates the barrier between every two neighbours.",
                ((TOO_HIGH, (_cases("neighbours of all landscapes", factors, "of the barrier"),)),),
            ),
        )
    )


def _cases(label: str, values: Iterable[float], unit: str) -> Cases:
    return Cases(label, tuple(map(float, values)), unit)


def _frequency(label: str, separated: Separated) -> Interval:
    """How many percent of the pairs have a barrier, with Wilson's interval."""
    fraction = separated.mean()
    low, high = descent.wilson_interval(fraction, len(separated))
    return Interval(label, 100 * float(fraction), 100 * float(low), 100 * float(high), "% of the pairs")


def _mean(label: str, values: landscape.Array, unit: str) -> tuple[Interval, ...]:
    """The mean of independent values with a t interval; each counts as the only pair of a parent."""
    return intervals(xr.DataArray(values[:, None], dims=["parent", "pair"]), unit, label=label)
