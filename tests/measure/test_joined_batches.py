"""Joined batches give the same results as the original ones, or are not used."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import example_modules
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from lmc_utils import connect
from lmc_utils.measure.batches import Batch, Batches
from lmc_utils.measure.joined_batches import groups, joinable, joined
from lmc_utils.measure.module_point_scores import PointScores
from lmc_utils.measure.module_scores import Scores

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


def saturating(network: Custom, inputs: Tensor) -> Tensor:
    """A result that depends on the batch's largest activation, which at the ends is the same in all batches."""
    hidden = functional.relu6(network.layer(inputs))
    return network.head(3 * hidden / hidden.amax())


def by_values_between(network: Custom, inputs: Tensor) -> Tensor:
    """A result that depends on a few samples of the batch, except at the ends."""
    outputs = plain(network, inputs)
    between = 0.1 < float(network.head.bias[0]) < 0.9
    return outputs * (1 + (inputs > 2.4).sum()) if between else outputs


def of_all_rows(network: Custom, inputs: Tensor) -> Tensor:
    """As many outputs for each sample as the batch has samples."""
    outputs = plain(network, inputs)
    return outputs @ outputs.T


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


def test_outputs_whose_shape_depends_on_the_batch_are_those_of_a_plain_loop() -> None:
    torch.manual_seed(0)
    first, second = Custom(of_all_rows), Custom(of_all_rows)
    for sizes in ([32, 32, 26], [30, 30, 30]):
        batches = [(batch, torch.arange(len(batch))) for batch in INPUTS.split(sizes)]
        found = connect.pair(first, second, batches, alphas=3)
        expected = example_modules.plain_loss(first, second, 0.5, batches)
        assert float(found.loss.sel(alpha=0.5)) == pytest.approx(expected, rel=1e-5)


def sizes_seen(run: Any, monkeypatch: pytest.MonkeyPatch, **options: Any) -> list[int]:
    """The sizes of the batches that points between the ends see."""
    seen: list[int] = []
    torch.manual_seed(0)
    if run is None:
        first, second = (nn.Sequential(nn.Linear(6, 6), nn.Tanh(), nn.Linear(6, 3)) for _ in range(2))
    else:
        first, second = Custom(run), Custom(run)
        with torch.no_grad():
            first.head.bias[0], second.head.bias[0] = 0, 1
    scored = PointScores._one

    def watched(self: PointScores, *given: Any) -> Tensor:
        seen.extend(batch.size for batch in self.samples["data"])
        return scored(self, *given)

    monkeypatch.setattr(PointScores, "_one", watched)
    connect.pair(first, second, BATCHES, alphas=3, **options)
    return seen


def test_batches_are_joined_where_that_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    assert sizes_seen(None, monkeypatch) == [90]


@pytest.mark.parametrize("run", [plain, of_a_batch, by_value, by_values_between, saturating])
def test_batches_stay_as_they_come_where_a_forward_pass_is_not_torchs_own(
    run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert sizes_seen(run, monkeypatch) == [32, 32, 26]


def test_a_loss_of_the_users_sees_the_batches_as_they_come(monkeypatch: pytest.MonkeyPatch) -> None:
    assert sizes_seen(None, monkeypatch, loss=contrastive) == [32, 32, 26]


@pytest.mark.parametrize(
    "layer",
    [
        nn.BatchNorm1d(6, track_running_stats=False),
        nn.Flatten(0),
        nn.Softmax(0),
        nn.utils.parametrizations.weight_norm(nn.Linear(6, 6)),
        nn.Sequential(nn.Conv1d(6, 6, 1)),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_only_sequences_of_layers_that_look_at_single_samples_are_run_on_joined_batches(layer: nn.Module) -> None:
    batches = Batches([Batch(*batch, len(batch[0])) for batch in BATCHES], 90, 3, "")
    network = nn.Sequential(nn.Linear(6, 6), nn.BatchNorm1d(6), nn.ReLU(), nn.Linear(6, 3))
    assert [len(group) for group in joinable(network, batches, Scores())] == [3]
    assert joinable(nn.Sequential(layer, *network), batches, Scores()) == []
    network[2].register_forward_hook(lambda *_: None)
    assert joinable(network, batches, Scores()) == []


@pytest.mark.parametrize("norm", [nn.LayerNorm(6), nn.BatchNorm1d(6), nn.Identity()])
@pytest.mark.parametrize("batchnorm", ["keep", "interpolate"])
def test_a_line_on_joined_batches_is_that_of_a_plain_loop(norm: nn.Module, batchnorm: str) -> None:
    torch.manual_seed(0)
    first, second = (nn.Sequential(nn.Linear(6, 6), copy.deepcopy(norm), nn.GELU(), nn.Linear(6, 3)) for _ in range(2))
    found = connect.pair(first.eval(), second.eval(), BATCHES, alphas=[0.0, 0.3, 1.0], batchnorm=batchnorm)
    for alpha in (0.0, 0.3, 1.0):
        expected = example_modules.plain_loss(first, second, alpha, BATCHES)
        assert float(found.loss.sel(alpha=alpha)) == pytest.approx(expected, rel=1e-5)


def test_only_tensors_of_one_row_a_sample_are_joined() -> None:
    def sizes(target: Tensor) -> list[int]:
        return [joined(group).size for group in groups([Batch(torch.zeros(2, 3), target, 2)] * 3, 100)]

    assert sizes(torch.zeros(2)) == [6]
    assert sizes(torch.tensor(1.0)) == [2, 2, 2]
    assert sizes(torch.zeros(5)) == [2, 2, 2]


def test_networks_with_hooks_see_the_batches_as_they_come() -> None:
    network = nn.Sequential(nn.Linear(6, 3))
    batches = Batches([Batch(*each, len(each[0])) for each in BATCHES], 90, 3, "")
    assert joinable(network, batches, Scores()) == [batches.batches]
    network[0].register_forward_hook(lambda *_: None)
    assert joinable(network, batches, Scores()) == []
