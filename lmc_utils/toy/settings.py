"""The parameters of the toy chapter: which landscapes to look at, and how siblings walk down them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from lmc_utils.settings import ParameterError, Settings, require
from lmc_utils.toy import barriers, descent, fields, landscape

_LINE = 5  # solutions of the one case on a line whose probabilities are headline numbers


@dataclass(frozen=True)
class Landscape(Settings):
    """Which product of quadratics to look at.

    Attributes:
        m: number of minima, equally spaced around 0.
        spacing: distance between neighbouring minima.
        roots: the minima themselves, in any order, in place of `m` and `spacing`.
        m_max: landscapes of 2 to this many minima are compared.
        n_points: points at which a curve is drawn.

    >>> Landscape(m=3).minima()
    array([-0.5,  0. ,  0.5])
    >>> Landscape(roots=[1, 0.5, 1])
    Traceback (most recent call last):
    lmc_utils.settings.ParameterError: roots: expected distinct, finite numbers, got [1.0, 0.5, 1.0]
    """

    m: int = 5
    spacing: float = 0.5
    roots: tuple[float, ...] | None = None
    m_max: int = 16
    n_points: int = 401

    PRESETS: ClassVar[dict[str, dict[str, Any]]] = {"smoke": {"n_points": 51}}

    def check(self) -> None:
        require(2 <= self.m <= landscape.MOST_MINIMA, "m", f"from 2 to {landscape.MOST_MINIMA}", self.m)
        require(4 <= self.m_max <= landscape.MOST_MINIMA, "m_max", f"from 4 to {landscape.MOST_MINIMA}", self.m_max)
        require(0 < self.spacing < math.inf, "spacing", "a finite number above 0", self.spacing)
        require(self.n_points >= 10, "n_points", "at least 10", self.n_points)
        if self.roots is not None:
            require(len(self.roots) <= landscape.MOST_MINIMA, "roots", f"at most {landscape.MOST_MINIMA}", self.roots)
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
    """How siblings walk, and down which landscapes; lengths and heights in the units of `fields.units`.

    Attributes:
        steps: of gradient descent.
        step_size: eta, in units of length^2 over height.
        temperature: of the noise at the start, in units of height.
        cooling: the temperature falls as (1 - t / steps) to this power.
        fork_times: shares of the run after which siblings part.
        pairs: of siblings on a line and in the plane.
        pairs_field: of siblings in more dimensions.
        threshold: a barrier counts from this height on, in units of height.
        counts: numbers of minima that are compared on a line, at the Chebyshev points.
        m_field: minima in more dimensions, at the corners of a simplex.
        dimensions: the numbers of dimensions that are compared.
        rank: of the A_i of the degenerate landscapes.
        seed: of the degenerate directions and of all noise.

    >>> Descent(fork_times=[0.5, 1.5])
    Traceback (most recent call last):
    lmc_utils.settings.ParameterError: fork_times: expected increasing shares of the run, from 0 to 1, got [0.5, 1.5]
    """

    steps: int = 1500
    step_size: float = 0.005
    temperature: float = 0.3
    cooling: float = 1.0
    fork_times: tuple[float, ...] = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
    pairs: int = 2000
    pairs_field: int = 400
    threshold: float = 0.1
    counts: tuple[int, ...] = (2, 3, 5, 9)
    m_field: int = 8
    dimensions: tuple[int, ...] = (10, 20)
    rank: int = 2
    seed: int = 0

    PRESETS: ClassVar[dict[str, dict[str, Any]]] = {"smoke": {"steps": 300, "pairs": 50, "pairs_field": 10}}

    def check(self) -> None:
        require(1 <= self.steps <= 100_000, "steps", "from 1 to 100000", self.steps)
        require(0 < self.step_size < math.inf, "step_size", "a finite number above 0", self.step_size)
        require(0 <= self.temperature < math.inf, "temperature", "a finite number from 0 on", self.temperature)
        require(0 < self.cooling < math.inf, "cooling", "a finite number above 0", self.cooling)
        within = all(0 <= time <= 1 for time in self.fork_times) and list(self.fork_times) == sorted(self.fork_times)
        wanted = "increasing shares of the run, from 0 to 1"
        require(within and len(self.fork_times) > 0, "fork_times", wanted, self.fork_times)
        percents = [round(100 * time) for time in self.fork_times]
        require(len(set(percents)) == len(percents), "fork_times", "times at least a percent apart", self.fork_times)
        require(self.pairs >= 10, "pairs", "at least 10", self.pairs)
        require(self.pairs_field >= 10, "pairs_field", "at least 10", self.pairs_field)
        require(0 < self.threshold < math.inf, "threshold", "a finite number above 0", self.threshold)
        most = landscape.MOST_MINIMA
        fine = len(self.counts) > 0 and all(2 <= count <= most for count in self.counts)
        require(fine, "counts", f"numbers from 2 to {most}", self.counts)
        require(len(self.dimensions) > 0 and all(2 <= n <= 200 for n in self.dimensions), "dimensions",
                "numbers from 2 to 200", self.dimensions)  # fmt: skip
        smallest = min(self.dimensions)
        limit = f"the smallest of the dimensions, {smallest}"
        require(2 <= self.m_field <= min(smallest, most), "m_field", f"from 2 to {limit}", self.m_field)
        require(1 <= self.rank <= smallest, "rank", f"from 1 to {limit}", self.rank)
        require(self.seed >= 0, "seed", "a whole number from 0 on", self.seed)
        self._check_step()

    def arguments(self) -> dict[str, Any]:
        """The arguments that every descent shares, for `descent.descend` and `descent.walks`."""
        names = ("steps", "step_size", "temperature", "cooling", "fork_times", "seed")
        return {name: getattr(self, name) for name in names}

    def endpoints(
        self, roots: landscape.Array, directions: landscape.Array | None = None, pairs: int | None = None
    ) -> landscape.Array:
        """Where parents and their siblings end up, shape (1 + forks, pairs, n), from starts around the minima."""
        starts = descent.starts_around(roots, pairs or self.pairs, self.seed)
        return descent.descend(roots, directions, starts=starts, **self.arguments())

    def parted(
        self, ends: landscape.Array, roots: landscape.Array, directions: landscape.Array | None = None
    ) -> landscape.Array:
        """Share of pairs with a barrier above the threshold between them, shape (forks,)."""
        high = descent.sibling_barriers(ends, roots, directions) > self.threshold
        shares: landscape.Array = high.mean(axis=1)
        return shares

    def line(self) -> landscape.Array:
        """Five equally spaced minima on [-1, 1], shape (5, 1)."""
        return landscape.on_interval(_LINE)[:, None]

    def field(self, dimension: int, degenerate: bool) -> tuple[landscape.Array, landscape.Array | None]:
        """Minima at the corners of a simplex, shape (m_field, dimension), and the directions F_i of degenerate ones."""
        roots = fields.simplex(self.m_field, dimension)
        if not degenerate:
            return roots, None
        return roots, fields.random_directions(self.m_field, dimension, self.rank, self.seed)

    def _check_step(self) -> None:
        """A step that is too long for one of the landscapes costs a line here, rather than a minute in a notebook."""
        landscapes = [self.line(), fields.on_circle(_LINE), fields.simplex(self.m_field, min(self.dimensions))]
        landscapes += [landscape.chebyshev(count)[:, None] for count in self.counts]
        limit = min(map(descent.largest_stable_step, landscapes))
        wanted = f"below {limit:.3g}, where descent diverges from the steepest solution (2 / curvature)"
        require(self.step_size < limit, "step_size", wanted, self.step_size)
