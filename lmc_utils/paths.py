"""Loss and error along lines through weight space."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
import xarray as xr
from torch import Tensor, nn
from torch.nn import functional
from tqdm import tqdm

from lmc_utils import stack
from lmc_utils.settings import Settings, require
from lmc_utils.siblings import Member, Run

SPLITS = ("train", "test")

_SAMPLES_AT_ONCE = 1000
_NUMBERS_AT_ONCE = 2**18  # activations of one layer that are alive at a time: what fits a core's cache is fastest


@dataclass(frozen=True)
class Line(Settings):
    """Where on the line (1 - alpha) * theta_1 + alpha * theta_2 to look.

    Attributes:
        alphas: evenly spaced interpolation coefficients; 0, 1/2 and 1 are added where the grid misses them.
        alpha_range: the first and the last; beyond [0, 1] the line goes on past the endpoints.

    >>> Line(alphas=3, alpha_range=[0, 2]).grid().tolist()
    [0.0, 0.5, 1.0, 2.0]
    """

    alphas: int = 25
    alpha_range: tuple[float, ...] = (-0.5, 1.5)

    PRESETS: ClassVar[dict[str, dict[str, Any]]] = {"smoke": {"alphas": 9}}

    def check(self) -> None:
        require(self.alphas >= 2, "alphas", "at least 2", self.alphas)
        ends = self.alpha_range
        around = len(ends) == 2 and -math.inf < ends[0] <= 0 and 1 <= ends[1] < math.inf
        require(around, "alpha_range", "two numbers, the first at most 0, the second at least 1", ends)

    def grid(self) -> np.ndarray[Any, np.dtype[np.float64]]:
        """The interpolation coefficients, increasing."""
        even = np.linspace(self.alpha_range[0], self.alpha_range[1], self.alphas).round(12)
        return np.union1d(even, [0.0, 0.5, 1.0])


def evaluate(network: nn.Module, thetas: Tensor, inputs: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Mean cross-entropy and error of many networks on the same samples.

    Args:
        network: any stack of the architecture.
        thetas: parameter vectors, shape (networks, parameters).
        inputs: shape (samples, space..., channels).
        labels: shape (samples,).

    Returns:
        Loss in nats and error in percent, each of shape (networks,), float64, averaged over the samples.
    """
    losses = torch.zeros(len(thetas), dtype=torch.float64)
    errors = torch.zeros(len(thetas), dtype=torch.float64)
    with torch.no_grad():
        for rows in _blocks(len(thetas), _networks_at_once(network, inputs)):
            values = stack.unflatten(thetas[rows].to(inputs.device), network)
            for samples in _blocks(len(inputs), _SAMPLES_AT_ONCE):
                count = len(values[next(iter(values))])
                shared = inputs[samples].expand(count, *inputs[samples].shape)
                logits = torch.func.functional_call(network, values, (shared,))
                targets = labels[samples].expand(count, -1)
                loss = functional.cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction="none")
                losses[rows] += loss.view(count, -1).sum(1, dtype=torch.float64).cpu()
                errors[rows] += (logits.argmax(-1) != targets).sum(1).cpu()
    return losses / len(labels), 100 * errors / len(labels)


def line(run: Run, where: Line, epochs: Sequence[int] | None = None, progress: bool = True) -> xr.Dataset:
    """Loss and error along the line through each pair of siblings.

    Args:
        run: the trained family.
        where: the interpolation coefficients.
        epochs: which epochs of training; by default the last one only.
        progress: show a progress bar on standard error.

    Returns:
        `loss` (nats) and `error` (percent) with dimensions split, fork_epoch, parent, pair, epoch, alpha. NaN where an
        epoch lies before the fork; at the fork itself both endpoints are the parent and the line is one point.
    """
    experiment = run.experiment
    epochs = [experiment.epochs] if epochs is None else list(epochs)
    alphas = torch.from_numpy(where.grid())
    coords: dict[str, Any] = {
        "split": list(SPLITS),
        "fork_epoch": list(experiment.fork_epochs),
        "parent": list(range(experiment.parents)),
        "pair": [f"{first}-{second}" for first, second in run.pairs],
        "epoch": epochs,
        "alpha": where.grid(),
    }
    shape = tuple(len(values) for values in coords.values())
    loss, error = np.full(shape, np.nan), np.full(shape, np.nan)
    device = experiment.torch_device()
    dataset, network = run.dataset.to(device), run.network.to(device)
    cells = itertools.product(
        enumerate(experiment.fork_epochs), enumerate(range(experiment.parents)), enumerate(run.pairs), enumerate(epochs)
    )
    lines = [cell for cell in cells if cell[3][1] >= cell[0][1]]
    for (fork, fork_epoch), (row, parent), (pair, names), (time, epoch) in tqdm(
        lines, "evaluating lines", unit="line", disable=not progress
    ):
        thetas = run.thetas([Member(parent, fork_epoch, sibling) for sibling in names], epoch)
        for block in _blocks(len(alphas), max(1, 2**24 // thetas.shape[1])):
            points = stack.mix(thetas[0], thetas[1], alphas[block].to(thetas.dtype))
            for split, (inputs, labels) in enumerate((dataset.train, dataset.test)):
                at = (split, fork, row, pair, time, block)
                loss[at], error[at] = (values.numpy() for values in evaluate(network, points, inputs, labels))
    dims = tuple(coords)
    return xr.Dataset(
        {
            "loss": (dims, loss, {"units": "nats", "long_name": "cross-entropy, without weight decay"}),
            "error": (dims, error, {"units": "percent", "long_name": "misclassified samples"}),
        },
        coords=coords,
        attrs={"experiment": json.dumps(experiment.to_json()), "dataset": dataset.name},
    )


def _blocks(length: int, size: int) -> Iterator[slice]:
    return (slice(start, min(start + size, length)) for start in range(0, length, size))


def _networks_at_once(network: nn.Module, inputs: Tensor) -> int:
    """How many networks' widest layer fits the working memory for one block of samples."""
    widest = inputs[0].numel()

    def note(_module: nn.Module, _inputs: Any, output: Tensor) -> None:
        nonlocal widest
        widest = max(widest, output.numel())

    hooks = [module.register_forward_hook(note) for module in network.modules()]
    try:
        network(inputs[:1].unsqueeze(0))
    finally:
        for hook in hooks:
            hook.remove()
    return max(1, _NUMBERS_AT_ONCE // (min(_SAMPLES_AT_ONCE, len(inputs)) * widest))
