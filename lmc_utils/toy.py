"""Products of local quadratics: a landscape with as many solutions as one likes, and every barrier known exactly.

The poster's toy (Singh et al., arXiv 2406.16300): each solution theta_i* brings its own quadratic, and the landscape is
their product, f(theta) = prod_i (theta - theta_i*)^2. In one dimension everything about it has a closed form. NumPy
only, so that it also runs in a browser.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

MOST_MINIMA = 64

_HALVINGS = 54  # of a bracket: one more than the bits of a float64


def equally_spaced(m: int, spacing: float) -> Array:
    """Equally spaced minima, centred on 0, shape (m,).

    >>> equally_spaced(4, 2.0)
    array([-3., -1.,  1.,  3.])
    """
    return spacing * (np.arange(m, dtype=np.float64) - (m - 1) / 2)


def on_interval(m: int) -> Array:
    """Equally spaced minima on [-1, 1], both ends among them, shape (m,).

    >>> on_interval(3)
    array([-1.,  0.,  1.])
    """
    return equally_spaced(m, 2 / (m - 1))


def chebyshev(m: int) -> Array:
    """The zeros of the Chebyshev polynomial T_m, increasing, shape (m,): the placement with the lowest largest barrier.

    As minima on [-1, 1] they make p = T_m / 2^(m - 1) and f = p^2, so that every ridge is 4^(1 - m) high. Of all p with
    leading coefficient 1, this one strays least from zero on [-1, 1].

    >>> chebyshev(3).round(3) + 0.0
    array([-0.866,  0.   ,  0.866])
    """
    return np.sin(np.pi / (2 * m) * np.arange(1 - m, m, 2, dtype=np.float64))


def value(theta: ArrayLike, roots: ArrayLike) -> Array:
    """The landscape f(theta) = prod_i (theta - theta_i*)^2.

    Args:
        theta: where to evaluate, any shape.
        roots: the solutions theta_i*, shape (m,); they may repeat.

    Returns:
        f, of the shape of `theta`. Like its derivatives below, it comes from a running product with a separate binary
        exponent, so nothing overflows on the way to a result that does not, and no digits go to logarithms.

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
    """The second derivative f''(theta), of the shape of `theta`; at a simple root 2 prod_j (theta - theta_j*)^2 > 0.

    >>> curvature([-1.0, 0.0, 1.0], [-1.0, 1.0]).tolist()
    [8.0, -4.0, 8.0]
    """
    return derivatives(theta, roots)[2]


def derivatives(theta: ArrayLike, roots: ArrayLike) -> tuple[Array, Array, Array]:
    """f, f' and f'' at once, each of the shape of `theta`.

    With p(theta) = prod_i (theta - theta_i*): f = p^2, f' = 2 p p', f'' = 2 (p'^2 + p p'').
    """
    theta, roots = _floats(theta), _floats(roots)
    return _derivatives(theta - roots.reshape(-1, *[1] * theta.ndim))


def minima(roots: ArrayLike) -> Array:
    """The minima of the landscape: its roots, increasing; f = 0 at each of them.

    Raises:
        ValueError: fewer than two roots, or two that are equal.
    """
    return _increasing(roots)


def maxima(roots: ArrayLike) -> Array:
    """The tops of the ridges: the one stationary point between each two neighbouring minima.

    Raises:
        ValueError: fewer than two roots, or two that are equal.

    Returns:
        Increasing, shape (m - 1,).

    >>> maxima([1.0, -1.0])
    array([0.])
    """
    roots = _increasing(roots)
    return roots[:-1] + np.diagonal(_ridge_gaps(roots))


def stationary_points(roots: ArrayLike) -> Array:
    """Every theta with f'(theta) = 0: minima and maxima in turn, increasing, shape (2 m - 1,).

    Raises:
        ValueError: fewer than two roots, or two that are equal.

    >>> stationary_points([-1.0, 1.0])
    array([-1.,  0.,  1.])
    """
    return np.sort(np.concatenate([minima(roots), maxima(roots)]))


def neighbour_barriers(roots: ArrayLike) -> Array:
    """Height of the barrier between each two neighbouring minima, from left to right, shape (m - 1,).

    Both minima have f = 0, so the barrier is f at the top of the ridge.

    Raises:
        ValueError: fewer than two roots, or two that are equal.

    >>> neighbour_barriers([-1.0, 1.0])
    array([1.])
    """
    return _derivatives(_ridge_gaps(_increasing(roots)))[0]


