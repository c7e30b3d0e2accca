"""Measured barriers and their second-order predictions at the midpoint, for whole networks and layer by layer."""

from __future__ import annotations

from typing import Any

import xarray as xr

from lmc_utils.measure import approximations, barriers, lines
from lmc_utils.measure.pairs import Pairs
from lmc_utils.measure.reductions import end_of_training
from lmc_utils.measure.statistics import Correlation, correlation

__all__ = ["midpoint", "by_layer", "midpoint_numbers", "layer_numbers"]


def midpoint(pairs: Pairs, ends: xr.Dataset) -> xr.Dataset:
    """The training loss barrier at the midpoint, and its second-order approximation.

    Args:
        pairs: at one epoch.
        ends: their curvature at both networks, from `curvature.along`, as a whole or by layer.

    Returns:
        `measured` and `second_order` (nats), and `distance`, the squared distance of the two networks, as a baseline;
        with the dimensions of the pairs, without epoch.
    """
    line = end_of_training(lines.line(pairs, lines.ENDS_AND_MIDPOINT, splits=["train"]), "train")
    whole = end_of_training(ends.sum(["layer", "with_layer"], keep_attrs=True) if "layer" in ends.dims else ends)
    return xr.Dataset(
        {
            "measured": barriers.midpoint_barrier(line.loss),
            "second_order": approximations.second_order(whole.curvature, 0.5),
            "distance": whole.squared_distance,
        }
    )


def by_layer(pairs: Pairs, ends: xr.Dataset) -> xr.Dataset:
    """The rise of the training loss if only one layer moves to the midpoint, and its second-order approximation.

    Args:
        pairs: at one epoch.
        ends: their curvature at both networks by layer, from `curvature.along`.

    Returns:
        `measured` and `second_order` (nats), with the dimensions of the pairs, without epoch, and layer.
    """
    line = end_of_training(lines.layer_line(pairs, splits=["train"]), "train")
    own = approximations.layer_diagonal(end_of_training(ends).curvature)
    return xr.Dataset(
        {"measured": barriers.layer_rise(line.loss), "second_order": approximations.second_order_rise(own)}
    )


def midpoint_numbers(predictions: xr.Dataset, spearman: dict[str, Correlation]) -> dict[str, Any]:
    """The numbers of `midpoint`, as chapters record them.

    Returns:
        `spearman`, the given rank correlations; `ratio_second_order`, prediction over measurement, see
        `approximations.ratio`; and the number of `pairs`.
    """
    ratio = approximations.ratio(predictions.second_order, predictions.measured)
    return {"spearman": spearman, "ratio_second_order": ratio, "pairs": predictions.measured.size}


def layer_numbers(predictions: xr.Dataset) -> dict[str, float]:
    """Numbers of `by_layer` for chapters: rank correlation, and the ratio of means over pairs and layers."""
    return {
        "spearman_layerwise": float(correlation(predictions.second_order, predictions.measured)),
        "ratio_layerwise": float(predictions.second_order.mean() / predictions.measured.mean()),
    }
