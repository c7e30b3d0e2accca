"""Eigenvalues, eigenvectors and traces of a symmetric linear operator, such as a Hessian (`measure.hessian`).

The functions work for any symmetric `scipy.sparse.linalg.LinearOperator`. Eigenvalues have the unit of its entries.
`measure.spectral_density` estimates the distribution of all eigenvalues.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from scipy.sparse.linalg import ArpackError, ArpackNoConvergence, LinearOperator, eigsh

from lmc_utils.measure.labelled_arrays import Quantity, blank
from lmc_utils.progress import bar
from lmc_utils.settings import ParameterError, require, require_resources

Array = np.ndarray[Any, Any]

LARGEST_DENSE = 12_000  # parameters; the matrix then takes 1.15 GB

_COLUMNS = 64  # that are multiplied together
_BYTES = 8


class Eigenpairs(NamedTuple):
    """Eigenvalues and eigenvectors of a symmetric matrix.

    Attributes:
        values: eigenvalues, descending, shape (count,).
        vectors: orthonormal eigenvectors as columns, shape (parameters, count).
    """

    values: Array
    vectors: Array


class Estimate(NamedTuple):
    """An estimate of a number.

    Attributes:
        mean: the mean over probes.
        standard_error: of this mean; 0 if the number is exact.
    """

    mean: float
    standard_error: float


def largest_eigenpairs(
    operator: LinearOperator, count: int, *, seed: int, tolerance: float = 0.0, iterations: int | None = None
) -> Eigenpairs:
    """The algebraically largest eigenvalues and their eigenvectors, by implicitly restarted Lanczos (ARPACK).

    If the Lanczos basis of 2 count + 1 vectors would span the whole space, the matrix is built and diagonalised.

    Args:
        operator: symmetric, shape (parameters, parameters).
        count: how many.
        seed: of the start vector.
        tolerance: relative accuracy of the eigenvalues; 0 for float64.
        iterations: largest number of restarts; by default ten for each parameter.

    Raises:
        ParameterError: a count that is not between 1 and the number of parameters, not enough memory, or no
            convergence.

    >>> diagonal = LinearOperator((50, 50), matvec=lambda vector: np.arange(50) * vector.ravel(), dtype=float)
    >>> largest_eigenpairs(diagonal, 3, seed=0).values.round(6)
    array([49., 48., 47.])
    """
    size = operator.shape[0]
    require(1 <= count <= size, "count", f"between 1 and {size}, the number of parameters", count)
    if 2 * count + 1 >= size:
        values, vectors = np.linalg.eigh(dense(operator))
    else:
        require_resources(f"count ({count:,} eigenpairs)", memory=_BYTES * (3 * count + 1) * size)
        start = np.random.default_rng(seed).standard_normal(size)
        with bar(description="computing eigenvectors", unit="product") as progress:

            def product(vector: Array) -> Array:
                progress.update()
                return np.asarray(operator.matvec(vector))

            counted = LinearOperator(operator.shape, matvec=product, dtype=np.float64)
            try:
                values, vectors = eigsh(counted, count, which="LA", v0=start, tol=tolerance, maxiter=iterations)
            except ArpackNoConvergence as error:
                raise ParameterError(
                    f"count: {len(error.eigenvalues)} of {count} eigenpairs converged; compute fewer, or increase "
                    "tolerance or iterations"
                ) from error
            except ArpackError as error:
                raise ParameterError(f"count: the eigensolver failed: {error}") from error
    order = np.argsort(values)[::-1][:count]
    return Eigenpairs(values[order], vectors[:, order])


def trace(operator: LinearOperator, *, probes: int | None = None, seed: int = 0) -> Estimate:
    """The trace, exact or estimated from random probes (Hutchinson 1990).

    A probe v has independent entries +1 or -1, so the mean of v^T H v is the trace. Its variance is twice the sum of
    the squared off-diagonal entries.

    Args:
        operator: symmetric, shape (parameters, parameters).
        probes: number of products; None for the exact trace, which takes one for each parameter.
        seed: of the probes.

    Raises:
        ParameterError: fewer than 2 probes.

    >>> trace(LinearOperator((2, 2), matvec=lambda vector: 3 * vector, dtype=float))
    Estimate(mean=6.0, standard_error=0.0)
    """
    size = operator.shape[0]
    if probes is None:
        columns = _unit_vectors(size, "computing the trace")
        return Estimate(math.fsum(float(np.sum(each * operator.matmat(each))) for _, each in columns), 0.0)
    require(probes >= 2, "probes", ">= 2", probes)
    values = np.zeros(probes)
    for number, probe in enumerate(
        bar(rademacher(size, probes, seed), "estimating the trace", unit="probe", total=probes)
    ):
        values[number] = probe @ operator.matvec(probe)
    return Estimate(float(values.mean()), float(values.std(ddof=1) / math.sqrt(probes)))


def rademacher(size: int, probes: int, seed: int) -> Iterator[Array]:
    """Random vectors with independent entries +1 or -1, the same for each seed.

    >>> [vector.tolist() for vector in rademacher(3, probes=2, seed=0)]
    [[1.0, 1.0, 1.0], [-1.0, -1.0, -1.0]]
    """
    generator = np.random.default_rng(seed)
    return (2.0 * generator.integers(2, size=size) - 1 for _ in range(probes))


def dense(operator: LinearOperator) -> Array:
    """The whole matrix, float64, made symmetric exactly by averaging it with its transpose.

    Args:
        operator: symmetric, with at most 12,000 parameters.

    Raises:
        ParameterError: more parameters, or not enough memory.

    >>> dense(LinearOperator((2, 2), matvec=lambda vector: 3 * vector, dtype=float))
    array([[3., 0.],
           [0., 3.]])
    """
    size = operator.shape[0]
    require(size <= LARGEST_DENSE, "parameters", f"<= {LARGEST_DENSE:,} for the whole matrix", size)
    require_resources(f"parameters ({size:,})", memory=_BYTES * size**2)
    result = np.zeros((size, size))
    for block, columns in _unit_vectors(size, "computing the matrix"):
        result[:, block] = operator.matmat(columns)
    for start in range(0, size, _COLUMNS):  # in blocks, as a transposed copy of the matrix takes as much memory again
        rows, rest = slice(start, start + _COLUMNS), slice(start, None)
        result[rows, rest] = (result[rows, rest] + result[rest, rows].T) / 2
        result[rest, rows] = result[rows, rest].T
    return result


def eigenvalues(matrix: Array) -> Array:
    """All eigenvalues of a symmetric matrix, descending.

    >>> eigenvalues(np.diag([1.0, 3.0, 2.0]))
    array([3., 2., 1.])
    """
    values: Array = np.linalg.eigvalsh(matrix)[::-1]
    return values


def subspace_fractions(
    operator: LinearOperator, vector: Array, eigenpairs: Eigenpairs, counts: Sequence[int]
) -> xr.Dataset:
    """How much of a vector, and of the curvature along it, lies in the span of the first k eigenvectors.

    Args:
        operator: symmetric, shape (parameters, parameters).
        vector: shape (parameters,).
        eigenpairs: of the operator.
        counts: values of k.

    Returns:
        With the dimension `count`: `squared_length`, the fraction of the squared length of v in the span, which is
        k / parameters for a random vector, and `curvature`, that of v^T H v, which is below 0 or above 1 where negative
        eigenvalues contribute. NaN where the total is 0.

    Raises:
        ParameterError: a count that is not between 1 and the number of eigenpairs.

    >>> diagonal = LinearOperator((3, 3), matvec=lambda vector: np.array([3.0, 1.0, 0.0]) * vector.ravel(), dtype=float)
    >>> pairs = Eigenpairs(np.array([3.0]), np.array([[1.0], [0.0], [0.0]]))
    >>> found = subspace_fractions(diagonal, np.array([1.0, 1.0, 2.0]), pairs, [1])
    >>> found.squared_length.item(), found.curvature.item()
    (0.16..., 0.75)
    """
    known = len(eigenpairs.values)
    for count in counts:
        require(1 <= count <= known, "counts", f"between 1 and {known}, the number of eigenpairs", count)
    wide = np.asarray(vector, dtype=np.float64)
    squares = (wide @ eigenpairs.vectors) ** 2
    rows = np.array(counts, dtype=int) - 1
    parts = {
        "squared_length": (np.cumsum(squares)[rows], wide @ wide, "fraction of the squared length"),
        "curvature": (np.cumsum(eigenpairs.values * squares)[rows], wide @ operator.matvec(wide),
                      "fraction of the curvature"),
    }  # fmt: skip
    quantities = {name: Quantity(("count",), "", meaning) for name, (_, _, meaning) in parts.items()}
    result = blank({"count": list(counts)}, quantities, {})
    for name, (within, total, _) in parts.items():
        if total:
            result[name].values[:] = within / total
    return result


def _unit_vectors(size: int, description: str) -> Iterator[tuple[slice, Array]]:
    """Yield the unit vectors as columns of arrays of bounded width."""
    with bar(description=description, unit="product", total=size) as progress:
        for start in range(0, size, _COLUMNS):
            block = slice(start, min(start + _COLUMNS, size))
            columns = np.zeros((size, block.stop - start))
            columns[block] = np.eye(block.stop - start)
            yield block, columns
            progress.update(block.stop - start)
