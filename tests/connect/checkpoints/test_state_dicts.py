"""Names, shapes and numbers of a state match the network, or a one-line error states the difference."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import Any

import example_modules
import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize, prune

from lmc_utils import connect
from lmc_utils.connect.checkpoints.state_dicts import state_of
from lmc_utils.connect.endpoints import endpoints, require_different
from lmc_utils.measure.module_state import mixed
from lmc_utils.settings import ParameterError


def without(state: dict[str, Tensor], *names: str) -> dict[str, Tensor]:
    return {name: value for name, value in state.items() if name not in names}


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (lambda state: {}, "second: names of tensors differ from the network's: it lacks"),
        (lambda state: {**state, "more": torch.ones(1)}, "second: names of tensors differ from the network's: it has"),
        (
            lambda state: {**state, "head.bias": torch.ones(9)},
            r"second: shapes differ from the network's: head.bias is \(9,\) for",
        ),
        (
            lambda state: {**state, "head.bias": torch.full((4,), torch.nan)},
            "second: some weights are NaN or infinite: .*head.bias$",
        ),
        (
            lambda state: {**state, "two.weight": state["two.weight"] + 1},
            r"second: one.weight and two.weight differ, but are one shared",
        ),
        (
            lambda state: {**state, "head.bias": "text"},
            r"second: must hold tensors by name; these are not: head.bias \(str\)$",
        ),
        (lambda state: state, "second: the same network as the first$"),
    ],
)
def test_a_state_that_does_not_fit_is_a_one_line_error(change: Callable[[Any], Any], line: str) -> None:
    network = example_modules.Tied()

    def read() -> None:
        require_different(endpoints([network.state_dict(), change(dict(network.state_dict()))], model=network), 0, 1)

    with pytest.raises(ParameterError, match=f"^{line}"):
        read()


def test_shared_parameters_may_be_saved_once_but_must_be_shared_in_both() -> None:
    network = example_modules.Tied()
    state, _ = state_of(without(dict(network.state_dict()), "two.weight"), network, "first")
    assert torch.equal(state["one.weight"], network.two.weight)
    assert "two.weight" not in state
    apart = example_modules.Tied()
    apart.two.weight = nn.Parameter(apart.one.weight.detach().clone())
    with pytest.raises(ParameterError, match=r"^second: its parameters are not shared in the same way as in the"):
        endpoints([network, apart])


def test_num_batches_tracked_may_be_missing_or_differ() -> None:
    first, second, _ = example_modules.two("normalised")
    state = without(dict(second.state_dict()), "1.num_batches_tracked")
    assert torch.equal(endpoints([first, state]).states[1]["1.running_mean"], second[1].running_mean)


def test_two_states_need_a_module() -> None:
    with pytest.raises(ParameterError, match=r"^model must be a module of the architecture where only state dicts"):
        endpoints([{}, {}])


def test_a_lazy_network_is_rejected() -> None:
    with pytest.raises(ParameterError, match=r"^first: shapes are not known yet, weight, bias wait for a first"):
        endpoints([nn.LazyLinear(3), nn.LazyLinear(3)])


def test_mixtures_are_exact_at_corners_and_for_three_networks() -> None:
    corners = [torch.tensor([0.1]), torch.tensor([0.7]), torch.tensor([3.0])]
    for row, corner in enumerate(corners):
        assert torch.equal(mixed(corners, [float(row == other) for other in range(3)], torch.zeros(1)), corner)
    assert mixed(corners, [0.25, 0.5, 0.25], torch.zeros(1)).item() == pytest.approx(1.125)


class Positioned(nn.Module):
    """Positions that are not saved, and a mask that is."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(3, 3)
        self.register_buffer("position_ids", torch.arange(3), persistent=False)
        self.register_buffer("mask", torch.tensor([1.0, 0.0, 1.0]))

    def forward(self, inputs: Tensor) -> Tensor:
        return self.layer(inputs * self.mask) + self.position_ids


@pytest.mark.parametrize(
    ("more", "less", "note"),
    [
        (
            {"position_ids": torch.arange(3)},
            [],
            "ignoring buffers that the module does not save (they are equal): ",
        ),
        ({"position_ids": torch.arange(3, dtype=torch.int32)}, [], "ignoring buffers that the module does not save"),
        ({}, ["mask"], "it lacks constant buffers, those of the module are used: mask"),
    ],
)
def test_constant_buffers_may_be_more_or_less(more: dict[str, Tensor], less: list[str], note: str) -> None:
    network = Positioned()
    state, notes = state_of({**without(dict(network.state_dict()), *less), **more}, Positioned(), "first")
    assert all(torch.equal(state[name], value) for name, value in {**network.state_dict(), **more}.items())
    assert [each.startswith(f"first: {note}") for each in notes][-1:] == [True]


