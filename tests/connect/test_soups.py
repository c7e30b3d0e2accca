"""Averages of several networks and their ensemble, against plain loops; the greedy soup against its definition."""

from __future__ import annotations

import copy
from typing import Any

import example_modules
import numpy as np
import pytest
import torch
from torch import Tensor, nn

from lmc_utils import connect
from lmc_utils.connect import averages
from lmc_utils.measure import points
from lmc_utils.measure.module_scores import cross_entropy
from lmc_utils.settings import ParameterError

NAMES = ("a", "b", "c", "d")


def siblings(kind: str = "perceptron") -> tuple[dict[str, nn.Module], Any]:
    """Four networks around one, the last far away, and samples that the first one labels."""
    first, _, (inputs, _) = example_modules.two(kind, 200)
    with torch.no_grad():
        [*first.parameters()][-2].mul_(6)  # so that it is confident, and noise increases its loss
        samples = inputs, copy.deepcopy(first).eval()(inputs).argmax(1)
        networks = {}
        for name, noise in zip(NAMES, (0.3, 0.3, 0.3, 3.0), strict=True):
            networks[name] = copy.deepcopy(first)
            for value in networks[name].parameters():
                value.add_(noise * value.std() * torch.randn_like(value))
    return networks, samples


def mean(networks: dict[str, nn.Module], names: list[str]) -> nn.Module:
    """The average of networks by the usual code."""
    result = copy.deepcopy(networks[names[0]])
    states = [networks[name].state_dict() for name in names]
    result.load_state_dict(
        {
            name: sum(state[name].double() for state in states) / len(states) if value.is_floating_point() else value
            for name, value in states[0].items()
        }
    )
    return result.eval()


def scores(network: nn.Module, samples: Any) -> tuple[float, float]:
    with torch.no_grad():
        logits = network(samples[0])
    wrong = 100 * float((logits.argmax(1) != samples[1]).double().mean())
    return float(nn.functional.cross_entropy(logits, samples[1])), wrong


def greedily(networks: dict[str, nn.Module], samples: Any) -> list[str]:
    """Recipe 1 of Wortsman et al. (2022), with the loss in place of the accuracy."""
    order = sorted(networks, key=lambda name: scores(networks[name].eval(), samples)[0])
    chosen, best = order[:1], scores(networks[order[0]], samples)[0]
    for name in order[1:]:
        loss = scores(mean(networks, [*chosen, name]), samples)[0]
        if loss <= best:
            chosen, best = [*chosen, name], loss
    return chosen


def test_all_candidates_equal_plain_loops() -> None:
    networks, samples = siblings()
    found = connect.soup(networks, [(samples[0][:150], samples[1][:150]), (samples[0][150:], samples[1][150:])])
    chosen = greedily(networks, samples)
    assert 1 < len(chosen) < 4
    expected = {name: scores(network.eval(), samples) for name, network in networks.items()}
    expected |= {"average of all": scores(mean(networks, [*NAMES]), samples)}
    expected |= {"greedy soup": scores(mean(networks, chosen), samples)}
    with torch.no_grad():
        probabilities = torch.stack([each(samples[0]).softmax(1) for each in networks.values()]).mean(0)
    wrong = 100 * float((probabilities.argmax(1) != samples[1]).double().mean())
    expected["ensemble"] = float(nn.functional.nll_loss(probabilities.log(), samples[1])), wrong
    assert found.candidate.values.tolist() == list(expected)
    np.testing.assert_allclose(found.loss, [each[0] for each in expected.values()], rtol=1e-5)
    np.testing.assert_allclose(found.error, [each[1] for each in expected.values()])
    weight = found.weight.sel(average="greedy soup")
    assert [name for name in NAMES if weight.sel(network=name) > 0] == sorted(chosen)
    assert found.attrs["summary"].startswith(f"The greedy soup of {len(chosen)} of 4 networks (")
    assert "by their loss on the samples measured, which favours the soup" in found.attrs["summary"]
    state = averages.average(list(networks.values()), samples, weights=weight.values.tolist())
    moved = copy.deepcopy(networks["a"])
    moved.load_state_dict(state)
    assert scores(moved.eval(), samples)[0] == pytest.approx(float(found.loss.sel(candidate="greedy soup")), rel=1e-5)


