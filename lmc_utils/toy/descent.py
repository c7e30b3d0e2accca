"""Simulated siblings on a toy landscape: noisy gradient descent, annealed, with shared noise until the fork.

One sibling keeps the noise of the parent, so that it *is* the parent; the other draws its own noise after the fork. All
pairs descend at once. `roots`, shape (m, n), and `directions`, shape (m, rank, n) or None, are as in
`multidimensional`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike

from lmc_utils.settings import require
from lmc_utils.toy import multidimensional
from lmc_utils.toy.landscape import Array, as_float64

# Gradient clipping, in units of height over length: longer gradients, far outside, would overshoot all solutions.
MAX_GRADIENT = 20.0


def descend(
    roots: ArrayLike,
    directions: ArrayLike | None = None,
    *,
    starts: ArrayLike,
    fork_times: Sequence[float],
    seed: int,
    steps: int = 1500,
    step_size: float = 0.005,
    temperature: float = 0.3,
    cooling: float = 1.0,
    every_step: bool = False,
) -> Array:
    """Noisy gradient descent of many parents, each with one sibling forked at each fork time; returns all endpoints.

    theta <- theta - eta grad f + sqrt(2 eta T) xi, with xi standard normal and T = temperature (1 - t / steps)^cooling.
    Lengths are in units of the median distance between nearest solutions and heights in units of the median barrier
    between them (`multidimensional.units`); gradients longer than `MAX_GRADIENT` are shortened to it.

    Args:
        starts: starting points of the parents, shape (pairs, n), in the coordinates of the roots.
        fork_times: increasing, each a fraction of the run from 0 to 1.
        seed: seed of the noise; the noise after a fork depends only on it and on the time of the fork.
        steps: the number of steps.
        step_size: eta, in units of length^2 over height.
        temperature: initial temperature, in units of height.
        cooling: exponent of the schedule; larger values cool faster.
        every_step: return whole trajectories; for few pairs.

    Returns:
        Shape (1 + forks, pairs, n): the parents (each the first sibling of all its pairs), then the second siblings;
        with `every_step`, (steps + 1, 1 + forks, pairs, n). Until its fork, a sibling equals its parent.

    Raises:
        ValueError: a value out of range, or a step size with which descent does not converge.

    >>> ends = descend([[-1.0], [1.0]], starts=[[0.1]] * 3, fork_times=[0.0, 1.0], seed=0)
    >>> bool((ends[0] == ends[2]).all()), bool((ends[0] == ends[1]).any())
    (True, False)
    """
    ordered = all(0 <= time <= 1 for time in fork_times) and list(fork_times) == sorted(fork_times)
    require(ordered, "fork_times", "increasing fractions between 0 and 1", tuple(fork_times))
    require(steps >= 1, "steps", ">= 1", steps)
    require(0 <= temperature < math.inf, "temperature", "finite and >= 0", temperature)
    require(0 < cooling < math.inf, "cooling", "finite and > 0", cooling)
    # Degenerate solutions are unbounded, and somewhere on them any step size is too large: this is checked at the end.
    limit = largest_stable_step(roots) if directions is None else math.inf
    steepest = f"> 0 and < {limit:.3g}, or descent diverges at the steepest minimum (2 / curvature)"
    require(0 < step_size < limit, "step_size", steepest, step_size)

    length, height = multidimensional.units(roots, directions)
    solutions = as_float64(roots) / length
    slope = _slope(solutions, directions, height / length ** (2 * len(solutions)))
    forks = [round(time * steps) for time in fork_times]
    places = np.repeat(as_float64(starts)[None] / length, 1 + len(forks), axis=0)
    draws = [np.random.default_rng([seed, 3]), *(np.random.default_rng([seed, 4, fork]) for fork in forks)]
    noise, path = np.empty_like(places), []
    with np.errstate(over="ignore", invalid="ignore"):  # divergence is reported below
        for step in range(steps):
            if every_step:
                path.append(length * places)
            apart = 1 + sum(fork <= step for fork in forks)
            for draw, row in zip(draws[:apart], noise, strict=False):
                draw.standard_normal(out=row)
            heat = math.sqrt(2 * step_size * temperature * (1 - step / steps) ** cooling)
            places[:apart] += heat * noise[:apart] - step_size * slope(places[:apart])
            places[apart:] = places[0]
        settled = _settles(places, slope, step_size)
    if not settled:
        raise ValueError(f"step_size must be small enough for descent to settle (got {step_size:g}); "
                         f"some networks still oscillate at the end (try {step_size / 4:g})")  # fmt: skip
    return np.stack([*path, length * places]) if every_step else length * places


def random_starts(roots: ArrayLike, pairs: int, seed: int) -> Array:
    """Starting points of parents: normal, with the mean and spread of the solutions, shape (pairs, n)."""
    roots = as_float64(roots)
    noise = np.random.default_rng([seed, 2]).standard_normal((pairs, roots.shape[1]))
    return as_float64(roots.mean(axis=0) + roots.std(axis=0) * noise)


def sibling_barriers(
    ends: Array, roots: ArrayLike, directions: ArrayLike | None = None, *, n_alphas: int = 41
) -> Array:
    """Height of the barrier on the straight line between the siblings of each pair, shape (forks, pairs).

    In units of the median barrier between nearest solutions, for `ends` from `descend`, shape (1 + forks, pairs, n).
    The line is evaluated at `n_alphas` equally spaced points.
    """
    parents = np.broadcast_to(ends[0], ends[1:].shape)
    curves = multidimensional.barrier_curve(parents, ends[1:], np.linspace(0, 1, n_alphas), roots, directions)
    return as_float64(curves.max(axis=-1) / multidimensional.units(roots, directions)[1])


def wilson_interval(fraction: ArrayLike, n: int) -> tuple[Array, Array]:
    """95 % confidence interval for a probability of which n trials gave this fraction (Wilson, 1927, JASA 22:209).

    Its lower and upper ends, each of the shape of `fraction`. Unlike the normal approximation, it is not empty at 0 and
    1.

    >>> [round(float(end), 3) for end in wilson_interval(0.0, 100)]
    [0.0, 0.037]
    """
    from scipy.stats import binomtest  # imported here, as the rest of the toy does not need SciPy

    ends = [binomtest(round(successes), n).proportion_ci(method="wilson") for successes in n * np.ravel(fraction)]
    low, high = np.reshape(np.transpose(ends), (2, *np.shape(fraction)))
    return low, high


def largest_stable_step(roots: ArrayLike) -> float:
    """Largest stable step size for all solutions of an isotropic product: 2 over the largest curvature.

    In units of length^2 over height, as in `descend`.

    >>> largest_stable_step([[-1.0], [1.0]])  # curvature 8, at distance 2 and barrier 1
    0.0625
    """
    length, height = multidimensional.units(roots)
    return 2 / float(np.linalg.eigvalsh(multidimensional.hessian(roots, roots) * (length**2 / height)).max())


def _settles(places: Array, slope: Callable[[Array], Array], step_size: float) -> bool:
    """Whether no trajectory oscillates, that is, jumps from a clipped gradient to an opposite clipped gradient."""
    if not np.all(np.isfinite(places)):
        return False
    here = slope(places)
    there = slope(places - step_size * here)
    steep = np.minimum(np.linalg.norm(here, axis=-1), np.linalg.norm(there, axis=-1)) >= MAX_GRADIENT * (1 - 1e-9)
    return not np.any(steep & (np.sum(here * there, axis=-1) < 0))


def _slope(roots: Array, directions: ArrayLike | None, height: float) -> Callable[[Array], Array]:
    """The clipped gradient as a function of positions, shape (..., n), by plain products, which are faster.

    Positions are within a few spacings and m is at most 64, so that products stay far from the limits of float64.
    """
    if directions is None and roots.shape[1] == 1:

        def on_the_line(places: Array) -> Array:
            p, slope = np.ones_like(places), np.zeros_like(places)
            for root in roots[:, 0]:
                gap = places - root
                slope *= gap
                slope += p
                p *= gap
            return np.clip(p * slope * (2 / height), -MAX_GRADIENT, MAX_GRADIENT)

        return on_the_line

    if directions is None:

        def isotropic(places: Array) -> Array:
            gaps = [places - root for root in roots]
            others = _products_of_others([np.einsum("...n,...n->...", gap, gap) for gap in gaps])
            return _clipped(2 / height * (others.sum(axis=0)[..., None] * places - np.tensordot(others, roots, (0, 0))))

        return isotropic

    directions = as_float64(directions)
    stacked = directions.reshape(-1, directions.shape[-1])
    offsets = np.einsum("irn,in->ir", directions, roots)

    def degenerate(places: Array) -> Array:
        seen = (places @ stacked.T).reshape(*places.shape[:-1], *offsets.shape) - offsets
        squares = np.einsum("...ir,...ir->...i", seen, seen)
        others = _products_of_others([squares[..., i] for i in range(len(offsets))])
        weighted = np.moveaxis(others, 0, -1)[..., None] * seen
        return _clipped(2 / height * (weighted.reshape(*places.shape[:-1], -1) @ stacked))

    return degenerate


def _products_of_others(factors: list[Array]) -> Array:
    """For each factor the product of all others, without a division, stacked on a new first axis."""
    products = np.ones((len(factors), *factors[0].shape))
    for order in (range(len(factors)), reversed(range(len(factors)))):
        running = np.ones_like(factors[0])
        for i in order:
            products[i] *= running
            running = running * factors[i]
    return products


def _clipped(slope: Array) -> Array:
    lengths = np.sqrt(np.einsum("...n,...n->...", slope, slope))[..., None]
    return as_float64(slope * np.minimum(1, MAX_GRADIENT / np.maximum(lengths, MAX_GRADIENT)))
