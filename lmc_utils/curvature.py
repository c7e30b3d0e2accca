"""Second derivatives along a direction: the whole network, layer by layer, and layer against layer.

Moving every layer l by its own a_l * delta_l makes the loss a function of as many numbers as the network has layers.
Its Hessian at a = 0 holds delta_l^T H delta_k for every two layers; its sum over all of them is delta^T H delta. Taylor
mode computes it where there is a rule for every layer (`lmc_utils.taylor`), automatic differentiation anywhere else.
"""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch
import xarray as xr
from torch import Tensor, nn
from torch.nn import functional
from tqdm import tqdm

from lmc_utils import evaluation, paths, stack, taylor
from lmc_utils.settings import Settings, require, require_choice
from lmc_utils.siblings import Run

WORKING_MEMORY = 32.0  # MiB of activations and tangents

_SAMPLES_AT_ONCE = 250  # more networks at once beat more samples at once
_PARAMETERS_AT_ONCE = 2**24


@dataclass(frozen=True)
class Approximation(Settings):
    """How the barrier chapter measures and compares.

    Attributes:
        alphas: evenly spaced points from one sibling to the other, an odd number, so that the midpoint is one.
        nodes: of the quadrature of the curvature along the line.
        smooth_activation: of the family without kinks on which that quadrature is judged: `gelu` or `tanh`.
        decays: weight decays at which families are trained to see what the approximation hangs on.
        sweep_parents: different initialisations in each of those families.

    >>> Approximation(alphas=20)
    Traceback (most recent call last):
    lmc_utils.settings.ParameterError: alphas: expected an odd number of at least 3, got 20
    """

    alphas: int = 21
    nodes: int = 32
    smooth_activation: str = "gelu"
    decays: tuple[float, ...] = (0.0, 1e-4, 1e-3, 3e-3)
    sweep_parents: int = 2

    PRESETS: ClassVar[dict[str, dict[str, Any]]] = {
        "smoke": {"alphas": 5, "nodes": 6, "decays": [0.0, 1e-3], "sweep_parents": 1}
    }

    def check(self) -> None:
        require(self.alphas >= 3 and self.alphas % 2 == 1, "alphas", "an odd number of at least 3", self.alphas)
        require(1 <= self.nodes <= 200, "nodes", "from 1 to 200", self.nodes)
        require_choice("smooth_activation", self.smooth_activation, ("gelu", "tanh"))
        increasing = all(a < b for a, b in itertools.pairwise(self.decays))
        good = increasing and len(self.decays) > 0 and self.decays[0] >= 0 and self.decays[-1] < math.inf
        require(good, "decays", "increasing numbers of at least 0", self.decays)
        require(self.sweep_parents >= 1, "sweep_parents", "at least 1", self.sweep_parents)

    def line(self) -> paths.Line:
        """The line from one sibling to the other."""
        return paths.Line(alphas=self.alphas, alpha_range=(0.0, 1.0))


class Jet(NamedTuple):
    """The loss of n networks and its derivatives along k directions, float64.

    Attributes:
        loss: mean cross-entropy in nats, shape (n,).
        slope: first derivatives, shape (n, k).
        curvature: second derivatives, shape (n, k, k), symmetric.
    """

    loss: Tensor
    slope: Tensor
    curvature: Tensor


