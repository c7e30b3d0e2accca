"""A point holds the weighted sums of its corners, with separate weights for each layer if given."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from lmc_utils.measure.mixed_module import MixedModule
from lmc_utils.measure.mixtures import Mixtures
from lmc_utils.measure.module_state import State, layers, tensors


@pytest.fixture
def point() -> MixedModule:
    module = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.Linear(3, 1)).double()
    return MixedModule(module, layers(module))


def corners(point: MixedModule, count: int) -> list[State]:
    """States of random numbers, with variances above 0."""
    torch.manual_seed(0)
    own = {name: value for name, value in tensors(point.module).items() if value.is_floating_point()}
    return [{name: torch.rand_like(value) for name, value in own.items()} for _ in range(count)]


def mixed(point: MixedModule, corners: list[State], points: Mixtures, row: int = 0) -> State:
    """The tensors of the module after a point was written into it."""
    point.mix(corners, points, row, [*point.parameters, *point.statistics])
    return {name: tensors(point.module)[name].clone() for name in corners[0]}


def mixtures(*weights: object, **more: torch.Tensor) -> Mixtures:
    return Mixtures(torch.tensor(weights, dtype=torch.float64), **more)


def test_a_point_is_the_weighted_sum_of_its_corners(point: MixedModule) -> None:
    three, weights = corners(point, 3), [[0.2, 0.3, 0.5], [1.0, 0.0, 0.0]]
    between, corner = (mixed(point, three, mixtures(*weights), row) for row in range(2))
    for name, value in between.items():
        expected = sum(weight * corner[name] for weight, corner in zip(weights[0], three, strict=True))
        torch.testing.assert_close(value, expected)
        assert torch.equal(corner[name], three[0][name])


def test_statistics_beyond_a_corner_are_those_of_the_nearer_one(point: MixedModule) -> None:
    two = corners(point, 2)
    found = mixed(point, two, mixtures([-0.5, 1.5]))
    assert torch.equal(found["1.running_var"], two[1]["1.running_var"])
    torch.testing.assert_close(found["0.weight"], 1.5 * two[1]["0.weight"] - 0.5 * two[0]["0.weight"])


def test_statistics_may_have_weights_of_their_own(point: MixedModule) -> None:
    two = corners(point, 2)
    statistics = torch.tensor([[1.0, 0.0]], dtype=torch.float64)
    found = mixed(point, two, mixtures([0.25, 0.75], statistics=statistics))
    assert torch.equal(found["1.running_mean"], two[0]["1.running_mean"])
    torch.testing.assert_close(found["1.weight"], 0.25 * two[0]["1.weight"] + 0.75 * two[1]["1.weight"])


@pytest.mark.parametrize("home", [0, 1])
def test_one_layer_moves_and_all_others_stay_at_home(point: MixedModule, home: int) -> None:
    two, stays = corners(point, 2), [float(home == 0), float(home == 1)]
    found = mixed(point, two, mixtures([stays, stays, [0.5, 0.5]], homes=torch.tensor([home])))
    for name, value in found.items():
        expected = (two[0][name] + two[1][name]) / 2 if name.startswith("2.") else two[home][name]
        torch.testing.assert_close(value, expected)


def test_a_state_is_held_without_what_a_pass_left_behind(point: MixedModule) -> None:
    (state,) = corners(point, 1)
    point.attributes  # noqa: B018  # what the module holds before it is run
    point.module.largest = 3.0  # type: ignore[assignment]
    before = tensors(point.module)["2.bias"].clone()
    point.hold(state, ["0.bias"])
    assert not hasattr(point.module, "largest")
    assert torch.equal(tensors(point.module)["0.bias"], state["0.bias"])
    assert torch.equal(tensors(point.module)["2.bias"], before)
