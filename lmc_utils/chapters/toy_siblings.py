"""The toy chapter's siblings: how they descend its landscapes, and how often a barrier separates them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from lmc_utils.settings import Settings, above, at_least, between, each, increasing, parameter, require
from lmc_utils.toy import descent, landscape, multidimensional
from lmc_utils.toy.landscape import MAX_MINIMA

Separated = NDArray[np.bool_]
"""Which pairs have a barrier between them, shape (forks, pairs)."""
KINDS = {"isotropic": "isotropic, simplex", "degenerate": "degenerate, simplex", "circle": "isotropic, circle"}
"""Landscapes in more dimensions, and how figures call them."""
_FIVE = 5  # solutions on the line and on the circle


@dataclass(frozen=True)
class Descent(Settings):
    """How siblings descend, and which landscapes; lengths and heights in the units of `multidimensional.units`.

    >>> Descent(fork_times=[0.5, 1.5])
    Traceback (most recent call last):
    lmc_utils.settings.ParameterError: fork_times must be an increasing, non-empty list of values between 0 and 1 ...
    """

    steps: int = parameter(1500, "steps of gradient descent", between(1, 100_000))
    step_size: float = parameter(
        0.005,
        "step size of gradient descent",
        above(0),
        also="< 2 / largest curvature of every landscape",
        unit="length² / height",
    )
    temperature: float = parameter(0.3, "initial noise temperature", at_least(0), unit="barrier heights")
    cooling: float = parameter(1.0, "exponent of the cooling: temperature ∝ (1 - time)^cooling", above(0))
    fork_times: tuple[float, ...] = parameter(
        (0.0, 0.2, 0.4, 0.6, 0.8, 1.0),
        "fork times, as fractions of the run",
        increasing(between(0, 1)),
        also="at least 0.01 apart",
    )
    pairs: int = parameter(2000, "pairs of siblings in one and two dimensions", at_least(10), bytes_each=400)
    pairs_field: int = parameter(400, "pairs of siblings in more dimensions", at_least(10), bytes_each=4000)
    threshold: float = parameter(0.1, "smallest height that counts as a barrier", above(0), unit="barrier heights")
    counts: tuple[int, ...] = parameter(
        (2, 3, 5, 9), "numbers of minima to compare, in one dimension", each(between(2, MAX_MINIMA))
    )
    m_field: int = parameter(
        8, "number of minima in more dimensions", between(2, MAX_MINIMA), also="<= the smallest of `dimensions`"
    )
    dimensions: tuple[int, ...] = parameter((10, 20), "numbers of dimensions to compare", each(between(2, 200)))
    rank: int = parameter(
        2,
        "rank of a degenerate factor (directions in which it is not flat)",
        at_least(1),
        also="<= the smallest of `dimensions`",
    )
    seed: int = parameter(0, "random seed of the noise and of the flat directions", at_least(0))

    PRESETS: ClassVar[dict[str, dict[str, Any]]] = {"smoke": {"steps": 300, "pairs": 50, "pairs_field": 10}}

    def check(self) -> None:
        percents = [round(100 * time) for time in self.fork_times]
        require(len(set(percents)) == len(percents), "fork_times", "at least 0.01 apart", self.fork_times)
        smallest = min(self.dimensions)
        limit = f"<= the smallest of `dimensions`, {smallest}"
        require(self.m_field <= smallest, "m_field", limit, self.m_field)
        require(self.rank <= smallest, "rank", limit, self.rank)
        self._check_step()

    def overview(self) -> dict[str, str]:
        """What takes the place of data, networks and training, see `Settings.overview`."""
        dimensions = " and ".join(map(str, self.dimensions))
        steps = f"{self.steps:,} noisy steps of size {self.step_size:g}"
        starts = f"{self.pairs:,} (in {dimensions} dimensions {self.pairs_field:,})"
        return {
            "data": "none; the landscape is a formula",
            "network": f"none; a point on a line, in the plane, or in {dimensions} dimensions",
            "training": f"{steps}, temperature {self.temperature:g}, cooling to zero",
            "parents": f"{starts}, each with two siblings at every fork",
            "forks": f"after {', '.join(f'{100 * time:.0f}' for time in self.fork_times)} % of the steps",
        }

    def arguments(self) -> dict[str, Any]:
        """The arguments that every descent shares, for `descent.descend`."""
        names = ("steps", "step_size", "temperature", "cooling", "fork_times", "seed")
        return {name: getattr(self, name) for name in names}

    def endpoints(
        self, roots: landscape.Array, directions: landscape.Array | None = None, pairs: int | None = None
    ) -> landscape.Array:
        """Where parents and their siblings end up, shape (1 + forks, pairs, n), from starts around the minima."""
        starts = descent.random_starts(roots, pairs or self.pairs, self.seed)
        return descent.descend(roots, directions, starts=starts, **self.arguments())

    def separated(
        self, ends: landscape.Array, roots: landscape.Array, directions: landscape.Array | None = None
    ) -> Separated:
        """Which pairs have a barrier above the threshold between them, shape (forks, pairs)."""
        high: Separated = descent.sibling_barriers(ends, roots, directions) > self.threshold
        return high

    def by_fork(self, separated: Separated | Mapping[Any, Any]) -> dict[Any, Any]:
        """Fraction of pairs with a barrier by the time of the fork in per cent of the run; also of several arrays."""
        if isinstance(separated, Mapping):
            return {name: self.by_fork(each) for name, each in separated.items()}
        fractions = separated.mean(axis=1)
        return {f"fork_{round(100 * time)}": each for time, each in zip(self.fork_times, fractions, strict=True)}

    def first_separated(self, trajectories: landscape.Array, roots: landscape.Array) -> int:
        """The first pair of `descent.descend` with a barrier at the end after the first fork; 0 if none has one."""
        return int(np.argmax(self.separated(trajectories[-1], roots)[0]))

    def interval(self, fraction: float) -> dict[str, float]:
        """The ends of the interval of a fraction of the pairs, see `descent.wilson_interval`."""
        low, high = descent.wilson_interval(fraction, self.pairs)
        return {"low": float(low), "high": float(high)}

    def quoted(self) -> dict[str, Any]:
        """Numbers that the text quotes of the parameters."""
        return {
            "pairs": self.pairs,
            "threshold": self.threshold,
            "rank": self.rank,
            "flat_share_n": {n: 1 - self.rank / n for n in self.dimensions},
            "largest_stable_step_m_5": descent.largest_stable_step(self.line()),
        }

    def line(self) -> landscape.Array:
        """Five equally spaced minima on [-1, 1], shape (5, 1)."""
        return landscape.on_interval(_FIVE)[:, None]

    def field(self, dimension: int, kind: str) -> tuple[landscape.Array, landscape.Array | None]:
        """Minima of one of `KINDS`, shape (m, dimension), and the directions F_i of degenerate ones."""
        if kind == "circle":
            return np.pad(multidimensional.on_circle(_FIVE), ((0, 0), (0, dimension - 2))), None
        roots = multidimensional.simplex(self.m_field, dimension)
        if kind == "isotropic":
            return roots, None
        return roots, multidimensional.random_directions(self.m_field, dimension, rank=self.rank, seed=self.seed)

    def _check_step(self) -> None:
        """Reject a step that is too long for one of the landscapes before a notebook spends a minute on it."""
        landscapes = [
            self.line(),
            multidimensional.on_circle(_FIVE),
            multidimensional.simplex(self.m_field, min(self.dimensions)),
        ]
        landscapes += [landscape.chebyshev(count)[:, None] for count in self.counts]
        limit = min(map(descent.largest_stable_step, landscapes))
        wanted = f"< {limit:.3g}, or descent diverges at the steepest minimum (2 / curvature)"
        require(self.step_size < limit, "step_size", wanted, self.step_size)


def separated_in_fields(settings: Descent) -> tuple[dict[str, Separated], dict[str, float]]:
    """Which pairs have a barrier between them in each number of dimensions n.

    Returns:
        Arrays of shape (forks, pairs), as `isotropic_n_10` and so on for each of `KINDS`; and by the same names, for
        isotropic factors, the fraction of parents that end in the middle, nearer to it than half the distance between
        nearest minima.
    """
    separated, in_middle = {}, {}
    for n in settings.dimensions:
        for kind in KINDS:
            field = settings.field(n, kind)
            ends = settings.endpoints(*field, pairs=settings.pairs_field)
            separated[f"{kind}_n_{n}"] = settings.separated(ends, *field)
            if field[1] is None:
                away = np.linalg.norm(ends[0] - field[0].mean(axis=0), axis=1)
                in_middle[f"{kind}_n_{n}"] = float((away < 0.5 * multidimensional.units(*field)[0]).mean())
    return separated, in_middle


def between_random_solutions(
    settings: Descent, ranks: Sequence[int], draws: Sequence[int] = range(10)
) -> tuple[landscape.Array, landscape.Array]:
    """Barriers between random solutions of degenerate factors, whose directions are drawn anew in each draw.

    Args:
        settings: the number of dimensions is the first of its own.
        ranks: directions in which a factor is not flat.
        draws: seeds.

    Returns:
        The fraction of pairs with a barrier, and the median barrier over the height at random points, (ranks, draws).
    """
    corners, count = settings.field(settings.dimensions[0], "isotropic")[0], settings.pairs_field
    often, heights = np.empty((2, len(ranks), len(draws)))
    for row, rank in enumerate(ranks):
        for column, draw in enumerate(draws):
            directions = multidimensional.random_directions(len(corners), settings.dimensions[0], rank=rank, seed=draw)
            first, second = (
                multidimensional.random_solutions(corners, directions, count=count, seed=seed)
                for seed in (draw, 100 + draw)
            )
            line = multidimensional.barrier_curve(first, second, np.linspace(0, 1, 41), corners, directions)
            between, unit = line.max(axis=-1), multidimensional.units(corners, directions)[1]
            scattered = multidimensional.scattered_points(corners, count=count, seed=draw)
            often[row, column] = np.mean(between > settings.threshold * unit)
            heights[row, column] = np.median(between) / np.median(
                multidimensional.value(scattered, corners, directions)
            )
    return often, heights
