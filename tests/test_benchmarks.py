"""The contenders of each benchmark compute the same results."""

import json
import shutil
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

sys.path.insert(0, str(Path(__file__).parent.parent))
from benchmarks import (
    connections,
    convolutions,
    curvature,
    detours,
    lines,
    memory,
    plain,
    planes,
    playground,
    store,
    sweeps,
    timing,
    training,
)
from lmc_utils.forking import Experiment, train
from lmc_utils.measure.curves import CurveSettings
from lmc_utils.networks.models import Architecture

SMALL = Experiment(dataset="digits", widths=(8,), epochs=2, fork_epochs=(0, 1), parents=1, device="cpu")


def test_contenders_alternate_and_ratios_are_theirs_over_ours(capsys: pytest.CaptureFixture[str]) -> None:
    turns: list[str] = []
    times = timing.interleaved({name: lambda name=name: turns.append(name) for name in "ab"}, repeats=2)
    assert turns == ["a", "b", "a", "b"]
    assert [len(seconds) for seconds in times.values()] == [2, 2]
    assert "repeat 2 of 2: b" in capsys.readouterr().out
    shown = timing.table({"ours": [1.0, 2.0], "peer": [6.0, 8.0]}, "ours")
    assert "| peer | 7.00 (6.00 to 8.00) | 4.7 (4.0 to 6.0) | ours is faster |" in shown


def test_one_repeat_has_no_range_and_contenders_need_no_comparison() -> None:
    times = {"ours": [0.0123456], "peer": [1234.56]}
    assert timing.table(times, "ours").endswith("| ours | 0.0123 | 1 |  |\n| peer | 1235 | 100000 | measured once |")
    assert timing.table(times).endswith("| --- | ---: |\n| ours | 0.0123 |\n| peer | 1235 |")


@pytest.mark.parametrize("batches", [training._in_memory, training._loader])
def test_the_loops_train_the_family_that_the_stack_trains(batches: object) -> None:
    ours, theirs = training._stack(SMALL), training._loop(SMALL, batches)
    assert len(ours) == 5
    assert set(ours) == set(theirs)
    for member, theta in ours.items():
        # float32 over two epochs; the order of summation is all that differs.
        torch.testing.assert_close(theirs[member], theta, atol=1e-3, rtol=1e-2)


