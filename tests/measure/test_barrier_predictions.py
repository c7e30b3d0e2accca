"""Barriers and predictions agree with the lines and curvatures that they are computed from."""

from __future__ import annotations

import numpy as np
import pytest

from lmc_utils.forking import Run
from lmc_utils.measure import barrier_predictions, curvature, lines


def test_midpoint_predictions_use_the_line_and_both_curvatures(run: Run) -> None:
    ends = curvature.along(run.pairs(), by_layer=False)
    found = barrier_predictions.midpoint(run.pairs(), ends)
    loss = lines.line(run.pairs(), [0.0, 0.5, 1.0], splits=["train"]).loss.squeeze()
    barrier = loss.sel(alpha=0.5) - (loss.sel(alpha=0) + loss.sel(alpha=1)) / 2
    np.testing.assert_allclose(found.measured, barrier, atol=1e-12)
    np.testing.assert_allclose(found.second_order, ends.curvature.sum("alpha").squeeze() / 16, rtol=1e-12)
    np.testing.assert_allclose(found.distance, ends.squared_distance.squeeze())
    by_layer = barrier_predictions.midpoint(run.pairs(), curvature.along(run.pairs()))
    np.testing.assert_allclose(by_layer.second_order, found.second_order, rtol=1e-3, atol=1e-6)  # float32, other sums


def test_layer_rises_are_predicted_by_diagonal_blocks(run: Run) -> None:
    ends = curvature.along(run.pairs())
    found = barrier_predictions.by_layer(run.pairs(), ends)
    for layer in ends.layer.values:
        own = ends.curvature.sel(layer=layer, with_layer=layer).squeeze()
        np.testing.assert_allclose(found.second_order.sel(layer=layer), own.sum("alpha") / 16, rtol=1e-12)
    numbers = barrier_predictions.layer_numbers(found)
    assert numbers["ratio_layerwise"] == pytest.approx(float(found.second_order.mean() / found.measured.mean()))
    assert barrier_predictions.midpoint_numbers(found, {})["pairs"] == found.measured.size
