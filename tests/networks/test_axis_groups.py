"""Joined axes share a permutation, in any sequence of joins, cuts and fixes."""

from __future__ import annotations

import random

import pytest
import torch
from torch import Tensor

from lmc_utils.networks.axis_groups import FIXED, Axis, AxisGroups, Segment, length
from lmc_utils.networks.permutation_symmetry import _order


def orders(groups: AxisGroups, axes: list[Axis]) -> list[Tensor]:
    """The order of each axis under random permutations of all remaining groups."""
    settled = [groups.settled(axis) for axis in axes]
    sizes = {segment.group: segment.size for axis in settled for segment in axis if segment.group != FIXED}
    permutations = {group: torch.randperm(size) for group, size in sizes.items()}
    return [_order(axis, permutations) for axis in settled]


@pytest.mark.parametrize("seed", range(20))
def test_joined_axes_have_one_order_and_lengths_never_change(seed: int) -> None:
    draw = random.Random(seed)
    groups = AxisGroups()
    names = {f"g{number}": size for number, size in enumerate([12, 12, 6, 6, 4, 4, 3, 2, 24])} | {FIXED: 6}

    def axis() -> Axis:
        while True:
            parts: list[Segment] = []
            while length(tuple(parts)) < 24:
                name = draw.choice(list(names))
                parts.append(Segment(name, names[name], 1 if name == FIXED else draw.choice([1, 2, 3])))
            if length(tuple(parts)) == 24:
                return tuple(parts)

    joined = [(axis(), axis()) for _ in range(3)]
    for one, other in joined:
        groups.join(one, other)
    whole = axis()
    parts = groups.cut(whole, [5, 7, 12])
    axes = [each for both in joined for each in both]
    found = orders(groups, [*axes, whole, *parts])
    for one, other in zip(found[:6:2], found[1:6:2], strict=True):
        assert torch.equal(one, other)
        assert torch.equal(one.sort().values, torch.arange(24))
    starts = (0, 5, 12)
    assert torch.equal(found[6], torch.cat([each + start for each, start in zip(found[7:], starts, strict=True)]))


def test_groups_are_joined_and_cut_only_as_far_as_needed() -> None:
    groups = AxisGroups()
    stream = (Segment("stream", 8),)
    groups.join((Segment("left", 3), Segment("right", 5)), stream)
    assert groups.settled(stream) == (Segment("left", 3), Segment("right", 5))
    groups.join((Segment("pixels", 4, repeats=2),), (Segment("flat", 8),))
    assert groups.settled((Segment("flat", 8, repeats=3),)) == (Segment("pixels", 4, repeats=6),)
    groups.join((Segment("left", 3),), (Segment(FIXED, 3),))
    assert groups.settled(stream) == (Segment(FIXED, 3), Segment("right", 5))
    groups.cut((Segment("pixels", 4, repeats=2),), [3, 5])  # through the second pixel
    assert groups.settled((Segment("flat", 8),)) == (Segment(FIXED, 8),)


def test_axes_of_different_lengths_are_rejected() -> None:
    with pytest.raises(ValueError, match="axes of 3 and 4 entries cannot permute alike"):
        AxisGroups().join((Segment("one", 3),), (Segment("other", 4),))
