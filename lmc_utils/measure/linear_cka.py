"""Linear centred kernel alignment (CKA) of two sets of features (Kornblith et al. 2019, arXiv 1905.00414)."""

from __future__ import annotations

import torch
from torch import Tensor

from lmc_utils.settings import require_resources

_NUMBER = 8  # bytes of a float64
_ROUNDING = 8  # relative variation, in units of the precision of the features, that counts as rounding
_MATRICES = 3  # sums of products, their increment, and the centred sums


class LinearCKA:
    """Linear CKA of two sets of features, from batches of samples.

    For centred features X and Y, of shape (samples, features), it is `|Y^T X|^2 / (|X^T X| |Y^T Y|)` with Frobenius
    norms: 1 if the features are equal up to a rotation and a scale, 0 if they are uncorrelated. Sums of products of
    features are accumulated in float64, so that memory does not grow with the number of samples.

    >>> features = torch.tensor([[0.0, 1.0], [2.0, 5.0], [4.0, 3.0]])
    >>> cka = LinearCKA()
    >>> cka.add(features, 2 * features.flip(1))
    >>> round(cka.value(), 12)
    1.0
    """

    def __init__(self) -> None:
        self._samples, self._rounding = 0, 0.0
        self._origin: Tensor | None = None
        self._squares: Tensor | float = 0.0

    def add(self, first: Tensor, second: Tensor) -> None:
        """Add a batch of samples; both shapes are (samples, features).

        Raises:
            ParameterError: more features than memory holds.
        """
        both = torch.cat([first.double(), second.double()], 1)
        self._rounding = _ROUNDING * torch.finfo(first.dtype).eps
        self._squares = self._squares + torch.stack([each.double().square().sum() for each in (first, second)])
        if self._origin is None:
            size = both.shape[1]
            require_resources(f"cka ({first.shape[1]:,} features)", memory=_MATRICES * _NUMBER * size**2)
            self._split, self._origin = first.shape[1], both[0].clone()  # subtracted, to reduce cancellation
            self._sum, self._products = both.new_zeros(size), both.new_zeros(size, size)
        both -= self._origin
        self._samples += len(both)
        self._sum += both.sum(0)
        self._products.addmm_(both.T, both)

    def value(self) -> float:
        """Linear CKA of all samples; NaN without samples, or if either is constant over samples up to rounding."""
        if self._origin is None:
            return float("nan")
        centred = self._products - torch.outer(self._sum, self._sum) / self._samples
        first, across = centred[: self._split, : self._split], centred[: self._split, self._split :]
        second = centred[self._split :, self._split :]
        variation = torch.stack([first.trace(), second.trace()])
        if not bool((variation > self._rounding**2 * self._squares).all()):
            return float("nan")
        return float((across.square().sum() / (first.norm() * second.norm())).clamp(max=1))
