"""Treatments and their summaries: equal networks stay equal, and numbers have the recorded names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

from lmc_utils.chapters import symmetry_and_detours as chapter
from lmc_utils.connect.alignment.aligned_pairs import Matching
from lmc_utils.forking import Experiment, train
from lmc_utils.measure.curves import CurveSettings
from lmc_utils.measure.statistics import Correlation
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
    assert found["error_barrier_aligned_independent"] == 1
    assert (found["share"], found["share_independent"]) == (0.75, 0.5)


def test_other_curves_and_norms_are_one_line_errors() -> None:
    with pytest.raises(ParameterError, match="bends must be 1 in this chapter, which draws the curve in its"):
        chapter.require_measurable(SMALL, CurveSettings(curve="chain", bends=2))
    with pytest.raises(ParameterError, match="norm must be 'none' or 'batch' in this chapter, which rescales"):
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


SCATTER = xr.DataArray([[0.9], [1.0], [1.1]], coords={"parent": [0, 1, 2], "pair": ["0-1"]})


def by_fork(*heights: float) -> xr.DataArray:
    return xr.DataArray([*heights], coords={"fork_epoch": [0, 1, 15][: len(heights)]}) * SCATTER


def family(line: xr.DataArray, aligned: xr.DataArray) -> chapter.TreatmentResults:
    heights = xr.concat([line, aligned], xr.Variable("treatment", ["line", "aligned"]))
    return chapter.TreatmentResults(None, xr.Dataset(), heights, xr.Dataset())  # type: ignore[arg-type]


def outcomes(aligned: xr.DataArray, **change: Any) -> list[str]:
    given: dict[str, Any] = {
        "siblings": family(by_fork(40, 30, 1), aligned),
        "curve": by_fork(0.5, 0.5, 0.5),
        "independent_curve": xr.DataArray([0.9, 1.0, 1.1], coords={"pair": ["0-1", "0-2", "1-2"]}),
        "passes": xr.Dataset({"line": by_fork(4, 4, 0.1), "pass": by_fork(1, 1, 0.1)}),
        "agreement": Correlation(0.95, 0.91, 1.0),
    }
    return [claim.outcome for claim in chapter.claims(**(given | change)).claims]


def test_the_claims_follow_the_barriers() -> None:
    solved = by_fork(1, 3, 1)
    assert outcomes(solved) == ["holds"] * 6
    assert outcomes(by_fork(40, 30, 1))[:3] == ["fails", "fails", "fails"], "alignment changes nothing"
    assert outcomes(by_fork(30, 22, 1))[:3] == ["fails", "holds", "holds"], "more than a quarter is gone"
    assert outcomes(by_fork(30, 23, 1))[2] == "fails"
    assert outcomes(solved, curve=by_fork(0.5, 0.5, 3))[3] == "fails"
    far = xr.DataArray([1.0, 1.9, 9.0], coords={"pair": ["0-1", "0-2", "1-2"]})
    assert outcomes(solved, independent_curve=far)[3] == "cannot tell"
    assert outcomes(solved, independent_curve=far[:1])[3] == "cannot tell", "one pair has no interval"
    high = xr.Dataset({"line": by_fork(4, 4, 0.1), "pass": by_fork(2, 2.1, 0.1)})
    assert outcomes(solved, passes=high)[4] == "fails"
    assert outcomes(solved, agreement=Correlation(1.0, 0.9, 1.0))[5] == "cannot tell"


def test_without_a_fork_at_initialisation_nothing_is_said_of_it() -> None:
    def later(values: xr.DataArray) -> xr.DataArray:
        return values.assign_coords(fork_epoch=values.fork_epoch + 1)

    siblings = family(later(by_fork(40, 30, 1)), later(by_fork(1, 3, 1)))
    passes = xr.Dataset({"line": later(by_fork(4, 4, 4)), "pass": later(by_fork(1, 1, 1))})
    assert outcomes(by_fork(1, 3, 1), siblings=siblings, passes=passes)[:3] == ["cannot tell", "cannot tell", "holds"]
