"""The random-walk null in closed form compared with sampled random walks."""

from __future__ import annotations

import numpy as np
import torch
from synthetic_trajectories import EPOCHS, SIZE, trajectories_of, triangle
from torch import Tensor

from lmc_utils.measure import geometry, random_walk_null, trajectory_projection


def test_random_walks_have_their_expected_distances_and_angles() -> None:
    generator = torch.Generator().manual_seed(0)
    drawn: dict[tuple[int, int, int | None, int], Tensor] = {}

    def step(fork_epoch: int, parent: int, sibling: int | None, epoch: int) -> Tensor:
        place = (fork_epoch, parent, sibling, epoch)
        if sibling is None or epoch == fork_epoch:
            return 3 * torch.ones(SIZE, dtype=torch.float64) / np.sqrt(SIZE)
        if place not in drawn:
            way = torch.randn(SIZE, generator=generator, dtype=torch.float64)
            drawn[place] = step(fork_epoch, parent, sibling, epoch - 1) + epoch * way / way.norm()
        return drawn[place]

    trajectories = trajectories_of(step)
    found = geometry.track(trajectories).sel(layer="all")
    expected = random_walk_null.random_walks(found)
    last = {"fork_epoch": 0, "epoch": EPOCHS}
    # Directions in d dimensions have a cosine of 1 / sqrt(d), here .04, to each other.
    for name in ("fork_distance", "distance", "path_ratio"):
        np.testing.assert_allclose(found[name].sel(last), expected[name].sel(last), rtol=0.15)
    for apex in ("fork_point", "origin"):
        here = last | {"apex": apex}
        np.testing.assert_allclose(found.cosine.sel(here), expected.cosine.sel(here), atol=5 / np.sqrt(SIZE))
    seen = trajectory_projection.project(trajectories).off_plane_fraction.sel(fork_epoch=0)
    beside = expected.off_plane_fraction.sel(fork_epoch=0, sibling=0, parent=0)
    np.testing.assert_allclose(seen.sel(parent=0, pair="0-1").isel(trajectory=0)[1:], beside[1:], atol=0.1)
    assert beside[1] > 0.9
    assert beside[-1] == 0
    spread = float(found.angle.sel(last | {"apex": "fork_point"}).std())
    assert spread < 4 * random_walk_null.spread_of_random_angles(SIZE)


def test_random_walks_use_the_measured_step_lengths() -> None:
    found = random_walk_null.random_walks(geometry.track(triangle()))
    here = found.sel(fork_epoch=2, parent=0, layer="all", pair="0-1")
    steps = np.arange(1, 4)
    np.testing.assert_allclose(here.distance.sel(epoch=slice(3, 5)), 5 * np.sqrt(steps), err_msg="steps of 3 and of 4")
    expected = 1 / np.sqrt((1 + 9 * steps) * (1 + 16 * steps))
    np.testing.assert_allclose(here.cosine.sel(apex="origin", epoch=slice(3, 5)), expected)
