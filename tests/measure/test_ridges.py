"""The ridge begins as the barrier at the midpoint and ends at the third point."""

from __future__ import annotations

import numpy as np
import pytest
from brute_force import brute_force

from lmc_utils.forking import Member, Run
from lmc_utils.measure import barriers, lines, ridges
from lmc_utils.measure.trajectory_projection import THIRDS

GRID = lines.LineGrid(alphas=5)


def test_the_ridge_equals_the_barrier_at_height_0_and_vanishes_at_height_1(run: Run) -> None:
    for third in THIRDS:
        tracks = ridges.tracks(run.pairs(third=third), [0.0, 0.5, 1.0])
        ridge = ridges.ridge(tracks.loss)
        line = lines.line(run.pairs(), GRID)
        barrier = barriers.midpoint_barrier(line.loss)
        np.testing.assert_allclose(ridge.sel(height=0), barrier.transpose(*ridge.sel(height=0).dims), atol=1e-5)
        np.testing.assert_allclose(ridge.sel(height=1), 0, atol=1e-5)
        first, second = run.thetas([Member(1, 0, 0), Member(1, 0, 2)], 3)
        (top,) = run.thetas([Member(1)], 0 if third == "fork_point" else 3)
        cut = tracks.sel(split="test", fork_epoch=0, parent=1, pair="0-2", epoch=3, height=0.5)
        for track, foot in (("first", first), ("middle", (first + second) / 2), ("second", second)):
            loss, _ = brute_force(run.network, (foot + top) / 2, *run.dataset.test)
            assert float(cut.loss.sel(track=track)) == pytest.approx(loss, rel=1e-5)
