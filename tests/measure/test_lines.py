"""Lines through weight space: exact at their ends, and their middle is the average network."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from brute_force import brute_force

from lmc_utils.forking import Member, Run
from lmc_utils.measure import lines
from lmc_utils.measure.mixtures import blend, on_line
from lmc_utils.measure.stacked_scores import evaluate
from lmc_utils.networks import stack
from lmc_utils.settings import ParameterError

GRID = lines.LineGrid(alphas=5)
TWO_NUMBERS = "alpha_range must be two numbers, the first <= 0, the second >= 1"


def test_mix_is_exact_at_the_endpoints_and_linear_between() -> None:
    first, second = torch.randn(2, 1000)
    points = blend(torch.tensor([[1.0, 0.0], [0.75, 0.25], [0.0, 1.0]]), torch.stack([first, second]))
    assert torch.equal(points[0], first)
    assert torch.equal(points[2], second)
    torch.testing.assert_close(points[1], 0.75 * first + 0.25 * second)


def test_the_ends_of_the_line_are_the_siblings_own_losses(run: Run) -> None:
    found = lines.line(run.pairs(), GRID)
    for fork in run.experiment.fork_epochs:
        thetas = run.thetas([Member(1, fork, 0), Member(1, fork, 2)], 3)
        for split, samples in (("train", run.dataset.train), ("test", run.dataset.test)):
            loss, error = evaluate(run.network, thetas, *samples)
            cut = found.sel(split=split, fork_epoch=fork, parent=1, pair="0-2", epoch=3)
            # The same networks in another batch of networks: float32 products may sum in another order.
            np.testing.assert_allclose(cut.loss.sel(alpha=[0, 1]), loss, rtol=1e-5)
            np.testing.assert_allclose(cut.error.sel(alpha=[0, 1]), error, atol=0.1)


def test_the_midpoint_is_the_average_network(run: Run) -> None:
    found = lines.line(run.pairs(), GRID)
    first, second = run.thetas([Member(0, 0, 0), Member(0, 0, 1)], 3)
    loss, _ = brute_force(run.network, (first + second) / 2, *run.dataset.test)
    middle = found.loss.sel(split="test", fork_epoch=0, parent=0, pair="0-1", epoch=3, alpha=0.5)
    assert float(middle) == pytest.approx(loss, rel=1e-5)


def test_lines_are_nan_before_the_fork_and_constant_at_the_fork(run: Run) -> None:
    found = lines.line(run.pairs([1, 2, 3]), GRID)
    assert found.sizes == {"split": 2, "fork_epoch": 2, "parent": 2, "pair": 3, "epoch": 3, "alpha": 5}
    late = found.loss.sel(fork_epoch=2)
    assert late.sel(epoch=1).isnull().all()
    spread = late.sel(epoch=2).max("alpha") - late.sel(epoch=2).min("alpha")
    assert float(spread.max()) < 1e-6
    assert found.loss.sel(fork_epoch=0).notnull().all()


def test_swapping_the_siblings_mirrors_the_line(run: Run) -> None:
    ends = run.thetas([Member(0, 0, 0), Member(0, 0, 1)], 3)
    weights = on_line(torch.linspace(0, 1, 5)).weights
    forth, back = (evaluate(run.network, blend(weights, pair), *run.dataset.test)[0] for pair in (ends, ends.flip(0)))
    torch.testing.assert_close(forth, back.flip(0), rtol=1e-5, atol=1e-6)


def test_results_have_units_and_attributes(run: Run) -> None:
    found = lines.line(run.pairs(), GRID)
    assert found.loss.attrs["units"] == "nats"
    assert found.error.attrs["units"] == "percent"
    assert '"fork_epochs": [0, 2]' in found.attrs["experiment"]


def test_a_layer_wise_line_changes_one_layer_only(run: Run) -> None:
    layers = lines.layer_line(run.pairs(), [0.0, 0.5, 1.0])
    assert layers.loss.dims == ("split", "fork_epoch", "parent", "pair", "epoch", "end", "layer", "alpha")
    first, second = run.thetas([Member(1, 2, 0), Member(1, 2, 2)], 3)
    blocks = stack.layer_slices(run.network)
    for end, (home, away) in enumerate([(first, second), (second, first)]):
        for layer, block in blocks.items():
            for alpha in (0.0, 0.5, 1.0):
                theta = home.clone()
                theta[block] = (1 - alpha) * home[block] + alpha * away[block]
                loss, error = brute_force(run.network, theta, *run.dataset.test)
                cut = layers.sel(split="test", fork_epoch=2, parent=1, pair="0-2", epoch=3, end=end, layer=layer)
                assert float(cut.loss.sel(alpha=alpha)) == pytest.approx(loss, rel=1e-5)
                assert float(cut.error.sel(alpha=alpha)) == pytest.approx(error, abs=0.3)


def test_a_loss_that_is_not_finite_is_a_one_line_error(run: Run) -> None:
    far = lines.LineGrid(alphas=2, alpha_range=(-3e38, 1))
    with pytest.raises(
        ValueError, match=r"NaN or infinite at split train, fork_epoch 0, parent 0, pair 0-1, epoch 3, alpha"
    ):
        lines.line(run.pairs(), far)


@pytest.mark.parametrize("alphas", [2, 3, 7, 25, 40])
@pytest.mark.parametrize("ends", [(0, 1), (-0.5, 1.5), (-1, 1.7)])
def test_every_grid_holds_endpoints_and_midpoint_once(alphas: int, ends: tuple[float, float]) -> None:
    grid = lines.LineGrid(alphas=alphas, alpha_range=ends).values()
    assert {0.0, 0.5, 1.0} <= set(grid)
    assert (np.diff(grid) > 1e-6).all()
    assert (grid[0], grid[-1]) == ends


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"alphas": 1}, "alphas must be >= 2 (got 1)"),
        ({"alpha_range": [0.1, 1]}, f"{TWO_NUMBERS} (got [0.1, 1.0])"),
        ({"alpha_range": [0, 1, 2]}, f"{TWO_NUMBERS} (got [0.0, 1.0, 2.0])"),
    ],
)
def test_an_invalid_line_is_rejected(change: dict[str, object], line: str) -> None:
    with pytest.raises(ParameterError) as caught:
        lines.LineGrid(**change)
    assert str(caught.value) == line


def test_a_corner_is_a_single_network(run: Run) -> None:
    found = lines.corner(run.pairs(third="fork_point"), 2, splits=["train"])
    assert found.error.dims == ("split", "fork_epoch", "parent", "pair", "epoch")
    for fork in run.experiment.fork_epochs:
        loss, error = evaluate(run.network, run.thetas([Member(1)], fork), *run.dataset.train)
        cut = found.squeeze().sel(fork_epoch=fork, parent=1, pair="0-1")
        assert (float(cut.loss), float(cut.error)) == (
            pytest.approx(float(loss), rel=1e-5),
            pytest.approx(float(error), abs=0.1),
        )


@pytest.mark.parametrize("alphas", [[0.0, 0.5, 0.5, 1.0], [0.0, 1e-10, 0.5, 1.0], [0.3], np.linspace(0, 1, 41)])
def test_spread_out_is_a_permutation(alphas: list[float]) -> None:
    assert sorted(lines.spread_out(alphas)) == list(range(len(alphas)))