def pairwise_barriers(roots: ArrayLike) -> Array:
    """Height of the barrier between any two minima: the highest ridge that lies between them.

    Raises:
        ValueError: fewer than two roots, or two that are equal.

    Returns:
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


def mountainside(roots: ArrayLike) -> float:
    """Height of the landscape one mean spacing beyond its last minimum: a yardstick that scales as the barriers do.

    Raises:
        ValueError: fewer than two roots, or two that are equal.

    >>> mountainside([-1.0, 1.0])
    64.0
    """
    roots = _increasing(roots)
    return float(value(roots[-1] + np.diff(roots).mean(), roots))


def barrier_curve(theta_1: ArrayLike, theta_2: ArrayLike, alphas: ArrayLike, roots: ArrayLike) -> Array:
    """The loss barrier on the segment: height of the landscape above the chord between two endpoints.

    B(a) = f((1 - a) theta_1 + a theta_2) - (1 - a) f(theta_1) - a f(theta_2).

    Args:
        theta_1: first endpoints, any shape (...,).
        theta_2: second endpoints, the same shape.
        alphas: shape (n,).
        roots: shape (m,).

    Returns:
        Shape (..., n).

    >>> barrier_curve(-1.0, 1.0, [0.0, 0.25, 0.5, 1.0], [-1.0, 1.0])
    array([0.    , 0.5625, 1.    , 0.    ])
    """
    first, second, alphas = _segment(theta_1, theta_2, alphas)
    between = value((1 - alphas) * first + alphas * second, roots)
    return between - (1 - alphas) * value(first, roots) - alphas * value(second, roots)


def second_order_barrier(theta_1: ArrayLike, theta_2: ArrayLike, alphas: ArrayLike, roots: ArrayLike) -> Array:
    """The poster's second-order approximation of the loss barrier, from the curvature at the two endpoints alone.

    B(a) ~ a (1 - a) / 2 * delta^2 * (a f''(theta_1) + (1 - a) f''(theta_2)); shapes as in `barrier_curve`.

    >>> second_order_barrier(-1.0, 1.0, [0.0, 0.25, 0.5, 1.0], [-1.0, 1.0])
    array([0., 3., 4., 0.])
    """
    first, second, alphas = _segment(theta_1, theta_2, alphas)
    mixed = alphas * curvature(first, roots) + (1 - alphas) * curvature(second, roots)
    return alphas * (1 - alphas) / 2 * (second - first) ** 2 * mixed


def approximation_factors(roots: ArrayLike) -> Array:
    """How many times too high the second-order approximation is, for neighbouring minima, shape (m - 1,).

    Height of the approximation over height of the barrier, each the largest value over alpha in [0, 1].

    Raises:
        ValueError: fewer than two roots, or two that are equal.

    >>> approximation_factors([-1.0, 1.0])
    array([4.])
    """
    roots = _increasing(roots)
    bend = curvature(roots, roots)
    first, second = bend[:-1], bend[1:]
    # The top of a (1 - a) (a first + (1 - a) second) is at a zero of a quadratic in a; of the two ways to write that
    # zero, take the one that does not subtract nearly equal numbers.
    discriminant = np.sqrt(first**2 - first * second + second**2)
    above = np.where(first > 2 * second, discriminant + first - 2 * second, second)
    below = np.where(first > 2 * second, 3 * (first - second), discriminant - first + 2 * second)
    heights = np.diagonal(second_order_barrier(roots[:-1], roots[1:], above / below, roots))
    return heights / neighbour_barriers(roots)


def tent(alpha: ArrayLike, s: ArrayLike) -> Array:
    """The weight G(a, s) = min(a, s) (1 - max(a, s)) on [0, 1]: straight sides, zero at both ends, its top at s = a.

    >>> tent(0.5, [0.0, 0.25, 0.5, 1.0])
    array([0.   , 0.125, 0.25 , 0.   ])
    """
    alpha, s = _floats(alpha), _floats(s)
    weight: Array = np.minimum(alpha, s) * (1 - np.maximum(alpha, s))
    return weight


def barrier_from_curvature(theta_1: ArrayLike, theta_2: ArrayLike, alphas: ArrayLike, roots: ArrayLike) -> Array:
    """The loss barrier as negative curvature along the segment: the same numbers as `barrier_curve` by another road.

    B(a) = - int_0^1 G(a, s) phi''(s) ds with phi(s) = f(theta_1 + s delta) and G the `tent`. On either side of s = a
    the integrand is a polynomial of degree 2 m - 1, which Gauss-Legendre quadrature with m nodes integrates exactly.

    Args:
        theta_1: first endpoints, any shape (...,).
        theta_2: second endpoints, the same shape.
        alphas: in [0, 1], shape (n,).
        roots: shape (m,).

    Returns:
        Shape (..., n).

    Raises:
        ValueError: an alpha beyond the segment.

    >>> barrier_from_curvature(-1.0, 1.0, [0.0, 0.25, 0.5, 1.0], [-1.0, 1.0]).round(12) + 0.0
    array([0.    , 0.5625, 1.    , 0.    ])
    """
    first, second, alphas = _segment(theta_1, theta_2, alphas)
    if not np.all((alphas >= 0) & (alphas <= 1)):
        raise ValueError(f"alphas: expected numbers from 0 to 1, got {alphas.tolist()}")
    nodes, weights = np.polynomial.legendre.leggauss(len(_floats(roots)))
    nodes, weights = (nodes + 1) / 2, weights / 2
    a = alphas[:, None]
    s = np.concatenate([a * nodes, a + (1 - a) * nodes], axis=1)
    ds = np.concatenate([a * weights, (1 - a) * weights], axis=1)
    delta = (second - first)[..., None]
    bend = delta**2 * curvature(first[..., None] + s * delta, roots)
    barrier: Array = -np.sum(ds * tent(a, s) * bend, axis=-1)
    return barrier


def _derivatives(gaps: Array) -> tuple[Array, Array, Array]:
    """f, f' and f'' from the signed distances theta - theta_i*, shape (m, ...), by the product rule, root by root."""
    p, slope, bend = np.ones(gaps.shape[1:]), np.zeros(gaps.shape[1:]), np.zeros(gaps.shape[1:])
    exponent = np.zeros(gaps.shape[1:], dtype=np.int64)
    for gap in gaps:
        p, slope, bend = p * gap, slope * gap + p, bend * gap + 2 * slope
        _, shift = np.frexp(np.maximum(np.maximum(np.abs(p), np.abs(slope)), np.abs(bend)))
        p, slope, bend = np.ldexp(p, -shift), np.ldexp(slope, -shift), np.ldexp(bend, -shift)
        exponent += shift
    f = np.ldexp(p * p, 2 * exponent)
    return f, np.ldexp(2 * p * slope, 2 * exponent), np.ldexp(2 * (slope * slope + p * bend), 2 * exponent)


