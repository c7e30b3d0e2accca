"""Second derivatives along a direction: the whole network, layer by layer, and layer against layer.

Moving every layer l by its own a_l * delta_l makes the loss a function of as many numbers as the network has layers.
Its Hessian at a = 0 holds delta_l^T H delta_k for every two layers; its sum over all of them is delta^T H delta.
`measure.derivatives` differentiates; where only the whole is asked for, all layers share one coefficient.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
import xarray as xr
from torch import Tensor, nn
from torch.nn import functional

from lmc_utils.measure.batchnorm import Statistics, norms
from lmc_utils.measure.derivatives import Derivatives, Loss, differentiate, moved
from lmc_utils.measure.evaluator import batches, blocks, checked
from lmc_utils.measure.labelled_arrays import Coords, Place, Quantity, blank, require_finite
from lmc_utils.measure.pairs import Pairs
from lmc_utils.measure.points import LOSS, mix
from lmc_utils.networks import stack
from lmc_utils.networks.activation_sizes import activations
from lmc_utils.networks.layers import Parameters
from lmc_utils.progress import bar
from lmc_utils.settings import require_resources

WORKING_MEMORY = 128.0  # MiB of activations and what is kept to differentiate them

_SAMPLES_AT_ONCE = 500
_NETWORKS_TIMES_SAMPLES = 2000  # at once: small networks then stay in the cache, and more is no faster for large ones
_COPIES = 8  # of the activations, for two derivatives
_PARAMETERS_AT_ONCE = 2**24


def jet(
    network: nn.Module,
    thetas: Tensor,
    deltas: Tensor,
    inputs: Tensor,
    labels: Tensor,
    by_layer: bool = True,
    memory: float = WORKING_MEMORY,
    buffers: Tensor | None = None,
    estimation: Tensor | None = None,
) -> Derivatives:
    """Loss, slopes and curvatures of many networks, each along its own direction.

    Args:
        network: any stack of the architecture, or any module that `networks.lifted.Lifted` takes and torch can
            differentiate twice (slower).
        thetas: where, shape (networks, parameters), in the order of the network's parameters.
        deltas: along what, the same shape.
        inputs: shape (samples, ...).
        labels: classes, shape (samples,).
        by_layer: split each direction into its blocks, one a layer; or take it whole, as a single direction.
        memory: MiB of activations to keep at a time, as in `evaluation.evaluate`; more where statistics are
            re-estimated, since these are of all their samples at once.
        buffers: what the networks keep besides, as in `evaluation.evaluate`: constants.
        estimation: inputs on which batch normalisation takes its statistics instead, (samples, ...): they are
            functions of theta, and differentiated.

    Returns:
        The mean over all samples. With `by_layer`, k counts the layers of `stack.layer_slices` in order: slope l is
        g^T delta_l and curvature l, k is delta_l^T H delta_k; else k = 1, and they are g^T delta and delta^T H delta.
        At the very kink of a ReLU its unit counts as switched off.

    Raises:
        ParameterError: the network has state besides its parameters, as `networks.state_check.refuse_state` says.
        ValueError: the shapes of thetas and deltas differ or do not fit the network, there are not as many labels as
            samples, or a loss, slope or curvature is not finite.

    >>> from lmc_utils.networks.layers import Linear
    >>> network = nn.Sequential(Linear(1, 1, 2))
    >>> thetas, deltas = torch.zeros(1, 4), torch.tensor([[1.0, 0.0, 0.0, 0.0]])
    >>> jet(network, thetas, deltas, torch.tensor([[2.0]]), torch.tensor([0])).curvature  # x^2 p (1 - p)
    tensor([[[1.]]], dtype=torch.float64)
    """
    if thetas.shape != deltas.shape:
        raise ValueError(f"deltas: expected the shape of thetas, {tuple(thetas.shape)}, got {tuple(deltas.shape)}")
    found = _jets(network, inputs, labels, by_layer, memory, estimation)(thetas, deltas, buffers)
    require_finite(_worst(found), {"network": len(thetas)}, ())
    return found


def _jets(
    network: nn.Module, inputs: Tensor, labels: Tensor, by_layer: bool, memory: float, estimation: Tensor | None
) -> Callable[[Tensor, Tensor, Tensor | None], Derivatives]:
    """`jet` for one network and its samples, checked once; whether what it finds is finite is not."""
    network = checked(network, inputs, labels)
    numbers_each = _COPIES * sum(activations(network, inputs))
    first = inputs[:0] if estimation is None else estimation
    skipped = len(first)
    for norm in norms(network):
        norm.estimate_from = skipped or None
    order = {layer: place if by_layer else 0 for place, layer in enumerate(stack.layer_slices(network))}
    directions = {name: order[name.rpartition(".")[0]] for name in stack.parameters(network)}
    count = 1 + max(order.values())

    def means(thetas: Tensor, deltas: Tensor, buffers: Tensor | None) -> Derivatives:
        needs, kept = stack.fresh_buffers(network, 1).shape[1], 0 if buffers is None else buffers.shape[1]
        if estimation is None and kept != needs:
            raise ValueError(f"buffers: expected {needs} numbers a network, or samples to estimate on, got {kept}")
        bytes_each = numbers_each * thetas.element_size()
        samples_at_once, at_once = batches(bytes_each, len(inputs), memory, _SAMPLES_AT_ONCE)
        if skipped:  # these go with every batch, which must be worth it
            samples_at_once = min(len(inputs), 2 * skipped)
            together = skipped + samples_at_once
            at_once = max(1, int(memory * 2**20 / bytes_each) // together)
            require_resources(f"batchnorm_samples ({together:,} samples at once)", memory=bytes_each * together)
        at_once = min(at_once, max(1, _NETWORKS_TIMES_SAMPLES // samples_at_once))
        sums = [torch.zeros(len(thetas), *(count,) * rank, dtype=torch.float64) for rank in range(3)]
        for rows in blocks(len(thetas), at_once):
            moves = stack.unflatten(deltas[rows].to(inputs.device), network)
            own = None if buffers is None else buffers[rows].to(inputs.device)
            values = stack.unflatten(thetas[rows].to(inputs.device), network, own)
            for samples in blocks(len(inputs), samples_at_once):
                batch = torch.cat([first, inputs[samples]])
                losses = _losses(network, values, moves, directions, batch, labels[samples])
                parts = differentiate(losses, thetas.new_zeros(len(thetas[rows]), count, device=inputs.device))
                for total, part in zip(sums, parts, strict=True):
                    total[rows] += part.cpu()
        return Derivatives(*(total / len(labels) for total in sums))

    return means


def _losses(
    network: nn.Module,
    values: Parameters,
    deltas: Parameters,
    directions: dict[str, int],
    inputs: Tensor,
    labels: Tensor,
) -> Loss:
    """From the coefficients of the directions to each network's loss, summed over the samples that have labels."""

    def losses(coefficients: tuple[Tensor, ...]) -> Tensor:
        steps = {name: coefficients[direction] for name, direction in directions.items()}
        points = {**values, **moved(values, deltas, steps)}
        networks = len(coefficients[0])
        logits = torch.func.functional_call(network, points, (inputs.expand(networks, *inputs.shape),))
        scores = logits[:, len(inputs) - len(labels) :].flatten(0, 1)
        targets = labels.expand(networks, -1).flatten()
        return functional.cross_entropy(scores, targets, reduction="none").view(networks, -1).sum(1)

    return losses


