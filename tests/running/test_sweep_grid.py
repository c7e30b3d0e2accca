"""Grids are parsed as expected, and invalid ones give one line."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some
from small_project import write_notebook

from lmc_utils.running import sweep_grid
from lmc_utils.running.notebooks import Notebook
from lmc_utils.settings import ParameterError


@given(some.integers(-20, 20), some.integers(-20, 20), some.integers(-5, 5).filter(bool))
def test_ranges_follow_python(start: int, stop: int, step: int) -> None:
    wanted = list(range(start, stop, step))
    if wanted:
        assert sweep_grid.parse_axis(f"seed={start}:{stop}:{step}") == ("seed", wanted)
    else:
        with pytest.raises(ParameterError, match="at least one value"):
            sweep_grid.parse_axis(f"seed={start}:{stop}:{step}")


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("rate=0.1,1e-3", [0.1, 0.001]),
        ("forks=[0, 1],[2]", [[0, 1], [2]]),
        ("norm=none, batch", ["none", "batch"]),
        ("data_dir=null", [None]),
        ("seed=3", [3]),
    ],
)
def test_values_are_yaml(text: str, values: list[Any]) -> None:
    assert sweep_grid.parse_axis(text)[1] == values


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("seed", "grid must be NAME=V1,V2 or NAME=START:STOP[:STEP] (got '"),
        ("=1", "grid must be NAME=V1,V2 or NAME=START:STOP[:STEP] (got '"),
        ("seed=", "grid must be NAME=V1,V2 or NAME=START:STOP[:STEP] (got '"),
        ("seed=0:4:0", "seed: the step of a range must not be 0 (got 0:4:0)"),
        ("seed=1,1", "seed must be distinct values (got '1,1')"),
        ("seed=[1", "seed must be YAML (got '[[1]')"),
    ],
)
def test_invalid_axes_are_rejected(text: str, said: str) -> None:
    with pytest.raises(ParameterError, match=f"^{re.escape(said)}"):
        sweep_grid.parse_axis(text)


def test_a_product_has_every_combination_once() -> None:
    points = sweep_grid.grid_points([("a", [1, 2]), ("b", ["x"]), ("c", [0, 1, 2])])
    assert len(points) == 6
    assert {(point["a"], point["c"]) for point in points} == {(a, c) for a in (1, 2) for c in (0, 1, 2)}
    with pytest.raises(ParameterError, match=r"each parameter can be in the grid only once \(got a, a\)"):
        sweep_grid.grid_points([("a", [1]), ("a", [2])])
    with pytest.raises(ParameterError, match="the grid has 1000000 points; at most 100000 are allowed"):
        sweep_grid.grid_points([("a", range(1000)), ("b", range(1000))])


def test_listed_points_are_a_list_of_mappings(tmp_path: Path) -> None:
    path = tmp_path / "points.yaml"
    path.write_text("- seed: 1\n  rate: 0.5\n- seed: 2\n")
    assert sweep_grid.read_points(path) == [{"seed": 1, "rate": 0.5}, {"seed": 2}]
    for text in ("seed: 1", "- 3", "[]", "- {}", "- seed: 1\n- seed: 1"):
        path.write_text(text)
        with pytest.raises(ParameterError, match=r"^"):
            sweep_grid.read_points(path)
    with pytest.raises(ParameterError, match=r"^points: no such file: .*"):
        sweep_grid.read_points(tmp_path / "none.yaml")


def test_a_wrong_point_is_named_before_anything_runs(tmp_path: Path) -> None:
    notebook = Notebook(write_notebook(tmp_path / "one.ipynb", "count"))
    sweep_grid.check_points(notebook, [{"count": 1}, {"count": 2}])
    with pytest.raises(ParameterError, match=r"count must be a whole number \(got 'x'\); in point 2 of 2,"):
        sweep_grid.check_points(notebook, [{"count": 1}, {"count": "x"}])
