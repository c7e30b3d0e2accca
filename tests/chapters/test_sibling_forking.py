"""Barriers on lines with known errors, and claims that hold and fail."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from lmc_utils.chapters.sibling_forking import claims, error_numbers

PAIRS = {"fork_epoch": [0, 2], "parent": [0, 1, 2], "pair": ["0-1"]}
SPLITS = xr.DataArray([1.0, 1.1], coords={"split": ["train", "test"]})
SCATTER = xr.DataArray([0.9, 1.0, 1.1], coords={"parent": [0, 1, 2]})


def test_error_numbers_cover_siblings_and_midpoints() -> None:
    random = np.random.default_rng(0)
    base = xr.DataArray(random.uniform(size=(2, 3, 1, 3)), coords={**PAIRS, "epoch": [0, 1, 2]})
    gain = xr.DataArray([[0.0, 4.0, 1.0], [0.0, 0.0, 3.0]], coords={"fork_epoch": [0, 2], "epoch": [0, 1, 2]})
    growing = xr.concat([base, base - gain, base], xr.Variable("alpha", [0.0, 0.5, 1.0]))
    last = base.isel(epoch=-1) * SPLITS + xr.DataArray([0.0, 5.0, 0.0], coords={"alpha": [0.0, 0.5, 1.0]})
    found = error_numbers(last, growing)
    assert found["largest_gain_train"].values == pytest.approx([4, 3])
    assert float(found["train_error"]) == pytest.approx(base.sel(epoch=2).mean().item())
    assert float(found["test_error"]) == pytest.approx(1.1 * base.sel(epoch=2).mean().item())
    at_fork = [base.sel(fork_epoch=fork, epoch=fork).mean().item() for fork in (0, 2)]
    at_fork[1] -= 1  # a third of the gain, which is at one of three alphas
    first, last_one = ([base.sel(fork_epoch=fork, epoch=epoch).mean().item() for fork in (0, 2)] for epoch in (1, 2))
    # the second fork is at the last epoch, so it has no epoch after it
    assert found["midpoint_error_first"].values == pytest.approx([first[0] - 4, np.nan], nan_ok=True)
    assert found["midpoint_error_last"].values == pytest.approx([last_one[0] - 1, last_one[1] - 3])
    assert found["train_error_at"].values == pytest.approx(at_fork)


def outcomes(barriers: list[float], error_at_fork: float, dip: float) -> list[str]:
    barrier = xr.DataArray(barriers, coords={"fork_epoch": [0, 2]}) * SPLITS * SCATTER.expand_dims(pair=["0-1"])
    epoch = xr.DataArray(range(5), coords={"epoch": range(5)})
    own = error_at_fork * SCATTER.expand_dims(fork_epoch=[0, 2], pair=["0-1"]) * xr.ones_like(epoch)
    middle = own - dip * SCATTER * (epoch > own.fork_epoch)
    table = claims(barrier, xr.concat([own, middle, own], xr.Variable("alpha", [0.0, 0.5, 1.0])))
    return [claim.outcome for claim in table.claims]


def test_the_claims_follow_the_errors() -> None:
    assert outcomes([20.0, 0.5], error_at_fork=30.0, dip=2.0) == ["holds"] * 5
    assert outcomes([0.5, 20.0], error_at_fork=1.0, dip=-2.0) == ["fails"] * 5
    assert outcomes([2.0, 2.0], error_at_fork=10.0, dip=0.0) == [
        "cannot tell",
        "cannot tell",
        "fails",
        "cannot tell",
        "fails",
    ]
