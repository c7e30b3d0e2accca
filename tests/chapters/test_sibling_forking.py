"""The summary of errors, on lines whose every error is known."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from lmc_utils.chapters.sibling_forking import error_numbers


def test_error_numbers_cover_siblings_and_midpoints() -> None:
    coords = {"split": ["train", "test"], "fork_epoch": [0, 2], "parent": [0, 1], "pair": ["0-1"], "epoch": [0, 1, 2]}
    base = xr.DataArray(np.random.default_rng(0).uniform(size=(2, 2, 2, 1, 3)), coords=coords)
    gain = xr.DataArray([[0.0, 4.0, 1.0], [0.0, 0.0, 3.0]], coords={"fork_epoch": [0, 2], "epoch": [0, 1, 2]})
    error = xr.concat([base, base - gain, base], xr.Variable("alpha", [0.0, 0.5, 1.0]))
    found = error_numbers(error)
    assert found["largest_gain_train"].values == pytest.approx([4, 3])
    assert float(found["train_error"]) == pytest.approx(base.sel(split="train", epoch=2).mean().item())
    assert float(found["test_error"]) == pytest.approx(base.sel(split="test", epoch=2).mean().item())
    at_fork = [base.sel(split="train", fork_epoch=fork, epoch=fork).mean().item() for fork in (0, 2)]
    at_fork[1] -= 1  # a third of the gain, which is at one of three alphas
    assert found["train_error_at"].values == pytest.approx(at_fork)
