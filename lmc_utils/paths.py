"""Loss and error along lines through weight space."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
import xarray as xr
from torch import Tensor, nn
from tqdm import tqdm

from lmc_utils import stack
from lmc_utils.settings import Settings, require
from lmc_utils.siblings import PairAt, Run

SPLITS = ("train", "test")

WORKING_MEMORY = 8.0  # MiB of activations: less is slower, more is no faster

_SAMPLES_AT_ONCE = 1000


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


def evaluate(
    network: nn.Module, thetas: Tensor, inputs: Tensor, labels: Tensor, memory: float = WORKING_MEMORY
) -> tuple[Tensor, Tensor]:
    """Mean cross-entropy and error of many networks on the same samples.

    Args:
        network: any stack of the architecture, or any module that `stack.Lifted` takes (slower).
        thetas: parameter vectors, shape (networks, parameters).
        inputs: shape (samples, space..., channels).
        labels: shape (samples,).
        memory: MiB of activations to keep at a time; fewer samples and networks at once make do with less.

    Returns:
        Loss in nats and error in percent, each of shape (networks,), float64, averaged over the samples.

    Raises:
        ValueError: there are no samples, not as many labels as samples, or vectors of another length.
    """
    check_samples(inputs, labels)
    network = stack.as_stack(network)
    losses = torch.zeros(len(thetas), dtype=torch.float64)
    errors = torch.zeros(len(thetas), dtype=torch.float64)
    each = 2 * max(activations(network, inputs)) * thetas.element_size()  # a layer's inputs and its outputs
    samples_at_once, networks_at_once = batches(each, len(inputs), memory)
    with torch.no_grad():
        for rows in blocks(len(thetas), networks_at_once):
            values = stack.unflatten(thetas[rows].to(inputs.device), network)
            for samples in blocks(len(inputs), samples_at_once):
                count = len(values[next(iter(values))])
                shared = inputs[samples].expand(count, *inputs[samples].shape)
                logits = torch.func.functional_call(network, values, (shared,))
                loss, wrong = _mistakes(logits, labels[samples])
                losses[rows] += loss.sum(1, dtype=torch.float64).cpu()
                errors[rows] += wrong.sum(1).cpu()
    return losses / len(labels), 100 * errors / len(labels)


def _mistakes(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Cross-entropy of every sample, and whether another class than its own comes first, both (networks, samples).

    With the classes on the first axis all samples are worked on side by side. `functional.cross_entropy` goes along the
    classes of one sample after the other, which takes several times as long where they are few.
    """
    scores = logits.permute(2, 0, 1).contiguous()
    highest, first = scores.max(0)
    own = scores.gather(0, labels.expand(1, *first.shape))[0]
    return (scores - highest).exp_().sum(0).log_() + highest - own, first != labels


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
    alphas = torch.from_numpy(where.grid())
    coords, pairs = run.each_pair(epochs)
    coords = {"split": list(SPLITS)} | coords | {"alpha": where.grid()}
    return _measure(run, coords, pairs, lambda ends: stack.mix(ends[0], ends[1], alphas.to(ends.dtype)), progress)


def _measure(
    run: Run,
    coords: dict[str, Any],
    pairs: Iterable[PairAt],
    points: Callable[[Tensor], Tensor],
    progress: bool,
) -> xr.Dataset:
    """Evaluate the points (..., parameters) of each pair; coords are split, those of pairs, and those of `...`."""
    shape = tuple(len(values) for values in coords.values())
    loss, error = np.full(shape, np.nan), np.full(shape, np.nan)
    device = run.experiment.torch_device()
    dataset, network = run.dataset.to(device), run.network.to(device)
    for place, ends in tqdm(pairs, "evaluating lines", unit="line", disable=not progress):
        thetas = points(ends)
        for split, (inputs, labels) in enumerate((dataset.train, dataset.test)):
            found = evaluate(network, thetas.flatten(0, -2), inputs, labels)
            at = (split, *place)
            loss[at], error[at] = (values.view(thetas.shape[:-1]).numpy() for values in found)
            require_finite(loss[at], coords, at)
    dims = tuple(coords)
    return xr.Dataset(
        {
            "loss": (dims, loss, {"units": "nats", "long_name": "cross-entropy, without weight decay"}),
            "error": (dims, error, {"units": "percent", "long_name": "misclassified samples"}),
        },
        coords=coords,
        attrs={"experiment": json.dumps(run.experiment.to_json()), "dataset": run.dataset.name},
    )