def jet(
    network: nn.Module,
    thetas: Tensor,
    deltas: Tensor,
    inputs: Tensor,
    labels: Tensor,
    by_layer: bool = True,
    memory: float = WORKING_MEMORY,
) -> Jet:
    """Loss, slopes and curvatures of many networks, each along its own direction.

    Args:
        network: any stack of the architecture, or any module that `stack.Lifted` takes and torch can differentiate
            twice (slower).
        thetas: where, shape (networks, parameters), in the order of the network's parameters.
        deltas: along what, the same shape.
        inputs: shape (samples, ...).
        labels: classes, shape (samples,).
        by_layer: split each direction into its blocks, one a layer; or take it whole, as a single direction.
        memory: MiB of activations to keep at a time; fewer samples and networks at once make do with less.

    Returns:
        The mean over all samples. With `by_layer`, k counts the layers of `stack.layer_slices` in order: slope l is
        g^T delta_l and curvature l, k is delta_l^T H delta_k; else k = 1, and they are g^T delta and delta^T H delta.
        At the very kink of a ReLU its unit counts as switched off.

    Raises:
        ValueError: the shapes of thetas and deltas differ or do not fit the network, there are not as many labels as
            samples, or a loss, slope or curvature is not finite.

    >>> network = nn.Sequential(stack.Linear(1, 1, 2))
    >>> thetas, deltas = torch.zeros(1, 4), torch.tensor([[1.0, 0.0, 0.0, 0.0]])
    >>> jet(network, thetas, deltas, torch.tensor([[2.0]]), torch.tensor([0])).curvature  # x^2 p (1 - p)
    tensor([[[1.]]], dtype=torch.float64)
    """
    found = _jet(network, thetas, deltas, inputs, labels, by_layer, memory)
    evaluation.require_finite(_worst(found), {"network": range(len(thetas))}, ())
    return found


def _jet(
    network: nn.Module, thetas: Tensor, deltas: Tensor, inputs: Tensor, labels: Tensor, by_layer: bool, memory: float
) -> Jet:
    if thetas.shape != deltas.shape:
        raise ValueError(f"deltas: expected the shape of thetas, {tuple(thetas.shape)}, got {tuple(deltas.shape)}")
    evaluation.check_samples(inputs, labels)
    network = stack.as_stack(network)
    layers = stack.layer_slices(network)
    directions = list(range(len(layers))) if by_layer else [0] * len(layers)
    count = max(directions) + 1
    derivatives = taylor.derivatives if taylor.applies(network) else _autodiff
    each = sum(evaluation.activations(network, inputs)) * 2 * (1 + count) * thetas.element_size()  # and their adjoints
    samples_at_once, networks_at_once = evaluation.batches(each, min(len(inputs), _SAMPLES_AT_ONCE), memory)
    sums = [torch.zeros(len(thetas), *(count,) * order, dtype=torch.float64) for order in range(3)]
    for rows in evaluation.blocks(len(thetas), networks_at_once):
        here = stack.load(network, stack.unflatten(thetas[rows].to(inputs.device), network)).requires_grad_(False)
        moves = stack.unflatten(deltas[rows].to(inputs.device), network)
        for samples in evaluation.blocks(len(inputs), samples_at_once):
            parts = derivatives(here, moves, directions, inputs[samples], labels[samples])
            for total, part in zip(sums, parts, strict=True):
                total[rows] += part.cpu()
    return Jet(*(total / len(labels) for total in sums))


def _worst(found: Jet) -> np.ndarray[Any, Any]:
    """The loss of each network, or a number that is not finite where any of its derivatives is not."""
    derivatives = found.slope.sum(1) + found.curvature.sum((1, 2))
    return torch.where(derivatives.isfinite(), found.loss, found.loss + derivatives).numpy()