def test_a_different_training_is_detected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "rate", lambda recipe, step, steps: recipe.learning_rate)
    with pytest.raises(AssertionError, match="not close"):
        training._check_equal(SMALL)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Experiment]:
    """The small family, trained in the folder of cached runs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LMC_RUNS", str(tmp_path_factory.mktemp("runs")))
        train(SMALL)
        yield SMALL


@pytest.mark.parametrize(("by_layer", "numbers"), [(False, 1), (True, 3)])  # two layers and all
def test_the_peers_curvature_equals_ours(trained: Experiment, by_layer: bool, numbers: int) -> None:
    task = curvature.Task.of(trained)
    curvature._check_equal(task, by_layer)
    found = curvature._contenders(task, by_layer)[curvature.OURS](task, by_layer)
    assert found.shape == (4, numbers)  # both siblings of two forks
    assert found.abs().min() > 1e-3


@pytest.mark.parametrize("norm", ["none", "group", "functions", "constants"])
def test_the_peers_curvature_of_residual_networks_equals_ours(norm: str) -> None:
    design = Architecture(
        architecture="resnet8", widths=(2,), norm=norm if norm in ("none", "group") else "batch", activation="tanh"
    )
    task = curvature.Task.fresh(design, norm, networks=2, samples=50)
    assert len(curvature._contenders(task, by_layer=True)) > 1
    curvature._check_equal(task, by_layer=True)
    kept = [*task.design.parameters(), *task.design.buffers()]
    assert {value.dtype for value in kept} == {torch.float32}  # the type used for timing, after the check in float64


def test_a_different_curvature_is_detected(trained: Experiment, monkeypatch: pytest.MonkeyPatch) -> None:
    right = curvature._double_backward
    monkeypatch.setattr(curvature, "_double_backward", lambda *given: [1.000001 * value for value in right(*given)])
    with pytest.raises(AssertionError, match="not close"):
        curvature._check_equal(curvature.Task.of(trained), by_layer=True)


def test_curvatures_are_counted_in_forward_passes() -> None:
    whole, by_layer = (
        {"a": [3.0, 1.0, 2.0], "b": [4.0], curvature.FORWARD: [0.5]},
        {"a": [6.0], curvature.FORWARD: [0.5]},
    )
    rows = curvature.table(whole, by_layer).splitlines()
    assert rows[2:4] == ["| a | 2.00 (1.00 to 3.00) | 4.0 | 6.00 | 12 |", "| b | 4.00 | 8.0 |  |  |"]


def test_the_peers_losses_on_lines_equal_ours(trained: Experiment) -> None:
    task = lines.Task.of(trained)
    lines._check_equal(task, 3)
    assert lines._stack(task, torch.linspace(0, 1, 3)).shape == (2, 3)


def test_different_losses_on_the_line_are_detected(trained: Experiment, monkeypatch: pytest.MonkeyPatch) -> None:
    right = lines._package
    monkeypatch.setattr(lines, "_package", lambda task, steps: right(task, steps + 1)[:, :steps])
    with pytest.raises(AssertionError, match="not close"):
        lines._check_equal(lines.Task.of(trained), 3)


def test_the_peers_losses_on_a_plane_equal_ours(trained: Experiment) -> None:
    run = train(trained)
    planes._check_equal(run, planes._triangles(run)[1], 3)
    assert {name: len(seconds) for name, seconds in planes.compare(trained, 1, grid=2).items()} == {
        planes.OURS: 1,
        planes.PACKAGE: 1,
    }


def test_different_losses_on_the_plane_are_detected(trained: Experiment, monkeypatch: pytest.MonkeyPatch) -> None:
    right = planes._package
    monkeypatch.setattr(planes, "_package", lambda run, triangle, steps: right(run, triangle, steps).T)
    run = train(trained)
    with pytest.raises(AssertionError, match="not close"):
        planes._check_equal(run, planes._triangles(run)[1], 3)


def test_a_plain_network_equals_its_stacked_original(trained: Experiment) -> None:
    task = lines.Task.of(trained)
    theta = task.ends[0, 0]
    network = plain.network(task.design, theta)
    assert torch.equal(plain.theta(network), theta)
    assert list(plain.state(task.design, theta)) == [name for name, _ in network.named_parameters()]


@pytest.mark.skipif(sys.platform != "linux", reason="sizes are read from Linux's account of a process")
def test_growth_is_measured_in_a_process_of_its_own(trained: Experiment) -> None:
    growth = memory.growth_of_curvature(trained, [4])
    assert 0 <= growth[4] < 100
    assert memory.table({8: 7.6, 0.5: 1.2}).splitlines()[2:] == ["| 8 | 8 |", "| 0.5 | 1 |"]


def test_the_store_is_timed_during_a_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LMC_RUNS", str(tmp_path))
    monkeypatch.setattr(store, "_execute", lambda _: None)
    found = store.measure_seconds(SMALL, "any", repeats=2)
    assert 0 < found["saving"] < found["training"]
    assert found["checking"] > 0
    assert store.table({"saving": 1.0, "training": 20.0, "checking": 0.5, "chapter": 50.0}).endswith("""\
