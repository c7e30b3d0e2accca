"""Treatments and their summaries: what is one network stays one, and the numbers have the names that are recorded."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from lmc_utils.chapters import symmetry_and_detours as chapter
from lmc_utils.connect.alignment.aligned_pairs import Matching
from lmc_utils.forking import Experiment, train
from lmc_utils.measure.curves import CurveSettings
from lmc_utils.running import recorded_numbers
from lmc_utils.settings import ParameterError

SMALL = Experiment(widths=(4,), epochs=2, fork_epochs=(0, 2), parents=3, train_samples=128)
LINE = chapter.Parameters(alphas=3).line()


def treated(heights: list[list[float]]) -> chapter.TreatmentResults:
    coords = {"treatment": ["line", "aligned", "rescaled"], "pair": ["0-1", "0-2"]}
    barriers = xr.DataArray(heights, coords=coords)
    return chapter.TreatmentResults(None, xr.Dataset(), barriers, xr.Dataset())  # type: ignore[arg-type]


@pytest.fixture
def siblings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> chapter.TreatmentResults:
    monkeypatch.setenv("LMC_RUNS", str(tmp_path))
    return chapter.measure_treatments(train(SMALL).pairs(), LINE, Matching(), seed=0)


def test_a_fork_at_the_end_has_no_barrier_before_or_after_alignment(siblings: chapter.TreatmentResults) -> None:
    late = siblings.barriers.sel(fork_epoch=2)
    assert late.sel(treatment=["line", "aligned"]).values == pytest.approx(0)
    assert siblings.report.moved.sel(fork_epoch=2).values == pytest.approx(0)
    error = siblings.line.error
    highest = error.max("alpha") - error.sel(alpha=[0, 1]).mean("alpha")
    np.testing.assert_allclose(siblings.barriers.sel(treatment="line"), highest)
    assert chapter.alignment_gain(siblings)["interval"].dims == ("treatment", "fork_epoch", "bound")


def test_the_reduced_fraction_is_of_the_mean_barrier() -> None:
    of_two = treated([[10.0, 30.0], [4.0, 6.0], [0.0, 0.0]])
    assert of_two.reduction().values.tolist() == [6, 24]
    assert of_two.reduced_fraction().item() == 0.75
    found = dict(
        recorded_numbers.numbers("", chapter.mean_barriers(of_two, treated([[2.0, 2.0], [1.0, 1.0], [0.0, 0.0]])))
    )
    assert found["error_barrier_line"] == 20
    assert found["error_barrier_aligned_strangers"] == 1
    assert (found["share"], found["share_strangers"]) == (0.75, 0.5)


def test_other_curves_and_norms_are_one_line_errors() -> None:
    with pytest.raises(ParameterError, match="bends: expected 1 in this chapter"):
        chapter.require_measurable(SMALL, CurveSettings(curve="chain", bends=2))
    with pytest.raises(ParameterError, match="norm: expected none or batch"):
        chapter.require_measurable(Experiment(norm="layer"), CurveSettings())
    chapter.require_measurable(SMALL, CurveSettings())


def test_curves_are_summed_up_by_their_highest_points() -> None:
    coords = {"parent": [0, 1], "pair": ["0-1"], "alpha": [0.0, 0.5, 1.0]}
    heights = xr.DataArray([[[0.0, 4.0, 0.0]], [[2.0, 8.0, 0.0]]], coords=coords)  # barriers of 4 and 7
    measured = xr.Dataset({"error": heights, "loss": 10 * heights})
    measured = measured.assign(length=heights.isel(alpha=1, drop=True), off_line=heights.isel(alpha=0, drop=True))
    asked = []

    class Measured:
        def measure(self, *, splits: list[str]) -> xr.Dataset:
            asked.append(splits)
            return xr.Dataset({"error": 3 * heights}).expand_dims(split=splits)

    line = xr.Dataset({"loss": 100 * heights})
    found = chapter.curve_numbers(Measured(), measured, line)  # type: ignore[arg-type]
    expected = {
        "error_barrier_curve": 5.5,
        "highest_curve": 7,
        "test_curve": 16.5,
        "loss_curve": 60,
        "loss_line": 600,
        "length": 6,
        "off_line": 1,
    }
    assert {name: value.item() for name, value in found.items()} == pytest.approx(expected)
    assert asked == [["test"]]
