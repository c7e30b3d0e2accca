"""A run supplies pairs and trajectories: every pair at its place, read from disk on demand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from device import DEVICE

from lmc_utils.forking import Experiment, Member, Run, train
from lmc_utils.settings import ParameterError

SMALL = Experiment(dataset="digits", widths=(16,), epochs=4, fork_epochs=(0, 2), parents=2, device=DEVICE)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return train(SMALL, tmp_path_factory.mktemp("runs"))


def test_every_pair_has_its_place_in_an_array_over_pairs(run: Run) -> None:
    pairs = run.pairs([1, 2, 4])
    coords = pairs.coords
    assert {name: len(values) for name, values in coords.items()} == {
        "fork_epoch": 2, "parent": 2, "pair": 1, "epoch": 3,
    }  # fmt: skip
    seen = dict(pairs)
    assert len(seen) == len(pairs) == 2 * (3 + 2)  # the fork at epoch 2 has no siblings at epoch 1
    for (fork, parent, pair, time), ends in seen.items():
        fork_epoch, whose, epoch = coords["fork_epoch"][fork], coords["parent"][parent], coords["epoch"][time]
        assert coords["pair"][pair] == "0-1"
        members = [Member(whose, fork_epoch, sibling) for sibling in (0, 1)]
        assert torch.equal(ends.theta, run.thetas(members, epoch))


@pytest.mark.parametrize("third", ["fork_point", "parent"])
def test_a_third_point_goes_with_each_pair(run: Run, third: str) -> None:
    pairs = run.pairs(third=third, parents=[1])
    assert pairs.third == third
    assert pairs.coords["parent"] == [1]
    for (fork, _, _, _), points in pairs:
        (top,) = run.thetas([Member(1)], SMALL.fork_epochs[fork] if third == "fork_point" else SMALL.epochs)
        assert torch.equal(points.theta[2], top)
        assert torch.equal(points.theta[:2], run.thetas([Member(1, SMALL.fork_epochs[fork], s) for s in (0, 1)], 4))


def test_trajectories_are_those_of_the_members(run: Run) -> None:
    trajectories = run.trajectories()
    for epoch in (0, 1, 2, 3, 4):
        family = [Member(1), Member(1, 2, 0), Member(1, 2, 1)]
        assert torch.equal(trajectories.read(2, 1, epoch), run.thetas(family, epoch))


def test_epochs_and_members_outside_the_run_are_rejected(run: Run) -> None:
    with pytest.raises(ParameterError, match="unknown third 'fork'; choose from: fork_point, parent"):
        run.pairs(third="fork")
    with pytest.raises(ParameterError, match=r"epoch must be between 0 and 4 \(got 9\)"):
        run.pairs([2, 9])
    with pytest.raises(ParameterError, match=r"parent must be between 0 and 1 \(got 2\)"):
        run.pairs(parents=[0, 2])


def test_an_epoch_that_was_not_stored_is_a_one_line_error(tmp_path: Path) -> None:
    thin = train(Experiment(**SMALL.to_json() | {"keep": 3}), tmp_path)
    assert len(list(thin.pairs([0, 2, 3, 4]))) == 2 * (4 + 3)
    line = "epoch 1 is not stored (keep = 3); set keep to 1, e.g. -p keep 1"
    for ask in (lambda: thin.pairs(range(5)), thin.trajectories, lambda: thin.thetas([Member(0)], 1)):
        with pytest.raises(ParameterError) as caught:
            ask()
        assert str(caught.value) == line


def test_independent_pairs_are_all_pairs_of_parents_at_the_end(run: Run) -> None:
    pairs, last = run.independent_pairs(), run.experiment.epochs
    assert pairs.coords == {"pair": ["0-1"]}
    ((place, ends),) = pairs
    assert place == (0,)
    assert torch.equal(ends.theta, run.thetas([Member(0), Member(1)], last))
    four = Run(replace(run.experiment, parents=4), run.folder, run.dataset, run.network)
    assert four.independent_pairs(parents=3).coords == {"pair": ["0-1", "0-2", "1-2"]}
    with pytest.raises(ParameterError, match="parents must be at least 2: pairs of independent networks are"):
        Run(Experiment(parents=1), run.folder, run.dataset, run.network).independent_pairs()
