"""The interface of evaluators: scores and derivatives of networks that are mixtures of corners.

A measurement (a line, a plane, a ridge, curvature, a curve) is independent of how networks are represented. It passes
on *corners*, whose format only the evaluator defines, and asks for scores at points that are mixtures of them. There
are two evaluators: many small networks as one stack (`measure.stacked_evaluator`), and any PyTorch module, one network
at a time (`measure.module_evaluator`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from torch import Tensor

from lmc_utils.measure.derivatives import Derivatives
from lmc_utils.measure.loss_function import LossFunction
from lmc_utils.measure.mixtures import Mixtures
from lmc_utils.measure.predictions import Predictions
from lmc_utils.networks.training import Recipe

__all__ = ["Evaluator", "Corners", "Vectors", "Gradient"]

Corners = Any
"""Networks of one architecture, in order, as an evaluator holds them: the ends of a pair first."""

Vectors = dict[str, Tensor]
"""The parameters of some networks by name, each of shape (networks, numbers)."""

Gradient = Callable[[Vectors], Vectors]
"""From the parameters of some networks to the gradient of each one's mean loss on its own batch."""


class Evaluator(Protocol):
    """Measures networks of one architecture on fixed samples.

    Attributes:
        quantities: unit and meaning of each score, by name: `loss` first, then `error` if it is measured.
        splits: names of the sets of samples.
        layers: names of the modules that hold parameters, in order.
        parameters: the number of parameters of a network.
        one_at_a_time: whether points are measured one by one, so that their order matters if one stops early.
        allows_nonfinite: whether NaN or infinite scores are recorded as NaN rather than raised as an error.
        keeps_statistics: whether points other than corners are scored with the statistics of each end in turn (`keep`).
        batchnorm: the source of running statistics, in words, for the attributes of results.
        differentiated: how derivatives treat these statistics, in words; empty without any.
    """

    @property
    def quantities(self) -> Mapping[str, tuple[str, str]]: ...
    @property
    def splits(self) -> Sequence[str]: ...
    @property
    def layers(self) -> Sequence[str]: ...
    @property
    def parameters(self) -> int: ...
    @property
    def one_at_a_time(self) -> bool: ...
    @property
    def allows_nonfinite(self) -> bool: ...
    @property
    def keeps_statistics(self) -> bool: ...
    @property
    def batchnorm(self) -> str: ...
    @property
    def differentiated(self) -> str: ...

    def scores(self, corners: Corners, points: Mixtures, splits: Sequence[str]) -> Iterator[tuple[slice, Tensor]]:
        """Yield mean scores as they are computed: a slice of the points, and their scores.

        Shape (points, splits, 1 or 2 where `keeps_statistics`, scores).
        """

    def predictions(self, corners: Corners, points: Mixtures, split: str) -> Iterator[Predictions]:
        """Yield logits, labels and last hidden layers of all points, batch by batch.

        They have the running statistics with which `scores` measures them; where `keeps_statistics`, only corners are
        allowed. Raises ParameterError if the networks are no classifiers.
        """

    def derivatives(
        self, pairs: Iterable[Corners], alphas: Sequence[float], *, by_layer: bool, split: str
    ) -> Iterator[Derivatives]:
        """Loss and derivatives on the line through each pair: n is the number of alphas, k that of layers, or 1."""

    def loss_function(self, corners: Corners, split: str) -> LossFunction:
        """The mean loss of one network as a function of its parameters.

        Normalisations have the running statistics with which `scores` measures the network (re-estimated for it under
        the convention `reestimate`), as constants. Raises ParameterError if the network is not supported.
        """

    def gram(self, corners: Corners, *, by_layer: bool = False) -> Tensor:
        """Inner products of the first corner's parameters, and of the differences of the others from them.

        Float64, shape (corners, corners), or (layers, corners, corners).
        """

    def select(self, corners: Corners, numbers: list[int]) -> Corners:
        """Some of the corners."""

    def vectors(self, corners: Corners) -> Vectors:
        """The parameters of the corners."""

    def insert_inner_nodes(self, ends: Corners, inner: Vectors) -> Corners:
        """The ends of a pair with inner nodes between them; running statistics are interpolated along the line."""

    def networks_at_once(self, requested: int, recipe: Recipe) -> int:
        """The number of networks that `gradients` should take together."""

    def steps(self, recipe: Recipe) -> int:
        """The number of steps in an epoch."""

    def gradients(self, streams: Sequence[Sequence[int]], recipe: Recipe, epoch: int) -> Iterator[Gradient]:
        """Yield the gradients of an epoch of training, step by step; network i has the data order of `streams[i]`."""