| saving every epoch, digests included | 1.00 | 5.0 % of training (20.0 s) |
| reading and checking every file of the run | 0.50 | 1.0 % of the chapter (50 s) |""")


@pytest.mark.parametrize("axes", [1, 2])
def test_convolutions_in_groups_unfolded_and_alone_are_the_same(axes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(convolutions, "SIZES", {1: [(2, 5)], 2: [(2, 4)]})
    case = convolutions._Case(axes, 2, 5)
    for one in (case.unfolded(), case.alone()):
        for ours, theirs in zip(case.grouped(), one, strict=True):
            torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)
    assert list(convolutions.compare(axes, 1)) == [convolutions.GROUPED, convolutions.UNFOLDED, convolutions.ALONE]


@pytest.mark.parametrize("dataset", ["mnist1d", "digits"])
def test_the_loop_trains_the_residual_networks_that_the_stack_trains(dataset: str) -> None:
    training._check_equal(
        Experiment(
            dataset=dataset,
            architecture="resnet8",
            widths=(2,),
            norm="batch",
            learning_rate=0.01,
            epochs=2,
            fork_epochs=(0, 1),
            parents=1,
            train_samples=320,
            device="cpu",
        )
    )


def test_the_loop_trains_the_curves_that_the_stack_trains(trained: Experiment) -> None:
    pairs, how = train(trained).pairs(), CurveSettings(curve_epochs=2)
    ours, theirs = detours._stack(pairs, how, trained), detours._loop(pairs, how, trained)
    assert ours.shape == (2, theirs.shape[1])
    torch.testing.assert_close(theirs, ours, atol=1e-3, rtol=1e-2)
    assert not torch.allclose(ours, detours._stack(pairs, replace(how, curve_epochs=1), trained), atol=1e-3)


def test_the_line_between_two_networks_is_that_of_the_loop() -> None:
    ours, theirs = (measured(*connections.perceptron(), 3) for measured in (connections._ours, connections._loop))
    assert ours.shape == (2, 3)
    np.testing.assert_allclose(ours, theirs, rtol=1e-5)


def test_a_sweep_is_compared_with_papermill_on_the_same_points(tmp_path: Path) -> None:
    wanted = sweeps.points(1)
    theirs, ours = sweeps.plain(wanted, tmp_path), sweeps.swept(wanted, tmp_path / "swept", 1)
    assert theirs.numbers == ours.numbers
    assert 0 < ours.first == ours.last


def test_different_numbers_are_detected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweeps, "plain", lambda *_: sweeps.Timed([{"a": 1.0}], 1.0, 1.0))
    monkeypatch.setattr(sweeps, "swept", lambda *_: sweeps.Timed([{"a": 2.0}], 1.0, 1.0))
    with pytest.raises(ValueError, match="the same numbers"):
        sweeps.compare(1, 1)


def test_the_overhead_of_a_sweep_is_given_per_point() -> None:
    numbers = [{"a": 1.0}] * 11
    found = {
        sweeps.PAPERMILL: [sweeps.Timed(numbers, 2.0, 22.0)],
        sweeps.ONE: [
            sweeps.Timed(numbers, 5.0, 28.0),
            sweeps.Timed(numbers, 5.0, 28.0),
            sweeps.Timed(numbers, 6.0, 40.0),
        ],
        sweeps.TWO: [sweeps.Timed(numbers, 5.0, 16.0)],
    }
    shown = sweeps.table(found)
    assert f"| {sweeps.ONE} | 2.30 | +0.30 | 28.0 (28.0 to 40.0) | 1 |" in shown
    assert f"| {sweeps.TWO} | | | 16.0 (16.0 to 16.0) | 1.75 |" in shown
    assert "took 2.7 s" in shown


def test_the_table_of_the_playground_has_a_barrier_for_each_seed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not shutil.which("node"):
        pytest.skip("there is no node")
    made = tmp_path / "playground.json"
    quick = {"epochs": 3, "fork_epoch": 0, "points": 50, "width": 4}
    for name, value in {"TABLE": made, "SEEDS": (5, 6), "FORKS": (0, 3), "CASES": {"default": quick}}.items():
        monkeypatch.setattr(playground, name, value)
    playground.main()
    table = json.loads(made.read_text())
    assert {fork: len(runs["barrier"]) for fork, runs in table["runs"]["default"].items()} == {"0": 2, "3": 2}
    assert table["runs"]["default"]["3"]["barrier"] == [0, 0], "copies made at the end are equal"
    assert table["settings"]["default"]["points"] == 50
