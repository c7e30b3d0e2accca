"""Trajectories end on the plane through their ends, and distances from it are measured."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from device import DEVICE
from synthetic_trajectories import SIZE, trajectories_of
from torch import Tensor

from lmc_utils.forking import Experiment, Run, train
from lmc_utils.measure import planes, trajectory_projection
from lmc_utils.settings import ParameterError

SMALL = Experiment(
    dataset="digits", widths=(8,), epochs=5, fork_epochs=(0, 2, 5), parents=2, siblings=3, batch_size=256, device=DEVICE
)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return train(SMALL, tmp_path_factory.mktemp("runs"))


@pytest.mark.parametrize("third", trajectory_projection.THIRDS)
def test_trajectories_start_at_the_fork_point_and_end_on_their_plane(run: Run, third: str) -> None:
    seen = trajectory_projection.project(run.trajectories(), third=third)
    assert seen.attrs["third"] == third
    plane = planes.plane(run.pairs(third=third), planes.PlaneGrid(grid=2), splits=["test"]).isel(epoch=0)
    ends = seen.position.isel(epoch=-1).sel(fork_epoch=[0, 2])
    np.testing.assert_allclose(ends, plane.corner.sel(fork_epoch=[0, 2]).isel(point=[0, 1]), atol=1e-5)
    np.testing.assert_allclose(seen.off_plane.isel(epoch=-1).sel(fork_epoch=[0, 2]), 0, atol=1e-5)
    assert seen.position.sel(fork_epoch=5).isnull().all()  # forked at the end: one point, no plane
    assert seen.position.sel(fork_epoch=2, epoch=1).isnull().all()
    middle = seen.off_plane_fraction.sel(fork_epoch=0, epoch=2)
    assert ((middle > 0) & (middle < 1)).all()
    if third == "fork_point":
        start = seen.position.sel(fork_epoch=2, epoch=2).isel(trajectory=0)
        np.testing.assert_allclose(start, plane.corner.sel(fork_epoch=2).isel(point=2), atol=1e-5)


def test_a_step_off_the_plane_is_measured() -> None:
    def step(fork_epoch: int, _parent: int, sibling: int | None, epoch: int) -> Tensor:
        place = torch.zeros(SIZE, dtype=torch.float64)
        if sibling is not None:
            place[sibling] = epoch - fork_epoch
            place[10] = 2 * (epoch == 1)
        return place

    seen = trajectory_projection.project(trajectories_of(step)).sel(fork_epoch=0, parent=0, pair="0-1")
    np.testing.assert_allclose(seen.off_plane.sel(epoch=[1, 2]), [[2, 0], [2, 0]], atol=1e-9)
    np.testing.assert_allclose(seen.off_plane_fraction.sel(epoch=1), 2 / np.sqrt(5))


def test_an_unknown_third_point_is_rejected() -> None:
    trajectories = trajectories_of(lambda *_: torch.zeros(SIZE))
    with pytest.raises(ParameterError, match="unknown third 'fork'; choose from: fork_point, parent"):
        trajectory_projection.project(trajectories, third="fork")
