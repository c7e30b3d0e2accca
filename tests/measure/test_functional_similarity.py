"""Functional similarity against loops in float64, for stacked networks and for modules."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from typing import Any

import example_modules
import numpy as np
import pytest
import torch
from torch import Tensor, nn

from lmc_utils import connect
from lmc_utils.forking import Run
from lmc_utils.measure.functional_similarity import functional_similarity
from lmc_utils.measure.pairs import Pairs, between
from lmc_utils.measure.stacked_scores import StackedScores
from lmc_utils.networks import layers, stack
from lmc_utils.settings import ParameterError


def dense_cka(first: Tensor, second: Tensor) -> float:
    one, other = (each.detach().double() - each.detach().double().mean(0) for each in (first, second))
    return float((other.T @ one).norm() ** 2 / ((one.T @ one).norm() * (other.T @ other).norm()))


def by_loop(networks: Sequence[nn.Sequential], inputs: Tensor, labels: Tensor) -> tuple[float, float, float]:
    """Disagreement, both wrong and CKA of two sequences that end with a linear layer, sample by sample."""
    hidden = [network[:-1](inputs).detach() for network in networks]
    classes = [network(inputs).argmax(1).tolist() for network in networks]
    rows = list(zip(*classes, labels.tolist(), strict=True))
    different = sum(one != other for one, other, _ in rows)
    wrong = sum(one != label and other != label for one, other, label in rows)
    return 100 * different / len(rows), 100 * wrong / len(rows), dense_cka(*hidden)


def modules_pair(first: nn.Module, second: nn.Module, samples: Any, **options: Any) -> Pairs:
    return connect.pairs({"pair": [first, second]}, samples, **options)


def values(pairs: Pairs) -> list[float]:
    found = functional_similarity(pairs)
    return [float(found[name].squeeze()) for name in ("disagreement", "both_wrong", "cka")]


def perceptrons() -> tuple[nn.Sequential, nn.Sequential, tuple[Tensor, Tensor]]:
    first, second, samples = example_modules.two("perceptron", 60, torch.float64)
    assert isinstance(first, nn.Sequential)
    assert isinstance(second, nn.Sequential)
    return first.eval(), second.eval(), samples


def test_it_equals_a_loop_for_modules() -> None:
    first, second, (inputs, labels) = perceptrons()
    expected = by_loop([first, second], inputs, labels)
    assert all(5 < each < 95 for each in expected[:2])
    for sizes in ([60], [1, 19, 40]):
        batches = list(zip(inputs.split(sizes), labels.split(sizes), strict=True))
        assert values(modules_pair(first, second, batches)) == pytest.approx(expected, rel=1e-10)
        assert values(modules_pair(second, first, batches[::-1])) == pytest.approx(expected, rel=1e-10)


def test_siblings_of_a_run_equal_a_loop_and_each_agrees_with_itself(run: Run) -> None:
    pairs = run.pairs()
    found = functional_similarity(pairs, splits="test")
    assert found.disagreement.dims == ("split", "fork_epoch", "parent", "pair", "epoch")
    assert found.disagreement.notnull().all()
    assert found.disagreement.attrs["units"] == "percent"
    inputs, labels = run.dataset.test
    place, ends = list(pairs)[3]
    hidden, logits = [], []
    for theta in ends.theta:
        network = stack.bound(run.network, theta[None].cpu()).eval()
        layer = [part for part in network.modules() if isinstance(part, layers.Linear)][-1]
        layer.register_forward_hook(lambda _, given, __: hidden.append(given[0][0]))
        logits.append(network(inputs[None].cpu())[0])
    different = 100 * float((logits[0].argmax(1) != logits[1].argmax(1)).double().mean())
    assert float(found.disagreement.values[(0, *place)]) == pytest.approx(different)
    assert float(found.cka.values[(0, *place)]) == pytest.approx(dense_cka(*hidden), rel=1e-4)  # single precision

    same = between(run.network, ends.theta, ends.theta, samples={"test": (inputs, labels)})
    found = functional_similarity(same)
    assert (found.disagreement == 0).all()
    np.testing.assert_allclose(found.cka, 1, rtol=1e-9)
    _, errors = StackedScores(run.network, inputs, labels)(ends.theta)
    np.testing.assert_allclose(found.both_wrong.values[0], errors)


def test_batches_of_a_stack_do_not_matter(run: Run) -> None:
    network, samples = run.network.double(), (run.dataset.test[0].double(), run.dataset.test[1])
    theta = next(iter(run.pairs()))[1].theta.double()
    whole = list(StackedScores(network, *samples).predictions(theta))
    parts = list(StackedScores(network, *samples, memory=0.05).predictions(theta))
    assert len(whole) == 1 < len(parts)
    for name, dim in (("logits", 1), ("labels", 0), ("features", 1)):
        joined = torch.cat([getattr(part, name) for part in parts], dim)
        torch.testing.assert_close(joined, getattr(whole[0], name), rtol=1e-12, atol=1e-12)


def test_permuted_hidden_units_change_nothing() -> None:
    first, _, samples = perceptrons()
    second, order = copy.deepcopy(first), torch.randperm(8, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        for layer in (second[0], second[3]):  # a linear layer and a layer normalisation
            layer.weight.copy_(layer.weight[order])
            layer.bias.copy_(layer.bias[order])
        second[4].weight.copy_(second[4].weight[:, order])
    disagreement, _, cka = values(modules_pair(first, second, samples))
    assert disagreement == 0
    assert cka == pytest.approx(1, rel=1e-12)


class Wrapped(nn.Module):
    """Layers, and a function of their last hidden layer and their logits that gives the output."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.body, self.head, self.other = nn.Linear(3, 5), nn.Linear(5, 4), nn.Linear(4, 4)
        self.kind = kind

    def forward(self, inputs: Tensor) -> Any:
        hidden = torch.tanh(self.body(inputs))
        logits = self.head(hidden)
        if self.kind == "gate":
            return logits * torch.sigmoid(self.other(logits))
        if self.kind == "auxiliary":
            self.other(logits)
            return {"logits": logits}
        if self.kind == "in place":
            logits = logits.clone()
            hidden.mul_(torch.arange(5))
            return logits
        return logits.log_softmax(1) if self.kind == "log softmax" else logits


