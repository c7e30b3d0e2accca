"""Networks are found inside wrappers, in names and as modules, if that is unambiguous."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import example_modules
import pytest
import torch
from torch import Tensor, nn
from torch.distributed.algorithms._checkpoint.checkpoint_wrapper import checkpoint_wrapper
from torch.nn.parallel import DataParallel
from torch.optim.swa_utils import AveragedModel

from lmc_utils import connect
from lmc_utils.connect.checkpoints.state_dicts import state_of
from lmc_utils.connect.checkpoints.wrappers import fit, unwrap_parts, unwrapped
from lmc_utils.connect.endpoints import endpoints
from lmc_utils.settings import ParameterError

State = dict[str, Tensor]


def below(prefix: str, state: State) -> State:
    return {prefix + name: value for name, value in state.items()}


class Wrapped(nn.Module):
    """A network with an attribute named like a wrapper's, beside its own layer."""

    def __init__(self) -> None:
        super().__init__()
        self.module, self.head = nn.Linear(3, 3), nn.Linear(3, 2)

    def forward(self, inputs: Tensor) -> Tensor:
        return self.head(self.module(inputs))


@pytest.mark.parametrize(
    ("write", "notes"),
    [
        (lambda net: DataParallel(net).state_dict(), "the prefix module. was left out"),
        (lambda net: below("_orig_mod.", net.state_dict()), "the prefix _orig_mod. was left out"),
        (
            lambda net: {"1._orig_mod.weight" if n == "1.weight" else n: v for n, v in net.state_dict().items()},
            "_orig_mod. was left out of 1 names",
        ),
        (
            lambda net: {n.replace("0.", "0._fsdp_wrapped_module._checkpoint_wrapped_module."): v
                         for n, v in net.state_dict().items()},
            "_fsdp_wrapped_module. was left out of 2 names; _checkpoint_wrapped_module. was left out of 2 names",
        ),
        (lambda net: below("model.", net.state_dict()), "the prefix model. was left out"),
        (
            lambda net: {**below("net.encoder.", net.state_dict()), "criterion.weight": torch.ones(4),
                         "metrics.total": torch.ones(1)},
            "the prefix net.encoder. was left out; tensors that are not of the network were left out: "
            "criterion.weight, metrics.total",
        ),
        (
            lambda net: AveragedModel(net).state_dict(),
            "the prefix module. was left out; tensors that are not of the network were left out: n_averaged",
        ),
        (
            lambda net: below("model.", below("_orig_mod.", net.state_dict())),
            "the prefix _orig_mod. was left out; the prefix model. was left out",
        ),
    ],
)  # fmt: skip
def test_names_in_files_of_wrappers_are_those_of_the_network(write: Callable[[nn.Module], State], notes: str) -> None:
    network, template, _ = example_modules.two("normalised")
    found, told = state_of(write(network), template, "first")
    expected = network.state_dict()
    assert set(found) == set(expected)
    assert all(torch.equal(found[name], value) for name, value in expected.items())
    assert "; ".join(told) == "; ".join(f"first: {note}" for note in notes.split("; ")).replace(
        "first: metrics", "metrics"
    )


def test_an_attribute_of_the_network_that_is_called_as_a_wrappers_stays() -> None:
    network, template = Wrapped(), Wrapped()
    for state in (network.state_dict(), DataParallel(network).state_dict(), below("model.", network.state_dict())):
        found, _ = state_of(state, template, "first")
        assert torch.equal(found["module.weight"], network.module.weight)
        assert torch.equal(found["head.bias"], network.head.bias)


def test_a_prefix_is_not_left_out_where_a_name_of_the_network_is_there_without_it() -> None:
    network = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 2))
    state = {**below("ema.", network.state_dict()), "0.weight": torch.ones(3, 2)}
    with pytest.raises(
        ParameterError, match=r"^first: .* it lacks 0.bias, 1.weight, 1.bias and has unexpected ema.0.weight"
    ):
        state_of(state, network, "first")


