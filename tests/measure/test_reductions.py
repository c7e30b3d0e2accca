"""Means over pairs, the end of training and epochs after a fork agree with loops over labels."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from lmc_utils.measure.reductions import after_fork, end_of_training, pair_mean

COORDS = {"split": ["train", "test"], "fork_epoch": [0, 2], "parent": [0, 1, 2], "pair": ["0-1"], "epoch": [0, 1, 2, 3]}
VALUES = xr.DataArray(np.random.default_rng(0).normal(size=[len(labels) for labels in COORDS.values()]), coords=COORDS)


def test_the_mean_over_pairs_is_that_of_each_variable() -> None:
    one = pair_mean(VALUES).sel(split="test", fork_epoch=2, epoch=3)
    assert one.item() == pytest.approx(
        np.mean([VALUES.sel(split="test", fork_epoch=2, epoch=3, parent=each) for each in range(3)])
    )
    both = pair_mean(xr.Dataset({"all": VALUES, "no_pairs": VALUES.isel(pair=0, drop=True)}))
    assert both["all"].equals(pair_mean(VALUES))
    assert both.no_pairs.equals(VALUES.isel(pair=0, drop=True).mean("parent"))


def test_the_end_of_training_is_the_last_epoch() -> None:
    assert end_of_training(VALUES).equals(VALUES.sel(epoch=3))
    assert end_of_training(xr.Dataset({"x": VALUES}), "test").x.equals(VALUES.sel(epoch=3, split="test"))


def test_after_fork_counts_epochs_from_each_fork() -> None:
    found = after_fork(VALUES, 1)
    for fork in (0, 2):
        assert found.sel(fork_epoch=fork, drop=True).equals(VALUES.sel(fork_epoch=fork, epoch=fork + 1, drop=True))
    beyond = after_fork(VALUES, 3)
    assert beyond.sel(fork_epoch=2).isnull().all()
    assert beyond.sel(fork_epoch=0, drop=True).equals(VALUES.sel(fork_epoch=0, epoch=3, drop=True))
