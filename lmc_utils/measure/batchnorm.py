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

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from lmc_utils.measure.evaluator import batches, blocks
from lmc_utils.measure.labelled_arrays import Place
from lmc_utils.networks import stack
from lmc_utils.networks.activation_sizes import activations
from lmc_utils.networks.normalisation import BatchNorm
from lmc_utils.settings import ParameterError, Settings, at_least, one_of, parameter

WORKING_MEMORY = 32.0  # MiB of activations
CONVENTIONS = ("reestimate", "interpolate", "keep")


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

    def samples(self, splits: Mapping[str, tuple[Tensor, Tensor]]) -> Tensor:
        """The inputs that statistics are re-estimated on: a random choice of the training samples, always the same.

        Args:
            splits: the samples of each split, under its name; never augmented.

        Raises:
            ParameterError: there is no split `train`.
        """
        if "train" not in splits:
            raise ParameterError(
                "batchnorm: expected samples of the split train to re-estimate statistics on, got none"
            )
        inputs = splits["train"][0]
        chosen = np.random.default_rng(0).permutation(len(inputs))[: self.batchnorm_samples]
        return inputs[torch.from_numpy(np.sort(chosen)).to(inputs.device)]


def norms(network: nn.Module) -> list[BatchNorm]:
    """The batch normalisations of a stack."""
    return [layer for layer in network.modules() if isinstance(layer, BatchNorm)]


def reestimate(network: nn.Module, thetas: Tensor, inputs: Tensor, memory: float = WORKING_MEMORY) -> Tensor:
    """The statistics of many networks on the same samples, taken in one pass.

    It is what a pass of `torch.nn.BatchNorm` with `momentum=None` in training mode leaves behind, with all samples in
    one batch: each layer normalises with this batch's own mean and variance, and keeps the mean and N / (N - 1) times
    the variance.

    Args:
        network: a stack.
        thetas: parameter vectors, shape (networks, parameters).
        inputs: shape (samples, space..., channels).
        memory: MiB of activations to keep at a time; fewer networks at once make do with less.

    Returns:
        Buffers, laid out as `stack.fresh_buffers` has them: (networks, numbers).
    """
    found = stack.fresh_buffers(network, len(thetas)).to(thetas)
    numbers_each = 2 * max(activations(network, inputs)) * len(inputs)
    _, at_once = batches(numbers_each * thetas.element_size(), 1, memory, 1)
    for rows in blocks(len(thetas), at_once):
        estimating = stack.bound(network, thetas[rows].to(inputs.device), found[rows])
        for layer in norms(estimating):
            layer.momentum = 1.0
            layer.train()
        with torch.no_grad():
            estimating(inputs.expand(len(thetas[rows]), *inputs.shape))
    return found


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


class Statistics:
    """Where the points between networks have their statistics from, by a convention.

    Args:
        network: a stack; where it has no batch normalisation, its points need nothing.
        convention: where statistics come from.
        splits: samples of each split, to re-estimate on those of `train`.
        read: from a place to the corners' own buffers, (corners, numbers).

    Attributes:
        kept: whose statistics are kept, each in turn; empty under the other conventions.

    Raises:
        ParameterError: they are to be re-estimated, and there is no split `train`.
    """

    def __init__(
        self,
        network: nn.Module,
        convention: Convention,
        splits: Mapping[str, tuple[Tensor, Tensor]],
        read: Callable[[Place], Tensor] | None,
    ) -> None:
        self._how = convention.batchnorm if norms(network) else "none"
        self._network, self._read = network, read
        device = next(network.parameters()).device
        self.estimation = convention.samples(splits).to(device) if self._how == "reestimate" else None
        self.kept = ["first", "second"] if self._how == "keep" else []

    def at(self, place: Place, thetas: Tensor, weights: Tensor, homes: Tensor | None = None) -> list[Tensor | None]:
        """The buffers of points, (points, numbers), or None where they need none: one, or one for each that is kept.

        Args:
            place: of the pair.
            thetas: the points' parameter vectors.
            weights, homes: as in `losses.Points`.
        """
        if self.estimation is not None:
            return [reestimate(self._network, thetas, self.estimation)]
        if self._how == "none" or self._read is None:
            return [None]
        corners = self._read(place)[: weights.shape[1]]
        if self._how == "interpolate":
            return [mixed(weights, corners)]
        if homes is None:
            homes = torch.where((weights == 1).any(1), weights.argmax(1), -1)
        return [corners[torch.where(homes < 0, row, homes)] for row in range(len(self.kept))]
