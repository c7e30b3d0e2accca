"""Barriers where statistics are kept, what is read off the tables of long runs, and claims that hold and fail."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from lmc_utils.chapters import batchnorm_and_residuals as chapter
from lmc_utils.forking import result_tables


def test_the_convention_keep_averages_both_barriers() -> None:
    coords = {"kept": ["first", "second"], "alpha": [0.0, 0.25, 0.5, 0.75, 1.0]}
    both = xr.DataArray([[0.0, 8.0, 2.0, 2.0, 0.0], [0.0, 2.0, 2.0, 6.0, 0.0]], coords=coords)
    kept = xr.Dataset({"error": both.mean("kept"), "error_kept": both})
    found = chapter.error_barriers({"reestimate": kept[["error"]], "keep": kept})
    assert found.sel(batchnorm="keep").item() == 7
    assert found.sel(batchnorm="reestimate").item() == 5, "the barrier of the mean"


def test_the_lowest_and_highest_barriers_use_reestimated_statistics() -> None:
    coords = {"batchnorm": ["reestimate", "keep"], "fork_epoch": [0], "parent": [0, 1], "pair": ["0-1"]}
    found = chapter.barrier_numbers(xr.DataArray([[[[1.0], [3.0]]], [[[10.0], [20.0]]]], coords=coords))
    assert (found["lowest"].item(), found["highest"].item()) == (1, 3)
    assert found["error_barrier"].squeeze().values.tolist() == [2, 15]


def test_normalisations_rise_apart_from_other_layers() -> None:
    layers = {"layer": ["stem", "stem.norm", "norm1"]}
    rise = xr.DataArray([[[1.0, 2.0, 4.0]], [[3.0, 4.0, 6.0]]], dims=["parent", "pair", "layer"], coords=layers)
    found = chapter.rise_by_kind(rise)
    assert found.sel(kind="norms").item() == 4, "of 2, 4, 4 and 6"
    assert found.sel(kind="others").item() == 2, "of 1 and 3"


def test_the_table_of_norms_is_read_by_label() -> None:
    norms = result_tables.read("resnet8_norms")
    found = chapter.by_norm_and_rate(norms)
    error = norms.error.sel(norm="group", learning_rate=norms.learning_rate[1], alpha=[0, 1])
    expected = error.mean(["alpha", "fork_epoch", "parent", "pair"]).sel(split="test")
    assert found["group_high"]["error"].sel(split="test").item() == pytest.approx(expected.item())
    both = [found[f"batch_{name}"]["barrier"].sel(fork_epoch=0).item() for name in ("low", "high")]
    assert found["batch_rates"] == pytest.approx(both[1] / both[0])
    assert found["last_fork_highest"] == max(
        each["barrier"].values[-1] for each in found.values() if isinstance(each, dict)
    )
    barrier = norms.error.sel(split="train").max("alpha")
    stacked = chapter.by_network(barrier)
    one = stacked.sel(network=f"none, rate {norms.learning_rate.values[0]:g}")
    np.testing.assert_array_equal(one, barrier.sel(norm="none", learning_rate=norms.learning_rate[0]))


def test_fashion_mnist_parameters_come_from_its_table() -> None:
    found = chapter.about_fashion(result_tables.read("resnet8_fashion_mnist"))
    assert found["samples"] == 10_000
    assert found["parents"] == result_tables.FASHION.parents
    assert 0 < found["error"] < 100


SCATTER = xr.DataArray([[0.9], [1.0], [1.1]], coords={"parent": [0, 1, 2], "pair": ["0-1"]})
FORKS = {"fork_epoch": [0, 1, 15]}


def arrays(**by_convention: list[float]) -> xr.DataArray:
    values = [xr.DataArray(each, coords=FORKS) for each in by_convention.values()]
    return xr.concat(values, xr.Variable("batchnorm", list(by_convention))) * SCATTER


def norms(**from_start: list[float]) -> xr.DataArray:
    rates = [xr.DataArray(each, coords={"learning_rate": [0.1, 0.4]}) for each in from_start.values()]
    at_forks = xr.DataArray([1.0, 0.5, 0.0], coords=FORKS)
    return xr.concat(rates, xr.Variable("norm", list(from_start))) * at_forks * SCATTER


@pytest.mark.parametrize(
    ("barrier", "table", "outcome"),
    [
        (
            arrays(reestimate=[30, 4, 0.1], interpolate=[80, 20, 0.1], keep=[85, 70, 0.1]),
            norms(batch=[8, 30], group=[15, 30], none=[40, 50]),
            "holds",
        ),
        (
            arrays(reestimate=[1, 4, 30], interpolate=[0.5, 2, 0.1], keep=[0.5, 2, 0.1]),
            norms(batch=[30, 8], group=[15, 30], none=[40, 50]),
            "fails",
        ),
        (
            arrays(reestimate=[30, 4, 0.1], interpolate=[80, 20, 0.1], keep=[85, 70, 0.1]).isel(parent=[0]),
            norms(batch=[8, 30], group=[15, 30], none=[40, 50]).isel(parent=[0]),
            "cannot tell",
        ),
    ],
    ids=["holds", "fails", "one parent"],
)
def test_the_claims_follow_the_barriers(barrier: xr.DataArray, table: xr.DataArray, outcome: str) -> None:
    assert [claim.outcome for claim in chapter.claims(barrier, table).claims] == [outcome] * 6


def test_kept_statistics_are_judged_next_to_the_other_sibling() -> None:
    coords = {"kept": ["first", "second"], "alpha": [0.0, 0.25, 0.75, 1.0]}
    kept = xr.DataArray([[0.0, 1.0, 50.0, 0.0], [0.0, 70.0, 2.0, 0.0]], coords=coords) * SCATTER
    assert chapter.next_to_other(kept).item() == pytest.approx(60)


def test_the_table_is_compared_with_the_page_at_shared_forks() -> None:
    table = norms(batch=[8, 30], group=[15, 30], none=[40, 50])
    assert chapter.difference_to_table(arrays(reestimate=[30, 15, 0]), table) == pytest.approx(0, abs=1e-12)
    other = arrays(reestimate=[30, 12, 0], keep=[1, 1, 1]).isel(fork_epoch=[1, 2])
    assert chapter.difference_to_table(other, table) == pytest.approx(3)