@pytest.mark.parametrize("kind", ["log softmax", "in place", "gate", "auxiliary"])
def test_features_are_those_of_the_output_layer_or_none(kind: str) -> None:
    torch.manual_seed(0)
    first, second, samples = Wrapped(kind), Wrapped(kind), (torch.randn(30, 3), torch.randint(4, (30,)))
    found = functional_similarity(modules_pair(first, second, samples))
    hidden = [torch.tanh(each.body(samples[0])) for each in (first, second)]
    assert 0 < found.disagreement.item() < 100
    if kind in ("log softmax", "in place"):
        assert found.cka.item() == pytest.approx(dense_cka(*hidden), rel=1e-5)
        assert "undefined" not in found.cka.attrs
    else:
        assert math.isnan(found.cka.item())
        assert found.cka.attrs["undefined"].startswith("NaN where the outputs of the networks are not those of the lin")


class Running(nn.Module):
    """Divides by the largest input so far, which the network remembers beside its tensors."""

    def __init__(self) -> None:
        super().__init__()
        self.layers, self.largest = nn.Sequential(nn.Linear(3, 6), nn.Tanh(), nn.Linear(6, 4)), 0.0

    def forward(self, inputs: Tensor) -> Tensor:
        self.largest = max(self.largest, float(inputs.abs().max()))
        outputs: Tensor = self.layers(inputs / self.largest)
        return outputs


def test_what_a_network_remembers_is_carried_over_to_its_next_batch_only() -> None:
    torch.manual_seed(0)
    first, second, (inputs, labels) = Running(), Running(), (torch.randn(40, 3), torch.randint(4, (40,)))
    inputs[0] *= 10  # of the first batch, as otherwise its outputs would change when it is repeated
    batches = list(zip(inputs.split(10), labels.split(10), strict=True))
    found = functional_similarity(modules_pair(first, second, batches))
    whole = copy.deepcopy(first), copy.deepcopy(second)
    logits = [torch.cat([each(batch) for batch, _ in batches]) for each in whole]
    different = 100 * float((logits[0].argmax(1) != logits[1].argmax(1)).double().mean())
    assert found.disagreement.item() == pytest.approx(different)
    largest, hidden = 0.0, [list[Tensor](), list[Tensor]()]
    for batch, _ in batches:
        largest = max(largest, float(batch.abs().max()))
        for row, each in enumerate((first, second)):
            hidden[row].append(each.layers[:2](batch / largest))
    assert found.cka.item() == pytest.approx(dense_cka(*map(torch.cat, hidden)), rel=1e-5)


def test_without_a_linear_layer_cka_is_nan_with_the_reason() -> None:
    torch.manual_seed(0)
    networks = [nn.Sequential(nn.Conv1d(1, 3, 3), nn.ReLU(), nn.AdaptiveAvgPool1d(1), nn.Flatten()) for _ in range(2)]
    found = functional_similarity(modules_pair(*networks, (torch.randn(30, 1, 8), torch.randint(3, (30,)))))
    assert 0 < found.disagreement.item() < 100
    assert math.isnan(found.cka.item())
    assert found.cka.attrs["undefined"] == "NaN where the networks call no linear layer"


def test_an_output_that_is_nan_predicts_no_class() -> None:
    first, second, samples = perceptrons()
    with torch.no_grad():
        second[0].weight.fill_(1e308)  # which overflows before the layer normalisation
    assert all(map(math.isnan, values(modules_pair(first, second, samples))))


def test_other_outputs_and_targets_are_rejected_in_one_line() -> None:
    line = r"^predicted classes take outputs \(samples, classes\) and labels \(samples,\), whole numbers from 0 to the "
    inputs, positions = torch.randn(9, 2, 6), torch.randint(3, (9, 4))
    networks = [nn.Conv1d(2, 3, 3) for _ in range(2)]
    with pytest.raises(ParameterError, match=rf"{line}.* \(got float32 \(9, 3, 4\) and int64 \(9, 4\)\)$"):
        functional_similarity(modules_pair(*networks, (inputs, positions)))
    networks = [nn.Linear(6, 3) for _ in range(2)]
    probabilities = torch.rand(9, 3).softmax(1)
    with pytest.raises(ParameterError, match=rf"{line}.* \(got float32 \(9, 3\) and float32 \(9, 3\)\)$"):
        functional_similarity(modules_pair(*networks, (inputs[:, 0], probabilities)))

    def squared(output: Tensor, target: Tensor) -> Tensor:
        return (output - target).square().mean(1)

    with pytest.raises(ParameterError, match=line):
        functional_similarity(modules_pair(*networks, (inputs[:, 0], torch.randn(9, 3)), loss=squared))


def test_the_networks_are_not_changed_and_hold_no_hooks() -> None:
    first, second, samples = example_modules.two("normalised")
    pairs = modules_pair(first, second, samples)
    before = copy.deepcopy(first.state_dict())
    functional_similarity(pairs)
    assert all(torch.equal(value, first.state_dict()[name]) for name, value in before.items())
    for network in (first, second, pairs.evaluator.module):
        assert not any(part._forward_hooks for part in network.modules())
