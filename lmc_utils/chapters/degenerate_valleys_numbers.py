"""The chapter on degenerate valleys: what its text quotes, computed from its tables and from what it measures."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from lmc_utils.forking import result_tables
from lmc_utils.measure.reductions import pair_mean

OUTLIER = 0.1  # of the largest eigenvalue, or more
FLAT = 1e-3  # of the largest eigenvalue, or less
COUNTS = (10, 50, 100)  # of steepest directions
TABLES = (
    *("steep_directions_of_siblings", "steep_directions_of_resnets", "all_eigenvalues"),
    "all_eigenvalues_of_resnet8",
    "sixteen_siblings",
)


def last_alignments(after: xr.DataArray) -> dict[str, Any]:
    """The mean alignment at the last time after each fork that was measured, and the latest of these times (epochs).

    NaN where none was, as after a fork at the end of training.

    Args:
        after: from `alignment_after_fork`.

    >>> values = xr.DataArray([[9.0, 8.0], [2.0, np.nan]], {"after": [1, 25], "fork_epoch": [0, 15]})
    >>> found = last_alignments(values)
    >>> found["alignment_last"].values.tolist(), found["last_time"]
    ([2.0, 8.0], 25.0)
    """
    means = pair_mean(after)
    times = means.after.where(means.notnull()).max("after")
    last = means.where(means.after == times).sum("after", min_count=1)
    return {"alignment_last": last, "last_time": times.max().item()}


def training_numbers(during: xr.Dataset) -> dict[str, Any]:
    """What the text quotes of `during_training`, means over parents: first, last and highest."""
    means = during.mean("parent")
    return {
        f"parent_{name}": {"first": each[0], "last": each[-1], "highest": each.max()} for name, each in means.items()
    }


def falls(towards: xr.Dataset, barrier: xr.DataArray) -> xr.Dataset:
    """How much smaller the barrier is than at the first fork, and each factor that a quadratic loss makes it of.

    If the loss rises from each sibling as its own quadratic until the two meet at the midpoint, the barrier is an
    eighth of the curvature along the line plus half the slope, which is left out here. The curvature is the product of
    squared distance, alignment and trace, up to a constant.

    Args:
        towards: from `towards_siblings`.
        barrier: from `loss_barriers`.

    Returns:
        Ratios of the first fork's value to those of later forks, `distance` (squared), `alignment`, `trace`, their
        `product`, `barrier`, and `unexplained`, the barrier's over the product; of the means over the pairs of each
        parent, with the dimensions fork_epoch, parent and pair (of length 1). All are NaN where one is not positive.

    >>> labels = {"fork_epoch": [0, 5], "parent": [0], "pair": ["0-1"]}
    >>> values = xr.DataArray([[[8.0]], [[2.0]]], labels, list(labels))
    >>> towards = xr.Dataset({"squared_distance": values, "alignment": values, "trace": values})
    >>> found = falls(towards, values).squeeze()
    >>> found.distance.item(), found.product.item(), found.barrier.item(), found.unexplained.item()
    (4.0, 64.0, 4.0, 0.0625)
    """
    parts = {
        "distance": towards.squared_distance,
        "alignment": towards.alignment,
        "trace": towards.trace,
        "barrier": barrier,
    }
    means = {name: each.mean("pair").where(lambda value: value > 0) for name, each in parts.items()}
    ratio = {
        name: (each.isel(fork_epoch=0, drop=True) / each.isel(fork_epoch=slice(1, None))).expand_dims("pair", -1)
        for name, each in means.items()
    }
    product = ratio["distance"] * ratio["alignment"] * ratio["trace"]
    found = xr.Dataset({**ratio, "product": product, "unexplained": ratio["barrier"] / product})
    return found.where(found.unexplained.notnull())


def density_numbers(density: xr.Dataset, shares: xr.Dataset) -> dict[str, Any]:
    """Fractions of flat and of clearly negative eigenvalues, by an estimated density and by all eigenvalues.

    Args:
        density: from `densities`.
        shares: the table `all_eigenvalues`, of which the first parent is used.

    >>> labels = {"fork_epoch": [0]}
    >>> parts = {"node": [[[-1.0, 0.0, 2.0]]], "weight": [[[0.25, 0.25, 0.5]]]}
    >>> density = xr.Dataset({name: (("fork_epoch", "probe", "step"), part) for name, part in parts.items()}, labels)
    >>> below = xr.DataArray([[[0.2]]], {**labels, "threshold": [FLAT]}, ["fork_epoch", "parent", "threshold"])
    >>> found = density_numbers(density, xr.Dataset({"share_below": below, "share_negative": below}))
    >>> [[found[source][name].item() for name in ("flat", "negative")] for source in ("density", "exact")]
    [[0.25, 0.25], [0.2, 0.2]]
    """
    relative = density.node / density.node.max(["probe", "step"])
    first = shares.isel(parent=0)

    def fraction(met: xr.DataArray) -> xr.DataArray:
        found: xr.DataArray = density.weight.where(met, 0).sum("step").mean("probe")
        return found

    return {
        "density": {"flat": fraction(abs(relative) <= FLAT), "negative": fraction(relative < -FLAT)},
        "exact": {"flat": flat(first), "negative": negative(first)},
    }


def spectrum_numbers(steep: xr.Dataset, shares: xr.Dataset) -> dict[str, Any]:
    """What the text quotes of spectra, means over parents.

    Args:
        steep: the table `steep_directions_of_siblings`.
        shares: the table `all_eigenvalues`.
    """
    outliers = (steep.eigenvalue >= OUTLIER * steep.eigenvalue.isel(number=0)).sum("number")
    return {
        "outliers": pair_mean(outliers.astype(float)),
        "largest_eigenvalue": pair_mean(steep.eigenvalue.isel(number=0, drop=True)),
        "trace": pair_mean(steep.trace),
        **small_eigenvalues(shares),
    }


def small_eigenvalues(shares: xr.Dataset) -> dict[str, xr.DataArray]:
    """The fractions of flat directions and of clearly negative eigenvalues, means over parents.

    Args:
        shares: the table `all_eigenvalues` or `all_eigenvalues_of_resnet8`.
    """
    mean = shares.mean("parent")
    return {"flat_share_1e_3": flat(mean), "negative_share": negative(mean)}


def flat(shares: xr.Dataset) -> xr.DataArray:
    """The fraction of flat directions, see `FLAT`."""
    found: xr.DataArray = shares.share_below.sel(threshold=FLAT, method="nearest", drop=True)
    return found


def negative(shares: xr.Dataset) -> xr.DataArray:
    """The fraction of directions that are not flat, see `FLAT`, and have a negative eigenvalue."""
    found: xr.DataArray = shares.share_negative.sel(threshold=FLAT, method="nearest", drop=True)
    return found


def parameter_count(steep: xr.Dataset) -> int:
    """The number of parameters of the networks of a table, from the definition of the alignment.

    A rerun may have networks of another size than those of the book's tables.

    Args:
        steep: from `measure.steep_directions`.

    >>> steep_values = {"alignment": 1.5, "squared_distance": 4.0, "trace": 4.0, "curvature": 12.0}
    >>> parameter_count(xr.Dataset(steep_values))
    2
    """
    return round(float((steep.alignment * steep.squared_distance * steep.trace / steep.curvature).median()))


def direction_numbers(steep: xr.Dataset, parameters: int) -> dict[str, Any]:
    """What the text quotes of the direction to the other sibling, means over parents and pairs.

    Args:
        steep: the table `steep_directions_of_siblings`.
        parameters: of its networks, see `parameter_count`.
    """
    random = random_curvature(steep)
    tops = {
        f"top_{count}": {
            "length": pair_mean(steep.length_share.sel(number=count, drop=True)),
            "curvature": pair_mean(steep.curvature_share.sel(number=count, drop=True)),
            "length_chance": count / parameters,
            "curvature_chance": random.sel(number=count).item(),
        }
        for count in COUNTS
    }
    rise = pair_mean(steep.rise).transpose("part", ...)
    return {**tops, "rise": rise, "line_over_random": rise.sel(part="line") / rise.sel(part="random")}


def random_curvature(steep: xr.Dataset) -> xr.DataArray:
    """The fraction of the curvature along a random direction that so many of the steepest directions hold.

    Args:
        steep: from `measure.steep_directions`.

    Returns:
        The expected curvature in these directions over that in all, mean over pairs; with the dimension number.

    >>> eigenvalue = xr.DataArray([[[[4.0, 2.0]]]], dims=["fork_epoch", "parent", "pair", "number"])
    >>> random_curvature(xr.Dataset({"eigenvalue": eigenvalue, "trace": eigenvalue.sum("number") + 2})).values
    array([0.5 , 0.75])
    """
    within: xr.DataArray = steep.eigenvalue.cumsum("number") / steep.trace
    return within.mean(["fork_epoch", "parent", "pair"])


def angles_at_mean(around: xr.Dataset) -> dict[str, xr.DataArray]:
    """The angle between two of several networks as seen from their mean, in degrees, and its standard deviation.

    By the law of cosines, with the root mean square distance from the mean for each network.

    Args:
        around: see `measure.sibling_sets.around_mean`.

    >>> triangle = {"radius": 1.0, "distance": 3**0.5, "distance_spread": 0.0}
    >>> {name: round(each.item(), 6) for name, each in angles_at_mean(xr.Dataset(triangle)).items()}
    {'angle': 120.0, 'angle_spread': 0.0}
    """
    angle: xr.DataArray = np.arccos(1 - around.distance**2 / (2 * around.radius**2))
    spread = around.distance * around.distance_spread / (around.radius**2 * np.sin(angle))
    return {"angle": np.degrees(angle), "angle_spread": np.degrees(spread)}


def above_networks(around: xr.Dataset) -> xr.DataArray:
    """How much higher the loss (nats) is on the sphere through several networks than at them.

    Args:
        around: see `measure.sibling_sets.around_mean`.
    """
    found: xr.DataArray = around.loss.sel(where="sphere", drop=True) - around.loss.sel(where="networks", drop=True)
    return found


def resnet_numbers(steep: xr.Dataset) -> dict[str, Any]:
    """What the text quotes of ResNet-8, means over parents.

    Args:
        steep: the table `steep_directions_of_resnets`.
    """
    return {
        "alignment_resnet8": pair_mean(steep.alignment),
        "squared_distance_resnet8": pair_mean(steep.squared_distance),
        "trace_resnet8": pair_mean(steep.trace),
        "rise_resnet8": pair_mean(steep.rise).transpose("part", ...),
    }


def mean_falls(found: xr.Dataset) -> dict[str, Any]:
    """Geometric means over parents of what `falls` found, by name."""
    logarithms: xr.Dataset = np.log(found)  # type: ignore[assignment]
    return {str(name): np.exp(each) for name, each in pair_mean(logarithms).items()}


def how_tables_were_made() -> str:
    """The commands and the provenance of all tables of the chapter, in Markdown."""
    return result_tables.made(map(result_tables.read, TABLES))
