"""Forks within an epoch, other differences than the data order, other schedules and optimisers, and restarts."""

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from device import DEVICE
from interrupted_training import interrupt_training
from torch import Tensor, nn

from lmc_utils.forking import Experiment, Member, Run, protocol, train
from lmc_utils.networks import stack, training
from lmc_utils.networks.models import Architecture, build
from lmc_utils.networks.training import Recipe, data_order, rate, start, train_epoch
from lmc_utils.settings import ParameterError

SMALL = Experiment(
    dataset="digits", train_samples=640, widths=(16,), epochs=3, fork_epochs=(0, 0.3, 2), parents=2, device=DEVICE
)  # ten steps an epoch
FAMILY = [Member(1), *(Member(1, fork, sibling) for fork in SMALL.fork_epochs for sibling in (0, 1))]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return train(SMALL, tmp_path_factory.mktemp("runs"))


def test_a_sibling_equals_its_parent_up_to_a_fork_within_an_epoch(run: Run) -> None:
    for epoch in SMALL.every_epoch():
        vectors = run.thetas([Member(1), Member(1, 0.3, 0), Member(1, 0.3, 1)], epoch)
        assert torch.equal(vectors[0], vectors[1]) is (epoch <= 0.3)
        assert torch.equal(vectors[1], vectors[2]) is (epoch <= 0.3)


def test_a_fork_within_an_epoch_is_three_steps_of_the_parent_then_the_siblings_own(run: Run) -> None:
    """Trained by hand, step by step: the parent's first batches, then the sibling's from its own order."""
    inputs, labels = run.dataset.train
    parent, sibling = Member(0), Member(0, 0.3, 1)
    state = start(run.network, run.thetas([parent], 0))
    for member, steps in ((parent, range(3)), (sibling, range(3, 10))):
        streams = [member.stream(0)]
        state = train_epoch(run.network, state, (inputs, labels), streams=streams, recipe=SMALL, epoch=0, steps=steps)
    # float32 in another size of stack: a batched product may sum in another order.
    torch.testing.assert_close(run.thetas([sibling], 1), state.theta, atol=1e-5, rtol=1e-4)


def test_fork_steps_are_the_same_forks(run: Run) -> None:
    steps = Experiment(**SMALL.to_json() | {"fork_epochs": [0, 1, 2, 15], "fork_steps": [0, 3, 20]})
    assert steps == SMALL
    assert train(steps, run.folder.path.parent).folder.path == run.folder.path


@pytest.mark.parametrize("survives", [0, 0.3, 1, 2])
def test_an_interrupted_run_with_forks_within_epochs_resumes_to_the_same_bits(
    run: Run, tmp_path: Path, survives: float
) -> None:
    interrupt_training(SMALL, tmp_path, after=survives)
    resumed = train(SMALL, tmp_path)
    for epoch in SMALL.every_epoch():
        for name, values in run.folder.state(epoch).items():
            assert (resumed.folder.state(epoch)[name] == values).all()


def test_a_parent_does_not_depend_on_forks_within_its_epochs(run: Run, tmp_path: Path) -> None:
    without = train(replace(SMALL, fork_epochs=(0, 2)), tmp_path)
    # Another size of stack may sum in another order; three epochs let that grow a little.
    torch.testing.assert_close(run.thetas([Member(0)], 3), without.thetas([Member(0)], 3), atol=1e-3, rtol=1e-2)


@pytest.mark.parametrize("difference", ["order", "noise", "weight"])
@pytest.mark.parametrize("optimizer", [{"optimizer": "sgd"}, {"optimizer": "adamw", "learning_rate": 0.01}], ids=str)
def test_without_a_difference_a_sibling_is_its_parent_to_the_bit(
    difference: str, optimizer: dict[str, object], tmp_path: Path
) -> None:
    same = Experiment(**SMALL.to_json() | optimizer | {"difference": difference, "difference_size": 0})
    equal = train(same, tmp_path).thetas(FAMILY, 3)
    assert all(torch.equal(equal[0], vector) for vector in equal)


