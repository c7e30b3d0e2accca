"""The density of all eigenvalues of a symmetric operator, by stochastic Lanczos quadrature.

Lanczos iterations from a start vector v give a small tridiagonal matrix. Its eigenvalues (Ritz values) and the squared
first entries of its eigenvectors are the nodes and weights of Gauss quadrature for the spectrum as weighted by v (Golub
and Welsch 1969, "Calculation of Gauss quadrature rules"). The mean over random v estimates the density of eigenvalues
(Ghorbani, Krishnan and Xiao 2019, "An investigation into neural net optimization via Hessian eigenvalue density", arXiv
1901.10159).

The estimate is a smoothed one, and biased for the fraction of tiny eigenvalues: m nodes cannot separate a cluster of
thousands of eigenvalues near zero from its neighbours, and Ritz values spread around it. It is good for moments, the
largest eigenvalues and the overall form, but not for counting eigenvalues below a small threshold. For that,
diagonalise the whole matrix (`spectrum.dense`).
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from scipy.linalg import eigh_tridiagonal
from scipy.sparse.linalg import LinearOperator

from lmc_utils.measure.spectrum import rademacher
from lmc_utils.progress import bar
from lmc_utils.settings import require, require_resources

Array = np.ndarray[Any, Any]

_NEGLIGIBLE = 1e-12  # of the largest product so far: the next vector would be rounding errors


class Quadrature(NamedTuple):
    """Nodes and weights whose mean over probes estimates the distribution of eigenvalues.

    Attributes:
        nodes: positions, ascending, in the unit of eigenvalues; shape (probes, steps).
        weights: estimated fraction of eigenvalues at each node; those of a probe add up to 1. The same shape.
    """

    nodes: Array
    weights: Array


def density(operator: LinearOperator, *, probes: int, steps: int, seed: int) -> Quadrature:
    """Estimate the distribution of eigenvalues by stochastic Lanczos quadrature, with full reorthogonalisation.

    The estimate is smoothed, and biased for the fraction of tiny eigenvalues; see the description of the module. A
    probe takes `steps` products, and memory for as many vectors.

    Args:
        operator: symmetric, shape (parameters, parameters).
        probes: number of random start vectors with entries +1 or -1.
        steps: number of Lanczos steps for each.
        seed: of the probes.

    Returns:
        Nodes and weights. For each probe v of p entries, the sum of weight * node^k is v^T H^k v / p for k < 2 steps.
        If the Lanczos iteration ends early, as for a matrix with few different eigenvalues, the remaining nodes
        repeat the last one with weight 0.

    Raises:
        ParameterError: no probe, a number of steps that is not between 1 and the number of parameters, or not enough
            memory.

    >>> operator = LinearOperator((4, 4), matvec=lambda vector: np.array([0, 0, 0, 8.0]) * vector.ravel(), dtype=float)
    >>> found = density(operator, probes=1, steps=2, seed=0)
    >>> found.nodes.round(6) + 0, found.weights.round(6)
    (array([[0., 8.]]), array([[0.75, 0.25]]))
    """
    size = operator.shape[0]
    require(probes >= 1, "probes", ">= 1", probes)
    require(1 <= steps <= size, "steps", f"between 1 and {size}, the number of parameters", steps)
    require_resources(f"steps ({steps:,} vectors)", memory=8 * steps * size)
    result = Quadrature(np.zeros((probes, steps)), np.zeros((probes, steps)))
    with bar(description="estimating the spectral density", unit="product", total=probes * steps) as progress:

        def product(vector: Array) -> Array:
            progress.update()
            return np.asarray(operator.matvec(vector))

        counted = LinearOperator(operator.shape, matvec=product, dtype=np.float64)
        for row, probe in enumerate(rademacher(size, probes, seed)):
            nodes, vectors = eigh_tridiagonal(*lanczos(counted, probe, steps))
            result.nodes[row, : len(nodes)], result.nodes[row, len(nodes) :] = nodes, nodes[-1]
            result.weights[row, : len(nodes)] = vectors[0] ** 2
    return result


def lanczos(operator: LinearOperator, start: Array, steps: int) -> tuple[Array, Array]:
    """The tridiagonal matrix of Lanczos iterations with full reorthogonalisation: its diagonal and off-diagonal.

    Both are shorter than `steps` and `steps - 1` if products of the start vector span a smaller space.

    >>> lanczos(LinearOperator((2, 2), matvec=lambda vector: 3 * vector, dtype=float), np.ones(2), 2)
    (array([3.]), array([], dtype=float64))
    """
    basis = np.zeros((steps, len(start)))
    diagonal, off_diagonal = np.zeros(steps), np.zeros(steps)
    vector, largest = start / np.linalg.norm(start), 0.0
    for step in range(steps):
        basis[step] = vector
        vector = operator.matvec(vector)
        diagonal[step] = basis[step] @ vector
        largest = max(largest, float(np.linalg.norm(vector)))
        for _ in range(2):  # once leaves rounding errors
            vector = vector - basis[: step + 1].T @ (basis[: step + 1] @ vector)
        off_diagonal[step] = np.linalg.norm(vector)
        if off_diagonal[step] <= _NEGLIGIBLE * largest:
            break
        vector = vector / off_diagonal[step]
    return diagonal[: step + 1], off_diagonal[:step]


def smoothed(quadrature: Quadrature, grid: Array, *, width: float) -> Array:
    """The density on a grid: each node a Gaussian of this standard deviation, averaged over probes.

    Args:
        quadrature: nodes and weights.
        grid: eigenvalues, any shape.
        width: standard deviation, in the unit of eigenvalues.

    Returns:
        The fraction of eigenvalues per unit of eigenvalue, in the shape of the grid.

    Raises:
        ParameterError: a width that is not positive.

    >>> smoothed(Quadrature(np.zeros((1, 1)), np.ones((1, 1))), np.array([0.0, 10.0]), width=1.0).round(4)
    array([0.3989, 0.    ])
    """
    require(width > 0, "width", "> 0", width)
    result = np.zeros(np.shape(grid))
    for node, weight in zip(quadrature.nodes.flat, quadrature.weights.flat, strict=True):
        result += weight * np.exp(-0.5 * ((grid - node) / width) ** 2)
    return result / (len(quadrature.nodes) * width * math.sqrt(2 * math.pi))