def _ridge_gaps(roots: Array) -> Array:
    """Signed distance from each root to the top of each ridge, shape (m, m - 1), for increasing roots.

    Between two neighbours p'/p = sum_i 1 / (theta - theta_i*) falls from plus to minus infinity, so that halving the
    gap always closes in on its only zero. Distances are kept, not positions: they stay precise far from the origin.
    """
    left, width = roots[:-1] - roots[:, None], np.diff(roots)
    low, high = np.zeros_like(width), np.ones_like(width)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        rise = np.sum(1 / (left + middle * width), axis=0)
        low, high = np.where(rise >= 0, middle, low), np.where(rise <= 0, middle, high)
    gaps: Array = left + (low + high) / 2 * width
    return gaps


def _segment(theta_1: ArrayLike, theta_2: ArrayLike, alphas: ArrayLike) -> tuple[Array, Array, Array]:
    return _floats(theta_1)[..., None], _floats(theta_2)[..., None], _floats(alphas)


def _increasing(roots: ArrayLike) -> Array:
    roots = _floats(roots)
    if roots.ndim != 1 or len(roots) < 2:
        raise ValueError(f"roots: expected a list of at least two, got {roots.tolist()}")
    ordered = np.sort(roots)
    if not (np.all(np.isfinite(ordered)) and np.all(np.diff(ordered) > 0)):
        raise ValueError(f"roots: expected distinct, finite numbers, got {roots.tolist()}")
    return ordered


def _floats(numbers: ArrayLike) -> Array:
    return np.asarray(numbers, dtype=np.float64)
