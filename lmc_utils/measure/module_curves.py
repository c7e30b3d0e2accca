"""Inner nodes of curves between any two PyTorch networks, and the gradients for training them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch

from lmc_utils.measure.batches import Batch
from lmc_utils.measure.evaluator import Gradient, Vectors
from lmc_utils.measure.mixed_module import Corners, MixedModule
from lmc_utils.measure.module_derivatives import gradient
from lmc_utils.measure.module_scores import Score
from lmc_utils.measure.module_statistics import Reestimation
from lmc_utils.measure.user_code_errors import reported


def insert_inner_nodes(ends: Corners, inner: Vectors, statistics: Sequence[str]) -> Corners:
    """The ends of a pair with inner nodes between them, see `evaluator.Evaluator.insert_inner_nodes`.

    Args:
        ends: two states.
        inner: parameters by name, each (networks, numbers).
        statistics: the names of running statistics, which are mixed along the line.

    >>> ends = [{"bias": torch.zeros(1), "running_mean": torch.tensor([float(end)])} for end in (0, 1)]
    >>> insert_inner_nodes(ends, {"bias": torch.ones(1, 1)}, ["running_mean"])[1]
    {'bias': tensor([1.]), 'running_mean': tensor([0.5000])}
    """
    count = len(next(iter(inner.values())))
    between = []
    for row in range(count):
        alpha = (row + 1) / (count + 1)
        parameters = {name: value[row].view_as(ends[0][name]) for name, value in inner.items()}
        mean = {name: torch.lerp(ends[0][name], ends[1][name], alpha) for name in statistics}
        between.append({**ends[0], **mean, **parameters})
    return [ends[0], *between, ends[1]]


def gradients(point: MixedModule, reestimation: Reestimation, loss: Score, seed: Sequence[int]) -> Iterator[Gradient]:
    """Yield the gradient on each batch of the estimation samples for one epoch, see `evaluator.Evaluator.gradients`.

    Batches of which torch cannot compute statistics are skipped.

    Args:
        point: the module; its tensors do not change.
        reestimation: the samples, and which of their batches the normalisations accept.
        loss: of each sample.
        seed: of the order of batches, where they are a list.

    Raises:
        ParameterError: samples that the network or the loss does not accept.
    """
    batches = reestimation.samples.batches
    if isinstance(batches, list):
        batches = [batches[row] for row in np.random.default_rng(seed).permutation(len(batches))]
    device = next(point.module.parameters()).device
    for batch in batches:
        if point.statistics and batch.size < 2 and not reestimation.takes(batch):
            continue

        def slopes(networks: Vectors, batch: Batch = batch) -> Vectors:
            point.attributes.restore()
            own = dict(point.module.named_parameters())
            parameters = {name: value.view_as(own[name]) for name, value in networks.items()}
            with reported("curve: the network or the loss raised, for a batch to estimate on,"):
                found = gradient(point.module, parameters, batch.to(device), loss)
            return {name: slope.reshape(1, -1) for name, slope in found.items()}

        yield slopes
