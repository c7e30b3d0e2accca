"""Tables of sweeps as arrays over forks and parents, and the claims that they decide."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from lmc_utils.chapters import sibling_difference_claims as claims
from lmc_utils.chapters import what_parts_siblings as chapter
from lmc_utils.forking import Experiment, result_tables, train
from lmc_utils.measure.functional_similarity import functional_similarity
from lmc_utils.settings import ParameterError

FORKS, PARENTS = (0.0, 1.0, 2.0, 15.0), 4


def heights(*by_fork: float, forks: tuple[float, ...] = FORKS) -> xr.DataArray:
    """Barriers at each fork, with a little scatter over parents."""
    scatter = np.linspace(-0.01, 0.01, PARENTS)[:, None]
    values = np.array(by_fork)[:, None, None] * (1 + scatter)
    return xr.DataArray(values, {"fork_epoch": list(forks)}, ["fork_epoch", "parent", "pair"]).assign_coords(
        parent=range(PARENTS)
    )


def outcomes(table: claims.ClaimTable) -> list[str]:
    return [claim.outcome for claim in table.claims]


def test_numbers_by_fork_and_parent_are_read_from_a_sweep() -> None:
    names = {
        f"error_barrier_train_fork_{fork}_parent_{parent}": fork + parent for fork in (0.5, 2) for parent in (0, 1, 10)
    }
    table = xr.Dataset({name: ("size", [value, -value]) for name, value in names.items()}, {"size": [1e-6, 0.1]})
    found = chapter.by_fork(table.assign(error_barrier_train_fork_2=("size", [9.0, 9.0])), "error_barrier_train")
    assert found.dims == ("size", "fork_epoch", "parent", "pair")
    assert found.fork_epoch.values.tolist() == [0.5, 2]
    assert found.sel(size=0.1, fork_epoch=2, parent=10).item() == -12


def test_the_books_tables_hold_all_that_the_chapter_reads() -> None:
    differences = chapter.barriers_by_difference()
    assert list(differences) == list(result_tables.DIFFERENCES)
    assert all(each.sizes == {"fork_epoch": 4, "parent": 10, "pair": 1} for each in differences.values())
    assert all(each.notnull().all() for each in chapter.barriers_by_schedule().values())
    for fixed in ("steps", "time"):
        onsets = chapter.onset_in_time(fixed)
        np.testing.assert_allclose(onsets.noise, [0.5, 1, 2, 4])
        assert (onsets.onset.sel(noise=1) <= 62 * 40 * 0.1).all()
    numbers = chapter.barrier_numbers(differences)
    assert numbers[""].step.values.tolist() == [0, 5, 15, 31, 62, 124, 248, 434, 558, 930]
    assert "lmc sweep" in chapter.how_tables_were_made()


def test_the_default_is_one_point_of_both_sweeps_of_noise() -> None:
    """The same networks are trained for the tables of fixed steps and of fixed time."""
    steps, time = (chapter.onset_in_time(fixed).sel(noise=1).onset for fixed in ("steps", "time"))
    np.testing.assert_array_equal(steps, time)


def test_a_network_is_compared_with_itself_some_epochs_earlier(tmp_path: pytest.TempPathFactory) -> None:
    run = train(Experiment(dataset="digits", widths=(8,), epochs=2, fork_epochs=(0,), parents=2), tmp_path)
    found = chapter.compared_functions(run, 1)
    assert found["siblings"].disagreement.dims == ("fork_epoch", "parent", "pair")
    assert found["itself"].disagreement.dims == ("parent",)
    same = functional_similarity(chapter.with_itself(run, 0), splits="test")
    assert same.disagreement.values.tolist() == [[0, 0]]
    with pytest.raises(ParameterError, match=r"epochs_apart must be <= 2, the epochs of training \(got 3\)"):
        chapter.with_itself(run, 3)


def steps_of(*, jumps: bool) -> xr.Dataset:
    """Distances that jump at step 1, where a unit switches, or grow by 1 % a step."""
    path = [1.0, 1.0, 9.0, 9.0] if jumps else [1.0, 1.01, 1.0201, 1.030301]
    shape = (1, PARENTS, 4)
    coords = {"difference": [chapter.SHOWN[0]], "parent": range(PARENTS), "step": range(4)}
    switched = np.broadcast_to([0.0, 2.0 if jumps else 0.0, 0.0, np.nan], shape).copy()
    noisy = np.broadcast_to(path, shape) * (1 + 1e-4 * np.arange(PARENTS)[:, None] * np.arange(4))
    return xr.Dataset({"distance": (tuple(coords), noisy), "switched_units": (tuple(coords), switched)}, coords)


def about_differences(switched: tuple[float, ...] = (0.0, 2.0, 0.0), **changed: xr.DataArray) -> list[str]:
    given = {name: heights(10, 8, 6, 0.1) for name in result_tables.DIFFERENCES}
    given |= {"data order": heights(44, 20, 14, 0.2), "noise 1e-1": heights(36, 16, 12, 0.2)}
    relu = steps_of(jumps=True)
    relu.switched_units[..., :3] = np.array(switched)
    steps = {"relu": relu, "gelu": steps_of(jumps=False)}
    smooth = heights(9, 5, 4, 0.1).expand_dims(activation=["gelu"])
    named = {name.replace("_", " "): each for name, each in changed.items()}
    return outcomes(claims.claims_about_differences(given | named, steps, smooth))


def test_claims_about_differences_follow_the_numbers() -> None:
    assert about_differences() == ["holds"] * 8
    assert about_differences(one_weight=heights(0.5, 0.1, 0.1, 0.1))[1] == "fails"
    assert about_differences(data_order=heights(30, 20, 14, 0.2))[2] == "fails"
    assert about_differences(data_order=heights(44, 20, 14, 3.0))[3] == "fails"
    assert about_differences(switched=(0.0, 0.0, 0.0))[4] == "fails"
    assert about_differences(switched=(1.0, 2.0, 0.0))[4] == "fails", "a unit switches before the jump"


def about_time(**changed: xr.DataArray) -> list[str]:
    noise = [0.25, 1.0, 4.0]
    rising = xr.DataArray([[1.0, 2.0, 3.0]] * PARENTS, {"parent": range(PARENTS), "noise": noise}, ["parent", "noise"])
    rising = rising + 0.01 * rising.parent
    rates = {"restart_rate": [0.1, 0.2]}
    given = {
        "steps": heights(44, 20, 10, 0.2),
        "restart": heights(44, 20, 14, 0.7),
        "trained": xr.concat([heights(1.0, forks=(40.0,)), heights(70.0, forks=(40.0,))], "restart_rate").assign_coords(
            rates
        ),
        "decay": heights(56, 26, 21, 0.5),
        "adamw": heights(40, 15, 10, 0.1).expand_dims(learning_rate=[chapter.ADAMW_RATE]),
    }
    onsets = {name: xr.Dataset({"onset": rising}) for name in ("steps", "time")}
    return outcomes(claims.claims_about_time(given | changed, onsets))


def test_claims_about_time_follow_the_numbers() -> None:
    assert about_time() == ["fails", *["holds"] * 9]
    assert about_time(steps=heights(44, 30, 14, 0.2))[0] == "holds"
    assert about_time(restart=heights(44, 20, 14, 5.0))[1] == "fails"
    assert about_time(decay=heights(56, 26, 21, 8.0))[5] == "fails"