def test_other_samples_choose_where_they_are_given() -> None:
    networks, (inputs, labels) = siblings()
    held_out = inputs[:40], labels.roll(1)[:40]  # labels that nobody learned
    for given in ({"choose_on": held_out}, {"estimated_on": held_out}):
        found = connect.soup(networks, (inputs, labels), **given)
        weight = found.weight.sel(average="greedy soup")
        assert [name for name in NAMES if weight.sel(network=name) > 0] == sorted(greedily(networks, held_out))
        assert "by their loss on other samples (40 samples in 1 batch). " in found.attrs["summary"]
    loss = scores(networks["a"].eval(), held_out)[0]
    assert float(found.selection_loss.sel(candidate="a")) == pytest.approx(loss, rel=1e-5)


def test_a_soup_of_one_is_called_the_best_network() -> None:
    networks, samples = siblings()
    found = connect.soup({name: networks[name] for name in ("d", "a")}, samples)
    assert found.attrs["summary"].startswith("The greedy soup is the best of 2 networks alone, a, with a loss of ")
    assert float(found.loss.sel(candidate="greedy soup")) == float(found.loss.sel(candidate="a"))


def test_each_member_of_an_ensemble_has_its_own_reestimated_statistics() -> None:
    networks, samples = siblings("normalised")
    found = connect.soup(networks, samples)
    logits = []
    for each in networks.values():
        moved = copy.deepcopy(each)
        moved[3] = nn.Identity()  # as torch would leave dropout on
        torch.optim.swa_utils.update_bn([samples[0]], moved)
        with torch.no_grad():
            logits.append(moved.eval()(samples[0]))
    expected = nn.functional.nll_loss(torch.stack(logits).softmax(2).mean(0).log(), samples[1])
    assert float(found.loss.sel(candidate="ensemble")) == pytest.approx(float(expected), rel=1e-5)
    losses = [float(nn.functional.cross_entropy(each, samples[1])) for each in logits]
    np.testing.assert_allclose(found.loss[:4], losses, rtol=1e-5)
    with pytest.raises(ParameterError, match=r"^batchnorm must be reestimate or interpolate: an average has one"):
        connect.soup(networks, samples, batchnorm="keep")


def test_with_a_loss_of_the_users_there_is_no_ensemble() -> None:
    networks, samples = siblings()

    def loss(output: Tensor, target: Tensor) -> Tensor:
        return cross_entropy(output, target)

    found = connect.soup(networks, samples, loss=loss)
    assert "ensemble" not in found.candidate
    assert "their ensemble was left out" in found.attrs["summary"]


def test_an_interrupted_soup_has_what_was_measured() -> None:
    networks, samples = siblings()
    calls, most = 0, 10**6

    def loss(output: Tensor, target: Tensor) -> Tensor:
        nonlocal calls
        calls += 1
        if calls > most:
            raise KeyboardInterrupt
        return cross_entropy(output, target)

    whole = connect.soup(networks, samples, loss=loss)
    calls, most = 0, calls - 1
    with pytest.raises(points.Interrupted) as stop:
        connect.soup(networks, samples, loss=loss)
    done = stop.value.partial.loss.dropna("candidate")
    assert {*NAMES} <= {*done.candidate.values} < {*whole.candidate.values}
    np.testing.assert_array_equal(done, whole.loss.sel(candidate=done.candidate))


@pytest.mark.parametrize(
    ("given", "options", "line"),
    [
        (list, {}, r"networks must be a mapping from names to networks \(got a list\)"),
        (lambda two: {1: two[0], "b": two[1]}, {}, r"networks must be named by strings \(got \[1, 'b'\]\)"),
        (
            lambda two: dict(zip("ab", two, strict=True)),
            {"alphas": 3},
            "unknown option 'alphas'; choose from: loss, error, batch,",
        ),
    ],
    ids=["list", "number", "option"],
)
def test_arguments_of_the_wrong_kind_are_one_line(given: Any, options: dict[str, Any], line: str) -> None:
    networks, samples = siblings()
    with pytest.raises(ParameterError, match=f"^{line}"):
        connect.soup(given([networks["a"], networks["b"]]), samples, **options)


