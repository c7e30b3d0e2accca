"""The table of a sweep has every number at its place, and NaN for missing points."""

from __future__ import annotations

import numpy as np

from lmc_utils.running import sweep_grid, sweep_tables


def test_a_grid_has_a_dimension_for_each_parameter() -> None:
    points = sweep_grid.grid_points([("seed", [3, 1]), ("norm", ["none", "batch"]), ("widths", [[8], [8, 8]])])
    recorded = [{"b": float(place)} for place in range(len(points))]
    found = sweep_tables.dataset(recorded, points)
    assert found.b.dims == ("seed", "norm", "widths")
    for place, point in enumerate(points):
        at = {"seed": point["seed"], "norm": point["norm"], "widths": str(point["widths"])}
        assert found.b.sel(at).item() == place


def test_a_missing_point_is_nan() -> None:
    points = sweep_grid.grid_points([("seed", [0, 1]), ("rate", [0.1, 0.2])])
    found = sweep_tables.dataset([{"b": 1.0}, {}, {"b": 3.0, "c": 4.0}, {"b": 5.0}], points)
    assert np.isnan(found.b.sel(seed=0, rate=0.2))
    assert found.c.sel(seed=1, rate=0.1) == 4.0
    assert int(np.isnan(found.c).sum()) == 3


def test_listed_points_form_one_dimension() -> None:
    points = [{"seed": 0, "rate": 0.1}, {"seed": 1, "rate": 0.2}, {"seed": 2}]
    found = sweep_tables.dataset([{"b": float(place)} for place in range(3)], points)
    assert found.b.dims == ("point",)
    assert found.seed.values.tolist() == [0, 1, 2]
    assert found.rate.values.tolist()[:2] in ([0.1, 0.2], ["0.1", "0.2"])
