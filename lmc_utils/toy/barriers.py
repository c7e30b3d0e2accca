"""Barriers of products of local quadratics on a line: exact, from curvature, and to second order.

`roots` are as in `landscape`; functions of neighbouring minima raise the same errors. Segments lead from `theta_1` to
`theta_2`, endpoints of any shape (...,), the same for both; at `alphas`, shape (k,), results have the shape (..., k).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from lmc_utils.toy.landscape import Array, as_float64, curvature, derivatives_from_gaps, gaps_to_maxima, minima, value

__all__ = [
    "neighbour_barriers",
    "pairwise_barriers",
    "outer_height",
    "barrier_curve",
    "second_order_barrier",
    "approximation_factors",
    "tent_function",
    "barrier_from_curvature",
]


def neighbour_barriers(roots: ArrayLike) -> Array:
    """Height of the barrier between each two neighbouring minima, from left to right, shape (m - 1,).

    Both minima have f = 0, so the barrier is f at the top of the ridge.

    >>> neighbour_barriers([-1.0, 1.0])
    array([1.])
    """
    return derivatives_from_gaps(gaps_to_maxima(minima(roots)))[0]


def pairwise_barriers(roots: ArrayLike) -> Array:
    """Height of the barrier between any two minima: the highest ridge that lies between them.

    Shape (m, m), symmetric, zero on the diagonal; rows and columns in increasing order of the minima.

    >>> pairwise_barriers([-1.0, 0.0, 1.0]).round(3)
    array([[0.   , 0.148, 0.148],
           [0.148, 0.   , 0.148],
           [0.148, 0.148, 0.   ]])
    """
    ridges = neighbour_barriers(roots)
    table = np.zeros((len(ridges) + 1, len(ridges) + 1))
    for first in range(len(ridges)):
        table[first, first + 1 :] = np.maximum.accumulate(ridges[first:])
    return table + table.T


def outer_height(roots: ArrayLike) -> float:
    """Height of the landscape one mean spacing beyond its last minimum; it scales as the barriers do.

    >>> outer_height([-1.0, 1.0])
    64.0
    """
    roots = minima(roots)
    return float(value(roots[-1] + np.diff(roots).mean(), roots))


def barrier_curve(theta_1: ArrayLike, theta_2: ArrayLike, alphas: ArrayLike, roots: ArrayLike) -> Array:
    """The loss barrier on the segment: height of the landscape above the chord between two endpoints.

    B(a) = f((1 - a) theta_1 + a theta_2) - (1 - a) f(theta_1) - a f(theta_2).

    >>> barrier_curve(-1.0, 1.0, [0.0, 0.25, 0.5, 1.0], [-1.0, 1.0])
    array([0.    , 0.5625, 1.    , 0.    ])
    """
    first, second, alphas = _segment(theta_1, theta_2, alphas)
    between = value((1 - alphas) * first + alphas * second, roots)
    return between - (1 - alphas) * value(first, roots) - alphas * value(second, roots)


def second_order_barrier(theta_1: ArrayLike, theta_2: ArrayLike, alphas: ArrayLike, roots: ArrayLike) -> Array:
    """Second-order approximation of the loss barrier, as on the poster, from the curvature at the endpoints.

    B(a) ~ a (1 - a) / 2 * delta^2 * (a f''(theta_1) + (1 - a) f''(theta_2)).

    >>> second_order_barrier(-1.0, 1.0, [0.0, 0.25, 0.5, 1.0], [-1.0, 1.0])
    array([0., 3., 4., 0.])
    """
    first, second, alphas = _segment(theta_1, theta_2, alphas)
    mixed = alphas * curvature(first, roots) + (1 - alphas) * curvature(second, roots)
    return alphas * (1 - alphas) / 2 * (second - first) ** 2 * mixed


def approximation_factors(roots: ArrayLike) -> Array:
    """Ratio of the second-order approximation to the barrier, for neighbouring minima, shape (m - 1,).

    Height of the approximation over height of the barrier, each the largest value over alpha in [0, 1].

    >>> approximation_factors([-1.0, 1.0])
    array([4.])
    """
    roots = minima(roots)
    bend = curvature(roots, roots)
    first, second = bend[:-1], bend[1:]
    # The top of a (1 - a) (a first + (1 - a) second) is at a zero of a quadratic in a; of the two ways to write that
    # zero, take the one that does not subtract nearly equal numbers.
    discriminant = np.sqrt(first**2 - first * second + second**2)
    above = np.where(first > 2 * second, discriminant + first - 2 * second, second)
    below = np.where(first > 2 * second, 3 * (first - second), discriminant - first + 2 * second)
    heights = np.diagonal(second_order_barrier(roots[:-1], roots[1:], above / below, roots))
    return heights / neighbour_barriers(roots)


def tent_function(alpha: ArrayLike, s: ArrayLike) -> Array:
    """The weight G(a, s) = min(a, s) (1 - max(a, s)) on [0, 1]: piecewise linear, zero at both ends, largest at s = a.

    >>> tent_function(0.5, [0.0, 0.25, 0.5, 1.0])
    array([0.   , 0.125, 0.25 , 0.   ])
    """
    alpha, s = as_float64(alpha), as_float64(s)
    return as_float64(np.minimum(alpha, s) * (1 - np.maximum(alpha, s)))


def barrier_from_curvature(theta_1: ArrayLike, theta_2: ArrayLike, alphas: ArrayLike, roots: ArrayLike) -> Array:
    """The loss barrier by integrating the curvature along the segment; equal to `barrier_curve`.

    B(a) = - int_0^1 G(a, s) phi''(s) ds with phi(s) = f(theta_1 + s delta) and G the `tent_function`. On either side of
    s = a the integrand is a polynomial of degree 2 m - 1, so that Gauss-Legendre quadrature with m nodes is exact.

    Raises:
        ValueError: an alpha outside [0, 1].

    >>> barrier_from_curvature(-1.0, 1.0, [0.0, 0.25, 0.5, 1.0], [-1.0, 1.0]).round(12) + 0.0
    array([0.    , 0.5625, 1.    , 0.    ])
    """
    first, second, alphas = _segment(theta_1, theta_2, alphas)
    if not np.all((alphas >= 0) & (alphas <= 1)):
        raise ValueError(f"alphas must be between 0 and 1 (got {alphas.tolist()})")
    nodes, weights = np.polynomial.legendre.leggauss(len(as_float64(roots)))
    nodes, weights = (nodes + 1) / 2, weights / 2
    a = alphas[:, None]
    s = np.concatenate([a * nodes, a + (1 - a) * nodes], axis=1)
    ds = np.concatenate([a * weights, (1 - a) * weights], axis=1)
    delta = (second - first)[..., None]
    bend = delta**2 * curvature(first[..., None] + s * delta, roots)
    return as_float64(-np.sum(ds * tent_function(a, s) * bend, axis=-1))


def _segment(theta_1: ArrayLike, theta_2: ArrayLike, alphas: ArrayLike) -> tuple[Array, Array, Array]:
    return as_float64(theta_1)[..., None], as_float64(theta_2)[..., None], as_float64(alphas)
