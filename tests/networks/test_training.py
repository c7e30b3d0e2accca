"""The stack trains as an ordinary loop trains each network alone."""

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor, nn

from lmc_utils.networks import layers, stack
from lmc_utils.networks.models import Architecture, build
from lmc_utils.networks.training import Diverged, Recipe, cosine, data_order, train_epoch
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


def train_stack(
    network: nn.Module, thetas: Tensor, samples: tuple[Tensor, Tensor], streams: Sequence[Sequence[int]], recipe: Recipe
) -> Tensor:
    momentum = torch.zeros_like(thetas)
    for epoch in range(recipe.epochs):
        thetas, momentum = train_epoch(network, thetas, momentum, samples, streams, recipe, epoch)
    return thetas


def train_alone(theta: Tensor, samples: tuple[Tensor, Tensor], stream: Sequence[int], recipe: Recipe) -> Tensor:
    """The same training as anybody would write it: nn.Linear, torch's optimiser and its cosine schedule."""
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

    class Residual(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inside, self.last = layers.Linear(1, 6, 6), layers.Linear(1, 6, 3)

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


@pytest.mark.parametrize(
    ("network", "line"),
    [
        (nn.Linear(6, 3), "network: expected one built of stacked layers, this one has parameters of other modules"),
        (nn.Sequential(layers.Flatten(), layers.Linear(1, 6, 3), nn.Dropout(0.5)), "this one draws random numbers"),
        (
            nn.Sequential(layers.Flatten(), nn.BatchNorm1d(8, affine=False), layers.Linear(1, 6, 3)),
            "this one has the buffers 1.running_mean, 1.running_var, 1.num_batches_tracked",
        ),
    ],
)
def test_what_is_not_understood_is_not_trained(network: nn.Module, line: str, samples: tuple[Tensor, Tensor]) -> None:
    thetas = torch.zeros(2, 21)
    with pytest.raises(ParameterError) as caught:
        train_epoch(network, thetas, thetas, (samples[0].float(), samples[1]), [(0,), (1,)], RECIPE, 0)
    assert line in str(caught.value)
    assert "\n" not in str(caught.value)


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


def test_the_same_start_and_the_same_order_give_the_same_bits(
    network: nn.Module, samples: tuple[Tensor, Tensor]
) -> None:
    samples = samples[0].float(), samples[1]
    thetas = stack.flatten(stack.initialise(network, [1, 1, 1]))
    ends = train_stack(network, thetas, samples, [(5,), (6,), (5,)], RECIPE)
    assert torch.equal(ends[0], ends[2])
    assert not torch.equal(ends[0], ends[1])


def test_arguments_are_never_changed(network: nn.Module, samples: tuple[Tensor, Tensor]) -> None:
    thetas = stack.flatten(stack.initialise(network, [1])).double()
    momentum = torch.ones_like(thetas)
    kept = [value.clone() for value in (thetas, momentum, *samples)]
    train_epoch(network, thetas, momentum, samples, [(0,)], RECIPE, 0)
    assert all(torch.equal(old, new) for old, new in zip(kept, (thetas, momentum, *samples), strict=True))
    assert all(parameter.abs().sum() == 0 for parameter in network.parameters())


def test_gathering_in_pieces_changes_nothing(
    network: nn.Module, samples: tuple[Tensor, Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    thetas = stack.flatten(stack.initialise(network, [1, 2])).double()
    streams = [(0,), (1,)]
    at_once = train_stack(network, thetas, samples, streams, RECIPE)
    monkeypatch.setattr("lmc_utils.networks.training._GATHER_BYTES", 1)
    assert torch.equal(at_once, train_stack(network, thetas, samples, streams, RECIPE))


def test_every_order_is_a_permutation_of_its_own() -> None:
    orders = [data_order(stream, epoch, 50) for stream in [(0, 0), (0, 1), (1, 0)] for epoch in range(3)]
    assert all(order.sort().values.equal(torch.arange(50)) for order in orders)
    assert len({tuple(order.tolist()) for order in orders}) == len(orders)


def test_the_schedule_is_a_cosine_from_the_full_rate_to_zero() -> None:
    rates = [cosine(RECIPE, step, 10) for step in range(11)]
    assert rates[0] == RECIPE.learning_rate
    assert rates[10] == pytest.approx(0, abs=1e-17)
    assert rates[5] == pytest.approx(RECIPE.learning_rate / 2)
    assert rates == sorted(rates, reverse=True)


def test_divergence_is_named_and_never_returned(network: nn.Module, samples: tuple[Tensor, Tensor]) -> None:
    thetas = stack.flatten(stack.initialise(network, [1])).double()
    wild = Recipe(learning_rate=1e200, batch_size=8, epochs=3)
    with pytest.raises(Diverged, match=r"learning_rate: training diverged in epoch 1 of 3; 1e\+200 .* try a tenth"):
        train_stack(network, thetas, samples, [(0,)], wild)


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"learning_rate": 0}, "learning_rate: expected above 0, got 0.0"),
        ({"learning_rate": "fast"}, "learning_rate: expected a finite number, got 'fast'"),
        ({"momentum": 1}, "momentum: expected at least 0 and below 1, got 1.0"),
        ({"weight_decay": -1e-3}, "weight_decay: expected at least 0, got -0.001"),
        ({"weight_decay": float("nan")}, "weight_decay: expected a finite number, got nan"),
        ({"batch_size": 0}, "batch_size: expected at least 1, got 0"),
        ({"epochs": 2.5}, "epochs: expected a whole number, got 2.5"),
    ],
)
def test_a_bad_recipe_is_named(change: dict[str, object], line: str) -> None:
    with pytest.raises(ParameterError) as caught:
        Recipe(**change)
    assert str(caught.value) == line
