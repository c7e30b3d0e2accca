"""The stack trains as an ordinary loop trains each network alone."""

import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

sys.path.insert(0, str(Path(__file__).parents[2]))
from benchmarks import plain
from lmc_utils.networks import layers, stack
from lmc_utils.networks.models import Architecture, build
from lmc_utils.networks.training import (
    Diverged,
    Recipe,
    count_activations,
    data_order,
    networks_at_once,
    rate,
    start,
    train_epoch,
)
from lmc_utils.settings import ParameterError

RECIPE = Recipe(learning_rate=0.1, batch_size=8, epochs=3)


@pytest.fixture
def network() -> nn.Module:
    return build(Architecture(widths=(7, 5)), (6, 1), 3)


@pytest.fixture
def samples() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(44, 6, 1, generator=generator, dtype=torch.float64)
    return inputs, torch.randint(3, (44,), generator=generator)


def at_once(network: nn.Module, inputs: Tensor, networks: int) -> int:
    size = count_activations(network, inputs)
    return networks_at_once(network, inputs, networks, batch_size=64, activations=size)


def train_stack(
    network: nn.Module, thetas: Tensor, samples: tuple[Tensor, Tensor], streams: Sequence[Sequence[int]], recipe: Recipe
) -> Tensor:
    state = start(network, thetas)
    for epoch in range(recipe.epochs):
        state = train_epoch(network, state, samples, streams=streams, recipe=recipe, epoch=epoch)
    return state.theta


def train_alone(theta: Tensor, samples: tuple[Tensor, Tensor], stream: Sequence[int], recipe: Recipe) -> Tensor:
    """The same training in plain PyTorch: nn.Linear, torch's optimiser and its cosine schedule."""
    inputs, labels = samples
    plain = nn.Sequential(nn.Linear(6, 7), nn.ReLU(), nn.Linear(7, 5), nn.ReLU(), nn.Linear(5, 3)).double()
    start = 0
    with torch.no_grad():
        for layer in plain[::2]:
            size = layer.weight.numel()
            layer.weight.copy_(theta[start : start + size].view(layer.weight.T.shape).T)
            layer.bias.copy_(theta[start + size : start + size + layer.bias.numel()])
            start += size + layer.bias.numel()
    steps = len(labels) // recipe.batch_size
    sgd = torch.optim.SGD(
        plain.parameters(), lr=recipe.learning_rate, momentum=recipe.momentum, weight_decay=recipe.weight_decay
    )
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(sgd, recipe.epochs * steps)
    for epoch in range(recipe.epochs):
        order = data_order(stream, epoch, len(labels))
        for step in range(steps):
            rows = order[step * recipe.batch_size : (step + 1) * recipe.batch_size]
            loss = nn.functional.cross_entropy(plain(inputs[rows].flatten(1)), labels[rows])
            sgd.zero_grad()
            loss.backward()
            sgd.step()
            schedule.step()
    return torch.cat([part for layer in plain[::2] for part in (layer.weight.T.flatten(), layer.bias)]).detach()


def test_any_module_built_of_stacked_layers_trains(samples: tuple[Tensor, Tensor]) -> None:
    """A residual network, against the same residual network trained by hand, one network at a time."""

    class Residual(layers.Layer):
        def __init__(self) -> None:
            super().__init__()
            self.inside, self.last = layers.Linear(1, 6, 6), layers.Linear(1, 6, 3)

        def draw(self, generator: torch.Generator) -> stack.Parameters:
            return {}

        def forward(self, inputs: Tensor) -> Tensor:
            hidden = inputs.flatten(2)
            logits: Tensor = self.last(hidden + self.inside(hidden).tanh())
            return logits

    network = Residual().double()
    thetas = stack.flatten(stack.initialise(network, [1, 2])).double()
    together = train_stack(network, thetas, samples, [(0, 1), (0, 2)], RECIPE)
    inputs, labels = samples
    for row, stream in enumerate([(0, 1), (0, 2)]):
        alone = stack.load(network, stack.unflatten(thetas[row : row + 1], network))
        sgd = torch.optim.SGD(alone.parameters(), RECIPE.learning_rate, RECIPE.momentum, weight_decay=1e-3)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(sgd, 3 * 5)
        for epoch in range(3):
            for rows in data_order(stream, epoch, 44)[:40].split(8):
                sgd.zero_grad()
                nn.functional.cross_entropy(alone(inputs[rows][None])[0], labels[rows]).backward()
                sgd.step()
                schedule.step()
        # float64 over 15 steps: the order of summation is all that differs.
        torch.testing.assert_close(together[row], stack.flatten(stack.parameters(alone))[0], atol=1e-10, rtol=1e-10)


