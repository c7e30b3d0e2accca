"""What chapter 11 measures on a run, and made-up numbers for which each of its claims holds or fails."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import xarray as xr

from lmc_utils.chapters import degenerate_valleys as chapter
from lmc_utils.chapters import degenerate_valleys_claims as claims
from lmc_utils.chapters import degenerate_valleys_numbers as numbers
from lmc_utils.forking import Experiment, Run, result_tables, train
from lmc_utils.measure import hessian, spectrum
from lmc_utils.measure.claim_table import ClaimTable
from lmc_utils.measure.direction_curvature import against_random
from lmc_utils.measure.steep_directions import steep_directions

FORKS, PARENTS = (0.0, 15.0), 4
SMALL = chapter.Parameters(hessian_samples=60, probes=3, eigenpairs=4)


def values(*by_fork: float, **more: Any) -> xr.DataArray:
    """Numbers at each fork, with a little scatter over parents."""
    scatter = 1 + np.linspace(-0.01, 0.01, PARENTS)[:, None]
    made = xr.DataArray(np.array(by_fork)[:, None, None] * scatter, dims=["fork_epoch", "parent", "pair"])
    made = made.assign_coords(fork_epoch=list(FORKS), parent=range(PARENTS))
    return made.expand_dims(more, -1) if more else made


def outcomes(table: ClaimTable) -> list[str]:
    return [claim.outcome for claim in table.claims]


def steep_table(
    alignment: xr.DataArray, length: xr.DataArray, rises: dict[str, xr.DataArray], **more: Any
) -> xr.Dataset:
    rise = xr.concat(rises.values(), xr.Variable("part", list(rises)))
    eigenvalue = more.get("eigenvalue", values(3, 3, number=[1, 100]) * xr.DataArray([1, 0.05], dims="number"))
    return xr.Dataset(
        {
            "alignment": alignment,
            "length_share": length,
            "rise": rise,
            "eigenvalue": eigenvalue,
            "trace": values(80, 80),
        }
    )


@pytest.fixture(scope="module")
def run() -> Run:
    return train(
        Experiment(dataset="digits", widths=(8,), epochs=3, fork_epochs=(0, 1.5), parents=2, train_samples=128)
    )


def test_the_alignment_after_the_fork_is_that_at_whole_epochs(run: Run) -> None:
    found = chapter.alignment_after_fork(run, SMALL)
    assert found.after.values.tolist() == list(chapter.AFTER)
    for after, fork, epoch in ((1, 0, 1), (2, 0, 2), (1, 1.5, 3)):
        direct = against_random(SMALL.few(run.pairs([epoch])), probes=3).alignment.sel(fork_epoch=fork, epoch=epoch)
        np.testing.assert_array_equal(found.sel(after=after, fork_epoch=fork), direct)
    assert found.sel(after=[5, 10, 25]).isnull().all()


def test_the_curvature_over_a_stretch_of_a_smooth_network_is_the_derivative(run: Run) -> None:
    smooth = train(Experiment(**{**run.experiment.to_json(), "activation": "tanh"}))
    found = chapter.nearby_curvature(smooth, SMALL)
    np.testing.assert_allclose(found.stretch, found.derivative, rtol=0.02)
    towards = chapter.towards_siblings(smooth, SMALL)
    np.testing.assert_allclose(found.derivative, towards.curvature, rtol=1e-3)


def test_the_parents_spectrum_is_measured_at_stored_epochs(run: Run) -> None:
    found = chapter.during_training(run, SMALL)
    assert found.epoch.values.tolist() == [1, 3]
    assert (found.largest > 0).all()
    assert chapter.spectra(run, SMALL).eigenvalue.sizes["number"] == 4


def test_the_density_is_estimated_at_the_first_and_the_last_fork(run: Run) -> None:
    found = chapter.densities(run, SMALL)
    assert found.node.sizes == {"fork_epoch": 2, "probe": chapter.DENSITY_PROBES, "step": chapter.DENSITY_STEPS}
    np.testing.assert_allclose(found.weight.sum("step"), 1)
    pairs = SMALL.few(run.pairs(parents=[0]), times=4)
    largest = steep_directions(pairs, eigenpairs=1).eigenvalue.squeeze().values
    np.testing.assert_allclose(found.node.max("step"), np.stack([largest] * 2, 1), rtol=1e-4)
    one = train(Experiment(**{**run.experiment.to_json(), "fork_epochs": [0]}))
    assert chapter.densities(one, SMALL).fork_epoch.values.tolist() == [0]


def test_a_fork_at_the_end_of_training_has_no_alignment_after_it(run: Run) -> None:
    late = train(Experiment(**{**run.experiment.to_json(), "fork_epochs": [0, 3]}))
    found = numbers.last_alignments(chapter.alignment_after_fork(late, SMALL))
    assert found["alignment_last"].notnull().values.tolist() == [True, False]
    assert found["last_time"] == 2


def test_the_parameters_of_a_table_are_those_of_its_networks(run: Run) -> None:
    assert numbers.parameter_count(steep_directions(run.pairs(), eigenpairs=1)) == run.pairs().evaluator.parameters


def test_a_random_direction_has_the_curvature_of_the_mean_of_many(run: Run) -> None:
    pairs = SMALL.few(run.pairs(parents=[0])).only(fork_epoch=0)
    found = steep_directions(pairs, eigenpairs=4, probes=400)
    expected = numbers.random_curvature(found).squeeze().values
    matrix = hessian.operator(pairs.evaluator, pairs.evaluator.select(next(iter(pairs))[1], [0]))
    steepest = spectrum.largest_eigenpairs(matrix, 4, seed=0)
    drawn = np.random.default_rng(0).standard_normal((1000, matrix.shape[0]))
    within = ((drawn @ steepest.vectors) ** 2 * steepest.values).mean(0).cumsum()
    np.testing.assert_allclose(expected, within / np.einsum("sp,ps->s", drawn, matrix @ drawn.T).mean(), rtol=0.1)


def test_claims_about_spectra_hold_and_fail() -> None:
    steep = steep_table(values(1, 1), values(1, 1), {"line": values(1, 1)})
    flat = xr.DataArray(
        np.full((2, 3, 1), 0.8), {"fork_epoch": list(FORKS), "threshold": [1e-3]}, ["fork_epoch", "parent", "threshold"]
    )
    shares = xr.Dataset({"share_below": flat})
    assert outcomes(claims.claims_about_spectra(steep, shares)) == ["holds", "holds"]
    wider = steep.assign(trace=values(80, 60))
    assert outcomes(claims.claims_about_spectra(wider, shares - 0.5)) == ["fails", "fails"]


def test_claims_about_directions_hold_and_fail() -> None:
    chance = 100 / 1000
    rises = {"line": values(1, 0.01), "steep": values(0.9, 0.002), "rest": values(0.7, 0.01), "random": values(2, 0.1)}
    steep = steep_table(values(1.5, 0.3), values(chance, chance / 8, number=[10, 100]), rises)
    after = xr.concat([values(9, 8), values(2, 0.5)], xr.Variable("after", [1, 25]))
    found = xr.Dataset({"unexplained": values(1.2, 1.2)})
    assert outcomes(claims.claims_about_directions(steep, steep, after, found, 1000)) == ["holds"] * 9
    rises = {
        "line": values(1, 0.01),
        "steep": values(0.2, 0.002),
        "rest": values(1, 0.01),
        "random": values(0.5, 0.001),
    }
    steep = steep_table(values(0.9, 0.7), values(5 * chance, chance, number=[10, 100]), rises)
    found = xr.Dataset({"unexplained": values(3, 3)})
    assert outcomes(claims.claims_about_directions(steep, steep, after[::-1], found, 1000)) == ["fails"] * 9


def test_claims_without_a_later_fork_or_time_cannot_be_decided() -> None:
    chance = 100 / 1000
    rises = dict.fromkeys(("line", "steep", "rest", "random"), values(1, 1))
    steep = steep_table(values(1.5, 0.3), values(chance, chance, number=[10, 100]), rises)
    none = xr.Dataset({"unexplained": values(1, 1).isel(fork_epoch=[])})
    for heights in ([9, np.nan], [np.nan, np.nan]):
        after = xr.concat([values(each, each) for each in heights], xr.Variable("after", [1, 25]))
        found = claims.claims_about_directions(steep, steep, after, none, 1000)
        assert outcomes(found)[-2:] == ["cannot tell"] * 2
    nearby = xr.Dataset({"derivative": values(7, 7), "stretch": values(9, 9)}).isel(fork_epoch=[0])
    curved = xr.Dataset({"curvature": values(7, 7)})
    assert outcomes(claims.claims_about_parts(curved, curved, nearby))[-1] == "cannot tell"


def test_claims_about_solutions_hold_and_fail() -> None:
    def table(dimension: float, early: float, late: float) -> xr.Dataset:
        loss = xr.concat([values(0.01, 0.01), values(early, late)], xr.Variable("where", ["networks", "sphere"]))
        return xr.Dataset({"dimension": values(dimension, dimension), "loss": loss}).isel(pair=0)

    below = xr.DataArray([[[0.8], [0.9]]], {"threshold": [1e-3]}, ["fork_epoch", "parent", "threshold"])
    shares = xr.Dataset({"share_below": below})
    assert outcomes(claims.claims_about_solutions(table(14.5, 1.0, 0.012), shares)) == ["holds"] * 4
    assert outcomes(claims.claims_about_solutions(table(5, 0.012, 0.5), shares - 0.6)) == ["fails"] * 4


def test_claims_about_parts_hold_and_fail() -> None:
    hessian = xr.Dataset({"trace": values(80, 80), "curvature": values(7, 0.05)})
    gauss_newton = xr.Dataset({"trace": values(81, 79), "curvature": values(8, 0.07)})
    nearby = xr.Dataset({"derivative": values(7, 0.05), "stretch": values(9, 0.15)})
    assert outcomes(claims.claims_about_parts(hessian, gauss_newton, nearby)) == ["holds"] * 2
    nearby = xr.Dataset({"derivative": values(7, 0.05), "stretch": values(6, 0.04)})
    assert outcomes(claims.claims_about_parts(hessian, gauss_newton / 2, nearby)) == ["fails"] * 2


def test_the_books_tables_hold_all_that_the_chapter_reads() -> None:
    steep = result_tables.read("steep_directions_of_siblings")
    shares = result_tables.read("all_eigenvalues")
    assert steep.alignment.sizes == {"fork_epoch": 4, "parent": 10, "pair": 1}
    found = numbers.spectrum_numbers(steep, shares)
    assert found["flat_share_1e_3"].fork_epoch.values.tolist() == [0, 15]
    assert (shares.share_below.diff("threshold") >= 0).all()
    assert (shares.share_below.isel(threshold=-1) == 1).all()
    assert numbers.resnet_numbers(result_tables.read("steep_directions_of_resnets"))["alignment_resnet8"].size == 4
    assert result_tables.read("sixteen_siblings").fork_epoch.values.tolist() == [0, 2, 15]
    assert numbers.parameter_count(steep) == 11594
    assert "result_tables" in numbers.how_tables_were_made()
