"""Eigenpairs, traces, whole matrices and spectral densities of matrices with known spectra."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse.linalg import LinearOperator, aslinearoperator

from lmc_utils.measure import spectral_density, spectrum
from lmc_utils.settings import ParameterError

SIZE = 60


def known(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A symmetric matrix with these eigenvalues, and its eigenvectors."""
    vectors = np.linalg.qr(np.random.default_rng(0).standard_normal((len(values), len(values))))[0]
    return vectors @ np.diag(values) @ vectors.T, vectors


VALUES = np.concatenate([[20.0, 10.0, 5.0], np.linspace(1, -2, SIZE - 3)])
MATRIX, VECTORS = known(VALUES)
OPERATOR = aslinearoperator(MATRIX)


@pytest.mark.parametrize("count", [1, 3, 40, SIZE])
def test_largest_eigenpairs_are_the_known_ones(count: int) -> None:
    """The last two counts need the whole matrix."""
    found = spectrum.largest_eigenpairs(OPERATOR, count, seed=0)
    np.testing.assert_allclose(found.values, VALUES[:count], atol=1e-10)
    np.testing.assert_allclose(np.abs(VECTORS[:, :count].T @ found.vectors), np.eye(count), atol=1e-8)
    again = spectrum.largest_eigenpairs(OPERATOR, count, seed=0)
    assert np.array_equal(again.vectors, found.vectors)


def test_the_whole_matrix_is_symmetric() -> None:
    size = 150  # more than one block of columns
    skewed = np.random.default_rng(0).standard_normal((size, size))
    found = spectrum.dense(aslinearoperator(skewed))
    np.testing.assert_allclose(found, (skewed + skewed.T) / 2, rtol=1e-14)
    assert np.array_equal(found, found.T)
    np.testing.assert_allclose(spectrum.eigenvalues(MATRIX), VALUES, atol=1e-12)


def test_the_trace_is_exact_or_within_its_standard_error() -> None:
    assert spectrum.trace(OPERATOR) == (pytest.approx(VALUES.sum()), 0.0)
    probes = 2000
    estimate = spectrum.trace(OPERATOR, probes=probes, seed=1)
    expected = np.sqrt(2 * (np.sum(MATRIX**2) - np.sum(np.diag(MATRIX) ** 2)) / probes)
    assert estimate.standard_error == pytest.approx(expected, rel=0.1)
    assert abs(estimate.mean - VALUES.sum()) < 3 * estimate.standard_error
    assert spectrum.trace(aslinearoperator(np.diag(VALUES)), probes=2).standard_error == pytest.approx(0, abs=1e-12)


def test_the_quadrature_of_a_probe_has_its_moments() -> None:
    steps, probes = 6, 3
    found = spectral_density.density(OPERATOR, probes=probes, steps=steps, seed=0)
    assert found.nodes.shape == found.weights.shape == (probes, steps)
    for row, probe in enumerate(spectrum.rademacher(SIZE, probes, seed=0)):
        for power in range(2 * steps):
            expected = probe @ VECTORS @ (VALUES**power * (VECTORS.T @ probe)) / SIZE
            assert np.sum(found.weights[row] * found.nodes[row] ** power) == pytest.approx(expected, rel=1e-8)


def test_the_density_has_the_moments_of_the_matrix() -> None:
    """Of a diagonal matrix, each probe has the exact ones. Its five eigenvalues are the only nodes with weight."""
    values = np.repeat([-1.0, 0.0, 0.0, 2.0, 7.0], 4)
    found = spectral_density.density(aslinearoperator(np.diag(values)), probes=2, steps=10, seed=0)
    for power in (1, 2):
        np.testing.assert_allclose((found.weights * found.nodes**power).sum(1), np.mean(values**power), rtol=1e-12)
    np.testing.assert_allclose(found.nodes[:, :4], [[-1, 0, 2, 7]] * 2, atol=1e-10)
    np.testing.assert_allclose(found.weights, [[0.2, 0.4, 0.2, 0.2, *[0] * 6]] * 2, atol=1e-10)
    grid = np.linspace(-5, 12, 2001)
    smooth = spectral_density.smoothed(found, grid, width=0.3)
    assert np.trapezoid(smooth, grid) == pytest.approx(1)
    assert np.trapezoid(grid * smooth, grid) == pytest.approx(values.mean())


def test_fractions_of_a_subspace() -> None:
    pairs = spectrum.largest_eigenpairs(OPERATOR, 3, seed=0)
    vector = VECTORS[:, 0] + 2 * VECTORS[:, 2] + 2 * VECTORS[:, -1]  # eigenvalues 20, 5 and -2
    found = spectrum.subspace_fractions(OPERATOR, vector, pairs, [1, 2, 3])
    np.testing.assert_allclose(found.squared_length, [1 / 9, 1 / 9, 5 / 9])
    np.testing.assert_allclose(found.curvature, [20 / 32, 20 / 32, 40 / 32])
    assert spectrum.subspace_fractions(OPERATOR, np.zeros(SIZE), pairs, [1]).isnull().to_array().all()


def test_errors_are_one_line() -> None:
    with pytest.raises(ParameterError, match=r"^count must be between 1 and 60, the number of parameters \(got 61\)$"):
        spectrum.largest_eigenpairs(OPERATOR, 61, seed=0)
    with pytest.raises(ParameterError, match=r"^count: \d of 8 eigenpairs converged; compute fewer, or increase .*$"):
        spectrum.largest_eigenpairs(OPERATOR, 8, seed=0, iterations=1)
    huge = LinearOperator((10**9, 10**9), matvec=lambda vector: vector, dtype=float)
    with pytest.raises(ParameterError, match=r"^count \(1,000,000 eigenpairs\): not enough memory: .*$"):
        spectrum.largest_eigenpairs(huge, 10**6, seed=0)
    with pytest.raises(ParameterError, match=r"^probes must be >= 2 \(got 1\)$"):
        spectrum.trace(OPERATOR, probes=1)
    with pytest.raises(ParameterError, match=r"^parameters must be <= 12,000 for the whole matrix \(got 20000\)$"):
        spectrum.dense(LinearOperator((20_000, 20_000), matvec=lambda vector: vector, dtype=float))
    with pytest.raises(ParameterError, match=r"^counts must be between 1 and 3, the number of eigenpairs"):
        spectrum.subspace_fractions(OPERATOR, np.ones(SIZE), spectrum.largest_eigenpairs(OPERATOR, 3, seed=0), [4])
    with pytest.raises(ParameterError, match=r"^steps must be between 1 and 60"):
        spectral_density.density(OPERATOR, probes=1, steps=61, seed=0)
    with pytest.raises(ParameterError, match=r"^width must be > 0"):
        spectral_density.smoothed(spectral_density.Quadrature(*np.ones((2, 1, 1))), np.zeros(1), width=0)