def test_an_interrupted_soup_of_small_networks_has_those_that_were_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    networks = {name: nn.Sequential(nn.Linear(3, 2)) for name in NAMES}  # measured on joined batches
    batches = [(torch.randn(9, 3), torch.randint(2, (9,))) for _ in range(3)]
    samples = tuple(map(torch.cat, zip(*batches, strict=True)))
    expected = [scores(network, samples)[0] for network in networks.values()]
    run, calls, most = nn.Linear.forward, 0, 10**6

    def counted(layer: nn.Linear, inputs: Tensor) -> Tensor:
        nonlocal calls
        calls += 1
        if calls > most:
            raise KeyboardInterrupt
        return run(layer, inputs)

    monkeypatch.setattr(nn.Linear, "forward", counted)
    connect.soup(networks, batches)
    found = set[int]()
    for most in range(calls):  # noqa: B007  # `counted` looks at it
        calls = 0
        with pytest.raises(KeyboardInterrupt) as stop:
            connect.soup(networks, batches)
        if isinstance(stop.value, points.Interrupted):
            partial = stop.value.partial
            losses = partial.loss.sel(candidate=list(NAMES)).dropna("candidate")
            np.testing.assert_allclose(losses, expected[: losses.size], rtol=1e-5)
            assert partial.attrs["data"].startswith("27 samples in")
            found.add(losses.size)
    assert found == {1, 2, 3, 4}


@pytest.mark.parametrize(("stopped_in", "done"), [("the comparison", 2), ("the first measurement", 4)])
def test_an_interrupted_comparison_has_the_networks_that_were_compared(stopped_in: str, done: int) -> None:
    networks, samples = siblings()
    calls, most = 0, {"the comparison": 4, "the first measurement": 8}[stopped_in]

    def loss(output: Tensor, target: Tensor) -> Tensor:
        nonlocal calls
        calls += 1
        if calls > most:
            raise KeyboardInterrupt
        return cross_entropy(output, target)

    with pytest.raises(points.Interrupted) as stop:
        connect.soup(networks, samples, loss=loss)
    expected = [scores(networks[name].eval(), samples)[0] for name in NAMES[:done]]
    found = stop.value.partial
    np.testing.assert_allclose(found.loss.dropna("candidate"), expected, rtol=1e-5)
    assert found.attrs["summary"] == f"The soup was not finished. Networks measured, as they were given: {done}."


def test_the_best_network_is_chosen_on_the_estimation_samples_if_given() -> None:
    first, second, (inputs, labels) = example_modules.two("perceptron", 60)
    networks = {"a": first.eval(), "b": second.eval()}
    errors = {name: (each(inputs).argmax(1) != labels).float().mean() * 100 for name, each in networks.items()}
    best = min(errors, key=lambda name: float(errors[name]))
    other = {"a": "b", "b": "a"}[best]
    mine = inputs, networks[other](inputs).argmax(1)  # samples on which the other one has no error
    assert float(errors[best]) < float(errors[other])
    found = connect.average_and_ensemble(networks, (inputs, labels))
    assert float(found.best_error) == pytest.approx(float(errors[best]))
    assert found.attrs["best_chosen_on"] == "the samples measured"
    found = connect.average_and_ensemble(networks, (inputs, labels), estimated_on=mine)
    assert float(found.best_error) == pytest.approx(float(errors[other]))
    assert found.attrs["best_chosen_on"] == "other samples (60 samples in 1 batch)"
    assert found.attrs["data"] == "60 samples in 1 batch"


def test_equal_networks_equal_their_average_and_their_ensemble() -> None:
    first, _, samples = example_modules.two("normalised", 40)
    found = connect.average_and_ensemble({name: copy.deepcopy(first) for name in "abc"}, samples)
    line = connect.pair(first, example_modules.normalised(), samples, alphas=3)
    for name in ("average", "ensemble"):
        assert float(found[f"{name}_loss"]) == pytest.approx(float(line.loss[0]), rel=1e-5)
    for name in ("average", "ensemble", "single", "best"):
        assert float(found[f"{name}_error"]) == pytest.approx(float(line.error[0]))


def test_wrong_arguments_of_an_average_and_ensemble_are_one_line() -> None:
    network, samples = nn.Linear(3, 2), (torch.randn(9, 3), torch.randint(2, (9,)))
    for networks, options, line in (
        ([network], {}, r"networks must be a mapping from names to networks \(got a list\)"),
        ({"a": network}, {}, r"networks must be at least two networks \(got 1\)"),
        ({"a": network, "b": network}, {"batchnorm": "kept"}, r"unknown batchnorm 'kept'"),
        ({"a": network, "b": network}, {"alphas": 3}, "unknown option 'alphas'; choose from: loss, error, batch,"),
    ):
        with pytest.raises(ParameterError, match=f"^{line}"):
            connect.average_and_ensemble(networks, samples, **options)  # type: ignore[arg-type]