def layer_line(
    run: Run, alphas: Sequence[float] = (0.0, 0.5), epochs: Sequence[int] | None = None, progress: bool = True
) -> xr.Dataset:
    """Loss and error while one layer alone walks from one sibling to the other and all others stay where they are.

    This is the walk of layer-wise linear mode connectivity (Adilova et al., arXiv 2307.06966).

    Args:
        run: the trained family.
        alphas: how far the layer has gone: 0 at home, 1 at the other sibling.
        epochs: which epochs of training; by default the last one only.
        progress: show a progress bar on standard error.

    Returns:
        `loss` (nats) and `error` (percent) with dimensions split, fork_epoch, parent, pair, epoch, end, layer, alpha.
        At end 0 the other layers are those of the pair's first sibling, at end 1 those of its second. NaN before the
        fork.
    """
    slices = stack.layer_slices(run.network)
    way = torch.tensor(alphas, dtype=torch.float64)
    coords, pairs = run.each_pair(epochs)
    coords = {"split": list(SPLITS)} | coords | {"end": [0, 1], "layer": list(slices), "alpha": way.numpy()}

    def points(ends: Tensor) -> Tensor:
        walked = stack.mix(ends, ends.flip(0), way.to(ends.dtype))  # (end, alpha, parameters)
        moved = ends[:, None, None].repeat(1, len(slices), len(way), 1)
        for row, block in enumerate(slices.values()):
            moved[:, row, :, block] = walked[:, :, block]
        return moved

    return _measure(run, coords, pairs, points, progress)


def check_samples(inputs: Tensor, labels: Tensor) -> None:
    """Raise ValueError unless there are samples, and as many labels."""
    if len(inputs) == 0 or len(labels) != len(inputs):
        raise ValueError(f"labels: expected one for each of at least one sample, got {len(labels)} for {len(inputs)}")


def require_finite(values: np.ndarray[Any, Any], coords: Mapping[str, Sequence[Any]], at: tuple[int, ...]) -> None:
    """Raise ValueError where a loss is not finite, naming its place.

    Args:
        values: losses at one place of an array, with the dimensions that are left.
        coords: those of the whole array, in order.
        at: the place, positions in the first of them.
    """
    broken = np.argwhere(~np.isfinite(values))
    if len(broken):
        place = zip(coords.items(), (*at, *broken[0]), strict=True)
        where = ", ".join(f"{name} {labels[index]}" for (name, labels), index in place)
        raise ValueError(f"loss: expected finite numbers, got {values[tuple(broken[0])]:g} at {where}")


def blocks(length: int, size: int) -> Iterator[slice]:
    """Slices of this size that cover a range; the last may be shorter.

    >>> list(blocks(5, 3))
    [slice(0, 3, None), slice(3, 5, None)]
    """
    return (slice(start, min(start + size, length)) for start in range(0, length, size))


def batches(each: int, samples: int, memory: float) -> tuple[int, int]:
    """How many samples and how many networks go at once where each takes so many bytes and memory so many MiB.

    >>> batches(each=2**10, samples=4000, memory=4.0)
    (1000, 4)
    """
    fit = max(1, int(memory * 2**20 / each))
    at_once = min(samples, fit, _SAMPLES_AT_ONCE)
    return at_once, max(1, fit // at_once)


def activations(network: nn.Module, inputs: Tensor) -> list[int]:
    """How many numbers one network makes of one sample: the input first, then the output of every module."""
    sizes = [inputs[0].numel()]

    def note(_module: nn.Module, _inputs: Any, output: Tensor) -> None:
        sizes.append(output.numel())

    hooks = [module.register_forward_hook(note) for module in stack.leaves(network)]
    try:
        like = inputs if inputs.is_floating_point() else inputs.device
        values = {name: value[:1].to(like) for name, value in stack.parameters(network).items()}
        torch.func.functional_call(network, values, (inputs[:1].unsqueeze(0),))
    finally:
        for hook in hooks:
            hook.remove()
    return sizes
