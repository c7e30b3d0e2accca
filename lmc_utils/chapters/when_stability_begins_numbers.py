"""What the chapter on when stability begins quotes in its text, from the onsets along each axis."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from lmc_utils.chapters.when_stability_begins import RESNET8_EQUAL_RATIO, RESNET8_TABLES
from lmc_utils.measure.statistics import bounds


def ends_of_axis(values: xr.DataArray) -> dict[str, float]:
    """Means over parents at the first and at the last value of the axis at which any network has learnt.

    >>> both = ends_of_axis(xr.DataArray([[1.0, 3.0], [4.0, 4.0]], dims=["width", "parent"]))
    >>> both
    {'first': 2.0, 'last': 4.0}
    """
    learnt = values.dropna(values.dims[0], how="all").mean("parent")
    return {"first": float(learnt[0]), "last": float(learnt[-1])}


def onset_numbers(begins: Mapping[str, xr.DataArray]) -> dict[str, Any]:
    """What the chapter quotes of when stability begins, epochs, means over parents.

    Args:
        begins: of the axes in `TABLES`.

    Returns:
        `first` and `last` of each axis; `stable_from_default` with the ends of its interval; `onset_width_32`; and the
        range over weight decays up to 0.003, `decay_lowest` and `decay_highest`.
    """
    default = begins["learning rate"].sel(learning_rate=0.1)
    low, high = bounds(default.expand_dims("pair", -1)).values
    decays = begins["weight decay"].mean("parent").sel(weight_decay=slice(0.003))
    ends = {name: ends_of_axis(values) for name, values in begins.items()}
    return {
        "first": {name: both["first"] for name, both in ends.items()},
        "last": {name: both["last"] for name, both in ends.items()},
        "stable_from_default": {"": default.mean(), "low": low, "high": high},
        "decay_lowest": decays.min(),
        "decay_highest": decays.max(),
        "onset_width_32": begins["width"].sel(width=32).mean(),
    }


def progress_numbers(axes: Mapping[str, xr.Dataset]) -> dict[str, Any]:
    """What the chapter quotes of the steps until stability begins, and of the train error (percent) at that moment."""
    batch, samples = (axes[name].steps.mean("parent") for name in ("batch size", "training samples"))
    errors = [axis.error_there.mean("parent") for axis in axes.values()]
    return {
        "steps": {
            "largest_batch": batch[-1],
            "smallest_batch": batch[0],
            "fewest_samples": samples[1],  # with fewer networks do not learn
            "most_samples": samples[-1],
        },
        "error_there": {
            "default": axes["learning rate"].error_there.sel(learning_rate=0.1).mean("parent"),
            "lowest": min(float(error.min()) for error in errors),
            "highest": max(float(error.max()) for error in errors),
        },
    }


def equal_noise_numbers(axes: Mapping[str, xr.Dataset], noise: Mapping[str, xr.DataArray]) -> dict[str, Any]:
    """When stability begins where learning rate, batch size and samples give equal noise, and the noise left then.

    Args:
        axes: of the tables in `TABLES`.
        noise: at the start of training, by axis; 1 is the default.

    Returns:
        `onset` at noise 1/4 (`low`), 1/2 (`half`) and 2 (`high`) by `rate` and by `batch`, and with half and a quarter
        of the data; `noise_left` at the onset, as the cosine has taken the learning rate down.
    """

    def at(name: str, level: float, values: xr.DataArray) -> xr.DataArray:
        return values[int(abs(noise[name].values - level).argmin())]

    names = ("learning rate", "batch size", "training samples")
    rate, batch, data = ((name, axes[name].begins.mean("parent")) for name in names)
    left = {name: rate_at(noise[name], axes[name].share).mean("parent") for name in names[:2]}
    pairs = {
        f"{word}_{kind}": at(name, wanted, values)
        for word, wanted in (("low", 0.25), ("half", 0.5), ("high", 2.0))
        for kind, (name, values) in (("rate", rate), ("batch", batch))
    }
    return {
        "onset": pairs | {"half_data": at(data[0], 0.5, data[1]), "quarter_data": at(data[0], 0.25, data[1])},
        "noise_left": {
            "low": at("learning rate", 0.25, left["learning rate"]),
            "default": at("learning rate", 1.0, left["learning rate"]),
            "high_rate": at("learning rate", 2.0, left["learning rate"]),
            "high_batch": at("batch size", 2.0, left["batch size"]),
            "highest_batch": at("batch size", 4.0, left["batch size"]),
        },
    }


def resnet8_numbers(axes: Mapping[str, xr.Dataset]) -> dict[str, Any]:
    """What the chapter quotes of the onset of ResNet-8, and of its train error at the highest learning rate then."""
    rate, batch = (axes[name].begins.mean("parent") for name in RESNET8_TABLES)
    return {
        "first": rate[0],
        "last": rate[-1],
        "quarter_rate": rate.sel(learning_rate=RESNET8_EQUAL_RATIO[0][0]),
        "quarter_batch": batch.sel(batch_size=RESNET8_EQUAL_RATIO[0][1]),
        "error_there": axes["learning rate"].error_there.mean("parent")[-1],
        "small_batch": batch[0],
        "large_batch": batch[-1],
    }


def rate_at(rate: xr.DataArray, fraction: xr.DataArray) -> xr.DataArray:
    """The learning rate after a fraction of training: a cosine takes it from its first value to zero.

    >>> float(rate_at(xr.DataArray(0.2), xr.DataArray(0.5)).round(12))
    0.1
    """
    return rate * (1 + fraction.copy(data=np.cos(np.pi * fraction.values))) / 2
