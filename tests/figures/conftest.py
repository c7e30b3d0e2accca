"""Made-up measurements along a line."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

FORKS, EPOCHS, ALPHAS = [0, 2], [0, 1, 2, 3], [-0.5, 0.0, 0.5, 1.0, 1.5]


@pytest.fixture
def values() -> xr.DataArray:
    coords = {
        "split": ["train", "test"],
        "fork_epoch": FORKS,
        "parent": [0, 1],
        "pair": ["0-1"],
        "epoch": EPOCHS,
        "alpha": ALPHAS,
    }
    numbers = np.random.default_rng(0).uniform(size=[len(values) for values in coords.values()])
    made = xr.DataArray(numbers, coords=coords)
    return made.where(made.epoch >= made.fork_epoch)
