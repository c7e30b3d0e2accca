"""Loss, slopes and curvatures of many stacked networks, each along its own direction, in bounded memory."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from lmc_utils.measure.derivatives import Derivatives, Loss, differentiate, shift_parameters
from lmc_utils.measure.stacked_scores import batches, blocks, norms
from lmc_utils.networks import stack
from lmc_utils.networks.activation_sizes import activations
from lmc_utils.networks.layers import Parameters
from lmc_utils.networks.state_check import evaluating
from lmc_utils.settings import require_resources

WORKING_MEMORY = 128.0  # MiB of activations and of intermediate results for differentiation
COPIES = 8  # of the activations, for two derivatives

_SAMPLES_AT_ONCE = 500
_NETWORKS_TIMES_SAMPLES = 2000  # at a time: small networks then stay in the cache, and more is no faster for large ones


def directional_derivatives(
    network: nn.Module,
    thetas: Tensor,
    deltas: Tensor,
    *,
    inputs: Tensor,
    labels: Tensor,
    by_layer: bool = True,
    memory: float = WORKING_MEMORY,
    buffers: Tensor | None = None,
    estimation: Tensor | None = None,
) -> Derivatives:
    """Loss, slopes and curvatures of many networks, each along its own direction.

    Args:
        network: any stack of the architecture.
        thetas: the points, shape (networks, parameters), in the order of the network's parameters.
        deltas: the directions, the same shape.
        inputs: shape (samples, ...).
        labels: classes, shape (samples,).
        by_layer: split each direction by layers, or keep it whole.
        memory: MiB of activations to keep at a time, as in `stacked_scores.evaluate`; more where statistics are
            re-estimated, since these are of all their samples at once.
        buffers: running statistics, as in `stacked_scores.evaluate`; treated as constants.
        estimation: inputs from which batch normalisation computes its statistics instead, (samples, ...); these are
            differentiated as functions of theta.

    Returns:
        The mean over all samples, float64. With `by_layer`, indices l and k count the layers of `stack.layer_slices` in
        order: slope l is `g^T delta_l` and curvature l, k is `delta_l^T H delta_k`; else there is one of each, `g^T
        delta` and `delta^T H delta`. A ReLU with input exactly 0 counts as switched off.

    Raises:
        ParameterError: the network is not built of stacked layers.
        ValueError: the shapes of thetas and deltas differ or do not fit the network, or there are not as many labels as
            samples.

    >>> from lmc_utils.networks.layers import Linear
    >>> network = nn.Sequential(Linear(1, 1, 2))
    >>> thetas, deltas = torch.zeros(1, 4), torch.tensor([[1.0, 0.0, 0.0, 0.0]])
    >>> found = directional_derivatives(network, thetas, deltas, inputs=torch.tensor([[2.0]]), labels=torch.tensor([0]))
    >>> found.curvature  # x^2 p (1 - p)
    tensor([[[1.]]], dtype=torch.float64)
    """
    if thetas.shape != deltas.shape:
        raise ValueError(f"deltas: expected the shape of thetas, {tuple(thetas.shape)}, got {tuple(deltas.shape)}")
    if len(inputs) == 0 or len(labels) != len(inputs):
        raise ValueError(f"labels: expected one for each of at least one sample, got {len(labels)} for {len(inputs)}")
    network = evaluating(network)
    needs, given_buffers = stack.fresh_buffers(network, 1).shape[1], 0 if buffers is None else buffers.shape[1]
    if estimation is None and given_buffers != needs:
        raise ValueError(f"buffers: expected {needs} numbers a network, or samples to estimate on, got {given_buffers}")
    first = inputs[:0] if estimation is None else estimation
    skipped = len(first)
    bytes_each = COPIES * sum(activations(network, inputs)) * thetas.element_size()
    for norm in norms(network):
        norm.estimate_from = skipped or None
    order = {layer: place if by_layer else 0 for place, layer in enumerate(stack.layer_slices(network))}
    directions = {name: order[name.rpartition(".")[0]] for name in stack.parameters(network)}
    count = 1 + max(order.values())
    samples_at_once, at_once = batches(bytes_each, len(inputs), memory=memory, most=_SAMPLES_AT_ONCE)
    if skipped:  # estimation samples run along with every batch, so it must be large
        samples_at_once = min(len(inputs), 2 * skipped)
        together = skipped + samples_at_once
        at_once = max(1, int(memory * 2**20 / bytes_each) // together)
        require_resources(f"batchnorm_samples ({together:,} samples at once)", memory=bytes_each * together)
    at_once = min(at_once, max(1, _NETWORKS_TIMES_SAMPLES // samples_at_once))
    sums = [torch.zeros(len(thetas), *(count,) * rank, dtype=torch.float64) for rank in range(3)]
    for rows in blocks(len(thetas), at_once):
        moves = stack.unflatten(deltas[rows].to(inputs.device), network)
        own_buffers = None if buffers is None else buffers[rows].to(inputs.device)
        values = stack.unflatten(thetas[rows].to(inputs.device), network, own_buffers)
        for samples in blocks(len(inputs), samples_at_once):
            batch = torch.cat([first, inputs[samples]])
            losses = _losses(network, values, moves, directions, batch, labels[samples])
            parts = differentiate(losses, thetas.new_zeros(len(thetas[rows]), count, device=inputs.device))
            for total, part in zip(sums, parts, strict=True):
                total[rows] += part.cpu()
    return Derivatives(*(total / len(labels) for total in sums))


def _losses(
    network: nn.Module,
    values: Parameters,
    deltas: Parameters,
    directions: dict[str, int],
    inputs: Tensor,
    labels: Tensor,
) -> Loss:
    """The function from the coefficients of the directions to each network's loss, summed over the labelled samples."""

    def losses(coefficients: tuple[Tensor, ...]) -> Tensor:
        steps = {name: coefficients[direction] for name, direction in directions.items()}
        points = {**values, **shift_parameters(values, deltas, steps)}
        networks = len(coefficients[0])
        logits = torch.func.functional_call(network, points, (inputs.expand(networks, *inputs.shape),))
        scores = logits[:, len(inputs) - len(labels) :].flatten(0, 1)
        targets = labels.expand(networks, -1).flatten()
        return functional.cross_entropy(scores, targets, reduction="none").view(networks, -1).sum(1)

    return losses