@pytest.mark.parametrize("difference", ["noise", "weight"])
def test_noise_and_one_weight_are_added_once_and_the_data_order_stays(difference: str, tmp_path: Path) -> None:
    """After one step of SGD, equal gradients but for the difference itself: it is what was added, to first order."""
    size = 1e-3
    experiment = replace(SMALL, fork_epochs=(0.1,), difference=difference, difference_size=size)
    run = train(experiment, tmp_path)
    parent = run.thetas([Member(0)], 0.1)[0]
    born = [Member(0, 0.1, 0), Member(0, 0.1, 1)]
    state = training.State(parent[None], *(torch.zeros(1, 0) for _ in range(3)))
    copies = protocol.forked_training.siblings_at_fork(run.network, state, born, experiment, seed=0).theta
    added, spread = copies - parent, {}
    initial = stack.unflatten(run.thetas([Member(0)], 0), run.network)
    for name, values in initial.items():
        spread[name] = float(values.double().std(correction=0))
    for name, part in stack.unflatten(added, run.network).items():
        if spread[name] == 0:
            assert part.abs().max() == 0
        elif difference == "noise":  # the standard deviation of 1,000 draws is within 10 % in 99.9 % of cases
            assert part.std() / (size * spread[name]) == pytest.approx(1, abs=0.15)
    if difference == "weight":
        assert (added != 0).sum(1).tolist() == [1, 1]
        assert not torch.equal(added[0] != 0, added[1] != 0)
    first = run.thetas([*born, Member(0)], 1)
    apart = (first[:2] - first[2:]).norm(dim=1)
    assert (apart > 0).all()
    assert (apart < 10 * added.norm(dim=1)).all()


def test_restarted_siblings_train_a_cosine_of_their_own_after_the_fork(tmp_path: Path) -> None:
    """Against the same training by hand; a parent that is finished, and finished siblings, no longer change."""
    experiment = replace(
        SMALL, fork_epochs=(0, 2.5), schedule="constant", after_fork="restart", restart_rate=0.2, parents=1
    )
    run = train(experiment, tmp_path)
    assert experiment.last_epoch == 6
    sibling, inputs_and_labels = Member(0, 2.5, 0), run.dataset.train
    arrays = run.folder.state(2.5)
    state = training.State(*(torch.from_numpy(arrays[name])[:1] for name in training.State._fields))
    own = Recipe.pick({**vars(experiment), "schedule": "cosine", "learning_rate": 0.2})
    for epoch, steps in ((2, range(5, 10)), (3, range(10)), (4, range(10)), (5, range(5))):
        state = train_epoch(
            run.network, state, inputs_and_labels, streams=[sibling.stream(0)], recipe=own, epoch=epoch,
            steps=steps, schedule_start=25,
        )  # fmt: skip
    torch.testing.assert_close(run.thetas([sibling], 6), state.theta, atol=1e-4, rtol=1e-3)
    for member, finished in ((Member(0), 3), (Member(0, 0, 1), 3)):
        assert torch.equal(run.thetas([member], finished), run.thetas([member], 6))
        assert not torch.equal(run.thetas([member], finished - 1), run.thetas([member], finished))


@pytest.mark.parametrize(
    "changes",
    [
        {"optimizer": "sgd"},
        {"optimizer": "sgd", "schedule": "constant", "warmup": 1},
        {"optimizer": "sgd", "schedule": "constant_then_decay", "decay_epochs": 2},
        {"optimizer": "adamw", "learning_rate": 0.01, "weight_decay": 0.1},
        {"optimizer": "adamw", "learning_rate": 0.01, "schedule": "constant_then_decay", "decay_epochs": 1},
    ],
    ids=str,
)
def test_optimisers_and_schedules_agree_with_torch_step_by_step_in_float64(changes: dict[str, object]) -> None:
    recipe = Recipe(**{"learning_rate": 0.1, "batch_size": 8, "epochs": 3, **changes})
    generator = torch.Generator().manual_seed(0)
    inputs, labels = torch.randn(44, 6, 1, generator=generator, dtype=torch.float64), torch.arange(44) % 3
    network = build(Architecture(widths=(7,)), (6, 1), 3).double()
    thetas = stack.flatten(stack.initialise(network, [1, 2])).double()
    state = start(network, thetas)
    for done in range(15):
        epoch, step = divmod(done, 5)
        state = train_epoch(
            network, state, (inputs, labels), streams=[(1,), (2,)], recipe=recipe, epoch=epoch,
            steps=range(step, step + 1),
        )  # fmt: skip
        expected = [
            _trained_by_torch(network, thetas[row], (inputs, labels), (1 + row,), recipe, done + 1) for row in (0, 1)
        ]
        # float64 over at most 15 steps: the order of summation is all that differs.
        torch.testing.assert_close(state.theta, torch.stack(expected), atol=1e-10, rtol=1e-10)


