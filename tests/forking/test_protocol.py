"""The forking protocol: siblings equal their parent up to the fork, equal seeds give equal bits, runs resume."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import run_corruption
import torch
from device import DEVICE
from interrupted_training import interrupt_training

from lmc_utils.forking import Experiment, Member, Run, members, train
from lmc_utils.measure import lines
from lmc_utils.networks import data, stack, training
from lmc_utils.settings import ParameterError

SMALL = Experiment(dataset="digits", widths=(16,), epochs=4, fork_epochs=(0, 2), parents=2, device=DEVICE)
WITH_STATE = Experiment(
    architecture="resnet8", widths=(4,), norm="batch", dropout=0.2, augmentation="crop_flip", train_samples=600,
    dataset="mnist1d", epochs=4, fork_epochs=(0, 2), parents=2, device=DEVICE,
)  # fmt: skip
RISING = "an increasing, non-empty list of values >= 0"


@pytest.fixture(scope="module", params=[SMALL, WITH_STATE], ids=["mlp", "resnet"])
def either(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return train(request.param, tmp_path_factory.mktemp("runs"))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return train(SMALL, tmp_path_factory.mktemp("runs"))


def test_a_sibling_equals_its_parent_up_to_the_fork_epoch_only(either: Run) -> None:
    family = [Member(1), Member(1, 2, 0), Member(1, 2, 1)]
    for epoch in range(5):
        for vectors in (either.thetas(family, epoch), either.buffers(family, epoch)):
            parted = epoch > 2 and vectors.shape[1] > 0
            assert torch.equal(vectors[0], vectors[1]) is not parted
            assert torch.equal(vectors[1], vectors[2]) is not parted


@pytest.mark.parametrize("experiment", [SMALL, WITH_STATE], ids=["mlp", "resnet"])
@pytest.mark.parametrize("threads", [1, 2])
def test_a_sibling_with_its_parents_seed_equals_its_parent_bit_for_bit(
    experiment: Experiment, threads: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Member, "stream", lambda member, seed: (seed, member.parent))
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        run = train(experiment, tmp_path)
    finally:
        torch.set_num_threads(before)
    for parent in range(2):
        family = [Member(parent), *(Member(parent, fork, sibling) for fork in (0, 2) for sibling in (0, 1))]
        for vectors in (run.thetas(family, 4), run.buffers(family, 4)):
            assert all(torch.equal(vectors[0], vector) for vector in vectors)


def test_a_fork_copies_the_momentum(run: Run) -> None:
    """A sibling's first epoch, retrained by hand from the parent's parameters and momentum at the fork."""
    parents_only = train(Experiment(**SMALL.to_json() | {"fork_epochs": [4]}), run.folder.path.parent)
    state = training.start(run.network, parents_only.thetas([Member(0)], 0))
    for epoch in range(2):
        state = training.train_epoch(
            run.network, state, run.dataset.train, streams=[Member(0).stream(0)], recipe=SMALL, epoch=epoch
        )
    assert state.momentum.abs().sum() > 0
    sibling = Member(0, 2, 1)
    expected = training.train_epoch(
        run.network, state, run.dataset.train, streams=[sibling.stream(0)], recipe=SMALL, epoch=2
    ).theta
    # float32, another size of stack: a batched product may sum in another order.
    torch.testing.assert_close(run.thetas([sibling], 3), expected, atol=1e-5, rtol=1e-4)


def test_trained_networks_classify_most_test_samples(run: Run) -> None:
    values = stack.load(run.network, stack.unflatten(run.thetas([Member(0), Member(0, 0, 1)], 4), run.network))
    inputs, labels = run.dataset.test
    logits = values(inputs.expand(2, *inputs.shape))
    assert ((logits.argmax(-1) == labels).float().mean(1) > 0.8).all()


def test_equal_seeds_give_equal_bits_in_separate_processes(run: Run, tmp_path: Path) -> None:
    code = f"from lmc_utils.forking import Experiment, train; train(Experiment(**{SMALL.to_json()!r}))"
    for name in ("a", "b"):
        subprocess.run([sys.executable, "-c", code], check=True, env=os.environ | {"LMC_RUNS": str(tmp_path / name)})
    files = [sorted((tmp_path / name).glob("*/epoch_*.safetensors")) for name in ("a", "b")]
    assert len(files[0]) == 5
    for first, second in zip(*files, strict=True):
        assert first.read_bytes() == second.read_bytes()


@pytest.mark.parametrize("survives", [0, 1, 2, 3])
def test_an_interrupted_run_resumes_to_the_same_bits(
    either: Run, tmp_path: Path, trained: list[int], survives: int
) -> None:
    run, experiment = either, either.experiment
    interrupt_training(experiment, tmp_path, after=survives)
    trained.clear()
    resumed = train(experiment, tmp_path)
    assert trained == list(range(survives + 1, 5))
    assert run_corruption.equal_networks(resumed.folder, run.folder)


def test_changing_the_batchnorm_convention_retrains_nothing(either: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "train_epoch", None)
    other = Experiment(**either.experiment.to_json() | {"batchnorm": "keep", "batchnorm_samples": 20})
    assert train(other, either.folder.path.parent).folder.path == either.folder.path


def test_the_ends_of_an_interpolation_are_the_siblings_own_networks(either: Run) -> None:
    """And so are kept statistics: with the running statistics that training left, in evaluation mode."""
    network, siblings = either.network, [Member(1, 0, 0), Member(1, 0, 1)]
    values = stack.unflatten(either.thetas(siblings, 4), network, either.buffers(siblings, 4))
    inputs, labels = either.dataset.test
    logits = stack.load(network, values).eval()(inputs.expand(2, *inputs.shape))
    wrong = 100 * (logits.argmax(-1) != labels).double().mean(1)
    for how in ("interpolate", "keep"):
        found = lines.line(either.pairs(batchnorm=how), lines.LineGrid(alphas=2, alpha_range=(0, 1)))
        ends = found.error.sel(split="test", fork_epoch=0, parent=1, pair="0-1", epoch=4, alpha=[0, 1])
        assert ends.values.tolist() == pytest.approx(wrong.tolist())


def test_a_finished_run_is_loaded_from_the_cache(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "train_epoch", None)
    again = train(SMALL, run.folder.path.parent)
    assert torch.equal(again.thetas([Member(0)], 4), run.thetas([Member(0)], 4))


def test_epochs_before_training_diverged_are_stored(tmp_path: Path) -> None:
    wild = Experiment(**SMALL.to_json() | {"learning_rate": 1e30})
    with pytest.raises(training.Diverged, match="learning_rate: training diverged in epoch 1"):
        train(wild, tmp_path)
    assert len(list(tmp_path.glob("*/epoch_0000.safetensors"))) == 1


def test_seed_zero_differs_from_other_seeds(run: Run, tmp_path: Path) -> None:
    one = train(Experiment(**SMALL.to_json() | {"seed": 1, "epochs": 2}), tmp_path)
    assert not torch.equal(one.thetas([Member(0)], 0), run.thetas([Member(0)], 0))
    streams = [member.stream(seed) for seed in (0, 1) for member in members(SMALL)]
    assert len(set(streams)) == len(streams)


def test_networks_do_not_depend_on_the_others_in_the_run(run: Run, tmp_path: Path) -> None:
    fewer = train(Experiment(**SMALL.to_json() | {"parents": 1, "fork_epochs": [2]}), tmp_path)
    # Another size of stack may sum in another order; four epochs let that grow a little.
    torch.testing.assert_close(
        fewer.thetas([Member(0, 2, 1)], 4), run.thetas([Member(0, 2, 1)], 4), atol=1e-3, rtol=1e-2
    )


def test_thetas_returns_a_copy(run: Run) -> None:
    run.thetas([Member(0)], 4).zero_()
    assert run.thetas([Member(0)], 4).abs().sum() > 0


def test_an_unknown_member_is_rejected(run: Run) -> None:
    with pytest.raises(ParameterError, match=r"epoch must be between 0 and 4 \(got 5\)"):
        run.thetas([Member(0)], 5)
    with pytest.raises(ParameterError, match=r"member must be a network of this run \(got Member\(parent=7,"):
        run.thetas([Member(7)], 4)


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (
            {"fork_epochs": [0, 41]},
            'fork_epochs must be increasing and <= epochs = 40 (got [0, 41]); set it too, e.g. -p fork_epochs "[0]"',
        ),
        (
            {"fork_epochs": [2, 1]},
            f"fork_epochs must be {RISING} (got [2, 1])",
        ),
        ({"fork_epochs": []}, f"fork_epochs must be {RISING} (got [])"),
        ({"siblings": 1}, "siblings must be >= 2 (got 1)"),
        ({"parents": 0}, "parents must be >= 1 (got 0)"),
        ({"seed": -1}, "seed must be >= 0 (got -1)"),
        ({"device": "gpu"}, "unknown device 'gpu'; did you mean 'cpu'? Choose from: auto, cpu, cuda"),
        ({"learning_rate": -0.1}, "learning_rate must be > 0 (got -0.1)"),
        ({"widths": [-64]}, "widths must be a non-empty list of values >= 1 (got [-64])"),
        (
            {"dataset": "minst1d"},
            "unknown dataset 'minst1d'; did you mean 'mnist1d'? Choose from: " + ", ".join(data.DATASETS),
        ),
    ],
)
def test_an_invalid_experiment_is_rejected(change: dict[str, object], line: str) -> None:
    with pytest.raises(ParameterError) as caught:
        Experiment(**change)
    assert str(caught.value) == line


def test_an_experiment_that_does_not_fit_the_data_is_rejected(tmp_path: Path) -> None:
    large = Experiment(**SMALL.to_json() | {"batch_size": 2000})
    with pytest.raises(ParameterError, match="batch_size must be <= 1400, the number of training samples of"):
        train(large, tmp_path)


@pytest.mark.parametrize("preset", ["smoke", "default", "paper"])
def test_presets_are_valid_parameter_values(preset: str) -> None:
    assert isinstance(Experiment(**Experiment.preset(preset)), Experiment)


def test_only_a_new_run_needs_disk_space(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(0, 0, 250_000))
    with pytest.raises(ParameterError) as caught:
        train(SMALL, tmp_path / "runs")
    assert str(caught.value) == (  # 2, 6, 6, 10, 10 networks of 1,210 parameters, each with its momentum
        "training 10 networks of 1,210 parameters, and storing 5 epochs: "
        f"not enough disk space for '{tmp_path / 'runs'}': 329 kB needed, 250 kB free"
    )
    assert not list(tmp_path.glob("runs/*/epoch_*"))
    monkeypatch.undo()
    train(SMALL, tmp_path / "runs")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(0, 0, 0))
    train(SMALL, tmp_path / "runs")
