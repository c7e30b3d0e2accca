"""The lowest pass compared with brute force on small grids, and on known planes."""

import itertools

import numpy as np
import pytest
import torch
import xarray as xr

from lmc_utils.measure.minimax_path import across, lowest_pass
from lmc_utils.measure.pairs import between
from lmc_utils.measure.planes import PlaneGrid, plane
from lmc_utils.networks.layers import Linear
from lmc_utils.settings import ParameterError


def flooded(heights: np.ndarray, start: tuple[int, int], stop: tuple[int, int]) -> float:
    """The lowest water level that connects two points, found by trying every level."""
    for level in np.unique(heights):
        reached = {start} if heights[start] <= level else set()
        edge = list(reached)
        while edge:
            row, column = edge.pop()
            for down, right in itertools.product((-1, 0, 1), repeat=2):
                place = row + down, column + right
                inside = all(0 <= at < length for at, length in zip(place, heights.shape, strict=True))
                if inside and place not in reached and heights[place] <= level:
                    reached.add(place)
                    edge.append(place)
        if stop in reached:
            return float(level)
    raise AssertionError


@pytest.mark.parametrize("seed", range(20))
def test_the_pass_height_equals_that_of_brute_force_flooding(seed: int) -> None:
    random = np.random.default_rng(seed)
    rows, columns = random.integers(2, 9, size=2)
    heights = random.integers(-3, 4, size=(rows, columns)).astype(float) if seed % 2 else random.random((rows, columns))
    start, stop = (0, 0), (int(rows) - 1, int(columns) - 1)
    found = lowest_pass(heights, start, stop)
    assert found.height == flooded(heights, start, stop)
    assert found.height == heights[tuple(found.path.T)].max()
    assert (tuple(found.path[0]), tuple(found.path[-1])) == (start, stop)
    assert abs(np.diff(found.path, axis=0)).max() == 1, "from neighbour to neighbour"


def test_the_path_from_a_point_to_itself_is_that_point() -> None:
    found = lowest_pass(np.array([[1.0, 0.0], [0.0, 0.0]]), (0, 0), (0, 0))
    assert (found.height, found.path.tolist()) == (1.0, [[0, 0]])


@pytest.mark.parametrize(
    ("heights", "stop", "message"),
    [
        (np.zeros((3, 3)), (0, 3), "plane: the network at (0, 3) lies outside it; both must lie on it"),
        (np.full((3, 3), np.nan), (0, 2), "plane: some heights are NaN or infinite"),
    ],
)
def test_endpoints_outside_the_grid_and_nan_heights_are_rejected(
    heights: np.ndarray, stop: tuple[int, int], message: str
) -> None:
    with pytest.raises(ParameterError) as caught:
        lowest_pass(heights, (0, 0), stop)
    assert str(caught.value) == message


def mountain(gap: bool) -> xr.Dataset:
    """Two points at (0, 0) and (4, 0) with a barrier between them, with or without a gap at its end."""
    x, y = np.linspace(-1, 5, 13), np.linspace(-2, 2, 9)
    heights = np.where(abs(x - 2) < 0.1, 5.0 + x * 0, 0.0) + 0.1 * abs(y)[:, None]
    if gap:
        heights[-1] = 1.0
    corner = np.array([[0.0, 0.0], [4.0, 0.0], [2.0, 1.0]])
    return xr.Dataset(
        {
            "loss": (("pair", "row", "column"), np.stack([heights, np.full_like(heights, np.nan)])),
            "x": (("pair", "column"), np.stack([x, np.full_like(x, np.nan)])),
            "y": (("pair", "row"), np.stack([y, np.full_like(y, np.nan)])),
            "corner": (("pair", "point", "axis"), np.stack([corner, np.full_like(corner, np.nan)])),
        }
    )


def test_the_path_goes_through_the_gap_of_a_barrier() -> None:
    for gap, wanted in ((False, 5.0), (True, 1.0)):
        found = across(mountain(gap))
        assert found.line.values[0] == pytest.approx(5.0)
        assert found["pass"].values[0] == wanted
        assert found["line"].isnull().values.tolist() == [False, True], "where there is no plane, there is no pass"
    way = found.path.isel(pair=0).dropna("step").values
    assert way[0].tolist() == [0, 0]
    assert way[-1].tolist() == [4, 0]
    assert way[:, 1].max() == 2, "through the gap"


@pytest.mark.parametrize("noise", [-1e-9, 0.0, 1e-9])
def test_rounding_does_not_change_where_a_path_starts(noise: float) -> None:
    """The first network is in the middle of a cell, whose corners are 1, 2, 3, 4 high; else it is flat."""
    plane = mountain(True).isel(pair=[0])
    plane["loss"] = plane.loss * 0
    plane.loss[0, 4:6, 2:4] = [[2, 3], [1, 4]]
    plane["corner"] = plane.corner + noise
    plane.corner[0, 0] = np.array([0.25, 0.25]) + noise
    found = across(plane)
    assert found["pass"].values == 1
    assert found.path.values[0, 0].tolist() == [0, 0.5]


def test_measured_planes_have_a_pass_on_every_split() -> None:
    generator = torch.Generator().manual_seed(0)
    inputs, labels = torch.randn(20, 2, generator=generator), torch.arange(20) % 3
    thetas = torch.randn(3, 2, 9, generator=generator)
    samples = {"train": (inputs, labels), "test": (inputs, labels)}
    pairs = between(Linear(1, 2, 3), thetas[0], thetas[1], samples=samples, thirds=thetas[2])
    measured = plane(pairs, PlaneGrid(grid=9))
    found = across(measured, "error")
    assert found["pass"].dims == ("split", "pair")
    assert (found["pass"] <= measured.error.max(["row", "column"])).all()
    assert found.sel(split="train")["pass"].equals(found.sel(split="test")["pass"].assign_coords(split="train"))


def test_planes_that_do_not_reach_the_networks_are_rejected() -> None:
    with pytest.raises(ParameterError, match="the second lies outside it; both networks must lie on it"):
        across(mountain(True).isel(column=slice(0, 6)))
    with pytest.raises(ParameterError, match="no plane has both networks on it"):
        across(mountain(True).isel(pair=[1]))
