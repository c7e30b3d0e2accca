"""The playground's experiment in JavaScript: its training is that of torch, and its barriers are those of lmc_utils."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from node_scripts import compute_in_node
from playwright.sync_api import Page
from torch import Tensor, nn
from widget_pages import compute

from lmc_utils.measure import lines, pairs
from lmc_utils.measure.barriers import barrier_height, error_barrier
from lmc_utils.networks.models import Architecture, build
from lmc_utils.networks.stack import bound
from lmc_utils.provenance import CHECKOUT
from lmc_utils.widgets.playground import ENGINE, Playground

Compute = Callable[..., Any]
DEFAULTS = Playground().settings
WIDTHS = [4, 32, 64]


def plain(value: str) -> str:
    """An expression whose typed arrays become lists, which JSON can hold."""
    return f"JSON.parse(JSON.stringify({value}, (_, one) => ArrayBuffer.isView(one) ? [...one] : one))"


@pytest.fixture(params=["node", "browser"])
def run(request: pytest.FixtureRequest) -> Compute:
    """Evaluates an expression of the engine's functions in Node or in a browser."""
    if request.param == "node":
        return lambda expression, **given: compute_in_node(*ENGINE, expression=plain(expression), **given)
    page: Page = request.getfixturevalue("page")
    return lambda expression, **given: compute(page, *ENGINE, expression=plain(expression), **given)


def in_node(expression: str, **given: Any) -> Any:
    return compute_in_node(*ENGINE, expression=plain(expression), **given)


def network(width: int, theta: Any) -> nn.Module:
    stack = build(Architecture(architecture="mlp", widths=(width, width)), (2,), 2)
    return bound(stack, torch.tensor([theta], dtype=torch.float64))


def some_data(count: int = 320) -> dict[str, Any]:
    random = np.random.default_rng(1)
    return {"inputs": random.uniform(-1, 1, 2 * count).tolist(), "labels": random.integers(0, 2, count).tolist()}


def some_parameters(width: int) -> list[float]:
    size = width * width + 6 * width + 2
    return (np.random.default_rng(width).normal(size=size) * np.sqrt(2 / width)).tolist()


def tensors(data: dict[str, Any]) -> tuple[Tensor, Tensor]:
    return torch.tensor(data["inputs"], dtype=torch.float64).reshape(-1, 2), torch.tensor(data["labels"])


def mean_loss(model: nn.Module, data: dict[str, Any], batch: list[int]) -> Tensor:
    inputs, labels = tensors(data)
    return nn.functional.cross_entropy(model(inputs[None, batch])[0], labels[batch])


@pytest.mark.parametrize("width", WIDTHS)
def test_loss_and_gradient_are_those_of_torch(run: Compute, width: int) -> None:
    theta, data, batch = some_parameters(width), some_data(), list(range(5, 21))
    model = network(width, theta)
    loss = mean_loss(model, data, batch)
    loss.backward()  # type: ignore[no-untyped-call]
    expected = torch.cat([each.grad.flatten() for each in model.parameters() if each.grad is not None])
    found = run(
        "((gradient) => [lossAndGradient(theta, data, batch, gradient, makeScratch(width)), gradient])"
        "(new Float64Array(theta.length))",
        theta=theta, data=data, batch=batch, width=width,
    )  # fmt: skip
    assert found[0] == pytest.approx(loss.item(), abs=1e-10)
    np.testing.assert_allclose(found[1], expected.numpy(), rtol=0, atol=1e-10)


@pytest.mark.parametrize("width", WIDTHS)
def test_twenty_steps_are_those_of_torch(run: Compute, width: int) -> None:
    """Momentum, weight decay and the cosine schedule, through the first of two epochs."""
    theta, data = some_parameters(width), some_data()
    order = np.random.default_rng(2).permutation(320).tolist()
    settings = DEFAULTS | {"width": width, "epochs": 2, "batch_size": 16, "learning_rate": 0.05}
    model = network(width, theta)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=40)
    for step in range(20):
        optimizer.zero_grad()
        mean_loss(model, data, order[16 * step : 16 * step + 16]).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
    expected = torch.cat([each.detach().flatten() for each in model.parameters()])
    found = run(
        "((one) => (trainEpoch(one, data, Uint32Array.from(order), 0, settings, makeMemory(width)), one.theta))"
        "({ theta: Float64Array.from(theta), velocity: new Float64Array(theta.length) })",
        theta=theta, data=data, order=order, settings=settings, width=width,
    )  # fmt: skip
    assert np.abs(np.subtract(found, theta)).max() > 0.01
    np.testing.assert_allclose(found, expected.numpy(), rtol=0, atol=1e-10)


