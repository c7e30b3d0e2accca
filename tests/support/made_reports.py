"""Synthetic reports of three points."""

from typing import Any

import numpy as np
import xarray as xr

from lmc_utils.connect.reports.report import Report


def made(loss: list[float], error: list[float], **attrs: Any) -> Report:
    """A report of three points, with their barriers."""
    values = {"loss": ("alpha", loss, {"units": "nats"}), "error": ("alpha", error, {"units": "percent"})}
    rises = {name: np.array(each) - (each[0] + each[2]) / 2 for name, each in (("loss", loss), ("error", error))}
    single = {
        "loss_barrier": max(0.0, rises["loss"][1]) if np.isfinite(loss).all() else np.nan,
        "loss_at_half": rises["loss"][1],
        "error_at_half": rises["error"][1],
        "error_barrier": rises["error"].max(),
        "highest_at": 0.5,
    }
    known = {"data": "90 samples in 1 batch", "batchnorm": "none", "constant_error": 60.0}
    return Report(xr.Dataset({**values, **single}, {"alpha": [0.0, 0.5, 1.0]}, {**known, **attrs}))
