"""Batch-norm statistics at points that were never trained: re-estimated, interpolated or kept.

In evaluation mode, batch normalisation also needs a mean and a variance of each channel, besides the parameters. At a
point between two networks these are not given. There are three conventions. They change the results, so every result
names its convention in its attributes.

    reestimate    the statistics of the network at the point, computed on training samples (the default)
    interpolate   those of the networks that span the line or plane, mixed with the same weights as the parameters
    keep          those of one network of the pair, unchanged; each of the two in turn

Outside the networks, mixed variances could turn negative; there `interpolate` clips the weights at 0 and rescales them
to add up to 1.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

import numpy as np
import torch
from torch import Tensor

from lmc_utils.settings import ParameterError, Settings, at_least, one_of, parameter

CONVENTIONS = ("reestimate", "interpolate", "keep")

T = TypeVar("T")


@dataclass(frozen=True)
class Convention(Settings):
    """The convention for the statistics of batch normalisation at a point on a line or plane.

    >>> Convention(batchnorm="estimate")
    Traceback (most recent call last):
    lmc_utils.settings.ParameterError: unknown batchnorm 'estimate'; did you mean 'reestimate'? Choose from: ...
    """

    batchnorm: str = parameter(
        "reestimate", "how batch-norm statistics are obtained at interpolated weights", one_of(CONVENTIONS)
    )
    batchnorm_samples: int = parameter(
        500, "training samples for re-estimating the statistics (all, if fewer)", at_least(2)
    )

    def describe(self) -> str:
        """The convention, in words, for the attributes of a result.

        >>> Convention().describe(), Convention("keep").describe()
        ('reestimate (at most 500 training samples)', 'keep')
        """
        samples = f" (at most {self.batchnorm_samples} training samples)" if self.batchnorm == "reestimate" else ""
        return f"{self.batchnorm}{samples}"

    def samples(self, inputs: Tensor) -> Tensor:
        """The inputs on which statistics are re-estimated: a random subset, always the same."""
        chosen = np.random.default_rng(0).permutation(len(inputs))[: self.batchnorm_samples]
        return inputs[torch.from_numpy(np.sort(chosen)).to(inputs.device)]


class Used(NamedTuple):
    """Summary of a re-estimation of statistics.

    Attributes:
        samples: the number of samples used.
        batches: the number of batches used.
        uncalled: indices of the normalisations that were never called.
    """

    samples: int
    batches: int
    uncalled: tuple[int, ...] = ()


def reestimate(
    norms: Sequence[Any], batches: Iterable[T], run: Callable[[T], object], *, size: Callable[[T], int]
) -> Used:
    """Re-estimate the running statistics of normalisations on samples: means over their calls, all with equal weight.

    Like `torch.optim.swa_utils.update_bn`, except that other layers stay in evaluation mode, and that batches with a
    single number for each channel, which torch rejects, are skipped. With all samples in one batch, a layer that is
    called once gets their mean and N / (N - 1) times their variance. A layer that is never called gets NaN, so that no
    result can depend on it unnoticed.

    Args:
        norms: normalisations of torch, or of this package; they get new running statistics.
        batches: of samples.
        run: a forward pass of one batch.
        size: the number of samples in a batch.

    Raises:
        ParameterError: no batch that can be used, or a normalisation that stays in evaluation mode.

    >>> norm, samples = torch.nn.BatchNorm1d(1), torch.tensor([[1.0], [3.0]])
    >>> used = reestimate([norm], [samples, samples[:1]], norm, size=len)
    >>> used, norm.running_mean.item(), norm.running_var.item()
    (Used(samples=2, batches=1, uncalled=()), 2.0, 2.0)
    """
    samples = count = 0
    with _training(norms) as calls, torch.no_grad():
        for batch in batches:
            before = [(norm.running_mean.clone(), norm.running_var.clone()) for norm in norms], list(calls)
            try:
                run(batch)
            except ValueError as error:
                if not without_variance(error):
                    raise
                for norm, (mean, variance) in zip(norms, before[0], strict=True):
                    norm.running_mean.copy_(mean)
                    norm.running_var.copy_(variance)
                calls[:] = before[1]
                continue
            samples, count = samples + size(batch), count + 1
        uncalled = tuple(number for number, each in enumerate(calls) if not each)
        for number in uncalled:
            norms[number].running_mean.fill_(torch.nan)
            norms[number].running_var.fill_(torch.nan)
    if not count:
        expected = "re-estimating statistics takes a batch with at least two numbers for each channel"
        raise ParameterError(f"batchnorm: {expected}; or choose interpolate or keep")
    return Used(samples, count, uncalled)


def without_variance(error: ValueError) -> bool:
    """True if torch rejected a batch with a single number for each channel, which has no variance."""
    return str(error).startswith("Expected more than 1 ")


@contextmanager
def _training(norms: Sequence[Any]) -> Iterator[list[int]]:
    """Put normalisations into training mode with fresh statistics and count their calls; restore the modes at the end.

    At its k-th call a normalisation has momentum 1 / k, so that its statistics are means over its calls. Direct calls
    of `forward`, which bypass hooks, are counted too.
    """
    before = [(norm.training, norm.momentum, vars(norm).get("forward")) for norm in norms]
    counted = [getattr(norm, "num_batches_tracked", None) for norm in norms]
    counts = [None if count is None else count.clone() for count in counted]
    calls = [0] * len(norms)

    def counting(number: int, norm: Any, forward: Callable[..., Tensor]) -> Callable[..., Tensor]:
        def counted_forward(*args: Any, **named: Any) -> Tensor:
            if not norm.training:
                raise ParameterError(
                    f"batchnorm: a {type(norm).__name__} stays in evaluation mode, so that its statistics cannot be "
                    "re-estimated; choose interpolate or keep"
                )
            calls[number] += 1
            norm.momentum = 1 / calls[number]
            return forward(*args, **named)

        return counted_forward

    try:
        for number, norm in enumerate(norms):
            norm.running_mean.zero_()
            norm.running_var.fill_(1)
            norm.train()
            norm.forward = counting(number, norm, norm.forward)
        yield calls
    finally:
        for norm, (training, momentum, forward), count in zip(norms, before, counts, strict=True):
            norm.training, norm.momentum = training, momentum
            vars(norm).pop("forward", None)
            if forward is not None:
                norm.forward = forward
            if count is not None:
                norm.num_batches_tracked.copy_(count)


def mixed(weights: Tensor, corners: Tensor) -> Tensor:
    """Statistics of points, mixed from those of the corners; weights are clipped at 0 and rescaled to add up to 1.

    Args:
        weights: of each corner at each point, shape (points, corners), or (points, corners, numbers) where they differ
            between the numbers.
        corners: the corners' buffers, shape (corners, numbers).

    Returns:
        shape (points, numbers).

    >>> mixed(torch.tensor([[0.5, 0.5], [-0.5, 1.5]]), torch.tensor([[0.0], [4.0]])).tolist()
    [[2.0], [4.0]]
    """
    cut = (weights if weights.dim() == 3 else weights.unsqueeze(2)).clamp(min=0)
    return ((cut / cut.sum(1, keepdim=True)).to(corners) * corners).sum(1)
