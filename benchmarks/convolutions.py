"""Convolutions of many networks: grouped convolutions, products with unfolded patches, and one after the other."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from benchmarks.timing import Times, interleaved

NETWORKS, SAMPLES = 18, 64
GROUPED, UNFOLDED, ALONE = "in groups (ours)", "unfolded, one product", "one network after the other"
SIZES = {1: [(8, 40), (16, 20), (32, 10)], 2: [(8, 28), (16, 14), (32, 7)]}
"""Channels and sites along each axis, by the number of axes: those of a ResNet's stages."""


def compare(axes: int, repeats: int) -> Times:
    """Seconds of ten passes forward and backward through a convolution of each of the three sizes."""
    cases = [_Case(axes, channels, size) for channels, size in SIZES[axes]]
    for case in cases:
        torch.testing.assert_close(case.grouped()[0], case.alone()[0], rtol=1e-4, atol=1e-3)
        torch.testing.assert_close(case.grouped()[0], case.unfolded()[0], rtol=1e-4, atol=1e-3)

    def ten(name: str) -> None:
        for case in cases:
            for _ in range(10):
                getattr(case, name)()

    contenders = {GROUPED: "grouped", UNFOLDED: "unfolded", ALONE: "alone"}
    return interleaved({title: lambda name=name: ten(name) for title, name in contenders.items()}, repeats)


class _Case:
    def __init__(self, axes: int, channels: int, size: int) -> None:
        space = (size,) * axes
        self.axes, self.convolve = axes, functional.conv1d if axes == 1 else functional.conv2d
        self.weight = torch.randn(NETWORKS, channels, channels, *(3,) * axes, requires_grad=True)
        self.images = torch.randn(SAMPLES, NETWORKS, channels, *space, requires_grad=True)
        self.adjoint = torch.randn(self.images.shape)

    def grouped(self) -> tuple[Tensor, Tensor]:
        """The gradients of images and weights, as in the other functions."""
        images, weight = self.images.flatten(1, 2), self.weight.flatten(0, 1)
        outputs = self.convolve(images, weight, padding=1, groups=NETWORKS).view_as(self.adjoint)
        return torch.autograd.grad(outputs, [self.images, self.weight], self.adjoint)

    def unfolded(self) -> tuple[Tensor, Tensor]:
        patches = functional.pad(self.images.transpose(0, 1).movedim(2, -1), (0, 0) + (1, 1) * self.axes)
        for axis in range(2, 2 + self.axes):
            patches = patches.unfold(axis, 3, 1)
        flat = patches.flatten(2 + self.axes).flatten(1, -2)
        outputs = torch.bmm(flat, self.weight.flatten(2).mT)
        adjoint = self.adjoint.transpose(0, 1).movedim(2, -1).flatten(1, -2)
        return torch.autograd.grad(outputs, [self.images, self.weight], adjoint)

    def alone(self) -> tuple[Tensor, Tensor]:
        parts = []
        for network in range(NETWORKS):
            images = self.images[:, network].detach().requires_grad_()
            weight = self.weight[network].detach().requires_grad_()
            outputs = self.convolve(images, weight, padding=1)
            parts.append(torch.autograd.grad(outputs, [images, weight], self.adjoint[:, network]))
        images, weights = zip(*parts, strict=True)
        return torch.stack(images, 1), torch.stack(weights)
