"""Curves are read back from a notebook unchanged, and other outputs are skipped."""

from __future__ import annotations

from typing import Any

import pytest
import xarray as xr
from IPython.utils.capture import capture_output

from lmc_utils.running.recorded_curves import Curves, record_curves, recorded

VALUES = xr.DataArray(
    [[1.0, 2.0], [3.0, float("nan")], [5.0, 6.0]],
    coords={"alpha": [0.0, 0.5, 1.0], "fork_epoch": [0, 15]},
    dims=["alpha", "fork_epoch"],
)


def test_recorded_curves_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[dict[str, Any]] = []
    monkeypatch.setattr("IPython.display.publish_display_data", said.append)
    with capture_output():
        record_curves("alpha", error=VALUES)
    found = recorded({"cells": [{"outputs": [{"data": each} for each in said]}, {"cell_type": "markdown"}]})
    assert list(found) == ["error"]
    assert (found["error"].along, found["error"].places) == ("alpha", [0.0, 0.5, 1.0])
    assert found["error"].forks[0] == [1.0, 3.0, 5.0]
    assert str(found["error"].forks[15]) == "[2.0, nan, 6.0]"


@pytest.mark.parametrize(
    "said",
    [None, 3, {}, {"name": "x", "along": "alpha", "places": [0], "forks": {"a": [1]}}, {"name": "x", "along": "alpha",
     "places": [0, 1], "forks": {"0": [1]}}, {"name": "x", "along": "alpha", "places": ["b"], "forks": {}}],
)  # fmt: skip
def test_other_outputs_are_ignored(said: Any) -> None:
    assert recorded({"cells": [{"outputs": [{"data": {"application/vnd.lmc.curves+json": said}}, {}]}]}) == {}


def test_missing_values_become_nan() -> None:
    said = {"name": "x", "along": "alpha", "places": [0, 1], "forks": {"2": [1, None]}}
    (found,) = recorded({"cells": [{"outputs": [{"data": {"application/vnd.lmc.curves+json": said}}]}]}).values()
    assert isinstance(found, Curves)
    assert str(found.forks[2]) == "[1.0, nan]"
