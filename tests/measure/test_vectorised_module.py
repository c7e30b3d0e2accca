"""Many versions of a network in one pass are what plain passes of each, batch by batch, are; or they are not used."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import example_modules
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from lmc_utils import connect
from lmc_utils.measure import vectorised_module

INPUTS, LABELS = torch.randn(90, 6, generator=torch.Generator().manual_seed(1)), torch.arange(90) % 3
BATCHES = list(zip(INPUTS.split(32), LABELS.split(32), strict=True))


class Custom(nn.Module):
    """A small network of fully connected layers, and something else in its forward pass."""

    def __init__(self, run: Callable[[Custom, Tensor], Tensor]) -> None:
        super().__init__()
        self.layer, self.head, self.run = nn.Linear(6, 6), nn.Linear(6, 3), run
        self.same = self.layer

    def forward(self, inputs: Tensor) -> Tensor:
        return self.run(self, inputs)


def plain(network: Custom, inputs: Tensor) -> Tensor:
    return network.head(torch.tanh(network.same(torch.tanh(network.layer(inputs)))))


def in_place(network: Custom, inputs: Tensor) -> Tensor:
    inputs -= 0.5
    return plain(network, inputs)


def of_a_batch(network: Custom, inputs: Tensor) -> Tensor:
    return plain(network, inputs) * (1 + (inputs > 2.4).sum())  # in some batches only


def by_value(network: Custom, inputs: Tensor) -> Tensor:
    outputs = plain(network, inputs)
    return outputs if outputs.sum() > 0 else 2 * outputs


def contrastive(output: Tensor, _: Tensor) -> Tensor:
    return (output[:, None] - output[None]).square().sum(2).mean(1)


def changing(output: Tensor, target: Tensor) -> Tensor:
    target += 1
    output *= 2
    return functional.cross_entropy(output, target - 1, reduction="none")


@pytest.mark.parametrize("run", [plain, in_place, of_a_batch, by_value])
@pytest.mark.parametrize("loss", [None, contrastive, changing])
def test_the_line_of_a_small_network_is_that_of_a_plain_loop(run: Any, loss: Any) -> None:
    torch.manual_seed(0)
    first, second = Custom(run), Custom(run)
    samples = INPUTS.clone(), LABELS.clone()
    found = connect.pair(first, second, BATCHES, alphas=[0.0, 0.3, 1.0], loss=loss)
    how = {} if loss is None else {"loss": loss}
    for alpha in (0.0, 0.3, 1.0):
        expected = example_modules.plain_loss(first, second, alpha, BATCHES, **how)
        assert float(found.loss.sel(alpha=alpha)) == pytest.approx(expected, rel=1e-5)
    assert torch.equal(samples[0], INPUTS)
    assert torch.equal(samples[1], LABELS)


def test_points_go_together_where_that_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise the tests above would compare plain passes with plain passes."""
    sizes: list[tuple[int, ...]] = []
    together = vectorised_module._together

    def watched(*given: Any) -> Any:
        found = together(*given)
        sizes.append(found.shape)
        return found

    monkeypatch.setattr(vectorised_module, "_together", watched)
    torch.manual_seed(0)
    first, second = Custom(plain), Custom(plain)
    connect.pair(first, second, BATCHES, alphas=5)
    assert sizes == [(5, 90, 3)], "three points and both ends, on joined batches"
    sizes.clear()
    connect.pair(first, second, BATCHES, alphas=5, loss=contrastive)
    assert sizes == [(5, 32, 3), (5, 32, 3), (5, 26, 3)], "a loss of the user's sees the batches as they come"


def test_networks_with_hooks_run_by_themselves() -> None:
    network = nn.Sequential(nn.Linear(6, 3))
    assert vectorised_module.suits(network)
    network[0].register_forward_hook(lambda *_: None)
    assert not vectorised_module.suits(network)