@pytest.mark.parametrize("momentum", [0.9, 0.0])
def test_the_stack_trains_as_an_ordinary_loop_does(
    network: nn.Module, samples: tuple[Tensor, Tensor], momentum: float
) -> None:
    recipe = Recipe(learning_rate=0.1, batch_size=8, epochs=3, momentum=momentum, weight_decay=0.01)
    thetas = stack.flatten(stack.initialise(network, [1, 2, 3])).double()
    streams = [(0, 1), (0, 2), (0, 3)]
    together = train_stack(network, thetas, samples, streams, recipe)
    for row, stream in enumerate(streams):
        # float64 over 15 steps: the order of summation is all that differs.
        torch.testing.assert_close(
            together[row], train_alone(thetas[row], samples, stream, recipe), atol=1e-10, rtol=1e-10
        )
        assert not torch.allclose(together[row], thetas[row], atol=1e-3)


@pytest.mark.parametrize("threads", [1, 2])
def test_training_a_stack_in_parts_gives_the_same_networks(threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Networks with equal start and seed are bit-identical, in any part."""
    network = build(Architecture(architecture="resnet8", widths=(8,), norm="batch"), (40, 1), 3)
    generator = torch.Generator().manual_seed(0)
    few = torch.randn(128, 40, 1, generator=generator), torch.randint(3, (128,), generator=generator)
    state = start(network, stack.flatten(stack.initialise(network, [1, 2, 1, 3, 1])))
    streams, before = [(1,), (2,), (1,), (3,), (1,)], torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        together = train_epoch(network, state, few, streams=streams, recipe=Recipe(), epoch=0)
        monkeypatch.setattr("lmc_utils.networks.training._TOGETHER", 2 * 450_000)
        assert at_once(network, few[0], 5) == 2
        apart = train_epoch(network, state, few, streams=streams, recipe=Recipe(), epoch=0)
    finally:
        torch.set_num_threads(before)
    for first, second in zip(together, apart, strict=True):
        assert len(first) == len(second) == 5
        assert torch.equal(second[0], second[2])
        assert torch.equal(second[0], second[4])
        # float32, two steps: another size of stack may sum in another order.
        torch.testing.assert_close(first, second, atol=1e-3, rtol=1e-3)


def test_equal_starts_and_data_orders_give_equal_bits(network: nn.Module, samples: tuple[Tensor, Tensor]) -> None:
    samples = samples[0].float(), samples[1]
    thetas = stack.flatten(stack.initialise(network, [1, 1, 1]))
    ends = train_stack(network, thetas, samples, [(5,), (6,), (5,)], RECIPE)
    assert torch.equal(ends[0], ends[2])
    assert not torch.equal(ends[0], ends[1])


def test_arguments_are_never_changed(network: nn.Module, samples: tuple[Tensor, Tensor]) -> None:
    network = build(Architecture(widths=(7, 5), norm="batch"), (6, 1), 3).double()
    state = start(network, stack.flatten(stack.initialise(network, [1])).double())
    kept = [value.clone() for value in (*state, *samples)]
    train_epoch(network, state, samples, streams=[(0,)], recipe=RECIPE, epoch=0)
    assert all(torch.equal(old, new) for old, new in zip(kept, (*state, *samples), strict=True))
    assert all(parameter.abs().sum() == 0 for parameter in network.parameters())
    assert torch.equal(stack.fresh_buffers(network, 1).unique(), torch.tensor([0.0, 1.0], dtype=torch.float64))


def test_gathering_batches_in_pieces_changes_nothing(
    network: nn.Module, samples: tuple[Tensor, Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    thetas = stack.flatten(stack.initialise(network, [1, 2])).double()
    streams = [(0,), (1,)]
    whole = train_stack(network, thetas, samples, streams, RECIPE)
    monkeypatch.setattr("lmc_utils.networks.training._GATHER_BYTES", 1)
    assert torch.equal(whole, train_stack(network, thetas, samples, streams, RECIPE))


def test_every_order_is_a_permutation_of_its_own() -> None:
    orders = [data_order(stream, epoch, 50) for stream in [(0, 0), (0, 1), (1, 0)] for epoch in range(3)]
    assert all(order.sort().values.equal(torch.arange(50)) for order in orders)
    assert len({tuple(order.tolist()) for order in orders}) == len(orders)


def test_the_schedule_is_a_cosine_from_the_full_rate_to_zero() -> None:
    rates = [rate(RECIPE, step, 10) for step in range(11)]
    assert rates[0] == RECIPE.learning_rate
    assert rates[10] == pytest.approx(0, abs=1e-17)
    assert rates[5] == pytest.approx(RECIPE.learning_rate / 2)
    assert rates == sorted(rates, reverse=True)


def test_the_rate_grows_in_the_epochs_of_warm_up_and_then_follows_the_cosine() -> None:
    warm, cold = (Recipe(learning_rate=0.8, epochs=10, warmup=warmup) for warmup in (2, 0))
    shares = [rate(warm, step, 40) / rate(cold, step, 40) for step in range(40)]
    assert shares == pytest.approx([(step + 1) / 8 for step in range(8)] + [1] * 32)


NETWORKS = [
    *[("resnet8", norm, axes) for norm in ("none", "batch", "group", "layer") for axes in (1, 2)],
    *[("mlp", "batch", 1), ("cnn", "batch", 2), ("vgg11", "batch", 1), ("vgg11", "group", 2)],
]


@pytest.mark.parametrize(("architecture", "norm", "axes"), NETWORKS)
def test_every_network_trains_as_torchs_own(architecture: str, norm: str, axes: int) -> None:
    """Parameters, momentum and running statistics, after two epochs of a loop over torch.nn's layers."""
    widths = (4, 4) if architecture in ("mlp", "cnn") else (4,)
    shape = (17, 2) if axes == 1 else (18, 17, 2)
    design = Architecture(architecture=architecture, widths=widths, norm=norm, norm_groups=2, activation="tanh")
    network = build(design, shape, 3).double()
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(20, *shape, generator=generator, dtype=torch.float64)
    labels = torch.randint(3, (20,), generator=generator)
    recipe = Recipe(learning_rate=0.05, batch_size=8, epochs=2)
    thetas = stack.flatten(stack.initialise(network, [1, 2])).double()
    streams, state = [(0, 1), (0, 2)], start(network, thetas)
    for epoch in range(2):
        state = train_epoch(network, state, (inputs, labels), streams=streams, recipe=recipe, epoch=epoch)
    for row, stream in enumerate(streams):
        alone = plain.network(network, thetas[row]).train()
        sgd = torch.optim.SGD(alone.parameters(), 0.05, 0.9, weight_decay=recipe.weight_decay)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(sgd, 4)
        for epoch in range(2):
            for rows in data_order(stream, epoch, 20)[:16].split(8):
                sgd.zero_grad()
                batch = inputs[rows].flatten(1) if architecture == "mlp" else inputs[rows]
                nn.functional.cross_entropy(alone(batch), labels[rows]).backward()
                sgd.step()
                schedule.step()
        # float64 over 4 steps: the order of summation is all that differs.
        torch.testing.assert_close(state.theta[row], plain.theta(alone), atol=1e-9, rtol=1e-9)
        torch.testing.assert_close(state.buffers[row], plain.buffers(alone).double(), atol=1e-9, rtol=1e-9)


def test_networks_at_once_depends_on_the_network() -> None:
    for architecture, shape, expected in [("mlp", (40, 1), 27), ("resnet8", (40, 1), 27), ("resnet8", (90, 90, 1), 1)]:
        network = build(Architecture(architecture=architecture, widths=(4,)), shape, 10)
        assert at_once(network, torch.zeros(2, *shape), 27) == expected
    wide = build(Architecture(architecture="resnet8", widths=(8,), norm="batch"), (40, 1), 10)
    assert at_once(wide, torch.zeros(2, 40, 1), 27) == 14  # two parts of nearly the same size, not 15 and a rest


def test_bfloat16_is_near_float32(network: nn.Module, samples: tuple[Tensor, Tensor]) -> None:
    samples = samples[0].float(), samples[1]
    thetas = stack.flatten(stack.initialise(network, [1, 2]))
    exact, rough = (
        train_stack(network, thetas, samples, [(0,), (1,)], Recipe(batch_size=8, epochs=3, precision=precision))
        for precision in ("float32", "bfloat16")
    )
    assert not torch.equal(exact, rough)
    # bfloat16 has 8 bits; over 15 steps the errors are still a small fraction of the displacement.
    assert (exact - rough).norm() < 0.1 * (exact - thetas).norm()


def test_diverged_training_raises_an_error(network: nn.Module, samples: tuple[Tensor, Tensor]) -> None:
    thetas = stack.flatten(stack.initialise(network, [1])).double()
    wild = Recipe(learning_rate=1e200, batch_size=8, epochs=3)
    with pytest.raises(Diverged, match=r"learning_rate: training diverged in epoch 1 of 3; 1e\+200 .* try a tenth"):
        train_stack(network, thetas, samples, [(0,)], wild)


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"learning_rate": 0}, "learning_rate must be > 0 (got 0.0)"),
        ({"learning_rate": "fast"}, "learning_rate must be a finite number (got 'fast')"),
        ({"momentum": 1}, "momentum must be >= 0 and < 1 (got 1.0)"),
        ({"weight_decay": -1e-3}, "weight_decay must be >= 0 (got -0.001)"),
        ({"weight_decay": float("nan")}, "weight_decay must be a finite number (got nan)"),
        ({"batch_size": 0}, "batch_size must be >= 1 (got 0)"),
        ({"epochs": 2.5}, "epochs must be a whole number (got 2.5)"),
        ({"warmup": 40}, "warmup must be < epochs = 40 (got 40)"),
        (
            {"precision": "float16"},
            "unknown precision 'float16'; did you mean 'bfloat16'? Choose from: float32, bfloat16",
        ),
    ],
)
def test_an_invalid_recipe_is_rejected(change: dict[str, object], line: str) -> None:
    with pytest.raises(ParameterError) as caught:
        Recipe(**change)
    assert str(caught.value) == line
