"""Products of local quadratics in n dimensions: isotropic and degenerate versions of the poster's toy.

Isotropic, `f(theta) = prod_i ||theta - theta_i*||^2`: every solution is a point. Degenerate, `f(theta) = prod_i (theta
- theta_i*)^T A_i (theta - theta_i*)` with `A_i = F_i^T F_i` of low rank: every solution is a flat, along which f stays
zero. `F_i`, shape (rank, n), holds the *directions* in which the factor is not flat; in this form `A_i` is always
positive semi-definite.

Throughout, `roots` are the solutions `theta_i*`, shape (m, n), and `directions` the `F_i`, shape (m, rank, n), or None
for the isotropic product. Shapes, numbers or ranks that do not match raise ValueError.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from lmc_utils.settings import require
from lmc_utils.toy.barriers import neighbour_barriers
from lmc_utils.toy.landscape import Array, as_float64, minima


def value(theta: ArrayLike, roots: ArrayLike, directions: ArrayLike | None = None) -> Array:
    """The landscape f(theta), shape (...), for `theta` of shape (..., n).

    Like the derivatives below, it is computed as a running product with a separate binary exponent.

    >>> float(value([0.0, 1.0], [[0.0, 0.0], [2.0, 1.0]]))  # 1 * 4
    4.0
    """
    return _running_product(theta, roots, directions, 0)[0]


def gradient(theta: ArrayLike, roots: ArrayLike, directions: ArrayLike | None = None) -> Array:
    """The gradient of f, shape (..., n).

    >>> gradient([0.0, 1.0], [[0.0, 0.0], [2.0, 1.0]])  # 4 * (0, 2) + 1 * (-4, 0)
    array([-4.,  8.])
    """
    return _running_product(theta, roots, directions, 1)[1]


def hessian(theta: ArrayLike, roots: ArrayLike, directions: ArrayLike | None = None) -> Array:
    """The Hessian of f, shape (..., n, n).

    >>> hessian([0.0, 0.0], [[0.0, 0.0], [2.0, 1.0]])  # at a solution: twice the product of the other factors
    array([[10., 0.],
           [ 0., 10.]])
    """
    return _running_product(theta, roots, directions, 2)[2]


def barrier_curve(
    theta_1: ArrayLike, theta_2: ArrayLike, alphas: ArrayLike, roots: ArrayLike, directions: ArrayLike | None = None
) -> Array:
    """The loss barrier on the segment: height of the landscape above the chord between two endpoints.

    B(a) = f((1 - a) theta_1 + a theta_2) - (1 - a) f(theta_1) - a f(theta_2), shape (..., k), for endpoints of shape
    (..., n) and `alphas` of shape (k,).

    >>> barrier_curve([-1.0, 0.0], [1.0, 0.0], [0.0, 0.5, 1.0], [[-1.0, 0.0], [1.0, 0.0]])
    array([0., 1., 0.])
    """
    first, second, alphas = as_float64(theta_1), as_float64(theta_2), as_float64(alphas)
    a = alphas[:, None]
    between = value((1 - a) * first[..., None, :] + a * second[..., None, :], roots, directions)
    low, high = (value(end, roots, directions)[..., None] for end in (first, second))
    return between - (1 - alphas) * low - alphas * high


def units(roots: ArrayLike, directions: ArrayLike | None = None, *, n_alphas: int = 41) -> tuple[float, float]:
    """The natural units of a landscape: median distance and median barrier from each solution to its nearest.

    Barriers are evaluated at `n_alphas` equally spaced points. In one dimension, distances and barriers are those
    between neighbours, and the barriers are exact.

    Raises:
        ValueError: fewer than two solutions, two that are equal, or no barrier between them.

    >>> units([[-1.0], [0.0], [1.0]])[0]
    1.0
    """
    roots, _ = _checked(roots, directions)
    require(len(roots) > 1, "roots", "at least two", len(roots))
    if roots.shape[1] == 1 and directions is None:
        return float(np.median(np.diff(minima(roots[:, 0])))), float(np.median(neighbour_barriers(roots[:, 0])))
    distances = np.linalg.norm(roots[:, None] - roots, axis=-1)
    np.fill_diagonal(distances, np.inf)
    curves = barrier_curve(roots, roots[distances.argmin(axis=1)], np.linspace(0, 1, n_alphas), roots, directions)
    length, height = float(np.median(distances.min(axis=1))), float(np.median(curves.max(axis=-1)))
    if not (length > 0 and 0 < height < np.inf):
        raise ValueError(f"roots must be solutions with barriers between them (got median distance {length:g} "
                         f"and median barrier {height:g})")  # fmt: skip
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
    """Corners of a simplex: solutions at mutual distance sqrt(2), centred on 0, shape (m, dimension), m <= dimension.

    >>> simplex(2, 3)
    array([[ 0.5, -0.5,  0. ], [-0.5,  0.5,  0. ]])
    """
    require(m <= dimension, "m", f"<= the dimension, {dimension}", m)
    corners = np.eye(m, dimension)
    corners[:, :m] -= 1 / m
    return corners


def random_directions(m: int, dimension: int, *, rank: int, seed: int) -> Array:
    """Random directions F_i, with orthonormal rows, so that A_i projects onto them; shape (m, rank, dimension).

    >>> rows = random_directions(1, 10, rank=2, seed=0)[0]
    >>> (rows @ rows.T).round(12) + 0.0
    array([[1., 0.], [0., 1.]])
    """
    require(1 <= rank <= dimension, "rank", f"between 1 and the dimension, {dimension}", rank)
    tall = np.random.default_rng([seed, 1]).standard_normal((m, dimension, rank))
    return np.swapaxes(np.linalg.qr(tall).Q, 1, 2).copy()


def random_solutions(roots: ArrayLike, directions: ArrayLike, *, count: int, seed: int) -> Array:
    """Points of degenerate landscapes with f = 0, each on a random one of the flats, shape (count, n).

    Each is a solution moved within its flat by normal noise of mean squared length at most 1; the rows of the
    directions must be orthonormal.
    """
    roots, directions = _checked(roots, directions)
    draw, n = np.random.default_rng([seed, 5]), roots.shape[1]
    chosen = draw.integers(len(roots), size=count)
    noise, rows = draw.standard_normal((count, n)) / np.sqrt(n), directions[chosen]
    return as_float64(roots[chosen] + noise - np.einsum("krn,kr->kn", rows, np.einsum("krn,kn->kr", rows, noise)))


def scattered_points(roots: ArrayLike, *, count: int, seed: int) -> Array:
    """Points around the solutions: like `random_solutions`, but moved in all directions; shape (count, n)."""
    roots, _ = _checked(roots, None)
    flat = np.empty((len(roots), 0, roots.shape[1]))  # factors of rank 0
    return random_solutions(roots, flat, count=count, seed=seed)


def _checked(roots: ArrayLike, directions: ArrayLike | None) -> tuple[Array, Array]:
    """Roots and directions as arrays; those of the isotropic product are the axes, since its A_i is the identity."""
    roots = as_float64(roots)
    if roots.ndim != 2:
        raise ValueError(f"roots must have the shape (m, n) (got {roots.shape})")
    m, n = roots.shape
    frames = np.broadcast_to(np.eye(n), (m, n, n)) if directions is None else as_float64(directions)
    if frames.ndim != 3 or frames.shape[::2] != (m, n):
        raise ValueError(f"directions must have the shape ({m}, rank, {n}) (got {frames.shape})")
    return roots, frames


def _running_product(theta: ArrayLike, roots: ArrayLike, directions: ArrayLike | None, order: int) -> list[Array]:
    """f and its derivatives up to an order, by the product rule, factor by factor.

    With q = ||F (theta - theta*)||^2: f <- q f, g <- q g + f grad q, H <- q H + g (grad q)^T + (grad q) g^T + f hess q.
    """
    theta, (roots, directions) = as_float64(theta), _checked(roots, directions)
    if theta.shape[-1:] != roots.shape[1:]:
        raise ValueError(f"theta must have a last axis of {roots.shape[1]} (got the shape {theta.shape})")
    points, n = theta.shape[:-1], roots.shape[1]
    # f, g and H in broadcastable shapes (..., 1, 1), (..., n, 1) and (..., n, n)
    parts = [np.ones((*points, 1, 1)), np.zeros((*points, n, 1)), np.zeros((*points, n, n))][: order + 1]
    exponent = np.zeros((*points, 1, 1), dtype=np.int64)
    for root, rows in zip(roots, directions, strict=True):
        seen = (theta - root) @ rows.T
        q = np.sum(seen**2, axis=-1)[..., None, None]
        slope = 2 * (seen @ rows)[..., None]
        if order > 1:
            mixed = parts[1] * np.swapaxes(slope, -1, -2)
            parts[2] = q * parts[2] + mixed + np.swapaxes(mixed, -1, -2) + parts[0] * (2 * rows.T @ rows)
        if order > 0:
            parts[1] = q * parts[1] + parts[0] * slope
        parts[0] = q * parts[0]
        sizes = [np.abs(part).max(axis=(-1, -2), keepdims=True) for part in parts]
        shift = np.frexp(np.maximum.reduce(sizes))[1]
        parts = [np.ldexp(part, -shift) for part in parts]
        exponent += shift
    return [np.ldexp(part, exponent).reshape((*points, *k * (n,)))[()] for k, part in enumerate(parts)]
