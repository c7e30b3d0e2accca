"""What becomes of the statistics of batch normalisation at a point that was never trained.

A network with batch normalisation is more than its parameters: in evaluation mode it also needs a mean and a variance
of each channel. At a point between two networks nobody has them. There are three conventions, and they decide what one
finds there: so the convention stands in every result's attributes.

    reestimate    the statistics that the network at the point has on training samples, taken anew (the default)
    interpolate   those of the networks that span the line or plane, mixed as the parameters are
    keep          those of one network of the pair, as they are; each of the two in turn

Beyond the networks, where mixed variances could turn negative, `interpolate` takes the nearest mixture between them:
weights are cut at 0 and made to add up to 1.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor

from lmc_utils.settings import ParameterError, Settings, at_least, one_of, parameter

CONVENTIONS = ("reestimate", "interpolate", "keep")

T = TypeVar("T")


@dataclass(frozen=True)
class Convention(Settings):
    """Where the statistics of batch normalisation come from at a point on a line or plane.

    >>> Convention(batchnorm="estimate")
    Traceback (most recent call last):
    lmc_utils.settings.ParameterError: batchnorm: 'estimate' is not known; did you mean 'reestimate'? Choose from ...
    """

    batchnorm: str = parameter(
        "reestimate", "where batch normalisation has its statistics from on a path", one_of(CONVENTIONS)
    )
    batchnorm_samples: int = parameter(
        500, "training samples that statistics are re-estimated on; all, where there are fewer", at_least(2)
    )

    def describe(self) -> str:
        """The convention, in words, for the attributes of a result.

        >>> Convention().describe(), Convention("keep").describe()
        ('reestimate (at most 500 training samples)', 'keep')
        """
        samples = f" (at most {self.batchnorm_samples} training samples)" if self.batchnorm == "reestimate" else ""
        return f"{self.batchnorm}{samples}"

    def samples(self, inputs: Tensor) -> Tensor:
        """The inputs that statistics are re-estimated on: a random choice, always the same."""
        chosen = np.random.default_rng(0).permutation(len(inputs))[: self.batchnorm_samples]
        return inputs[torch.from_numpy(np.sort(chosen)).to(inputs.device)]


def reestimate(
    norms: Sequence[Any], batches: Iterable[T], run: Callable[[T], object], *, size: Callable[[T], int]
) -> int:
    """Give normalisations the statistics that they meet on samples: means over batches, each counted by its size.

    As `torch.optim.swa_utils.update_bn`, except that other layers stay in evaluation mode and a small last batch counts
    less. With all samples in one batch, each layer keeps their mean and N / (N - 1) times their variance. A batch of
    one sample is left out, as it has no variance.

    Args:
        norms: normalisations of torch, or of this package; they get new running statistics.
        batches: of samples.
        run: a forward pass of one batch.
        size: how many samples a batch has.

    Returns:
        How many samples were used.

    Raises:
        ParameterError: no batch of at least two samples.

    >>> norm, samples = torch.nn.BatchNorm1d(1), torch.tensor([[1.0], [3.0]])
    >>> reestimate([norm], [samples], norm, size=len), norm.running_mean.item(), norm.running_var.item()
    (2, 2.0, 2.0)
    """
    seen = 0
    with _training(norms), torch.no_grad():
        for batch in batches:
            if size(batch) < 2:
                continue
            seen += size(batch)
            for norm in norms:
                norm.momentum = size(batch) / seen
            run(batch)
    if not seen:
        raise ParameterError("batchnorm: expected a batch of at least two samples to re-estimate on, got none")
    return seen


@contextmanager
def _training(norms: Sequence[Any]) -> Iterator[None]:
    """Normalisations in training mode with fresh statistics; mode and momentum are given back."""
    before = {norm: (norm.training, norm.momentum) for norm in norms}
    try:
        for norm in norms:
            norm.running_mean.zero_()
            norm.running_var.fill_(1)
            norm.train()
        yield
    finally:
        for norm, (training, momentum) in before.items():
            norm.training, norm.momentum = training, momentum


def mixed(weights: Tensor, corners: Tensor) -> Tensor:
    """The statistics of points as mixtures of their corners': weights below 0 count as 0, and all add up to 1.

    Args:
        weights: of each corner at each point, shape (points, corners), or (points, corners, numbers) where they differ
            from number to number.
        corners: the corners' buffers, shape (corners, numbers).

    Returns:
        shape (points, numbers).

    >>> mixed(torch.tensor([[0.5, 0.5], [-0.5, 1.5]]), torch.tensor([[0.0], [4.0]])).tolist()
    [[2.0], [4.0]]
    """
    cut = (weights if weights.dim() == 3 else weights.unsqueeze(2)).clamp(min=0)
    return ((cut / cut.sum(1, keepdim=True)).to(corners) * corners).sum(1)
