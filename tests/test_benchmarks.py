"""The benchmark compares what it says it compares."""

import sys
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parent.parent))
from benchmarks import timing, training
from lmc_utils.siblings import Experiment

SMALL = Experiment(dataset="digits", widths=(8,), epochs=2, fork_epochs=(0, 1), parents=1, device="cpu")


def test_contenders_take_turns_and_ratios_are_theirs_over_ours(capsys: pytest.CaptureFixture[str]) -> None:
    turns: list[str] = []
    times = timing.interleaved({name: lambda name=name: turns.append(name) for name in "ab"}, repeats=2)
    assert turns == ["a", "b", "a", "b"]
    assert [len(seconds) for seconds in times.values()] == [2, 2]
    assert "repeat 2 of 2: b" in capsys.readouterr().out
    shown = timing.table({"ours": [1.0, 2.0], "peer": [6.0, 8.0]}, "ours")
    assert "| peer | 6.00 (7.00, 8.00) | 6.0 (4.0 to 6.0) |" in shown


@pytest.mark.parametrize("batches", [training._in_memory, training._loader])
def test_the_loops_train_the_family_that_the_stack_trains(batches: object) -> None:
    ours, theirs = training._stack(SMALL), training._loop(SMALL, batches)
    assert len(ours) == 5
    assert set(ours) == set(theirs)
    for member, theta in ours.items():
        # float32 over two epochs; the order of summation is all that differs.
        torch.testing.assert_close(theirs[member], theta, atol=1e-3, rtol=1e-2)


def test_another_training_would_not_pass_for_equal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "cosine", lambda recipe, step, steps: recipe.learning_rate)
    with pytest.raises(AssertionError, match="not close"):
        training._check_equal(SMALL)