def test_other_values_of_a_buffer_that_is_not_saved_are_a_one_line_error() -> None:
    with pytest.raises(ParameterError, match=r"^first: buffers that the module does not save must have the"):
        state_of({**Positioned().state_dict(), "position_ids": torch.arange(1, 4)}, Positioned(), "first")
    with pytest.raises(ParameterError, match=r"^first: .* has unexpected more_ids$"):
        state_of({**Positioned().state_dict(), "more_ids": torch.arange(3)}, Positioned(), "first")


def test_running_statistics_are_no_constants() -> None:
    first, _, _ = example_modules.two("normalised")
    with pytest.raises(ParameterError, match=r"^first: .* it lacks 1.running_mean$"):
        state_of(without(dict(first.state_dict()), "1.running_mean"), first, "first")


def test_a_part_with_statistics_that_has_two_names_may_be_saved_once_or_twice() -> None:
    norm = nn.BatchNorm1d(3)
    network = nn.ModuleDict({"one": norm, "two": norm, "head": nn.Linear(3, 2)})
    norm(torch.randn(5, 3))
    for state in (network.state_dict(), without(network.state_dict(), *(f"two.{name}" for name in norm.state_dict()))):
        found, _ = state_of(state, network, "first")
        assert torch.equal(found["one.running_mean"], norm.running_mean)


def spectral(layer: nn.Linear) -> nn.Module:
    return nn.utils.spectral_norm(layer)


def parametrized(layer: nn.Linear) -> nn.Module:
    return nn.utils.parametrizations.spectral_norm(layer)


def pruned(layer: nn.Linear) -> nn.Module:
    return prune.random_unstructured(layer, "weight", 0.5)


@pytest.mark.parametrize(
    ("change", "line", "remedy"),
    [
        (spectral, "`torch.nn.utils.remove_spectral_norm(layer)`", nn.utils.remove_spectral_norm),
        (
            parametrized,
            "`torch.nn.utils.parametrize.remove_parametrizations(layer, 'weight')`",
            partial(parametrize.remove_parametrizations, tensor_name="weight"),
        ),
        (pruned, "`torch.nn.utils.prune.remove(layer, 'weight')`", partial(prune.remove, name="weight")),
    ],
)
def test_the_way_out_of_buffers_that_differ_is_one(change: Any, line: str, remedy: Any) -> None:
    torch.manual_seed(0)
    both = [nn.Sequential(change(nn.Linear(3, 8)), nn.Tanh(), nn.Linear(8, 2)) for _ in range(2)]
    samples = torch.randn(9, 3), torch.randint(2, (9,))
    with pytest.raises(ParameterError, match=re.escape(line) + "$"):
        connect.pair(*both, samples)
    for each in both:
        remedy(each[0])
    assert connect.pair(*both, samples, alphas=3).attrs["endpoint_difference"] == 0


def test_a_buffer_of_another_kind_with_the_ending_of_a_known_one_gets_no_wrong_advice() -> None:
    both = [nn.Linear(3, 2) for _ in range(2)]
    for number, each in enumerate(both):
        each.register_buffer("scale_v", torch.tensor(float(number)))
    with pytest.raises(ParameterError, match=r"scale_v; if they do not matter, copy them from one network to the"):
        connect.pair(*both, (torch.randn(9, 3), torch.randint(2, (9,))))


def test_scripted_normalisations_are_measured_as_states_of_the_network_before() -> None:
    plain = [nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2)) for _ in range(2)]
    samples = torch.randn(9, 3), torch.randint(2, (9,))
    for each in plain:
        each(samples[0])
    both = [torch.jit.script(each) for each in plain]
    with pytest.raises(ParameterError, match=r"; give both `state_dict\(\)`s, and the network before `torch.jit` as"):
        connect.pair(*both, samples)
    states = [each.state_dict() for each in both]
    found = connect.pair(*states, samples, model=plain[0], alphas=3)
    assert found.loss.values.tolist() == connect.pair(*plain, samples, alphas=3).loss.values.tolist()