def _trained_by_torch(
    network: nn.Module, theta: Tensor, samples: tuple[Tensor, Tensor], stream: Sequence[int], recipe: Recipe, steps: int
) -> Tensor:
    alone = stack.load(network, stack.unflatten(theta[None], network))
    options = {"lr": recipe.learning_rate, "weight_decay": recipe.weight_decay}
    optimiser: torch.optim.Optimizer = (
        torch.optim.AdamW(alone.parameters(), **options)
        if recipe.optimizer == "adamw"
        else torch.optim.SGD(alone.parameters(), momentum=recipe.momentum, **options)
    )
    schedulers = torch.optim.lr_scheduler
    decay = 5 * recipe.decay_epochs
    schedule = {
        "cosine": lambda: schedulers.CosineAnnealingLR(optimiser, 15),
        "constant": lambda: schedulers.LinearLR(optimiser, 1 / 5, 1.0, 4) if recipe.warmup else None,
        "constant_then_decay": lambda: schedulers.SequentialLR(
            optimiser,
            [schedulers.ConstantLR(optimiser, 1.0), schedulers.LinearLR(optimiser, 1.0, 0.0, decay)],
            [15 - decay],
        ),
    }[recipe.schedule]()
    for step in range(steps):
        rows = data_order(stream, step // 5, 44)[step % 5 * 8 :][:8]
        optimiser.zero_grad()
        nn.functional.cross_entropy(alone(samples[0][rows][None])[0], samples[1][rows]).backward()
        optimiser.step()
        schedule.step()
    return stack.flatten(stack.parameters(alone))[0]


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        (
            {"after_fork": "restart", "restart_rate": 1e30},
            r"restart_rate: .* epoch 1 of 3; 1e\+30 with momentum 0.9 is",
        ),
        ({"optimizer": "adamw", "learning_rate": 1e30}, r"learning_rate: .* epoch 1 of 3; 1e\+30 is too large"),
    ],
)
def test_a_diverged_training_names_the_rate_that_was_too_large(
    changes: dict[str, object], line: str, tmp_path: Path
) -> None:
    with pytest.raises(training.Diverged, match=line):
        train(Experiment(**SMALL.to_json() | {"fork_epochs": [2]} | changes), tmp_path)


@pytest.mark.parametrize("schedule", ["cosine", "constant", "constant_then_decay"])
def test_a_schedule_never_exceeds_its_rate_and_only_a_constant_one_ends_above_zero(schedule: str) -> None:
    rates = [rate(Recipe(schedule=schedule, epochs=10), step, 100) for step in range(101)]
    assert max(rates) == rates[0] == 0.1
    assert rates == sorted(rates, reverse=True)
    assert math.isclose(rates[-1], 0.1 if schedule == "constant" else 0, abs_tol=1e-12)
    with pytest.raises(ValueError, match="step 101 is after the end of a schedule of 100 steps"):
        rate(Recipe(schedule=schedule, epochs=10), 101, 100)


def test_new_parameters_at_their_defaults_do_not_change_the_name_of_a_run(run: Run) -> None:
    key = protocol._key(SMALL, run.dataset, torch.device("cpu"))["experiment"]
    assert not {"optimizer", "schedule", "difference", "difference_size", "after_fork", "restart_rate"} & set(key)
    changed = protocol._key(replace(SMALL, difference="noise"), run.dataset, torch.device("cpu"))["experiment"]
    assert changed == key | {"difference": "noise"}


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (
            {"fork_epochs": [0, 0.25]},
            "fork_epochs must be whole steps, of which an epoch has 10 (got 0.25); nearest: 0.2, or fork_steps [2]",
        ),
        ({"fork_steps": [0, 31]}, "fork_steps must be <= 30, the steps of training (got 31)"),
        (
            {"fork_steps": [0, 3, 10], "dropout": 0.1},
            "fork_steps must be multiples of 10, whole epochs, with dropout > 0 (got [3])",
        ),
        ({"fork_steps": [0.5]}, "fork_steps must be null or a list, each item a whole number (got [0.5])"),
        ({"fork_steps": [-1]}, "fork_steps must be an increasing, non-empty list of values >= 0 (got [-1])"),
        ({"fork_epochs": [0.5], "dropout": 0.1}, "fork_epochs must be whole epochs with dropout > 0 (got [0.5])"),
        ({"difference": "nois"}, "unknown difference 'nois'; did you mean 'noise'? Choose from: order, noise, weight"),
        ({"difference_size": -1e-3}, "difference_size must be between 0 and 10 (got -0.001)"),
        ({"difference_size": 1e30}, "difference_size must be between 0 and 10 (got 1e+30)"),
        ({"after_fork": "restart", "restart_rate": 0}, "restart_rate must be > 0 (got 0.0)"),
        ({"restart_rate": 0.1}, "restart_rate must be null unless after_fork = restart (got 0.1)"),
        (
            {"optimizer": "adamw", "momentum": 0.5},
            "momentum must be 0.9 with optimizer = adamw, which has no other momentum (got 0.5)",
        ),
        ({"decay_epochs": 3}, "decay_epochs must be 5 unless schedule = constant_then_decay (got 3)"),
        ({"schedule": "constant_then_decay", "decay_epochs": 4}, "decay_epochs must be <= epochs = 3 (got 4)"),
    ],
)  # fmt: skip
def test_invalid_differences_and_schedules_are_rejected_in_one_line(change: dict[str, object], line: str) -> None:
    with pytest.raises(ParameterError) as caught:
        Experiment(**SMALL.to_json() | change)
    assert str(caught.value) == line
