"""The parameters of the toy chapter: which landscapes to look at, and how siblings walk down them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from lmc_utils.settings import (
    Allowed,
    ParameterError,
    Settings,
    above,
    at_least,
    between,
    each,
    increasing,
    parameter,
    require,
)
from lmc_utils.toy import barriers, descent, landscape, multidimensional
from lmc_utils.toy.landscape import MAX_MINIMA

_LINE = 5  # solutions of the one case on a line whose probabilities are headline numbers


@dataclass(frozen=True)
class Landscape(Settings):
    """Which product of quadratics to look at.

    >>> Landscape(m=3).minima()
    array([-0.5,  0. ,  0.5])
    >>> Landscape(roots=[1, 0.5, 1])
    Traceback (most recent call last):
    lmc_utils.settings.ParameterError: roots: expected distinct, finite numbers, got [1.0, 0.5, 1.0]
    """

    m: int = parameter(
        5, "solutions of the landscape that is looked at closely, equally spaced around 0", between(2, MAX_MINIMA)
    )
    spacing: float = parameter(0.5, "distance between neighbouring solutions", above(0))
    roots: tuple[float, ...] | None = parameter(
        None,
        "the solutions themselves, in place of m and spacing",
        Allowed(f"at most {MAX_MINIMA}", lambda roots: len(roots) <= MAX_MINIMA),
        also="at least 2, all different",
    )
    m_max: int = parameter(16, "landscapes of 2 to this many solutions are compared", between(4, MAX_MINIMA))
    n_points: int = parameter(401, "points at which a curve is drawn", at_least(10), bytes_each=400)

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
        require(tame, name, "minima whose barriers lie between 1e-300 and 1e300", getattr(self, name))


@dataclass(frozen=True)
class Descent(Settings):
    """How siblings walk, and down which landscapes; lengths and heights in the units of `multidimensional.units`.

    >>> Descent(fork_times=[0.5, 1.5])
    Traceback (most recent call last):
    lmc_utils.settings.ParameterError: fork_times: expected an increasing list of at least one, each from 0 to 1, ...
    """

    steps: int = parameter(1500, "steps of a simulated descent", between(1, 100_000))
    step_size: float = parameter(
        0.005,
        "how far a step goes down the slope",
        above(0),
        also="short enough for every landscape",
        unit="length² / height",
    )
    temperature: float = parameter(0.3, "of the noise at the start", at_least(0), unit="heights")
    cooling: float = parameter(1.0, "the temperature falls as (1 - time) to this power", above(0))
    fork_times: tuple[float, ...] = parameter(
        (0.0, 0.2, 0.4, 0.6, 0.8, 1.0),
        "when siblings part, as shares of the run",
        increasing(between(0, 1)),
        also="at least a percent apart",
    )
    pairs: int = parameter(2000, "pairs of siblings on a line and in the plane", at_least(10), bytes_each=400)
    pairs_field: int = parameter(400, "pairs of siblings in more dimensions", at_least(10), bytes_each=4000)
    threshold: float = parameter(0.1, "a barrier counts from this on", above(0), unit="heights")
    counts: tuple[int, ...] = parameter(
        (2, 3, 5, 9), "numbers of solutions on a line that are compared", each(between(2, MAX_MINIMA))
    )
    m_field: int = parameter(
        8, "solutions in more dimensions", between(2, MAX_MINIMA), also="at most the smallest of `dimensions`"
    )
    dimensions: tuple[int, ...] = parameter((10, 20), "numbers of dimensions that are compared", each(between(2, 200)))
    rank: int = parameter(
        2,
        "directions in which a degenerate factor is not flat",
        at_least(1),
        also="at most the smallest of `dimensions`",
    )
    seed: int = parameter(0, "of the noise and of the flat directions", at_least(0))

    PRESETS: ClassVar[dict[str, dict[str, Any]]] = {"smoke": {"steps": 300, "pairs": 50, "pairs_field": 10}}

    def check(self) -> None:
        percents = [round(100 * time) for time in self.fork_times]
        require(len(set(percents)) == len(percents), "fork_times", "times at least a percent apart", self.fork_times)
        smallest = min(self.dimensions)
        limit = f"at most the smallest of the dimensions, {smallest}"
        require(self.m_field <= smallest, "m_field", limit, self.m_field)
        require(self.rank <= smallest, "rank", limit, self.rank)
        self._check_step()

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

    def parted(
        self, ends: landscape.Array, roots: landscape.Array, directions: landscape.Array | None = None
    ) -> landscape.Array:
        """Share of pairs with a barrier above the threshold between them, shape (forks,)."""
        high = descent.sibling_barriers(ends, roots, directions) > self.threshold
        shares: landscape.Array = high.mean(axis=1)
        return shares

    def by_fork(self, shares: landscape.Array) -> dict[str, float]:
        """Values of the forks, shape (forks,), by the time of each in per cent of the run."""
        return {f"fork_{round(100 * time)}": share for time, share in zip(self.fork_times, shares, strict=True)}

    def line(self) -> landscape.Array:
        """Five equally spaced minima on [-1, 1], shape (5, 1)."""
        return landscape.on_interval(_LINE)[:, None]

    def field(self, dimension: int, degenerate: bool) -> tuple[landscape.Array, landscape.Array | None]:
        """Minima at the corners of a simplex, shape (m_field, dimension), and the directions F_i of degenerate ones."""
        roots = multidimensional.simplex(self.m_field, dimension)
        if not degenerate:
            return roots, None
        return roots, multidimensional.random_directions(self.m_field, dimension, rank=self.rank, seed=self.seed)

    def _check_step(self) -> None:
        """A step that is too long for one of the landscapes costs a line here, rather than a minute in a notebook."""
        landscapes = [
            self.line(),
            multidimensional.on_circle(_LINE),
            multidimensional.simplex(self.m_field, min(self.dimensions)),
        ]
        landscapes += [landscape.chebyshev(count)[:, None] for count in self.counts]
        limit = min(map(descent.largest_stable_step, landscapes))
        wanted = f"below {limit:.3g}, where descent diverges from the steepest solution (2 / curvature)"
        require(self.step_size < limit, "step_size", wanted, self.step_size)