LAST = "[...forkedRun(settings)].at(-1)"
MEASURED = f"((end) => ({{ ...end, line: measureLine(end.networks, end.data, makeScratch(settings.width)) }}))({LAST})"


@pytest.mark.parametrize("changed", [{}, {"data_set": "spirals", "fork_epoch": 3, "width": 8, "difference": "noise"}])
def test_barriers_are_those_of_lmc_utils(run: Compute, changed: dict[str, Any]) -> None:
    settings = DEFAULTS | {"seed": 3, "epochs": 20} | changed
    found = run(MEASURED, settings=settings)
    ends = [torch.tensor([theta], dtype=torch.float64) for theta in found["networks"]]
    inputs, labels = tensors(found["data"])
    pair = pairs.between(network(settings["width"], found["networks"][0]), *ends, samples={"train": (inputs, labels)})
    measured = lines.line(pair, np.arange(25) / 24).isel(split=0, pair=0)
    line = found["line"]
    np.testing.assert_allclose(line["loss"], measured.loss, rtol=0, atol=1e-8)
    np.testing.assert_allclose(line["error"], measured.error, rtol=0, atol=1e-8)
    assert line["lossBarrier"] == pytest.approx(float(barrier_height(measured.loss)), abs=1e-8)
    assert line["errorBarrier"] == pytest.approx(float(error_barrier(measured.error)), abs=1e-8)
    assert line["errorBarrier"] > 0


def test_equal_seeds_give_equal_numbers_in_node_and_in_the_browser(page: Page) -> None:
    settings = DEFAULTS | {"epochs": 4, "fork_epoch": 1}
    first, second = (in_node(LAST, settings=settings | {"seed": seed}) for seed in (7, 8))
    assert in_node(LAST, settings=settings | {"seed": 7}) == first
    assert first["networks"] != second["networks"]
    assert first["data"] != second["data"]
    in_browser = compute(page, *ENGINE, expression=plain(LAST), settings=settings | {"seed": 7})
    np.testing.assert_allclose(in_browser["networks"], first["networks"], rtol=0, atol=1e-9)  # libraries of sin and exp


def test_copies_are_equal_up_to_the_fork_and_differ_from_it_on() -> None:
    history = (
        "[...forkedRun(settings)].map(({ epoch, networks }) => [epoch, networks.length, networks.map((one) => one[5])])"
    )
    kept = in_node(history, settings=DEFAULTS | {"epochs": 5, "fork_epoch": 3, "width": 4})
    assert [(epoch, count) for epoch, count, _ in kept] == [(0, 1), (1, 1), (2, 1), (3, 2), (4, 2), (5, 2)]
    end = in_node(LAST, settings=DEFAULTS | {"epochs": 5, "fork_epoch": 5, "width": 4})
    assert end["networks"][0] == end["networks"][1] == end["point"], "forked at the end"


@pytest.mark.parametrize(("difference", "changed"), [("noise", 8 + 16 + 8), ("weight", 1)])
def test_noise_changes_all_weights_and_weight_a_single_one_by_the_given_size(difference: str, changed: int) -> None:
    settings = DEFAULTS | {"epochs": 2, "fork_epoch": 2, "width": 4, "difference": difference}
    for size in (0, 0.01):
        end = in_node(LAST, settings=settings | {"difference_size": size})
        gap = np.subtract(end["networks"][1], end["networks"][0])
        assert (gap != 0).sum() == (changed if size else 0)
    spread = np.sqrt(2 / np.repeat([2, 4, 4], [8, 16, 8]))
    weights = np.concatenate([gap[:8], gap[12:28], gap[32:40]]) / spread
    assert 0.004 < np.sqrt((weights**2).sum() / changed) < 0.02


def test_copies_with_noise_of_size_0_remain_equal() -> None:
    settings = DEFAULTS | {"epochs": 3, "width": 4, "difference": "noise", "difference_size": 0}
    end = in_node(MEASURED, settings=settings)
    assert end["networks"][0] == end["networks"][1]
    assert abs(end["line"]["errorBarrier"]) == 0


def made(**changed: Any) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    data = in_node("makeData(settings)", settings=DEFAULTS | {"noise": 0, "points": 400} | changed)
    return np.array(data["inputs"]).reshape(-1, 2), np.array(data["labels"])