def along(
    run: Run,
    alphas: Sequence[float] = (0.0, 1.0),
    epochs: Sequence[int] | None = None,
    by_layer: bool = True,
    memory: float = WORKING_MEMORY,
    progress: bool = True,
) -> xr.Dataset:
    """Loss on the training set, its slopes and its curvatures along the line through each pair of siblings.

    Args:
        run: the trained family.
        alphas: where on the line; by default at the siblings.
        epochs: which epochs of training; by default the last one only.
        by_layer: for every layer and every two layers, or for the network as a whole.
        memory: MiB, see `jet`.
        progress: show a progress bar on standard error.

    Returns:
        `loss` (nats) with dimensions fork_epoch, parent, pair, epoch, alpha; `slope` and `curvature` (nats, per unit of
        alpha and its square) and `squared_distance` (without alpha). By layer, the latter have a dimension layer, and
        curvature another, with_layer. NaN before the fork.

    Raises:
        ValueError: a loss, slope or curvature on the line is not finite.
    """
    device = run.experiment.torch_device()
    network = run.network.to(device)
    inputs, labels = run.dataset.to(device).train
    where = torch.tensor(alphas, dtype=torch.float64)
    slices = stack.layer_slices(network) if by_layer else {"all": slice(None)}
    coords, pairs = run.each_pair(epochs)
    shape = tuple(len(values) for values in coords.values())
    layers, count = list(slices), len(slices)
    network_size = sum(value[0].numel() for value in network.parameters())
    loss = np.full((*shape, len(where)), np.nan)
    slope = np.full((*loss.shape, count), np.nan)
    curvature = np.full((*slope.shape, count), np.nan)
    squared = np.full((*shape, count), np.nan)
    at_once = max(1, _PARAMETERS_AT_ONCE // (len(where) * network_size))
    todo = iter(tqdm(pairs, "measuring curvature", unit="pair", disable=not progress))
    while batch := list(itertools.islice(todo, at_once)):
        places, ends = [place for place, _ in batch], torch.stack([pair for _, pair in batch])
        deltas = ends[:, 1] - ends[:, 0]
        points = stack.mix(ends[:, 0], ends[:, 1], where.to(ends.dtype)).flatten(0, 1)
        found = _jet(network, points, deltas.repeat_interleave(len(where), 0), inputs, labels, by_layer, memory)
        for place, worst in zip(places, np.split(_worst(found), len(places)), strict=True):
            evaluation.require_finite(worst, coords | {"alpha": alphas}, place)
        for measured, part in zip((loss, slope, curvature), found, strict=True):
            for place, values in zip(places, torch.split(part, len(where)), strict=True):
                measured[place] = values.numpy()
        for place, (first, second) in zip(places, ends.double(), strict=True):
            squared[place] = [float((second - first)[block].square().sum()) for block in slices.values()]
    coords |= {"alpha": where.numpy()}
    dims, inner = tuple(coords), ("layer", "with_layer")
    result = xr.Dataset(
        {
            "loss": (dims, loss, {"units": "nats", "long_name": "cross-entropy, without weight decay"}),
            "slope": ((*dims, "layer"), slope, {"units": "nats", "long_name": "first derivative in alpha"}),
            "curvature": ((*dims, *inner), curvature, {"units": "nats", "long_name": "second derivative in alpha"}),
            "squared_distance": ((*dims[:-1], "layer"), squared, {"long_name": "squared length of delta"}),
        },
        coords=coords | dict.fromkeys(inner, layers),
        attrs={"experiment": json.dumps(run.experiment.to_json()), "dataset": run.dataset.name, "split": "train"},
    )
    return result if by_layer else result.isel(layer=0, with_layer=0, drop=True)


def _autodiff(
    network: nn.Module, deltas: stack.Parameters, directions: Sequence[int], inputs: Tensor, labels: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """By differentiating twice in the coefficients of the directions: one backward pass for each direction."""
    thetas = stack.parameters(network)
    networks = len(next(iter(thetas.values())))
    first = next(iter(thetas.values()))
    coefficients = first.new_zeros(networks, max(directions) + 1, requires_grad=True)
    layers = dict(zip(stack.layer_slices(network), directions, strict=True))
    points = {}
    for name, value in thetas.items():
        own = coefficients[:, layers[name.rpartition(".")[0]]].view(-1, *(1,) * (value.dim() - 1))
        points[name] = value + own * deltas[name]
    logits = torch.func.functional_call(network, points, (inputs.expand(networks, *inputs.shape),))
    targets = labels.expand(networks, -1)
    losses = functional.cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction="none").view(networks, -1)
    (slope,) = torch.autograd.grad(losses.sum(), coefficients, create_graph=True)
    rows = [torch.autograd.grad(one.sum(), coefficients, retain_graph=True)[0] for one in slope.unbind(1)]
    return losses.detach().sum(1).double(), slope.detach().double(), torch.stack(rows, 1).double()
