"""SGD on a whole stack at once, each network with its own data order."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from lmc_utils.networks import stack
from lmc_utils.networks.lifted import is_stack
from lmc_utils.networks.state import refuse_state
from lmc_utils.settings import Allowed, ParameterError, Settings, above, at_least, between, parameter

_GATHER_BYTES = 2**25  # batches are gathered a few steps at a time, to bound memory on large data sets


@dataclass(frozen=True)
class Recipe(Settings):
    """How a network is trained: SGD with momentum, coupled weight decay and a cosine schedule to zero, step by step.

    >>> Recipe(momentum=1.5)
    Traceback (most recent call last):
    lmc_utils.settings.ParameterError: momentum: expected at least 0 and below 1, got 1.5
    """

    learning_rate: float = parameter(0.1, "at the first step; a cosine takes it to zero", above(0))
    momentum: float = parameter(
        0.9, "of SGD, without dampening", Allowed("at least 0 and below 1", lambda value: 0 <= value < 1)
    )
    weight_decay: float = parameter(1e-3, "coupled, on every parameter", at_least(0))
    batch_size: int = parameter(64, "samples in a step; the last short batch is dropped", at_least(1))
    epochs: int = parameter(40, "passes over the training data", between(1, 9999))


class Diverged(RuntimeError):
    """Training left the finite numbers."""


def cosine(recipe: Recipe, step: int, steps: int) -> float:
    """The learning rate at a step of `steps`: from the full rate down to zero (Loshchilov and Hutter 2017).

    >>> [round(cosine(Recipe(learning_rate=1.0), step, steps=4), 3) for step in range(5)]
    [1.0, 0.854, 0.5, 0.146, 0.0]
    """
    return recipe.learning_rate * (1 + math.cos(math.pi * step / steps)) / 2


def data_order(stream: Sequence[int], epoch: int, samples: int) -> Tensor:
    """The order in which one network sees the samples in one epoch, a permutation of shape (samples,).

    It is a pure function of the stream (the network's seed) and the epoch, so a resumed run needs no generator state.

    >>> data_order((0, 1), epoch=3, samples=4).sort().values
    tensor([0, 1, 2, 3])
    """
    return torch.from_numpy(np.random.default_rng([*stream, epoch]).permutation(samples))


def train_epoch(
    network: nn.Module,
    thetas: Tensor,
    momentum: Tensor,
    train: tuple[Tensor, Tensor],
    streams: Sequence[Sequence[int]],
    recipe: Recipe,
    epoch: int,
) -> tuple[Tensor, Tensor]:
    """Train every network of a stack for one epoch, network i in the data order of streams[i].

    The gradient is that of the sum of the networks' mean cross-entropies: each network gets its own. The flat vectors
    are all the state there is, so that an epoch is a pure function, a fork a copy of rows, and a resumed run the run.

    Args:
        network: any stack of this architecture; not changed.
        thetas: parameter vectors, shape (networks, parameters).
        momentum: the optimiser's momentum buffers, laid out as the parameters.
        train: inputs (samples, space..., channels) and labels (samples,).
        streams: one seed a network, see `data_order`.
        recipe: how to train.
        epoch: how many epochs these networks have behind them.

    Returns:
        The parameters and the momentum an epoch later.

    Raises:
        Diverged: a parameter is no longer finite.
        ParameterError: the network is not built of stacked layers, or has state besides its parameters.
    """
    inputs, labels = train
    if not is_stack(network):
        raise ParameterError("network: expected one built of stacked layers, this one has parameters of other modules")
    refuse_state(network, inputs)
    theta, momentum = thetas.clone(), momentum.clone()
    slope = torch.empty_like(theta)  # every step's gradient
    trained = stack.bound(network, theta)
    parameters = list(trained.parameters())
    orders = torch.stack([data_order(stream, epoch, len(inputs)) for stream in streams]).to(inputs.device)
    steps = len(inputs) // recipe.batch_size
    for step, (batch, targets) in enumerate(_batches(inputs, labels, orders, recipe.batch_size)):
        logits = trained(batch)
        loss = functional.cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction="sum") / recipe.batch_size
        gradients = torch.autograd.grad(loss, parameters)
        torch.cat([gradient.flatten(1) for gradient in gradients], dim=1, out=slope)
        # In place, which `torch.optim.SGD` is not; the order of its sums, and so its bits.
        slope.add_(theta, alpha=recipe.weight_decay)
        momentum.mul_(recipe.momentum).add_(slope)
        theta.sub_(momentum, alpha=cosine(recipe, epoch * steps + step, recipe.epochs * steps))
    if not bool(theta.isfinite().all()):
        raise Diverged(
            f"learning_rate: training diverged in epoch {epoch + 1} of {recipe.epochs}; "
            f"{recipe.learning_rate:g} with momentum {recipe.momentum:g} is too large here, try a tenth of it"
        )
    return theta, momentum


def _batches(inputs: Tensor, labels: Tensor, orders: Tensor, size: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield (networks, size, ...) inputs and (networks, size) labels for each step of an epoch."""
    networks, samples = orders.shape
    at_once = max(1, _GATHER_BYTES // (networks * size * inputs[0].numel() * inputs.element_size()))
    steps = samples // size
    for first in range(0, steps, at_once):
        count = min(at_once, steps - first)
        index = orders[:, first * size : (first + count) * size].reshape(networks, count, size).transpose(0, 1)
        yield from zip(inputs[index], labels[index], strict=True)