def test_data_sets_are_the_curves_and_fields_of_their_names() -> None:
    x, label = made(data_set="checkerboard")
    assert (label == np.floor(2 * x + 2).sum(1) % 2).all()
    assert 0.4 < label.mean() < 0.6
    x, label = made(data_set="circles")
    np.testing.assert_allclose(np.hypot(*x.T), np.where(label, 0.4, 0.9))
    x, label = made(data_set="moons")
    middle = np.where(label[:, None], [[1, 0.5]], [[0, 0]])
    np.testing.assert_allclose(np.hypot(*(1.5 * x + [0.5, 0.25] - middle).T), 1)
    for turns in (1.0, 1.75):
        x, label = made(data_set="spirals", turns=turns)
        radius = np.hypot(*x.T)
        turned = np.arctan2(x[:, 1], x[:, 0]) - 2 * np.pi * turns * radius - np.pi * label
        np.testing.assert_allclose(np.abs(np.sin(turned / 2)), 0, atol=1e-9)


def test_noise_moves_points_by_its_size_and_no_label() -> None:
    x, label = made(data_set="checkerboard")
    moved, same = made(data_set="checkerboard", noise=0.1)
    assert (label == same).all()
    assert (moved - x).std() == pytest.approx(0.1, rel=0.1)  # 800 numbers: 2.5 % is one standard error


def test_random_numbers_are_uniform_or_normal_and_orders_are_permutations() -> None:
    drawn = np.array(in_node("((next) => Array.from({ length: 20000 }, next))(randomStream(1, 2))"))
    assert 0 <= drawn.min() < drawn.max() < 1
    np.testing.assert_allclose(np.histogram(drawn, 10, (0, 1))[0], 2000, atol=200)  # 4.7 standard deviations
    assert abs(np.corrcoef(drawn[:-1], drawn[1:])[0, 1]) < 0.03
    starts = np.array(in_node("Array.from({ length: 2000 }, (_, seed) => randomStream(seed, 1)())"))
    np.testing.assert_allclose(np.histogram(starts, 4, (0, 1))[0], 500, atol=90)
    assert abs(np.corrcoef(starts[:-1], starts[1:])[0, 1]) < 0.1
    normal = np.array(in_node("((next) => Array.from({ length: 20000 }, next))(normalStream(randomStream(3)))"))
    assert (abs(normal.mean()), normal.std()) == (pytest.approx(0, abs=0.03), pytest.approx(1, abs=0.02))
    assert sorted(in_node("shuffled(50, randomStream(4))")) == list(range(50))


def test_the_plane_passes_through_both_copies_and_the_fork_point() -> None:
    settings = DEFAULTS | {"epochs": 6, "fork_epoch": 1, "width": 4}
    plane, points, data = in_node(
        "(({ networks, point, data }) => "
        f"[measurePlane(networks, point, data, 9, makeScratch(4)), [...networks, point], data])({LAST})",
        settings=settings,
    )
    corners = np.array(plane["corners"])
    for one, other in ((0, 1), (0, 2), (1, 2)):
        apart = np.linalg.norm(np.subtract(points[one], points[other]))
        assert np.linalg.norm(corners[one] - corners[other]) == pytest.approx(apart)
    first, second, fork = map(np.array, points)
    along = (second - first) / np.linalg.norm(second - first)
    across = fork - first - corners[2][0] * along
    across /= np.linalg.norm(across)
    theta = first + plane["x"][1] * along + plane["y"][0] * across
    expected = in_node("evaluate(theta, data, makeScratch(4)).loss", theta=theta.tolist(), data=data)
    assert plane["loss"][8] == pytest.approx(expected)
    same = in_node("measurePlane([a, a], a, data, 9, makeScratch(4))", a=points[0], data=json.loads(json.dumps(data)))
    assert same is None


def test_a_learning_rate_that_overflows_ends_in_numbers_that_are_not_finite() -> None:
    end = in_node(f"finalResults({LAST}, settings).finite", settings=DEFAULTS | {"epochs": 5, "learning_rate": 1e200})
    assert end is False


def test_the_stored_run_of_the_page_is_reproduced() -> None:
    table = json.loads((CHECKOUT / "results" / "playground.json").read_text(encoding="utf-8"))
    found = in_node(
        f"({MEASURED}).line.errorBarrier", settings=table["settings"]["default"] | {"seed": table["seeds"][0]}
    )
    if compute_in_node(*ENGINE, expression="process.version") != table["node"]:
        pytest.skip("another version of Node may round sin, cos and exp differently, and training amplifies that")
    assert found == pytest.approx(table["runs"]["default"]["0"]["barrier"][0], abs=1e-3)


def test_a_default_run_takes_at_most_three_seconds_of_one_core() -> None:
    """Processor time, which other processes do not lengthen; about half a second here."""
    run_of_all = f"((start) => (finalResults({LAST}, settings), process.cpuUsage(start).user))(process.cpuUsage())"
    assert in_node(run_of_all, settings=DEFAULTS) < 3e6
