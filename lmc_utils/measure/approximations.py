"""Barriers from curvature: approximations from the endpoints, and the exact barrier from the whole line.

The approximations raise ValueError where alpha = 0 or alpha = 1 is missing, or other coordinates differ.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr
from numpy.polynomial import legendre

from lmc_utils.measure.barriers import require_alphas


def second_order(
    curvature: xr.DataArray, alphas: Sequence[float] | np.ndarray | float, *, slope: xr.DataArray | None = None
) -> xr.DataArray:
    """Second-order approximation of the loss barrier, as on the poster; with the gradient term if slopes are given.

    Two Taylor expansions to second order, one at each endpoint, weighted with 1 - a and a, minus the chord:

        B(a) ~ a (1 - a) / 2 * delta^T (a H_1 + (1 - a) H_2) delta  [+ a (1 - a) * (g_1 - g_2)^T delta]

    The first part is printed on the poster (Singh et al., arXiv 2406.16300). With the gradient term it is exact for a
    quadratic loss.

    Args:
        curvature: delta^T H delta with a dimension `alpha` that holds 0 and 1.
        alphas: where to approximate.
        slope: g^T delta at the same alphas; leave it out for the poster's formula.

    Returns:
        The other dimensions of `curvature`, then alpha, unless `alphas` is a number; in the unit of `curvature`.

    >>> curvature = xr.DataArray([2.0, 6.0], coords={"alpha": [0.0, 1.0]})
    >>> second_order(curvature, [0.0, 0.5, 1.0]).values
    array([0. , 0.5, 0. ])
    >>> float(second_order(curvature, 0.5))
    0.5
    """
    (first, second), a = _ends(curvature), _grid(alphas)
    barrier = a * (1 - a) / 2 * (a * first + (1 - a) * second)
    return _alpha_last(barrier + a * (1 - a) * _fall(slope, curvature), curvature)


def quintic_hermite(
    loss: xr.DataArray, slope: xr.DataArray, curvature: xr.DataArray, alphas: Sequence[float] | np.ndarray | float
) -> xr.DataArray:
    """Barrier of the quintic Hermite polynomial with these values, slopes and curvatures at both endpoints.

    It agrees with the loss to second order at both ends at once, where the poster's formula averages two expansions.

    Args:
        loss, slope, curvature: phi, phi' and phi'' with a dimension `alpha` that holds 0 and 1.
        alphas: where to approximate.

    Returns:
        The other dimensions of `loss`, then alpha; in the unit of `loss`.

    >>> ends = {"alpha": [0.0, 1.0]}  # phi(a) = a^4: 0, 0, 0 and 1, 4, 12
    >>> phi, slope, curvature = (xr.DataArray([0.0, value], coords=ends) for value in (1.0, 4.0, 12.0))
    >>> quintic_hermite(phi, slope, curvature, [0.5]).values  # 1/16 - 1/2
    array([-0.4375])
    """
    loss, slope, curvature = xr.align(loss, slope, curvature, join="exact")
    (low, high), (start, end), (first, second), a = _ends(loss), _ends(slope), _ends(curvature), _grid(alphas)
    b, rise = 1 - a, high - low
    from_first = (start - rise) * a * b**3 * (1 + 3 * a) + first * a**2 * b**3 / 2
    from_second = (rise - end) * b * a**3 * (1 + 3 * b) + second * b**2 * a**3 / 2
    return _alpha_last(from_first + from_second, loss)


def gauss_legendre(nodes: int) -> np.ndarray:
    """Gauss-Legendre nodes on [0, 1], at which `from_curvature` needs the curvature.

    >>> gauss_legendre(1)
    array([0.5])
    """
    return np.asarray((1 + legendre.leggauss(nodes)[0]) / 2)


def from_curvature(curvature: xr.DataArray, alphas: Sequence[float] | np.ndarray) -> xr.DataArray:
    """Barrier computed exactly from the curvature along the line (negative curvature raises the loss above its chord).

        B(a) = - integral over s in [0, 1] of G(a, s) phi''(s),   G(a, s) = min(a, s) (1 - max(a, s))

    solves B'' = phi'' with B(0) = B(1) = 0. The curvature is interpolated by a polynomial through the nodes, which is
    integrated twice in closed form; so the kink of G costs no accuracy, and the error falls faster than any power of
    the number of nodes where phi is analytic.

    Args:
        curvature: phi'' with a dimension `alpha` that holds the nodes of `gauss_legendre`, in order.
        alphas: where to reconstruct the barrier, in [0, 1].

    Returns:
        The other dimensions of `curvature`, then alpha; in the unit of `curvature`.

    Raises:
        ValueError: the curvature is not given at Gauss-Legendre nodes.

    >>> nodes = gauss_legendre(3)
    >>> from_curvature(xr.DataArray(12 * nodes**2, coords={"alpha": nodes}), [0.5]).values  # phi = a^4
    array([-0.4375])
    """
    nodes = curvature.alpha.values
    if len(nodes) == 0 or not np.allclose(nodes, gauss_legendre(len(nodes)), rtol=0, atol=1e-9):
        raise ValueError("alpha: expected the curvature at the nodes of gauss_legendre")
    degree, weights = np.arange(len(nodes)), legendre.leggauss(len(nodes))[1]
    coefficients = legendre.legvander(2 * nodes - 1, len(nodes) - 1) * weights[:, None] * (degree + 0.5)
    twice = legendre.legint(np.eye(len(nodes)), m=2, axis=0) / 4  # columns: each polynomial, integrated in alpha
    grid = np.asarray(alphas, dtype=np.float64)
    at, (low, high) = (legendre.legvander(2 * where - 1, len(nodes) + 1) @ twice for where in (grid, np.array([0, 1])))
    kernel = (at - np.outer(1 - grid, low) - np.outer(grid, high)) @ coefficients.T
    weighted = xr.DataArray(kernel, coords={"alpha": grid, "node": nodes})
    return _alpha_last(xr.dot(curvature.rename(alpha="node"), weighted, dim="node"), curvature)


def ratio(predicted: xr.DataArray, measured: xr.DataArray) -> xr.DataArray:
    """Mean prediction over mean measurement, both over all pairs of all parents; NaN where the latter is zero.

    A mean whose size is below 1e-6 nats counts as zero: it is rounding.

    >>> both = [xr.DataArray([[value]], dims=["parent", "pair"]) for value in (0.75, 0.5)]
    >>> float(ratio(*both))
    1.5
    """
    guess, true = (values.mean(["parent", "pair"]) for values in (predicted, measured))
    return guess / true.where(abs(true) > 1e-6)


def layer_diagonal(curvature: xr.DataArray) -> xr.DataArray:
    """Diagonal entries delta_l^T H delta_l, one for each layer, of a curvature between all pairs of layers.

    Args:
        curvature: with the dimensions layer and with_layer, as `curvature.along` measures it.

    >>> layers = {"layer": ["a", "b"], "with_layer": ["a", "b"]}
    >>> layer_diagonal(xr.DataArray([[1.0, 2.0], [2.0, 5.0]], coords=layers)).values
    array([1., 5.])
    """
    own = [curvature.sel(layer=name, with_layer=name, drop=True) for name in curvature.layer.values]
    return xr.concat(own, curvature.layer)


def second_order_rise(curvature: xr.DataArray, *, slope: xr.DataArray | None = None) -> xr.DataArray:
    """Second-order approximation of `layer_rise`: (q_1 + q_2) / 16 [+ (g_1 - g_2)^T delta_l / 4].

    From endpoint i to the midpoint, the Taylor expansion rises by q_i / 8, with q_i = delta_l^T H_i delta_l; the mean
    of both ends is (q_1 + q_2) / 16.

    Args:
        curvature: delta_l^T H delta_l with a dimension `alpha` that holds 0 and 1.
        slope: g^T delta_l at the same alphas; leave it out for the curvature alone.

    >>> float(second_order_rise(xr.DataArray([2.0, 6.0], coords={"alpha": [0.0, 1.0]})))
    0.5
    """
    first, second = _ends(curvature)
    rise = (first + second) / 16 + _fall(slope, curvature) / 4
    return rise.assign_attrs(curvature.attrs | {"long_name": "rise of the loss at the midpoint"})


def _ends(values: xr.DataArray) -> tuple[xr.DataArray, xr.DataArray]:
    require_alphas(values, (0.0, 1.0))
    return values.sel(alpha=0.0, drop=True), values.sel(alpha=1.0, drop=True)


def _fall(slope: xr.DataArray | None, curvature: xr.DataArray) -> xr.DataArray | float:
    """Slope at the start minus slope at the end; 0 without slopes."""
    if slope is None:
        return 0.0
    start, end = _ends(xr.align(slope, curvature, join="exact")[0])
    return start - end


def _grid(alphas: Sequence[float] | np.ndarray | float) -> xr.DataArray:
    grid = np.asarray(alphas, dtype=np.float64)
    return xr.DataArray(grid, coords={"alpha": grid} if grid.ndim else None)


def _alpha_last(barrier: xr.DataArray, source: xr.DataArray) -> xr.DataArray:
    return barrier.transpose(..., "alpha", missing_dims="ignore").assign_attrs(
        source.attrs | {"long_name": "loss barrier"}
    )
