"""Train a whole stack at once by SGD or AdamW, each network with its own data order."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from lmc_utils.networks import layers, stack
from lmc_utils.networks.activation_sizes import activations as activations_by_layer
from lmc_utils.networks.augmentation import AUGMENTATIONS, augment, draws
from lmc_utils.networks.state_check import require_understood
from lmc_utils.settings import Allowed, ParameterError, Settings, above, at_least, between, one_of, parameter, require

_COPIES = 9  # of a network's parameters in training: parameters and momentum, old and new, and gradients
_BETAS, _EPSILON = (0.9, 0.999), 1e-8  # of AdamW, torch's defaults
_TOGETHER = 7 * 10**6  # activations of a batch: 5 to 8 million are as fast, 4 and 12 slower (27 ResNet-8s, 1 MiB of L2)
_GATHER_BYTES = 2**25  # batches are gathered a few steps at a time, to bound memory on large data sets


@dataclass(frozen=True)
class Recipe(Settings):
    """Training hyperparameters: SGD with momentum or AdamW, and the schedule of the learning rate.

    >>> Recipe(momentum=1.5)
    Traceback (most recent call last):
    lmc_utils.settings.ParameterError: momentum must be >= 0 and < 1 (got 1.5)
    """

    optimizer: str = parameter("sgd", "SGD with momentum, or AdamW with betas 0.9 and 0.999", one_of(("sgd", "adamw")))
    learning_rate: float = parameter(0.1, "highest learning rate of the schedule", above(0))
    schedule: str = parameter(
        "cosine",
        "learning rate: cosine decay to zero, or constant, or constant with a linear decay to zero at the end",
        one_of(("cosine", "constant", "constant_then_decay")),
    )
    decay_epochs: int = parameter(
        5,
        "length of the decay of constant_then_decay",
        at_least(1),
        also="<= `epochs`; 5 with other schedules",
        unit="epochs",
    )
    momentum: float = parameter(
        0.9,
        "momentum of SGD (no dampening)",
        Allowed(">= 0 and < 1", lambda value: 0 <= value < 1),
        also="fixed to 0.9 (its beta1) with AdamW",
    )
    weight_decay: float = parameter(
        1e-3, "weight decay of all parameters: L2 as in torch.optim.SGD, decoupled in AdamW", at_least(0)
    )
    batch_size: int = parameter(64, "samples per step (an incomplete last batch is dropped)", at_least(1))
    epochs: int = parameter(40, "passes over the training data", between(1, 9999))
    warmup: int = parameter(0, "initial epochs of linear learning-rate warm-up", at_least(0), unit="epochs")
    augmentation: str = parameter("none", "random augmentation of training samples", one_of(AUGMENTATIONS))
    precision: str = parameter(
        "float32",
        "precision of matrix products in training (bfloat16 for GPUs)",
        one_of(("float32", "bfloat16")),
    )

    def check(self) -> None:
        require(self.warmup < self.epochs, "warmup", f"< epochs = {self.epochs}", self.warmup)
        fits = self.schedule != "constant_then_decay" or self.decay_epochs <= self.epochs
        require(fits, "decay_epochs", f"<= epochs = {self.epochs}", self.decay_epochs)
        usual = self.optimizer == "sgd" or self.momentum == _BETAS[0]
        require(usual, "momentum", f"{_BETAS[0]:g} with optimizer = adamw, which has no other momentum", self.momentum)


class State(NamedTuple):
    """State of training, a row for each network.

    Attributes:
        theta: parameter vectors, shape (networks, parameters).
        momentum: the optimiser's momentum, laid out like the parameters.
        buffers: buffers such as running statistics, (networks, numbers), see `stack.fresh_buffers`; (networks, 0) if
            there are none.
        second_moment: running mean of AdamW's squared gradients, laid out like the parameters; (networks, 0) before the
            first step, and for SGD.
    """

    theta: Tensor
    momentum: Tensor
    buffers: Tensor
    second_moment: Tensor

    def rows(self, indices: Sequence[int] | slice) -> State:
        """Select networks by index; an index may be repeated."""
        return State(*(part[indices] for part in self))

    @staticmethod
    def joined(states: Sequence[State]) -> State:
        """Concatenate the networks of several states."""
        return State(*(torch.cat(parts) for parts in zip(*states, strict=True)))


def start(network: nn.Module, thetas: Tensor) -> State:
    """The initial state of networks with these parameters."""
    buffers = stack.fresh_buffers(network, len(thetas)).to(thetas)
    return State(thetas, torch.zeros_like(thetas), buffers, thetas.new_zeros(len(thetas), 0))


class Diverged(ParameterError):
    """Training diverged: a parameter is NaN or infinite."""


def rate(recipe: Recipe, step: int, steps: int) -> float:
    """The learning rate at a step of a schedule of so many steps.

    `cosine` falls from the full rate to zero at `steps` (Loshchilov and Hutter 2017); `constant_then_decay` is constant
    and then falls linearly to zero. During warm-up the rate is scaled linearly with the number of steps (Goyal et al.
    2017).

    >>> [round(rate(Recipe(learning_rate=1.0), step, steps=4), 3) for step in range(5)]
    [1.0, 0.854, 0.5, 0.146, 0.0]
    >>> recipe = Recipe(learning_rate=1.0, schedule="constant_then_decay", epochs=4, decay_epochs=2)
    >>> [rate(recipe, step, steps=4) for step in range(5)]
    [1.0, 1.0, 1.0, 0.5, 0.0]

    Raises:
        ValueError: the step is after the end of the schedule.
    """
    if step > steps:
        raise ValueError(f"step {step} is after the end of a schedule of {steps} steps")
    whole = recipe.learning_rate
    if recipe.schedule == "cosine":
        whole *= (1 + math.cos(math.pi * step / steps)) / 2
    elif recipe.schedule == "constant_then_decay":
        whole *= min(1.0, (steps - step) * recipe.epochs / (recipe.decay_epochs * steps))
    warm = recipe.warmup * steps / recipe.epochs
    return whole * min(1.0, (step + 1) / warm) if warm else whole


def data_order(stream: Sequence[int], epoch: int, samples: int) -> Tensor:
    """The order in which one network sees the samples in one epoch, a permutation of shape (samples,).

    It is a pure function of the stream (the network's seed) and the epoch, so a resumed run needs no generator state.

    >>> data_order((0, 1), epoch=3, samples=4).sort().values
    tensor([0, 1, 2, 3])
    """
    return torch.from_numpy(np.random.default_rng([*stream, epoch]).permutation(samples))


def train_epoch(
    network: nn.Module,
    state: State,
    train: tuple[Tensor, Tensor],
    *,
    streams: Sequence[Sequence[int]],
    recipe: Recipe,
    epoch: int,
    steps: range | None = None,
    schedule_start: int = 0,
    activations: int | None = None,
    rate_name: str = "learning_rate",
) -> State:
    """Train every network of a stack for one epoch, network i with the data order and the draws of `streams[i]`.

    The loss is the sum of the networks' mean cross-entropies, so that each network gets its own gradient. There is no
    state besides `state`: an epoch is a pure function, a fork is a copy of rows, and a resumed run is identical to an
    uninterrupted one.

    Args:
        network: any stack of this architecture; not changed.
        state: state of the networks; not changed.
        train: inputs (samples, space..., channels) and labels (samples,).
        streams: one seed for each network, see `data_order`.
        recipe: training hyperparameters.
        epoch: the number of epochs trained before.
        steps: the steps of this epoch to take, consecutive ones; by default all.
        schedule_start: the step of training at which the schedule of the learning rate begins.
        activations: number of activations of one network for one sample; by default counted in a forward pass.
        rate_name: the parameter that sets the learning rate, for errors.

    Returns:
        The state after these steps.

    Raises:
        Diverged: a parameter is NaN or infinite.
        ValueError: a part of an epoch, and dropout, whose draws are those of a whole epoch.
        ParameterError: the network is not built of stacked layers.
    """
    if activations is None:
        activations = count_activations(network, train[0])
    size = networks_at_once(network, train[0], len(streams), batch_size=recipe.batch_size, activations=activations)
    every = range(len(train[0]) // recipe.batch_size)
    taken = every if steps is None else steps
    if taken != every and any(isinstance(layer, layers.Dropout) for layer in network.modules()):
        raise ValueError(f"steps: expected all {len(every)} of the epoch, as there is dropout, got {taken}")
    after = []
    for first in range(0, len(streams), size):
        # All chunks have the same size, the last one padded: a convolution may round differently in a stack of another
        # size.
        rows = [min(row, len(streams) - 1) for row in range(first, first + size)]
        part, own = state.rows(rows), [streams[row] for row in rows]
        after.append(_train(network, part, train, own, recipe, epoch, taken, schedule_start, rate_name))
    return State.joined(after).rows(slice(len(streams)))


def count_activations(network: nn.Module, inputs: Tensor) -> int:
    """The number of activations of one network for one sample, over all layers.

    Raises:
        ParameterError: the network is not built of stacked layers.
    """
    require_understood(network)
    return sum(activations_by_layer(network, inputs))


def networks_at_once(network: nn.Module, inputs: Tensor, networks: int, *, batch_size: int, activations: int) -> int:
    """The number of networks to train as one stack, chosen by network and device, not by timing, for reproducibility.

    On a CPU, as many as keep the activations of a batch in its cache: more are slower. For large images this is one
    network at a time, as stacking gains nothing there (`benchmarks/training.py`). On a GPU, as many as fit into half of
    its memory.
    """
    each = batch_size * activations
    most = _TOGETHER // each
    if inputs.is_cuda:
        memory = torch.cuda.get_device_properties(inputs.device).total_memory
        parameters = sum(value[0].numel() for value in network.parameters())
        most = memory // 2 // ((2 * each + _COPIES * parameters) * inputs.element_size())
    return math.ceil(networks / math.ceil(networks / max(1, most)))


def _train(
    network: nn.Module,
    state: State,
    train: tuple[Tensor, Tensor],
    streams: Sequence[Sequence[int]],
    recipe: Recipe,
    epoch: int,
    taken: range,
    schedule_start: int,
    rate_name: str,
) -> State:
    """`train_epoch` with all networks in one stack."""
    inputs, labels = train
    theta, momentum, buffers, second = (part.clone() for part in state)
    if recipe.optimizer == "adamw" and not second.shape[1]:
        second = torch.zeros_like(theta)
    slope = torch.empty_like(theta)  # every step's gradient
    trained = stack.bound(network, theta, buffers).train()
    seed_dropout(trained, streams, epoch=epoch, device=inputs.device)
    steps = len(inputs) // recipe.batch_size
    drawn = batches(inputs, labels, streams, recipe=recipe, epoch=epoch, taken=taken)
    for step, (batch, targets) in enumerate(drawn, start=epoch * steps + taken.start):
        slopes(trained, batch, targets, precision=recipe.precision, out=slope)
        size = rate(recipe, step - schedule_start, recipe.epochs * steps)
        # In place, unlike `torch.optim`, but with the same order of operations and so the same bits.
        if recipe.optimizer == "sgd":
            slope.add_(theta, alpha=recipe.weight_decay)
            momentum.mul_(recipe.momentum).add_(slope)
            theta.sub_(momentum, alpha=size)
        else:
            theta.mul_(1 - size * recipe.weight_decay)
            momentum.lerp_(slope, 1 - _BETAS[0])
            second.mul_(_BETAS[1]).addcmul_(slope, slope, value=1 - _BETAS[1])
            unbiased = (second.sqrt() / math.sqrt(1 - _BETAS[1] ** (step + 1))).add_(_EPSILON)
            theta.addcdiv_(momentum, unbiased, value=-size / (1 - _BETAS[0] ** (step + 1)))
    if not bool(theta.isfinite().all() & buffers.isfinite().all()):
        of_schedule = (epoch * steps + taken.start - schedule_start) // steps + 1
        momentum_of_sgd = f" with momentum {recipe.momentum:g}" if recipe.optimizer == "sgd" else ""
        raise Diverged(
            f"{rate_name}: training diverged in epoch {of_schedule} of {recipe.epochs}; "
            f"{recipe.learning_rate:g}{momentum_of_sgd} is too large here, try a tenth of it"
        )
    return State(theta, momentum, buffers, second)


def slopes(network: nn.Module, batch: Tensor, targets: Tensor, *, precision: str, out: Tensor) -> None:
    """Compute the gradient of each network's mean cross-entropy on its own batch.

    Args:
        network: a stack in training mode.
        batch: inputs, shape (networks, size, ...).
        targets: labels, (networks, size).
        precision: precision of matrix products, see `Recipe`.
        out: written with the gradients, (networks, parameters).
    """
    with torch.autocast(batch.device.type, torch.bfloat16, precision == "bfloat16"):
        logits = network(batch)
    flat = logits.flatten(0, 1).to(out)
    loss = functional.cross_entropy(flat, targets.flatten(), reduction="sum") / batch.shape[1]
    gradients = torch.autograd.grad(loss, list(network.parameters()))
    torch.cat([gradient.flatten(1) for gradient in gradients], dim=1, out=out)


def seed_dropout(network: nn.Module, streams: Sequence[Sequence[int]], *, epoch: int, device: torch.device) -> None:
    """Give each dropout layer a generator for each network, seeded by the network's stream, the epoch and the layer."""
    dropping = [layer for layer in network.modules() if isinstance(layer, layers.Dropout)]
    for place, layer in enumerate(dropping):
        seeds = [np.random.SeedSequence([*stream, epoch, 2 + place]).generate_state(1)[0] for stream in streams]
        layer.generators = [torch.Generator(device).manual_seed(int(seed)) for seed in seeds]


def batches(
    inputs: Tensor,
    labels: Tensor,
    streams: Sequence[Sequence[int]],
    *,
    recipe: Recipe,
    epoch: int,
    taken: range | None = None,
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield (networks, size, ...) inputs and (networks, size) labels for each of the steps taken in an epoch."""
    samples, networks, size = len(inputs), len(streams), recipe.batch_size
    orders = torch.stack([data_order(stream, epoch, samples) for stream in streams]).to(inputs.device)
    drawn = draws(recipe.augmentation, streams, epoch=epoch, samples=samples, space=inputs.shape[1:-1])
    at_once = max(1, _GATHER_BYTES // (networks * size * inputs[0].numel() * inputs.element_size()))
    steps = range(samples // size) if taken is None else taken
    for first in range(steps.start, steps.stop, at_once):
        count = min(at_once, steps.stop - first)
        index = orders[:, first * size : (first + count) * size].reshape(networks, count, size).transpose(0, 1)
        for step, (batch, targets) in enumerate(zip(inputs[index], labels[index], strict=True), start=first):
            own = drawn and drawn.part(slice(step * size, (step + 1) * size))
            yield augment(batch, recipe.augmentation, own), targets
