"""Tables hold every number of a report once, under its unit."""

from __future__ import annotations

import numpy as np
import xarray as xr

from lmc_utils.connect.reports.tables import tables


def test_numbers_stand_in_the_table_of_their_dimension() -> None:
    percent = {"units": "percent"}
    found = tables(
        xr.Dataset(
            {
                "error": ("alpha", [1.0, np.nan], percent),
                "error_kept": (("alpha", "kept"), [[1.0, 2.0], [3.0, 4.0]], percent),
                "slope": ("end", [-1.0, 12345.678]),
                "error_at_half": ((), 0.5, {"units": "percentage points"}),
                "failed": ((), "a text, which is no number"),
            },
            {"alpha": [0.0, 1.0], "kept": ["first", "second"], "end": ["first", "second"]},
            {"not_finite": [0.25, 1.0], "data": "x" * 1000},
        )
    )
    assert found["Along the line"] == [
        ["alpha", "error (%)", "error kept (%), first", "error kept (%), second"],
        ["0", "1", "1", "2"],
        ["1", "nan", "3", "4"],
    ]
    assert found["At both ends"] == [["end", "slope"], ["first", "-1"], ["second", "1.235e+04"]]
    assert found["Barriers"][1:] == [["error at the midpoint, above the chord", "0.5", "points"]]
    assert found["Conditions"][1] == ["not finite", "0.25, 1"]
    assert len(found["Conditions"][2][1]) <= 200
    assert list(found) == ["Along the line", "At both ends", "Barriers", "Conditions"]
