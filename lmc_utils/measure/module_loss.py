"""The mean loss of any PyTorch module as a function of its parameters, batch by batch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from lmc_utils.measure.batches import Batch, Batches
from lmc_utils.measure.loss_function import BatchLoss, LossFunction
from lmc_utils.measure.mixed_module import MixedModule
from lmc_utils.measure.module_scores import Score, cross_entropy, logits_of
from lmc_utils.measure.module_state import State, run_with


def loss_function(point: MixedModule, state: State, batches: Batches, loss: Score) -> LossFunction:
    """The mean loss of a module, in evaluation mode, as a function of its parameters.

    Args:
        point: the module, in evaluation mode, with parameters in float32 or float64; its tensors do not change.
        state: the parameters and buffers to use; the module's own buffers are used for missing ones.
        batches: samples.
        loss: per-sample loss.
    """
    module = point.module
    device = next(module.parameters()).device
    shapes = {name: value.to("meta") for name, value in module.named_parameters()}
    precision = max((like.dtype for like in shapes.values()), key=lambda dtype: dtype.itemsize)
    vector = torch.cat([state[name].to(device, precision).flatten() for name in shapes])
    buffers = {name: state.get(name, value).to(value, copy=True) for name, value in module.named_buffers()}

    def batch_loss(batch: Batch) -> BatchLoss:
        def outputs(at: Tensor) -> Any:
            pieces = torch.split(at, [like.numel() for like in shapes.values()])
            values = {name: value.clone() for name, value in buffers.items()}  # a forward pass may write into them
            for (name, like), piece in zip(shapes.items(), pieces, strict=True):
                values[name] = piece.view(like.shape).to(like.dtype)
            output = run_with(module, values, batch)
            return logits_of(output, batch.target) if loss is cross_entropy else output

        return BatchLoss(outputs, lambda output: loss(output, batch.target).sum())

    def read() -> Iterator[BatchLoss]:
        point.attributes.restore()
        return (batch_loss(batch.to(device)) for batch in batches)

    return LossFunction(vector, read, batches.count, batches.samples)
