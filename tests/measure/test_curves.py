"""Curves between two networks: their nodes, their training, and measurements along them."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from synthetic_pairs import made
from torch import Tensor
from torch.nn import functional

from lmc_utils.measure import curves as curves_file
from lmc_utils.measure import lines, planes
from lmc_utils.measure.curves import Curves, CurveSettings, off_plane, plane_trajectories, train
from lmc_utils.measure.mixtures import blend
from lmc_utils.measure.pairs import Pairs
from lmc_utils.measure.stacked_evaluator import require_stacked
from lmc_utils.networks import stack
from lmc_utils.networks.models import Architecture
from lmc_utils.networks.training import Diverged, Recipe, batches, rate
from lmc_utils.settings import ParameterError

MLP = Architecture(widths=(8, 8))
RECIPE = Recipe(batch_size=16)
SHORT = CurveSettings(curve_epochs=3, curve_points=5)
KINDS = [SHORT, replace(SHORT, curve="chain"), replace(SHORT, curve="chain", bends=3)]


def points(curves: Curves, place: tuple[int, ...], t: Tensor) -> Tensor:
    """The parameter vectors at these t, (points, parameters)."""
    return blend(curves.settings.weights(t), curves.nodes(place).theta)


def inner(curves: Curves) -> Tensor:
    """The trained nodes of all pairs, (pairs, bends, parameters)."""
    return torch.stack([each["theta"] for each in curves.inner])


every_kind = pytest.mark.parametrize("how", KINDS, ids=lambda how: f"{how.curve}-{how.bends}")


@every_kind
def test_points_are_mixtures_of_the_nodes_and_exact_at_the_ends(how: CurveSettings) -> None:
    pairs = made(MLP)
    curves = train(pairs, how, RECIPE)
    for place in pairs.places:
        assert torch.equal(points(curves, place, torch.tensor([0.0, 1.0])), pairs.read(place).theta)
    nodes = curves.nodes((0,)).theta.double()
    t = torch.linspace(0, 1, 9, dtype=torch.float64)
    if how.curve == "bezier":
        wanted = torch.stack([(1 - s) ** 2 * nodes[0] + 2 * s * (1 - s) * nodes[1] + s**2 * nodes[2] for s in t])
    else:
        legs = 1 + how.bends
        leg = [min(int(s * legs), legs - 1) for s in t]
        wanted = torch.stack([torch.lerp(nodes[k], nodes[k + 1], s * legs - k) for k, s in zip(leg, t, strict=True)])
    torch.testing.assert_close(points(curves, (0,), t).double(), wanted, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(how.weights(t).sum(1), torch.ones(9, dtype=torch.float64))


@every_kind
def test_the_stack_trains_each_bend_as_a_loop_over_pairs_does(how: CurveSettings) -> None:
    """Reference loop after Garipov et al.: one pair, one point, one batch, autograd, plain SGD with momentum."""
    pairs = made(MLP)
    found = train(pairs, how, RECIPE, seed=5)

    evaluator = require_stacked(pairs)
    (inputs, labels), steps = evaluator.samples["train"], 60 // 16
    own = replace(RECIPE, learning_rate=how.curve_rate, weight_decay=0.0, epochs=how.curve_epochs)
    for row, place in enumerate(pairs.places):
        first, second = pairs.read(place).theta.double()
        shares = [k / (1 + how.bends) for k in range(1, 1 + how.bends)]
        bends = [torch.lerp(first, second, share).requires_grad_() for share in shares]
        optimiser = torch.optim.SGD(bends, lr=how.curve_rate, momentum=RECIPE.momentum)
        stream = curves_file._stream(pairs, place, 5)
        for epoch in range(how.curve_epochs):
            plane_trajectories = np.random.default_rng([*stream, epoch, curves_file._DRAW]).random(steps)
            for step, (batch, targets) in enumerate(batches(inputs, labels, [stream], recipe=own, epoch=epoch)):
                weights = how.weights(torch.tensor([plane_trajectories[step]], dtype=torch.float64))[0]
                theta = sum(weight * node for weight, node in zip(weights, [first, *bends, second], strict=True))
                values = stack.unflatten(theta[None], evaluator.network)
                logits = torch.func.functional_call(evaluator.network, values, (batch.double(),))[0]
                optimiser.zero_grad()
                functional.cross_entropy(logits, targets[0]).backward()
                optimiser.param_groups[0]["lr"] = rate(own, epoch * steps + step, own.epochs * steps)
                optimiser.step()
        torch.testing.assert_close(inner(found)[row].double(), torch.stack(bends).detach(), rtol=1e-4, atol=1e-5)


def test_a_pair_does_not_depend_on_the_others_and_equal_seeds_give_equal_bits() -> None:
    pairs = made(MLP)
    both, again = (inner(train(pairs, SHORT, RECIPE)) for _ in range(2))
    alone = inner(train(replace(pairs, places=[(1,)]), SHORT, RECIPE))
    other = inner(train(pairs, SHORT, RECIPE, seed=1))
    assert torch.equal(both, again)
    torch.testing.assert_close(alone[0], both[1])
    assert not torch.equal(both, other)


def straight(pairs: Pairs, how: CurveSettings) -> Curves:
    """Paths whose inner nodes are evenly spaced on the line."""
    shares = torch.arange(1, 1 + how.bends) / (1 + how.bends)
    ends = [pairs.read(place).theta[:2] for place in pairs.places]
    return Curves(pairs, how, [{"theta": torch.lerp(both[:1], both[1:], shares[:, None])} for both in ends])


@every_kind
@pytest.mark.parametrize("architecture", ["mlp", "resnet8"])
def test_a_straight_curve_is_the_line(how: CurveSettings, architecture: str) -> None:
    pairs = made(MLP if architecture == "mlp" else Architecture(architecture="resnet8", widths=(4,), norm="batch"))
    along = straight(pairs, how).measure()
    line = lines.line(pairs, lines.LineGrid(alphas=5, alpha_range=(0.0, 1.0)))
    assert abs(along.loss - line.loss).max() < 1e-4
    assert along.length.values[:2] == pytest.approx(1, abs=1e-6)
    assert along.off_line.values[:2] == pytest.approx(0, abs=1e-6)
    assert along.length.isnull().values.tolist() == [False, False, True]  # a network with itself


def test_points_are_evenly_spaced_by_length_and_length_is_that_of_the_curve() -> None:
    pairs = made(MLP)
    how = replace(SHORT, curve="chain", curve_points=9)
    first, second = pairs.read((0,)).theta
    aside = torch.randn(first.shape, generator=torch.Generator().manual_seed(1))
    chord = (second - first).double()
    aside = (aside.double() - (aside.double() @ chord) / chord.square().sum() * chord).float()
    aside *= float(chord.norm()) / aside.norm()  # at the first network, perpendicular to the chord and as long
    curves = Curves(replace(pairs, places=[(0,)]), how, [{"theta": (first + aside)[None]}])
    found = curves.measure()
    assert found.length.values[0] == pytest.approx(1 + math.sqrt(2), rel=1e-4)
    assert found.off_line.values[0] == pytest.approx(1, rel=1e-4)
    placed = points(curves, (0,), torch.from_numpy(found.t.values[0])).double()
    legs = placed.diff(dim=0).norm(dim=1)
    inside = torch.cat([legs[:3], legs[4:]])  # the leg with the corner is cut
    assert (abs(inside / inside.mean() - 1) < 1e-3).all()


def test_training_lowers_the_curve() -> None:
    pairs = made(MLP)
    how = replace(SHORT, curve_epochs=30)
    ways = straight(pairs, how), train(pairs, how, RECIPE)
    before, after = (each.measure(splits=["train"]) for each in ways)
    assert (after.loss.sel(alpha=0.5, pair=[0, 1]) < before.loss.sel(alpha=0.5, pair=[0, 1]) - 0.05).all()
    assert (after.length.values[:2] > 1).all()


def test_the_bend_can_be_a_third_point() -> None:
    pairs = made(MLP)
    curves = train(pairs, SHORT, RECIPE)
    third = curves.planes()
    assert third.third == "bend"
    assert torch.equal(third.read((1,)).theta, torch.stack([*pairs.read((1,)).theta, inner(curves)[1, 0]]))


@pytest.mark.parametrize("t", [-0.1, 1.5, math.nan])
def test_t_outside_0_to_1_is_rejected(t: float) -> None:
    with pytest.raises(ParameterError, match=r"t must be between 0 and 1 \(got "):
        CurveSettings().weights(torch.tensor([0.5, t]))


def test_diverged_training_and_too_few_samples_are_one_line_errors() -> None:
    with pytest.raises(Diverged, match="curve_rate: training of the curve diverged in epoch"):
        train(made(MLP), replace(SHORT, curve_rate=1e20), RECIPE)
    with pytest.raises(ParameterError, match=r"batch_size must be <= 60, the number of training samples \(got 64\)"):
        train(made(MLP), SHORT, Recipe(batch_size=64))


def test_a_curve_with_one_bend_lies_on_its_plane() -> None:
    pairs = made(MLP)
    curves = train(replace(pairs, places=[(0,), (1,)]), SHORT, RECIPE)
    measured = planes.plane(curves.planes(), planes.PlaneGrid(grid=3), splits=["train"])
    positions = plane_trajectories(measured, SHORT).position
    t = torch.linspace(0, 1, positions.sizes["step"], dtype=torch.float64)
    for place in [(0,), (1,)]:
        ground = planes.basis(curves.planes().read(place).theta)
        spots, away = ground.locate(points(curves, place, t))
        assert away.max() < 1e-5
        np.testing.assert_allclose(positions[place].sel(trajectory=1), spots, atol=1e-5)
        first, second = measured.corner[place].values[:2]
        np.testing.assert_allclose(positions[place].sel(trajectory=0), np.linspace(first, second, len(t)), atol=1e-12)
    assert positions[2].isnull().all(), "no pair, no trajectory"
    with pytest.raises(ParameterError, match=r"bends must be 1: a path with more bends leaves the plane \(got 3\)"):
        plane_trajectories(measured, replace(SHORT, curve="chain", bends=3))


def test_the_distance_from_another_plane_is_in_units_of_that_of_the_networks() -> None:
    pairs = made(MLP, thirds=True)
    curves = train(pairs, SHORT, RECIPE)
    found = off_plane(curves, pairs)
    ground = planes.basis(pairs.read((0,)).theta)
    away = ground.locate(points(curves, (0,), torch.linspace(0, 1, 2001)))[1].max()
    assert found.values[0] == pytest.approx(float(away / ground.corners[1, 0]), rel=1e-3)
    assert np.isnan(found.values[2]), "a network with itself and a third span no plane"
    on_it = off_plane(curves, curves.planes())
    assert on_it.values[:2] == pytest.approx(0, abs=1e-5)
    with pytest.raises(ParameterError, match="the pairs have no third point; make them with third="):
        off_plane(curves, made(MLP))
    with pytest.raises(ParameterError, match="thirds must be of the same pairs as the paths"):
        off_plane(curves, replace(pairs, places=[(0,)]))
