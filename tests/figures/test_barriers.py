"""Figures show the numbers they were given."""

import numpy as np
import xarray as xr

from lmc_utils.figures import barriers

FORKS, EPOCHS, ALPHAS = [0, 2], [0, 1, 2, 3], [-0.5, 0.0, 0.5, 1.0, 1.5]


def test_barrier_by_fork_draws_means_pairs_and_threshold(values: xr.DataArray) -> None:
    barrier = values.sel(epoch=3, alpha=0.5, drop=True)
    axis = barriers.barrier_by_fork(barrier, "points", threshold=2).axes[0]
    heights = {round(float(y), 9) for line in axis.lines for y in np.atleast_1d(line.get_ydata())}
    assert {round(float(mean), 9) for mean in barrier.mean(["parent", "pair"]).values.flat} <= heights
    assert 2 in heights
    dots = np.concatenate([line.get_ydata() for line in axis.lines if line.get_marker() == "o"])
    np.testing.assert_allclose(np.sort(dots), np.sort(barrier.values.ravel()))


def test_barrier_during_training_starts_at_the_fork(values: xr.DataArray) -> None:
    axis = barriers.barrier_during_training(values.sel(split="train", alpha=0.5, drop=True), "points").axes[0]
    curves = [line for line in axis.lines if line.get_label() in ("0", "2")]
    assert [line.get_xdata()[np.isfinite(line.get_ydata())][0] for line in curves] == FORKS
