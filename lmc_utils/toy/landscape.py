"""Products of local quadratics on a line: landscapes with any number of solutions.

The poster's toy model (Singh et al., arXiv 2406.16300): each solution `theta_i*` has its own quadratic, and the
landscape is their product, `f(theta) = prod_i (theta - theta_i*)^2`.

`roots` are the solutions `theta_i*`, shape (m,), in any order. For f and its derivatives they may repeat; functions of
minima and ridges need at least two, distinct and finite, and raise ValueError otherwise.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "Array",
    "MAX_MINIMA",
    "equally_spaced",
    "on_interval",
    "chebyshev",
    "value",
    "gradient",
    "curvature",
    "derivatives",
    "minima",
    "maxima",
    "stationary_points",
]

Array = NDArray[np.float64]

MAX_MINIMA = 64

_HALVINGS = 54  # of a bracket: one more than the bits of a float64


def equally_spaced(m: int, spacing: float) -> Array:
    """Equally spaced minima, centred on 0, shape (m,).

    >>> equally_spaced(4, 2.0)
    array([-3., -1.,  1.,  3.])
    """
    return spacing * (np.arange(m, dtype=np.float64) - (m - 1) / 2)


def on_interval(m: int) -> Array:
    """Equally spaced minima on [-1, 1], including both ends, shape (m,).

    >>> on_interval(3)
    array([-1.,  0.,  1.])
    """
    return equally_spaced(m, 2 / (m - 1))


def chebyshev(m: int) -> Array:
    """Chebyshev points, the zeros of T_m, increasing, shape (m,): the placement with the lowest maximal barrier.

    As minima on [-1, 1] they make p = T_m / 2^(m - 1) and f = p^2, so that every ridge is 4^(1 - m) high.

    >>> chebyshev(3).round(3) + 0.0
    array([-0.866,  0.   ,  0.866])
    """
    return np.sin(np.pi / (2 * m) * np.arange(1 - m, m, 2, dtype=np.float64))


def value(theta: ArrayLike, roots: ArrayLike) -> Array:
    """The landscape `f(theta) = prod_i (theta - theta_i*)^2`, for `theta` of any shape.

    Like its derivatives below, it is computed as a running product with a separate binary exponent, so that
    intermediate results do not overflow and no precision is lost to logarithms.

    >>> float(value(0.0, [-1.0, 1.0]))
    1.0
    """
    return derivatives(theta, roots)[0]


def gradient(theta: ArrayLike, roots: ArrayLike) -> Array:
    """The first derivative f'(theta), of the shape of `theta`.

    >>> gradient([-1.0, 0.5, 2.0], [-1.0, 1.0])  # of (theta^2 - 1)^2
    array([ 0. , -1.5, 24. ])
    """
    return derivatives(theta, roots)[1]


def curvature(theta: ArrayLike, roots: ArrayLike) -> Array:
    """The second derivative f''(theta), of the shape of `theta`; positive at a simple root.

    >>> curvature([-1.0, 0.0, 1.0], [-1.0, 1.0]).tolist()
    [8.0, -4.0, 8.0]
    """
    return derivatives(theta, roots)[2]


def derivatives(theta: ArrayLike, roots: ArrayLike) -> tuple[Array, Array, Array]:
    """f, f' and f'' at once, each of the shape of `theta`.

    With `p(theta) = prod_i (theta - theta_i*)`: `f = p^2, f' = 2 p p', f'' = 2 (p'^2 + p p'')`.
    """
    theta, roots = as_float64(theta), as_float64(roots)
    return derivatives_from_gaps(theta - roots.reshape(-1, *[1] * theta.ndim))


def minima(roots: ArrayLike) -> Array:
    """The minima of the landscape: its roots, increasing; f = 0 at each of them."""
    roots = as_float64(roots)
    if roots.ndim != 1 or len(roots) < 2:
        raise ValueError(f"roots must be a list of at least two (got {roots.tolist()})")
    ordered = np.sort(roots)
    if not (np.all(np.isfinite(ordered)) and np.all(np.diff(ordered) > 0)):
        raise ValueError(f"roots must be distinct, finite numbers (got {roots.tolist()})")
    return ordered


def maxima(roots: ArrayLike) -> Array:
    """The tops of the ridges: the one stationary point between each two neighbouring minima, shape (m - 1,).

    >>> maxima([1.0, -1.0])
    array([0.])
    """
    roots = minima(roots)
    return roots[:-1] + np.diagonal(gaps_to_maxima(roots))


def stationary_points(roots: ArrayLike) -> Array:
    """Every theta with f'(theta) = 0: minima and maxima in turn, increasing, shape (2 m - 1,).

    >>> stationary_points([-1.0, 1.0])
    array([-1.,  0.,  1.])
    """
    return np.sort(np.concatenate([minima(roots), maxima(roots)]))


def derivatives_from_gaps(gaps: Array) -> tuple[Array, Array, Array]:
    """f, f' and f'' from the signed distances `theta - theta_i*`, shape (m, ...), by the product rule, root by root."""
    p, slope, bend = (np.full(gaps.shape[1:], start) for start in (1.0, 0.0, 0.0))
    exponent = np.zeros(gaps.shape[1:], dtype=np.int64)
    for gap in gaps:
        p, slope, bend = p * gap, slope * gap + p, bend * gap + 2 * slope
        _, shift = np.frexp(np.maximum(np.maximum(np.abs(p), np.abs(slope)), np.abs(bend)))
        p, slope, bend = np.ldexp(p, -shift), np.ldexp(slope, -shift), np.ldexp(bend, -shift)
        exponent += shift
    f = np.ldexp(p * p, 2 * exponent)
    return f, np.ldexp(2 * p * slope, 2 * exponent), np.ldexp(2 * (slope * slope + p * bend), 2 * exponent)


def gaps_to_maxima(roots: Array) -> Array:
    """Signed distance from each root to the top of each ridge, shape (m, m - 1), for increasing roots.

    Between two neighbours `p'/p = sum_i 1 / (theta - theta_i*)` falls from plus to minus infinity, so that bisection
    converges to its only zero. Distances rather than positions are stored: they stay precise far from the origin.
    """
    left, width = roots[:-1] - roots[:, None], np.diff(roots)
    low, high = np.zeros_like(width), np.ones_like(width)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        rise = np.sum(1 / (left + middle * width), axis=0)
        low, high = np.where(rise >= 0, middle, low), np.where(rise <= 0, middle, high)
    return left + (low + high) / 2 * width


def as_float64(numbers: ArrayLike) -> Array:
    """Numbers as an array of float64."""
    return np.asarray(numbers, dtype=np.float64)
