"""Networks are copied exactly, whatever they hold; the user's own are never run, switched or changed."""

from __future__ import annotations

import threading
import warnings
import weakref
from collections.abc import Callable
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import prune

from lmc_utils import connect
from lmc_utils.connect.module_copies import evaluating_copy, separate_copy
from lmc_utils.settings import ParameterError

SAMPLES = torch.randn(12, 4, generator=torch.Generator().manual_seed(0)), torch.arange(12) % 3


def layers() -> nn.Sequential:
    return nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 3))


class Keeping(nn.Module):
    """Keeps activations, here and there."""

    def __init__(self) -> None:
        super().__init__()
        self.layers, self.last, self.seen = layers(), torch.zeros(()), {"here": [torch.zeros(())]}

    def forward(self, inputs: Tensor) -> Tensor:
        self.last = self.layers(inputs)
        self.seen["here"] = [self.last.mean(), self.last]
        return self.last


def keeping() -> nn.Module:
    network = Keeping()
    network(SAMPLES[0])
    return network


def pruned() -> nn.Module:
    network = layers()
    prune.custom_from_mask(network[0], "weight", torch.eye(5, 4))
    return network


def normed() -> nn.Module:
    network = layers()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        nn.utils.weight_norm(network[0])
    network(SAMPLES[0])
    return network


def scripted() -> nn.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.jit.script(layers())


class Merging(nn.Linear):
    """Adds its low-rank update to its weights in evaluation mode, as `loralib` does."""

    def __init__(self) -> None:
        super().__init__(4, 3)
        self.down, self.up, self.merged = nn.Parameter(torch.randn(1, 4)), nn.Parameter(torch.randn(3, 1)), False

    def train(self, mode: bool = True) -> Merging:
        super().train(mode)
        if mode == self.merged:
            self.weight.data += (-1 if mode else 1) * self.up @ self.down
            self.merged = not mode
        return self

    def forward(self, inputs: Tensor) -> Tensor:
        return functional.linear(inputs, self.weight if self.merged else self.weight + self.up @ self.down, self.bias)


@pytest.mark.parametrize("make", [keeping, pruned, normed, scripted, lambda: Merging().eval()])
def test_the_ends_of_networks_that_hold_more_than_tensors_are_theirs(make: Callable[[], nn.Module]) -> None:
    torch.manual_seed(0)
    first, second = make(), make()
    mode = first.training
    found = connect.pair(first, second, SAMPLES, alphas=3)
    assert first.training == mode
    for alpha, network in ((0, first), (1, second)):
        expected = functional.cross_entropy(network(SAMPLES[0]), SAMPLES[1])
        assert float(found.loss.sel(alpha=alpha)) == pytest.approx(expected.item(), rel=1e-5)


def test_kept_activations_are_copied_and_stay_what_they_were() -> None:
    network = keeping()
    copied = evaluating_copy(network, "first")
    assert torch.equal(copied.seen["here"][1], network.last)
    assert copied.seen["here"][1] is copied.last
    assert copied.last.grad_fn is None
    assert network.last.grad_fn is not None


def test_a_layer_that_merges_in_evaluation_mode_is_rejected_and_left_alone() -> None:
    first, second = Merging(), Merging()
    weight = first.weight.clone()
    with pytest.raises(ParameterError, match=r"^first: evaluation mode changes weight; call `.eval\(\)` on all"):
        connect.pair(first, second, SAMPLES)
    assert (first.training, first.merged, torch.equal(first.weight, weight)) == (True, False, True)
    with pytest.raises(ParameterError, match=r"^second: evaluation mode changes weight; call `.eval\(\)` on all"):
        connect.pair(Merging().eval(), second, SAMPLES)


class Counting(nn.Linear):
    calls: ClassVar[list[Any]] = []  # of this very object's forward pass, and of its modes
    watched: Any = None

    def forward(self, inputs: Tensor) -> Tensor:
        if self is Counting.watched:
            Counting.calls.append("forward")
        return super().forward(inputs)

    def train(self, mode: bool = True) -> Counting:
        if self is Counting.watched:
            Counting.calls.append(mode)
        return super().train(mode)


@pytest.mark.parametrize("options", [{}, {"layers": True, "curvature": True}, {"error": lambda *_: 1 / 0}])
def test_networks_of_the_user_are_never_run_or_switched(options: dict[str, Any]) -> None:
    first, second = Counting(4, 3), Counting(4, 3)
    for Counting.watched in (first, second):
        Counting.calls.clear()
        try:
            connect.pair(first, second, SAMPLES, alphas=3, **options)
        except ParameterError:
            assert "error" in options
        assert not Counting.calls
    Counting.watched = None


def locked() -> nn.Module:
    network = layers()
    network.lock = threading.Lock()
    return network


@pytest.mark.parametrize(
    ("make", "line"),
    [
        (locked, "first: the network cannot be copied: TypeError: cannot pickle"),
        (lambda: layers().to("meta"), r"first: 0.weight, 0.bias, 2.weight and 1 more are on the meta"),
        (nn.Tanh, "first: the network has no parameters"),
        (lambda: nn.LazyLinear(3), "first: shapes are not known yet, weight, bias wait for a first"),
    ],
)
def test_what_cannot_be_copied_is_one_line(make: Callable[[], nn.Module], line: str) -> None:
    with pytest.raises(ParameterError, match=f"^{line}"):
        connect.pair(make(), layers(), SAMPLES)


def test_networks_and_states_on_the_meta_device_are_one_line() -> None:
    first, second, empty = layers(), layers(), layers().to("meta")
    for given, name in (
        ({"first": first.state_dict(), "second": second.state_dict(), "model": empty}, "model"),
        ({"first": first, "second": empty}, "second"),
        ({"first": first, "second": empty.state_dict()}, "second"),
    ):
        with pytest.raises(ParameterError, match=f"^{name}: .* are on the meta device"):
            connect.pair(**given, data=SAMPLES)  # type: ignore[arg-type]


class Scaled(nn.Module):
    """Refers to its parent by an object that a deep copy does not follow."""

    def __init__(self, parent: nn.Module) -> None:
        super().__init__()
        self.parent = weakref.ref(parent)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return inputs * self.parent().weight.mean()  # type: ignore[union-attr]


def test_a_reference_that_a_copy_would_share_is_a_one_line_error() -> None:
    network = nn.Linear(2, 2)
    network.child = Scaled(network)
    with pytest.raises(ParameterError, match=r"^first: the network cannot be copied: a function that it holds"):
        separate_copy(network, "first")


def test_a_function_encloses_copies_of_what_it_enclosed() -> None:
    network, seen = nn.Linear(2, 2), {}
    network.register_forward_hook(lambda module, inputs, output: seen.update(output=output * network.weight.mean()))
    copied = separate_copy(network, "first")
    copied(torch.ones(1, 2))
    assert seen == {}
    (hook,) = copied._forward_hooks.values()
    enclosed = [cell.cell_contents for cell in hook.__closure__]
    assert any(each is copied for each in enclosed)
    assert not any(each is network for each in enclosed)
