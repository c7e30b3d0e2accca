"""All layers together are the whole line, one is a layer-wise line; random steps are as long in every layer."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest
import torch
from brute_force import brute_force

from lmc_utils import connect
from lmc_utils.forking import Run
from lmc_utils.measure import layer_groups, lines
from lmc_utils.measure.pairs import Pairs, between
from lmc_utils.measure.stacked_evaluator import require_stacked
from lmc_utils.networks import stack
from lmc_utils.networks.models import Architecture, build

ALPHAS = [0.0, 0.25, 1.0]


@pytest.fixture(scope="module")
def pairs() -> Pairs:
    """Two pairs of perceptrons with three layers, in float64."""
    network = build(Architecture(widths=(5, 4)), (6, 1), 3).double()
    thetas = stack.flatten(stack.initialise(network, [0, 1, 2, 3])).double()
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(40, 6, 1, generator=generator, dtype=torch.float64)
    labels = torch.randint(3, (40,), generator=generator)
    return between(network, thetas[:2], thetas[2:], samples={"train": (inputs, labels)})


def test_every_group_is_that_of_a_loop(pairs: Pairs) -> None:
    """One network at a time, one sample at a time."""
    network, samples = require_stacked(pairs).network, require_stacked(pairs).on("train")
    blocks = list(stack.layer_slices(network).values())
    held: dict[str, Callable[[int], Sequence[int]]] = {
        "single": lambda layer: [layer],
        "from_input": lambda layer: range(layer + 1),
        "from_output": lambda layer: range(layer, len(blocks)),
    }
    found = layer_groups.group_line(pairs, ALPHAS)
    assert found.loss.dims == ("split", "pair", "end", "group", "layer", "alpha")
    for pair in (0, 1):
        ends = pairs.read((pair,)).theta
        for end, (home, away) in enumerate([(ends[0], ends[1]), (ends[1], ends[0])]):
            for group, of in held.items():
                for layer in range(len(blocks)):
                    for alpha in ALPHAS:
                        theta = home.clone()
                        for block in (blocks[each] for each in of(layer)):
                            theta[block] = (1 - alpha) * home[block] + alpha * away[block]
                        loss, error = brute_force(network, theta, *samples)
                        cut = found.squeeze("split").sel(pair=pair, end=end, group=group, alpha=alpha).isel(layer=layer)
                        assert float(cut.loss) == pytest.approx(loss, rel=1e-12)
                        assert float(cut.error) == pytest.approx(error, abs=1e-9)


def test_all_layers_together_are_the_whole_line_and_exchanged_the_other_network(run: Run) -> None:
    groups = layer_groups.group_line(run.pairs(), ALPHAS)
    line = lines.line(run.pairs(), [0.0, 0.25, 0.75, 1.0])
    first, last = groups.layer.values[[0, -1]]
    for whole in (groups.sel(group="from_input", layer=last), groups.sel(group="from_output", layer=first)):
        for end, alphas in enumerate(([0.0, 0.25, 1.0], [1.0, 0.75, 0.0])):
            measured = whole.sel(end=end)
            np.testing.assert_allclose(measured.loss, line.loss.sel(alpha=alphas), rtol=1e-5)  # float32
            other = line.sel(alpha=1.0 - end)
            np.testing.assert_allclose(measured.loss.sel(alpha=1.0), other.loss, rtol=1e-5)
            np.testing.assert_allclose(measured.error.sel(alpha=1.0), other.error, atol=0.2)  # a sample on the boundary


def test_a_group_of_one_layer_is_the_layer_wise_line(run: Run) -> None:
    groups = layer_groups.group_line(run.pairs(), ALPHAS)
    layers = lines.layer_line(run.pairs(), ALPHAS)
    first, last = groups.layer.values[[0, -1]]
    np.testing.assert_allclose(groups.loss.sel(group="single"), layers.loss, rtol=1e-5)  # float32
    for group, layer in (("from_input", first), ("from_output", last)):
        np.testing.assert_array_equal(*(groups.loss.sel(group=each, layer=layer) for each in (group, "single")))


def test_a_hybrid_is_the_same_from_both_homes(pairs: Pairs) -> None:
    """The first layers of the second network in the first are the last layers of the first in the second."""
    hybrids = layer_groups.group_line(pairs, [1.0]).loss.squeeze(["split", "alpha"])
    for layer in range(2):
        there = hybrids.sel(end=0, group="from_input").isel(layer=layer)
        back = hybrids.sel(end=1, group="from_output").isel(layer=layer + 1)
        np.testing.assert_allclose(there, back, rtol=1e-12)


def test_random_steps_are_as_long_as_those_to_the_other_network_in_every_layer(pairs: Pairs) -> None:
    evaluator = require_stacked(pairs)
    moved = torch.tensor([[1.0, 0.0, 0.0], [0.5, 0.5, 0.0], [1.0, 1.0, 1.0]], dtype=torch.float64)
    homes = torch.tensor([0, 1, 1])
    corners = layer_groups.with_noise(pairs, 3).read((1,))
    mixtures = layer_groups.noise_mixtures(evaluator, corners, homes, moved)
    steps = evaluator.thetas(corners, mixtures) - corners.theta[homes]
    assert torch.equal(corners.theta[:2], pairs.read((1,)).theta)
    for layer, block in enumerate(stack.layer_slices(evaluator.network).values()):
        distance = (corners.theta[1] - corners.theta[0])[block].norm()
        torch.testing.assert_close(steps[:, block].norm(dim=1), moved[:, layer] * distance, rtol=1e-12, atol=1e-12)
    assert abs(torch.cosine_similarity(steps[2], corners.theta[1] - corners.theta[0], dim=0)) < 0.5


def test_random_steps_are_those_of_their_seed_and_begin_at_home(pairs: Pairs) -> None:
    found = layer_groups.random_steps(pairs, ALPHAS, seed=1)
    np.testing.assert_array_equal(found.loss, layer_groups.random_steps(pairs, ALPHAS, seed=1).loss)
    assert (found.loss != layer_groups.random_steps(pairs, ALPHAS, seed=2).loss).sel(alpha=1.0).all()
    homes = layer_groups.group_line(pairs, [0.0])
    np.testing.assert_allclose(found.loss.sel(alpha=[0.0]), homes.loss, rtol=1e-12)
    rise = layer_groups.group_rise(found.loss, 0.25)
    np.testing.assert_array_equal(rise, found.loss.sel(alpha=0.25) - found.loss.sel(alpha=0.0))


def test_a_loop_along_the_noise_finds_the_same_losses(pairs: Pairs) -> None:
    network, samples = require_stacked(pairs).network, require_stacked(pairs).on("train")
    found = layer_groups.random_steps(pairs, [0.5], seed=3).loss.squeeze(["split", "alpha"])
    first, second, noisy = layer_groups.with_noise(pairs, 3).read((0,)).theta
    blocks = list(stack.layer_slices(network).values())
    for end, home in enumerate((first, second)):
        theta = home.clone()
        for layer, block in enumerate(blocks):
            noise, delta = noisy[block] - first[block], second[block] - first[block]
            theta[block] += 0.5 * noise * delta.norm() / noise.norm()
            loss, _ = brute_force(network, theta, *samples)
            cut = found.sel(pair=0, end=end, group="from_input").isel(layer=layer)
            assert float(cut) == pytest.approx(loss, rel=1e-12)


def test_at_the_fork_itself_no_step_moves(run: Run) -> None:
    """Both siblings are the parent, so that every step has length 0."""
    fork = run.experiment.fork_epochs[-1]
    for measure in (layer_groups.group_line, layer_groups.random_steps):
        loss = measure(run.pairs([fork]), [0.0, 0.5]).loss.sel(fork_epoch=fork)
        np.testing.assert_array_equal(*(loss.sel(alpha=alpha) for alpha in (0.0, 0.5)))


def test_modules_move_the_layers_that_are_named() -> None:
    torch.manual_seed(0)
    first, second = (torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.ReLU(), torch.nn.Linear(4, 2)) for _ in "ab")
    samples = torch.randn(20, 3), torch.randint(0, 2, (20,))
    pairs = connect.pairs({"only": (first, second)}, samples, layers=["2"])
    found = layer_groups.group_line(pairs, [1.0]).loss.squeeze()
    assert found.dims == ("end", "group")
    hybrid = torch.nn.Sequential(first[0], first[1], second[2])
    loss = float(torch.nn.functional.cross_entropy(hybrid(samples[0]), samples[1]).detach())
    np.testing.assert_allclose(found.sel(end=0), loss, rtol=1e-6)
    state, evaluator = dict(first.state_dict()), pairs.evaluator
    corners = layer_groups.with_noise(pairs, 0).read((0,))
    moved, homes = torch.ones(1, 1, dtype=torch.float64), torch.tensor([0])
    (point,) = evaluator.states(corners, layer_groups.noise_mixtures(evaluator, corners, homes, moved))  # type: ignore[attr-defined]
    assert torch.equal(point["0.weight"], state["0.weight"])
    step, delta = (
        torch.cat([each[name].flatten() - state[name].flatten() for name in ("2.weight", "2.bias")])
        for each in (point, second.state_dict())
    )
    assert float(step.norm()) == pytest.approx(float(delta.norm()), rel=1e-5)