def _worst(found: Derivatives) -> np.ndarray[Any, Any]:
    """The loss of each network, or a number that is not finite where any of its derivatives is not."""
    derivatives = found.slope.sum(1) + found.curvature.sum((1, 2))
    return torch.where(derivatives.isfinite(), found.loss, found.loss + derivatives).numpy()


def along(
    pairs: Pairs,
    alphas: Sequence[float] | np.ndarray[Any, Any] = (0.0, 1.0),
    by_layer: bool = True,
    split: str = "train",
    memory: float = WORKING_MEMORY,
) -> xr.Dataset:
    """Loss, its slopes and its curvatures along the line through each pair of networks.

    Args:
        pairs: what to measure.
        alphas: where on the line; by default at both endpoints.
        by_layer: for every layer and every two layers, or for the network as a whole.
        split: which samples.
        memory: MiB, see `jet`.

    Returns:
        `loss` (nats) with the dimensions of the pairs, then alpha; `slope` and `curvature` (nats, per unit of alpha and
        its square) and `squared_distance` (without alpha). By layer, the latter have a dimension layer, and curvature
        another, with_layer. NaN where there is no pair. The attribute `batchnorm` says where statistics of batch
        normalisation come from, and `differentiated` whether they are functions of the parameters here, as they are
        where they are re-estimated, or constants. Where each network's own are kept in turn, means over both.

    Raises:
        ParameterError: an unknown split, or a network with state besides its parameters.
        ValueError: a loss, slope or curvature on the line is not finite.
    """
    ((inputs, labels),) = pairs.splits(split).values()
    statistics = pairs.statistics()
    jets = _jets(pairs.network, inputs, labels, by_layer, memory, statistics.estimation)
    steps = torch.tensor(alphas, dtype=torch.float64)
    slices = stack.layer_slices(pairs.network) if by_layer else {"all": slice(None)}
    layers = {"layer": list(slices), "with_layer": list(slices)}
    coords: Coords = {**pairs.coords, "alpha": steps.tolist(), **layers}
    dims, alone = tuple(pairs.coords), (*pairs.coords, "alpha")
    quantities = {
        "loss": Quantity(alone, *LOSS),
        "slope": Quantity((*alone, "layer"), "nats", "first derivative in alpha"),
        "curvature": Quantity((*alone, *layers), "nats", "second derivative in alpha"),
        "squared_distance": Quantity((*dims, "layer"), "", "squared length of delta"),
    }
    how = "functions of the parameters" if statistics.estimation is not None else "constants"
    said = {"differentiated": f"statistics as {how}"} if norms(pairs.network) else {}
    result = blank(coords, quantities, {**pairs.provenance, "split": split, **said})
    network_size = sum(value[0].numel() for value in pairs.network.parameters())
    at_once = max(1, _PARAMETERS_AT_ONCE // (len(steps) * network_size))
    todo = iter(bar(pairs, "measuring curvature", unit="pair"))
    while batch := list(itertools.islice(todo, at_once)):
        places, ends = [place for place, _ in batch], torch.stack([points[:2] for _, points in batch])
        deltas = ends[:, 1] - ends[:, 0]
        points = mix(ends[:, 0], ends[:, 1], steps.to(ends)).flatten(0, 1)
        along_each = deltas.repeat_interleave(len(steps), 0)
        kept = _buffers(statistics, places, points, steps)
        found = _mean([jets(points, along_each, buffers) for buffers in kept])
        lengths = [(ends[:, 1].double() - ends[:, 0].double())[:, block].square().sum(1) for block in slices.values()]
        for row, place in enumerate(places):
            here = Derivatives(*(part[row * len(steps) : (row + 1) * len(steps)] for part in found))
            require_finite(_worst(here), {**pairs.coords, "alpha": list(alphas)}, place)
            for name, values in here._asdict().items():
                result[name].values[place] = values.numpy()
            result.squared_distance.values[place] = [float(length[row]) for length in lengths]
    return result if by_layer else result.isel(layer=0, with_layer=0, drop=True)


def _buffers(statistics: Statistics, places: Sequence[Place], points: Tensor, steps: Tensor) -> list[Tensor | None]:
    """The constant statistics of points on the lines of several pairs: one for each, or one for each that is kept."""
    if statistics.estimation is not None:
        return [None]
    weights = torch.stack([1 - steps, steps], 1)
    parts = [
        statistics.at(place, points[row * len(steps) : (row + 1) * len(steps)], weights)
        for row, place in enumerate(places)
    ]
    return [None if rows[0] is None else torch.cat(rows) for rows in zip(*parts, strict=True)]


def _mean(jets: Sequence[Derivatives]) -> Derivatives:
    return Derivatives(*(torch.stack(parts).mean(0) for parts in zip(*jets, strict=True))) if len(jets) > 1 else jets[0]
