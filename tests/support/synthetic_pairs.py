"""Pairs of small networks that were never trained, the last one of a network with itself."""

from __future__ import annotations

import torch

from lmc_utils.measure.batchnorm import Convention
from lmc_utils.measure.pairs import Pairs, between
from lmc_utils.networks import stack
from lmc_utils.networks.models import Architecture, build


def made(design: Architecture, batchnorm: str = "reestimate", thirds: bool = False) -> Pairs:
    """Three pairs, with 60 samples of each split."""
    network = build(design, (20, 1), 3)
    thetas = stack.flatten(stack.initialise(network, [0, 1, 2, 3, 4]))
    generator = torch.Generator().manual_seed(7)
    thetas += 0.05 * torch.randn(thetas.shape, generator=generator)
    kept = 0.5 + torch.rand(3, 2 + thirds, stack.fresh_buffers(network, 1).shape[1], generator=generator)
    kept[2, 1] = kept[2, 0]
    samples = {
        name: (torch.randn(60, 20, 1, generator=generator), torch.randint(3, (60,), generator=generator))
        for name in ("train", "test")
    }
    firsts, seconds = thetas[[0, 1, 2]], thetas[[3, 4, 2]]
    return between(
        network, firsts, seconds, samples=samples, thirds=thetas[[4, 0, 1]] if thirds else None,
        convention=Convention(batchnorm), buffers=kept,
    )  # fmt: skip
