"""Averages and ensembles against loops in float64 over single networks."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from dataclasses import replace

import example_modules
import numpy as np
import pytest
import torch
from torch import Tensor, nn

from lmc_utils import connect
from lmc_utils.connect import averages
from lmc_utils.forking import Member, Run
from lmc_utils.measure import lines
from lmc_utils.measure.ensembles import average_and_ensemble
from lmc_utils.measure.pairs import Pairs
from lmc_utils.measure.stacked_evaluator import StackedEvaluator
from lmc_utils.networks import layers, stack
from lmc_utils.networks.stack import Networks
from lmc_utils.settings import ParameterError

NAMES = [f"{name}_{score}" for name in ("average", "ensemble", "single", "best") for score in ("error", "loss")]
NETWORK = nn.Sequential(layers.Linear(1, 4, 5), nn.Tanh(), layers.Linear(1, 5, 3))
Samples = tuple[Tensor, Tensor]


def scores(probabilities: Tensor, labels: Tensor) -> tuple[float, float]:
    """Mean loss and error, sample by sample."""
    rows = list(zip(probabilities.tolist(), labels.tolist(), strict=True))
    loss = -sum(math.log(row[label]) for row, label in rows) / len(rows)
    return loss, 100 * sum(row.index(max(row)) != label for row, label in rows) / len(rows)


def by_loop(thetas: Tensor, samples: Samples, train: Samples) -> dict[str, float]:
    def probabilities(theta: Tensor, inputs: Tensor) -> Tensor:
        return stack.bound(NETWORK, theta[None])(inputs[None])[0].detach().softmax(1)

    single = [scores(probabilities(theta, samples[0]), samples[1]) for theta in thetas]
    on_train = [scores(probabilities(theta, train[0]), train[1]) for theta in thetas]
    best = min(range(len(thetas)), key=lambda row: (on_train[row][1], on_train[row][0]))
    average = scores(probabilities(thetas.mean(0), samples[0]), samples[1])
    together = torch.stack([probabilities(theta, samples[0]) for theta in thetas]).mean(0)
    mean = np.mean(single, 0).tolist()
    found = [each[::-1] for each in (average, scores(together, samples[1]), mean, single[best])]
    return dict(zip(NAMES, [number for each in found for number in each], strict=True))


def group(count: int, places: int = 2) -> tuple[Pairs, Tensor, dict[str, Samples]]:
    generator = torch.Generator().manual_seed(count)
    inputs = torch.randn(70, 4, generator=generator, dtype=torch.float64)
    labels = inputs[:, :3].argmax(1)
    samples = {"train": (inputs[:30], labels[:30]), "test": (inputs[30:], labels[30:])}
    thetas = torch.randn(places, count, 43, generator=generator, dtype=torch.float64)
    evaluator = StackedEvaluator(NETWORK.double(), samples)
    read = lambda place: Networks(thetas[place[0]])  # noqa: E731
    return Pairs(evaluator, {"pair": places}, [(row,) for row in range(places)], read, networks=count), thetas, samples


@pytest.mark.parametrize("count", [2, 5])
def test_groups_of_any_size_equal_a_loop(count: int) -> None:
    groups, thetas, samples = group(count)
    found = average_and_ensemble(groups)
    assert list(found.data_vars) == NAMES
    assert found.attrs["best_chosen_on"] == "train"
    for place, each in enumerate(thetas):
        for split in ("train", "test"):
            for name, value in by_loop(each, samples[split], samples["train"]).items():
                assert found[name].dims == ("split", "pair")
                assert found[name].attrs["units"] == ("percent" if name.endswith("error") else "nats")
                measured = float(found[name].sel(split=split).isel(pair=place))
                assert measured == pytest.approx(value, rel=1e-10), (name, split)
    test_only = average_and_ensemble(groups, splits="test")
    assert test_only.drop_attrs().equals(found.sel(split=["test"]).drop_attrs())


def test_the_best_network_is_chosen_on_training_samples_and_ties_by_the_loss() -> None:
    groups, thetas, samples = group(3, 1)
    steps = torch.tensor([0.5, 2.0, 1.0], dtype=torch.float64)
    thetas[0] = thetas[0, 0]
    thetas[0, :, 25:] = steps[:, None] * thetas[0, 0, 25:]  # logits of other sizes: equal errors, other losses
    thetas[0, 2, 0] += 1e-3
    losses = [by_loop(theta[None], samples["train"], samples["train"])["average_loss"] for theta in thetas[0]]
    errors = [by_loop(theta[None], samples["train"], samples["train"])["average_error"] for theta in thetas[0]]
    assert len(set(errors)) == 1
    assert len(set(losses)) == 3
    flipped = samples["test"][0], (samples["test"][1] + torch.tensor([0, 1]).repeat(20)) % 3
    evaluator = replace(groups.evaluator, samples={**samples, "test": flipped})
    found = average_and_ensemble(replace(groups, evaluator=evaluator))
    best = int(np.argmin(losses))
    assert found.best_error.sel(split="test").item() == by_loop(thetas[0, [best]], flipped, flipped)["average_error"]
    other = average_and_ensemble(replace(groups, evaluator=replace(evaluator, samples={"test": flipped})))
    assert other.attrs["best_chosen_on"] == "test"


def test_siblings_of_a_run_are_groups(run: Run) -> None:
    groups = run.groups(3)
    assert groups.coords == {"fork_epoch": [0, 2], "parent": [0, 1]}
    for (fork, parent), members in groups:
        chosen = [Member(parent, run.experiment.fork_epochs[fork], sibling) for sibling in range(3)]
        assert torch.equal(members.theta, run.thetas(chosen, run.experiment.epochs))
    found = average_and_ensemble(groups)
    assert found.average_loss.dims == ("split", "fork_epoch", "parent")
    assert all(found[name].notnull().all() for name in NAMES)
    assert found.attrs["experiment"]
    assert found.attrs["batchnorm"] == "none"
    midpoints = lines.line(run.pairs(), [0.5]).isel(alpha=0, epoch=0).sel(pair="0-1")
    of_two = average_and_ensemble(run.groups(2))
    np.testing.assert_allclose(of_two.average_loss, midpoints.loss, rtol=1e-5)
    np.testing.assert_allclose(of_two.average_error, midpoints.error)
    ends = lines.line(run.pairs(), [0.0, 1.0]).isel(epoch=0).sel(pair="0-1").error
    np.testing.assert_allclose(of_two.single_error, ends.mean("alpha"))
    for count in (1, 4):
        with pytest.raises(ParameterError, match=r"^count must be between 2 and 3, the number of siblings \(got"):
            run.groups(count)


def modules(count: int) -> tuple[dict[str, nn.Module], Samples]:
    first, _, samples = example_modules.two("normalised", 60, torch.float64)
    networks: dict[str, nn.Module] = {"0": first}
    for seed in range(1, count):
        torch.manual_seed(seed)
        networks[str(seed)] = copy.deepcopy(first)
        with torch.no_grad():
            for value in networks[str(seed)].parameters():
                value.add_(0.5 * torch.randn_like(value))
    return networks, samples


@pytest.mark.parametrize("batchnorm", ["reestimate", "interpolate"])
def test_modules_equal_their_average_and_the_soup(batchnorm: str) -> None:
    networks, (inputs, labels) = modules(3)
    batches: Sequence[Samples] = [(inputs[:25], labels[:25]), (inputs[25:], labels[25:])]
    found = connect.average_and_ensemble(networks, batches, batchnorm=batchnorm)
    state = averages.average(list(networks.values()), batches, batchnorm=batchnorm)
    moved = copy.deepcopy(networks["0"])
    moved.load_state_dict(state)
    loss, error = scores(moved.eval()(inputs).detach().softmax(1), labels)
    assert float(found.average_loss) == pytest.approx(loss, rel=1e-10)
    assert float(found.average_error) == pytest.approx(error)
    soup = connect.soup(networks, batches, batchnorm=batchnorm)
    for name, candidate in (("average", "average of all"), ("ensemble", "ensemble")):
        for score in ("loss", "error"):
            expected = float(soup[score].sel(candidate=candidate))
            assert float(found[f"{name}_{score}"]) == pytest.approx(expected, rel=1e-10)
    single = soup.error.sel(candidate=list(networks))
    assert float(found.single_error) == pytest.approx(float(single.mean()))
    assert float(found.best_error) == pytest.approx(float(single.min()))


def test_a_loss_of_the_users_has_no_ensemble_and_nan_stays_nan() -> None:
    first, second, samples = example_modules.two("perceptron", 40)
    networks = {"a": first, "b": second}

    def loss(output: Tensor, target: Tensor) -> Tensor:
        return nn.functional.cross_entropy(output, target, reduction="none")

    with pytest.raises(ParameterError, match=r"^predicted classes and probabilities are known for cross-entropy"):
        connect.average_and_ensemble(networks, samples, loss=loss)
    with torch.no_grad():
        next(iter(second.parameters())).fill_(3e38)  # which overflows before the layer normalisation
    found = connect.average_and_ensemble(networks, samples)
    assert all(math.isnan(float(found[name])) for name in NAMES if not name.startswith("best"))
    assert float(found.best_error) >= 0, "the other network has an error"
