"""A report shows all of its numbers: as tables, as JSON, and as a picture."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import example_modules
import matplotlib as mpl
import numpy as np
import pytest
from made_reports import made

from lmc_utils import connect
from lmc_utils.measure.curves import CurveSettings
from lmc_utils.settings import ParameterError


def test_tables_show_everything_that_was_asked_for() -> None:
    first, second, samples = example_modules.two("normalised")
    options: dict[str, Any] = {
        "layers": True,
        "curvature": True,
        "curve": CurveSettings(curve_epochs=1, curve_points=3),
    }
    found = connect.pair(first, second, samples, alphas=3, batchnorm="keep", **options)
    tables = found.tables()
    assert list(tables) == [
        "Along the line", "One layer at the midpoint", "At both ends", "Along the curve", "Barriers", "Conditions",
    ]  # fmt: skip
    heads = [cell for rows in tables.values() for cell in rows[0]]
    for name in ("loss kept (nats), first", "second order", "layer error rise (%)", "slope", "curve loss (nats)"):
        assert name in heads
    assert len(tables["Along the line"]) == 4
    assert all(len(row) == len(rows[0]) for rows in tables.values() for row in rows)
    for row, loss in zip(tables["Along the line"][1:], found.loss.values, strict=True):
        assert float(row[1]) == pytest.approx(loss, rel=1e-3)


def test_json_has_null_for_whatever_is_not_finite() -> None:
    report = made([1.0, np.nan, 1.0], [10.0, 10.0, 10.0], loss_with_own_statistics=[np.nan, 1.0], x=np.float64(np.inf))
    told = json.loads(json.dumps(report.to_json(), allow_nan=False))
    assert told["loss"] == [1.0, None, 1.0]
    assert (told["loss_with_own_statistics"], told["x"]) == ([None, 1.0], None)


def test_drawing_leaves_the_users_style_as_it_is() -> None:
    first, second, samples = example_modules.two("perceptron")
    found = connect.pair(first, second, samples, alphas=3)
    before = dict(mpl.rcParams)
    assert found.sentence.partition(";")[0] in found._repr_html_()
    assert found.plot().axes[0].spines["top"].get_visible() is False  # the book's style
    assert dict(mpl.rcParams) == before


def test_a_file_in_a_folder_that_is_not_there_is_a_one_line_error(tmp_path: Path) -> None:
    report = made([1.0, 2.0, 1.0], [10.0, 10.0, 10.0])
    with pytest.raises(ParameterError, match=r"^path must be a file in an existing folder \(got .*$"):
        report.to_netcdf(tmp_path / "missing" / "x.nc")