def test_names_of_the_network_beside_averages_of_it_are_not_replaced_by_them() -> None:
    state = nn.Linear(2, 3).state_dict()
    with pytest.raises(ParameterError, match=r"^first: .* has unexpected ema.weight, ema.bias$"):
        state_of({**state, **below("ema.", state)}, nn.Linear(2, 3), "first")


@pytest.mark.parametrize(
    ("given", "line"),
    [
        (["online.weight", "online.bias", "ema.weight", "ema.bias"], "several networks, below ema., online.; give"),
        (["module.weight", "weight", "bias"], "module.weight and weight are both the network's"),
    ],
)
def test_two_readings_are_a_one_line_error(given: list[str], line: str) -> None:
    with pytest.raises(ParameterError, match=f"^first: .*{line}"):
        fit(given, ["weight", "bias"], [["weight"], ["bias"]], "first")


def test_a_file_of_another_network_names_what_it_lacks_below_its_prefix() -> None:
    network = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 2))
    state = below("model.", network.state_dict())
    del state["model.1.bias"]
    with pytest.raises(ParameterError, match=r"^first: names of tensors differ from the network's: it lacks"):
        state_of(state, network, "first")
    with pytest.raises(ParameterError, match=r"^first: names of tensors differ from the network's: it has"):
        state_of(below("model.", {**network.state_dict(), "2.weight": torch.ones(1)}), network, "first")


def _distributed(network: nn.Module) -> nn.Module:
    """`DistributedDataParallel` around a network, without a process group."""
    wrapper = nn.parallel.DistributedDataParallel.__new__(nn.parallel.DistributedDataParallel)
    nn.Module.__init__(wrapper)
    wrapper.module = network
    return wrapper


@pytest.mark.parametrize(
    "wrap", [DataParallel, AveragedModel, _distributed, lambda net: DataParallel(AveragedModel(net))]
)
def test_modules_are_unwrapped_as_states_are(wrap: Callable[[nn.Module], nn.Module]) -> None:
    first, second, data = example_modules.two("normalised")
    expected = connect.pair(first, second, data, alphas=3, batchnorm="interpolate").loss.values
    before = copy.deepcopy(second.state_dict())
    for one, other, model in (
        (wrap(first), second, None),
        (first, wrap(second), None),
        (wrap(first), wrap(second), None),
    ):
        found = connect.pair(one, other, data, model=model, alphas=3, batchnorm="interpolate")
        assert found.loss.values.tolist() == expected.tolist()
    assert all(torch.equal(value, before[name]) for name, value in second.state_dict().items())
    assert type(endpoints([first.state_dict(), second.state_dict()], model=wrap(first)).module) is nn.Sequential


def test_compiled_and_checkpointed_parts_stand_beside_plain_ones() -> None:
    first, second, data = example_modules.two("perceptron")
    expected = connect.pair(first, second, data, alphas=3).loss.values
    wrapped = copy.deepcopy(second)
    wrapped[0] = checkpoint_wrapper(wrapped[0])
    for one, other in ((first, wrapped), (wrapped, first)):
        found = connect.pair(one, other, data, alphas=3).loss.values
        assert found.tolist() == pytest.approx(expected[:: 1 if one is first else -1].tolist(), rel=1e-6)


def test_a_wrapped_part_with_two_names_is_unwrapped_under_both() -> None:
    wrapper = DataParallel(nn.Linear(2, 2))
    network = unwrap_parts(nn.Sequential(wrapper, nn.ReLU(), wrapper))
    assert network[0] is network[2] is wrapper.module


def test_a_compiled_module_is_unwrapped() -> None:
    class OptimizedModule(nn.Module):  # as torch.compile makes it; importing its own takes three seconds
        def __init__(self, network: nn.Module) -> None:
            super().__init__()
            self._orig_mod = network

    network = nn.Linear(2, 3)
    assert unwrapped(DataParallel(OptimizedModule(network))) is network


def test_a_module_in_pieces_is_a_one_line_error() -> None:
    pieces: Any = type("FullyShardedDataParallel", (nn.Module,), {})
    with pytest.raises(ParameterError, match=r"^network: FullyShardedDataParallel holds only parts of the"):
        unwrapped(pieces())
