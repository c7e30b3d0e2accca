"""Data augmentation for a whole stack at once: random crops and mirror images.

The random draws are a pure function of a network's stream and the epoch: they depend neither on the other networks of
the stack nor on a generator's state, so that a resumed run is identical to an uninterrupted one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from lmc_utils.settings import ParameterError

AUGMENTATIONS = ("none", "flip", "crop", "crop_flip")
_PADDED = 8  # a crop shifts a sample by at most its size divided by this: 4 of 32, as in He et al. (2016, section 4.2)


class Draws(NamedTuple):
    """The augmentation of each sample, in the order of training.

    Attributes:
        offsets: start of the crop in the padded sample, along each spatial axis, (networks, samples, axes).
        flips: whether the sample is mirrored, (networks, samples).
    """

    offsets: Tensor
    flips: Tensor

    def part(self, samples: slice) -> Draws:
        """The draws of some of the samples."""
        return Draws(self.offsets[:, samples], self.flips[:, samples])


def require_space(kind: str, shape: Sequence[int]) -> None:
    """Raise ParameterError unless samples of this shape, (space..., channels), support this augmentation.

    >>> require_space("crop", (64,))
    Traceback (most recent call last):
    lmc_utils.settings.ParameterError: augmentation must be 'none' for samples without spatial axes (got 'crop')
    """
    if kind != "none" and len(shape) < 2:
        raise ParameterError(f"augmentation must be 'none' for samples without spatial axes (got {kind!r})")


def draws(
    kind: str, streams: Sequence[Sequence[int]], *, epoch: int, samples: int, space: Sequence[int]
) -> Draws | None:
    """Draw the augmentation of each network's samples in an epoch; None if there is none.

    Args:
        kind: one of `AUGMENTATIONS`.
        streams: one seed for each network, see `training.data_order`.
        epoch: the number of epochs trained before.
        samples: the number of samples of each network.
        space: the sizes of a sample's spatial axes.
    """
    if kind == "none":
        return None
    offsets, flips = [], []
    for stream in streams:
        numbers = np.random.default_rng([*stream, epoch, 1])
        offsets.append(np.stack([numbers.integers(0, 2 * (size // _PADDED) + 1, samples) for size in space], -1))
        flips.append(numbers.random(samples) < 0.5)
    return Draws(torch.from_numpy(np.stack(offsets)), torch.from_numpy(np.stack(flips)))


def augment(batch: Tensor, kind: str, drawn: Draws | None) -> Tensor:
    """Crop each sample of a batch, after padding it with zeros, and mirror it along its last spatial axis.

    Args:
        batch: shape (networks, samples, space..., channels).
        kind: `crop`, `flip` (mirror), `crop_flip` for both, or `none`.
        drawn: the draws of these samples, see `draws`.

    Returns:
        The shape of the batch.

    >>> drawn = Draws(torch.zeros(1, 1, 1, dtype=torch.int64), torch.ones(1, 1, dtype=torch.bool))
    >>> augment(torch.arange(8.0).view(1, 1, 8, 1), "flip", drawn).flatten().tolist()
    [7.0, 6.0, 5.0, 4.0, 3.0, 2.0, 1.0, 0.0]
    >>> augment(torch.arange(8.0).view(1, 1, 8, 1), "crop", drawn).flatten().tolist()  # one to the right
    [0.0, 0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
    """
    if drawn is None:
        return batch
    space = batch.shape[2:-1]
    last = len(space) - 1
    for axis, size in enumerate(space):
        places = torch.arange(size, device=batch.device)
        read = places.expand(*batch.shape[:2], size)  # the source index of each position
        if "flip" in kind and axis == last:
            read = torch.where(drawn.flips[..., None].to(batch.device), size - 1 - read, read)
        if "crop" in kind:
            read = read + drawn.offsets[..., axis, None].to(batch.device) - size // _PADDED
        outside = (read < 0) | (read >= size)
        shape = [1] * batch.dim()
        shape[:2], shape[2 + axis] = list(batch.shape[:2]), size
        index = read.clamp(0, size - 1).view(shape).expand(batch.shape)
        batch = batch.gather(2 + axis, index).masked_fill(outside.view(shape), 0)
    return batch
