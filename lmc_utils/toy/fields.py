"""Products of local quadratics in n dimensions: the two ways to read the poster's product when theta is a vector.

Isotropic, f(theta) = prod_i ||theta - theta_i*||^2: every solution is a point. Degenerate, f(theta) = prod_i
(theta - theta_i*)^T A_i (theta - theta_i*) with A_i = F_i^T F_i of low rank: every solution is a flat, on which one may
walk without loss. F_i, shape (rank, n), holds the *directions* in which the factor is not flat; written like that,
A_i is always positive semi-definite. NumPy only.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lmc_utils.toy.barriers import neighbour_barriers
from lmc_utils.toy.landscape import minima

Array = NDArray[np.float64]


def value(theta: ArrayLike, roots: ArrayLike, directions: ArrayLike | None = None) -> Array:
    """The landscape f(theta).

    Args:
        theta: where to evaluate, shape (..., n).
        roots: the solutions theta_i*, shape (m, n).
        directions: the F_i, shape (m, rank, n); None for the isotropic product.

    Returns:
        Shape (...). Like the derivatives below, it comes from a running product with a separate binary exponent.

    Raises:
        ValueError: shapes that do not fit together.

    >>> float(value([0.0, 1.0], [[0.0, 0.0], [2.0, 1.0]]))  # 1 * 4
    4.0
    """
    return _running_product(theta, roots, directions, 0)[0]


def gradient(theta: ArrayLike, roots: ArrayLike, directions: ArrayLike | None = None) -> Array:
    """The gradient of f, shape (..., n); arguments and errors as for `value`.

    >>> gradient([0.0, 1.0], [[0.0, 0.0], [2.0, 1.0]])  # 4 * (0, 2) + 1 * (-4, 0)
    array([-4.,  8.])
    """
    return _running_product(theta, roots, directions, 1)[1]


def hessian(theta: ArrayLike, roots: ArrayLike, directions: ArrayLike | None = None) -> Array:
    """The Hessian of f, shape (..., n, n); arguments and errors as for `value`.

    >>> hessian([0.0, 0.0], [[0.0, 0.0], [2.0, 1.0]])  # at a solution: twice the product of the other factors
    array([[10., 0.],
           [ 0., 10.]])
    """
    return _running_product(theta, roots, directions, 2)[2]


def barrier_curve(
    theta_1: ArrayLike, theta_2: ArrayLike, alphas: ArrayLike, roots: ArrayLike, directions: ArrayLike | None = None
) -> Array:
    """The loss barrier on the segment: height of the landscape above the chord between two endpoints.

    B(a) = f((1 - a) theta_1 + a theta_2) - (1 - a) f(theta_1) - a f(theta_2).

    Args:
        theta_1: first endpoints, shape (..., n).
        theta_2: second endpoints, the same shape.
        alphas: shape (k,).
        roots: shape (m, n).
        directions: shape (m, rank, n), or None.

    Returns:
        Shape (..., k).

    >>> barrier_curve([-1.0, 0.0], [1.0, 0.0], [0.0, 0.5, 1.0], [[-1.0, 0.0], [1.0, 0.0]])
    array([0., 1., 0.])
    """
    first, second = np.asarray(theta_1, dtype=np.float64), np.asarray(theta_2, dtype=np.float64)
    alphas = np.asarray(alphas, dtype=np.float64)
    a = alphas[:, None]
    between = value((1 - a) * first[..., None, :] + a * second[..., None, :], roots, directions)
    low, high = value(first, roots, directions)[..., None], value(second, roots, directions)[..., None]
    barrier: Array = between - (1 - alphas) * low - alphas * high
    return barrier


def units(roots: ArrayLike, directions: ArrayLike | None = None, n_alphas: int = 41) -> tuple[float, float]:
    """The natural units of a landscape: of length and of height.

    Each solution is joined to its nearest one; in one dimension, each to its neighbours.

    Args:
        roots: shape (m, n).
        directions: shape (m, rank, n), or None.
        n_alphas: points of each segment; in one dimension the barriers are exact.

    Returns:
        The median distance between them and the median barrier on the straight line between them.

    Raises:
        ValueError: fewer than two solutions, two that are equal, or no barrier between them to measure with.

    >>> units([[-1.0], [0.0], [1.0]])[0]
    1.0
    """
    roots, directions = _checked(roots, directions)
    if len(roots) < 2:
        raise ValueError(f"roots: expected at least two, got {len(roots)}")
    if roots.shape[1] == 1 and directions is None:
        return float(np.median(np.diff(minima(roots[:, 0])))), float(np.median(neighbour_barriers(roots[:, 0])))
    distances = np.linalg.norm(roots[:, None] - roots, axis=-1)
    np.fill_diagonal(distances, np.inf)
    nearest = distances.argmin(axis=1)
    curves = barrier_curve(roots, roots[nearest], np.linspace(0, 1, n_alphas), roots, directions)
    length, height = float(np.median(distances.min(axis=1))), float(np.median(curves.max(axis=-1)))
    if not (length > 0 and 0 < height < np.inf):
        raise ValueError(f"roots: expected solutions with barriers between them, got median distance {length:g} "
                         f"and median barrier {height:g}")  # fmt: skip
    return length, height


def on_circle(m: int) -> Array:
    """Equally spaced solutions on the unit circle, shape (m, 2).

    In the plane, with z = theta_1 + i theta_2, the isotropic product is the squared modulus of z^m - 1.

    >>> on_circle(4).round(12) + 0.0
    array([[ 1., 0.], [ 0., 1.], [-1., 0.], [ 0., -1.]])
    """
    angles = 2 * np.pi * np.arange(m) / m
    return np.stack([np.cos(angles), np.sin(angles)], axis=1)


def simplex(m: int, dimension: int) -> Array:
    """Solutions that all have distance sqrt(2) from each other, centred on 0, shape (m, dimension).

    Raises:
        ValueError: more solutions than dimensions.

    >>> simplex(2, 3)
    array([[ 0.5, -0.5,  0. ], [-0.5,  0.5,  0. ]])
    """
    if m > dimension:
        raise ValueError(f"m: expected at most the dimension, {dimension}, got {m}")
    corners = np.eye(m, dimension)
    corners[:, :m] -= 1 / m
    return corners


def random_directions(m: int, dimension: int, rank: int, seed: int) -> Array:
    """Random directions F_i, with orthonormal rows, so that A_i projects onto them; shape (m, rank, dimension).

    Raises:
        ValueError: a rank below 1 or above the dimension.

    >>> rows = random_directions(1, 10, 2, seed=0)[0]
    >>> (rows @ rows.T).round(12) + 0.0
    array([[1., 0.], [0., 1.]])
    """
    if not 1 <= rank <= dimension:
        raise ValueError(f"rank: expected from 1 to the dimension, {dimension}, got {rank}")
    tall = np.random.default_rng([seed, 1]).standard_normal((m, dimension, rank))
    directions: Array = np.swapaxes(np.linalg.qr(tall).Q, 1, 2).copy()
    return directions


def random_solutions(roots: ArrayLike, directions: ArrayLike, count: int, seed: int) -> Array:
    """Points of degenerate landscapes with f = 0, each on a random one of the flats.

    Args:
        roots: shape (m, n).
        directions: shape (m, rank, n), with orthonormal rows.
        count: of the points.
        seed: of the points.

    Returns:
        Shape (count, n): a solution, moved within its flat by standard normal noise of mean squared length at most 1.
    """
    roots, checked = _checked(roots, directions)
    assert checked is not None
    centres, noise, chosen = _scatter(roots, count, seed)
    rows = checked[chosen]
    points: Array = centres + noise - np.einsum("krn,kr->kn", rows, np.einsum("krn,kn->kr", rows, noise))
    return points


def scattered_points(roots: ArrayLike, count: int, seed: int) -> Array:
    """Points around the solutions: as `random_solutions`, but moved in all directions; shape (count, n)."""
    centres, noise, _ = _scatter(_checked(roots, None)[0], count, seed)
    return centres + noise


def _scatter(roots: Array, count: int, seed: int) -> tuple[Array, Array, NDArray[np.int64]]:
    draw = np.random.default_rng([seed, 5])
    chosen = draw.integers(len(roots), size=count)
    noise = draw.standard_normal((count, roots.shape[1])) / np.sqrt(roots.shape[1])
    return roots[chosen], noise, chosen


def _checked(roots: ArrayLike, directions: ArrayLike | None) -> tuple[Array, Array | None]:
    roots = np.asarray(roots, dtype=np.float64)
    if roots.ndim != 2:
        raise ValueError(f"roots: expected the shape (m, n), got {roots.shape}")
    if directions is None:
        return roots, None
    directions = np.asarray(directions, dtype=np.float64)
    if directions.ndim != 3 or (directions.shape[0], directions.shape[2]) != roots.shape:
        raise ValueError(
            f"directions: expected the shape ({len(roots)}, rank, {roots.shape[1]}), got {directions.shape}"
        )
    return roots, directions


def _running_product(theta: ArrayLike, roots: ArrayLike, directions: ArrayLike | None, order: int) -> list[Array]:
    """f and its derivatives up to an order, by the product rule, factor by factor.

    With q = ||F (theta - theta*)||^2: f <- q f, g <- q g + f grad q, H <- q H + g (grad q)^T + (grad q) g^T + f hess q.
    """
    roots, directions = _checked(roots, directions)
    theta = np.asarray(theta, dtype=np.float64)
    if theta.shape[-1:] != roots.shape[1:]:
        raise ValueError(f"theta: expected {roots.shape[1]} as its last axis, got the shape {theta.shape}")
    n, points = roots.shape[1], theta.shape[:-1]
    parts = [np.ones(points), np.zeros((*points, n)), np.zeros((*points, n, n))][: order + 1]
    exponent = np.zeros(points, dtype=np.int64)
    for i, root in enumerate(roots):
        rows = np.eye(n) if directions is None else directions[i]
        gap = theta - root
        seen = gap if directions is None else gap @ rows.T
        q, slope = np.sum(seen**2, axis=-1), 2 * (gap if directions is None else seen @ rows)
        if order > 1:
            mixed = parts[1][..., :, None] * slope[..., None, :]
            bend = parts[0][..., None, None] * (2 * rows.T @ rows)
            parts[2] = q[..., None, None] * parts[2] + mixed + np.swapaxes(mixed, -1, -2) + bend
        if order > 0:
            parts[1] = q[..., None] * parts[1] + parts[0][..., None] * slope
        parts[0] = q * parts[0]
        sizes = [np.abs(part).reshape(*points, -1).max(axis=-1) for part in parts]
        shift = np.frexp(np.maximum.reduce(sizes))[1]
        parts = [np.ldexp(part, -_spread(shift, part)) for part in parts]
        exponent += shift
    return [np.ldexp(part, _spread(exponent, part)) for part in parts]


def _spread(numbers: NDArray[np.int64], over: Array) -> NDArray[np.int64]:
    return numbers.reshape(numbers.shape + (1,) * (over.ndim - numbers.ndim))
