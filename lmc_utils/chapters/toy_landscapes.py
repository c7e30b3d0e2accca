"""The toy chapter's landscapes on a line: which to look at, and what is quoted of the ridges between their minima."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from lmc_utils.settings import Allowed, ParameterError, Settings, above, at_least, between, parameter, require
from lmc_utils.toy import barriers, landscape
from lmc_utils.toy.landscape import MAX_MINIMA


@dataclass(frozen=True)
class Landscape(Settings):
    """Which product of quadratics to look at.

    >>> Landscape(m=3).minima()
    array([-0.5,  0. ,  0.5])
    >>> Landscape(roots=[1, 0.5, 1])
    Traceback (most recent call last):
    lmc_utils.settings.ParameterError: roots must be distinct, finite numbers (got [1.0, 0.5, 1.0])
    """

    m: int = parameter(5, "number of minima, equally spaced around 0", between(2, MAX_MINIMA))
    spacing: float = parameter(0.5, "distance between neighbouring minima", above(0))
    roots: tuple[float, ...] | None = parameter(
        None,
        "positions of the minima, instead of m and spacing",
        Allowed(f"a list of at most {MAX_MINIMA} numbers", lambda roots: len(roots) <= MAX_MINIMA),
        also="at least 2, all distinct",
    )
    m_max: int = parameter(16, "landscapes with 2 to m_max minima are compared", between(4, MAX_MINIMA))
    n_points: int = parameter(401, "points per drawn curve", at_least(10), bytes_each=400)

    PRESETS: ClassVar[dict[str, dict[str, Any]]] = {"smoke": {"n_points": 51}}

    def check(self) -> None:
        try:
            self._check_range("spacing" if self.roots is None else "roots", self.minima())
            self._check_range("spacing", landscape.equally_spaced(self.m_max, self.spacing))
        except ParameterError:
            raise
        except ValueError as error:
            raise ParameterError(str(error)) from None

    def minima(self) -> landscape.Array:
        """The minima, increasing, shape (m,)."""
        if self.roots is None:
            return landscape.equally_spaced(self.m, self.spacing)
        return landscape.minima(self.roots)

    def _check_range(self, name: str, minima: landscape.Array) -> None:
        with np.errstate(over="ignore", under="ignore", divide="ignore"):
            heights = barriers.neighbour_barriers(minima)
        tame = bool(np.all((heights > 1e-300) & (heights < 1e300)))
        require(tame, name, "such that all barriers lie between 1e-300 and 1e300", getattr(self, name))


def ridges_by_count(chosen: Landscape) -> dict[str, Any]:
    """How ridges between 2 to `m_max` equally spaced minima on [-1, 1] fall, and what the endpoints predict of them.

    Returns:
        Numbers by name: the largest and the smallest barrier, as heights and as fractions of the mountainside; by what
        factor one more minimum lowers them; the number of minima whose largest barrier is lowest where their spacing
        is kept; and the second-order approximation over the barrier.

    >>> ridges_by_count(Landscape(m_max=4))["largest_barrier_m"][2]  # (theta^2 - 1)^2 at 0
    np.float64(1.0)
    """
    counts = range(2, chosen.m_max + 1)
    ridges = [barriers.neighbour_barriers(landscape.on_interval(count)) for count in counts]
    fractions = [
        ridge / barriers.outer_height(landscape.on_interval(count)) for ridge, count in zip(ridges, counts, strict=True)
    ]
    spaced = [landscape.equally_spaced(count, chosen.spacing) for count in counts]
    lowest = int(np.argmin([np.max(barriers.neighbour_barriers(minima)) for minima in spaced]))
    factors = [barriers.approximation_factors(landscape.on_interval(count)) for count in counts]
    every = np.concatenate(factors)
    return {
        "largest_barrier_m": {count: ridge.max() for count, ridge in zip(counts, ridges, strict=True)},
        "smallest_barrier_m_max": ridges[-1].min(),
        "largest_over_smallest_barrier_m_max": ridges[-1].max() / ridges[-1].min(),
        "largest_barrier_share": {"m_2": fractions[0].max(), "m_max": fractions[-1].max()},
        "smallest_barrier_share_m_max": fractions[-1].min(),
        "fall_of_largest_barrier": ridges[-2].max() / ridges[-1].max(),
        # The smallest ridge is in the middle, where even and odd numbers alternate: two more minima, and a root.
        "fall_of_smallest_barrier": (ridges[-3].min() / ridges[-1].min()) ** 0.5,
        "fall_of_largest_barrier_share": fractions[-2].max() / fractions[-1].max(),
        "kept_spacing_lowest_at_m": counts[lowest],
        "approximation_factor": {"smallest": every.min(), "largest": every.max()},
        "approximation_factor_middle_m_max": factors[-1][len(factors[-1]) // 2],
    }


def ridge_heights(minima: landscape.Array) -> dict[str, float]:
    """The largest and the smallest barrier between neighbouring minima, and their ratio."""
    heights = barriers.neighbour_barriers(minima)
    largest, smallest = float(heights.max()), float(heights.min())
    return {
        "largest_barrier": largest,
        "smallest_barrier": smallest,
        "largest_over_smallest_barrier": largest / smallest,
    }


def decay_rates(counts: Sequence[int] = range(8, 65)) -> dict[str, Any]:
    """By what factor one more minimum lowers a ridge in the long run, in theory and fitted as `c m^p rate^-m`.

    Args:
        counts: numbers of minima on [-1, 1] whose exact ridges are fitted.

    Returns:
        `rate` of the ridge at the edge and of that in the middle between equally spaced minima, and of the largest
        one between minima at the Chebyshev points; `law`, the theory of the first two; and `chebyshev_spread`, how far
        ridges at the Chebyshev points are from `4^(1 - m)`, as the range of their ratios.

    >>> found = decay_rates()
    >>> round(found["rate"]["chebyshev"], 6), found["chebyshev_spread"] < 1e-9
    (4.0, True)
    """
    many = np.asarray(counts)
    spaced = [barriers.neighbour_barriers(landscape.on_interval(count)) for count in many]
    placed = [barriers.neighbour_barriers(landscape.chebyshev(count)) for count in many]
    logs = np.log([[max(ridges), min(ridges), max(best)] for ridges, best in zip(spaced, placed, strict=True)])
    terms = np.stack([np.ones(len(many)), -many, np.log(many)], axis=1)
    rates = np.exp(np.linalg.lstsq(terms, logs)[0][1]).tolist()
    ratios = [ridges / 4.0 ** (1 - count) for count, ridges in zip(many, placed, strict=True)]
    return {
        "rate": dict(zip(("edge", "middle", "chebyshev"), rates, strict=True)),
        "law": {"edge": (np.e / 2) ** 2, "middle": np.e**2},
        "chebyshev_spread": float(np.ptp(np.concatenate(ratios))),
    }
