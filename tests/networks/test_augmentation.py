"""Samples are cropped and mirrored as drawn, independently, and draws of networks are independent."""

import numpy as np
import pytest
import torch
from torch import Tensor

from lmc_utils.networks import augmentation
from lmc_utils.networks.augmentation import AUGMENTATIONS, Draws, augment, draws
from lmc_utils.settings import ParameterError

SHAPES = [(17,), (16, 24)]


def by_hand(sample: Tensor, kind: str, offsets: list[int], flip: bool) -> Tensor:
    """One sample, (space..., channels): padded, cut out, mirrored."""
    array = sample.numpy()
    space = array.shape[:-1]
    if "crop" in kind:
        padded = np.pad(array, [(size // 8, size // 8) for size in space] + [(0, 0)])
        array = padded[tuple(slice(at, at + size) for at, size in zip(offsets, space, strict=True))]
    if "flip" in kind and flip:
        array = np.flip(array, len(space) - 1)
    return torch.from_numpy(np.ascontiguousarray(array))


@pytest.mark.parametrize("space", SHAPES)
@pytest.mark.parametrize("kind", AUGMENTATIONS)
def test_each_sample_is_augmented_as_drawn(space: tuple[int, ...], kind: str) -> None:
    batch = torch.randn(3, 20, *space, 2)
    drawn = draws(kind, [(0, 1), (0, 2), (7,)], epoch=4, samples=20, space=space)
    found = augment(batch, kind, drawn)
    if kind == "none":
        assert found is batch
        return
    assert drawn is not None
    for network in range(3):
        for sample in range(20):
            offsets, flip = drawn.offsets[network, sample].tolist(), bool(drawn.flips[network, sample])
            assert torch.equal(found[network, sample], by_hand(batch[network, sample], kind, offsets, flip))


def test_draws_are_each_networks_own() -> None:
    both = draws("crop_flip", [(0, 1), (0, 2)], epoch=3, samples=50, space=(32, 32))
    alone = draws("crop_flip", [(0, 2)], epoch=3, samples=50, space=(32, 32))
    later = draws("crop_flip", [(0, 2)], epoch=4, samples=50, space=(32, 32))
    assert both is not None
    assert alone is not None
    assert later is not None
    assert torch.equal(both.offsets[1], alone.offsets[0])
    assert torch.equal(both.flips[1], alone.flips[0])
    assert not torch.equal(both.offsets[0], both.offsets[1])
    assert not torch.equal(alone.offsets, later.offsets)
    assert torch.equal(both.part(slice(10, 20)).offsets, both.offsets[:, 10:20])


def test_every_crop_and_both_flips_are_drawn() -> None:
    drawn = draws("crop_flip", [(0,)], epoch=0, samples=2000, space=(32, 8))
    assert drawn is not None
    assert drawn.offsets[..., 0].unique().tolist() == list(range(9))
    assert drawn.offsets[..., 1].unique().tolist() == [0, 1, 2]
    assert drawn.flips.float().mean() == pytest.approx(0.5, abs=0.05)


def test_a_symmetric_sample_is_its_mirror_image() -> None:
    batch = torch.randn(1, 1, 8, 1)
    batch = batch + batch.flip(2)
    drawn = Draws(torch.zeros(1, 1, 1, dtype=torch.int64), torch.ones(1, 1, dtype=torch.bool))
    assert torch.equal(augment(batch, "flip", drawn), batch)


def test_samples_without_space_stay_as_they_are() -> None:
    augmentation.require_space("none", (64,))
    augmentation.require_space("crop", (8, 1))
    with pytest.raises(ParameterError, match=r"augmentation must be 'none' for samples without spatial axes \(got"):
        augmentation.require_space("crop_flip", (64,))
