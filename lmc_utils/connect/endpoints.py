"""Two networks of one architecture, whatever it is, and one copy that takes the points between them.

A network is its parameters, the running statistics of torch's normalisations, and buffers that both networks share.
What else it may hold is not seen here; a plain forward pass of each network, compared with the copy, tells
(`connect.checking`).
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from lmc_utils.connect.state_dicts import State, listed, norms, require_understood, same, state_of, statistics, tensors
from lmc_utils.settings import ParameterError

Weights = Callable[[str], Sequence[float]]
"""From the name of a tensor to how much of each corner a point has of it."""

WHICH = ("first", "second")


class Point(NamedTuple):
    """A point between networks.

    Attributes:
        corners: the states that it is a mixture of.
        weights: how much of each, by the name of a tensor; they add up to 1.
        home: the network whose statistics it has under the convention `keep`, or None for each of the two in turn.
    """

    corners: Sequence[State]
    weights: Weights
    home: int | None = None


@dataclass(frozen=True)
class Ends:
    """Two networks of one architecture.

    Attributes:
        module: a copy in evaluation mode; `lay` changes what it holds.
        states: parameters and buffers of both, which nothing here changes.
        originals: the networks as they were given: modules, or None for states.
        given: their states as they were given, also where those to be measured have other names of channels.
        said: what was done to read them, in words.
    """

    module: nn.Module
    states: tuple[State, State]
    originals: tuple[nn.Module | None, nn.Module | None]
    given: tuple[State, State]
    said: tuple[str, ...] = ()

    @property
    def device(self) -> torch.device:
        """Where the copy is."""
        return next(self.module.parameters()).device

    @property
    def parameters(self) -> list[str]:
        """Names of the parameters, each once where several share it."""
        return [name for name, _ in self.module.named_parameters()]

    @property
    def statistics(self) -> list[str]:
        """Names of the running statistics."""
        return statistics(self.module)

    @property
    def norms(self) -> list[nn.Module]:
        """The normalisations that keep them."""
        return list(norms(self.module).values())

    def lay(self, point: Point, names: Iterable[str]) -> None:
        """Write what a point has under these names into the copy."""
        own = tensors(self.module)
        with torch.no_grad():
            for name in names:
                mixed([corner[name] for corner in point.corners], point.weights(name), own[name])

    def lay_end(self, end: int, names: Iterable[str]) -> None:
        """Write what one of the networks, 0 or 1, has under these names into the copy."""
        self.lay(Point([self.states[end]], lambda _: (1.0,)), names)


def mixed(values: Sequence[Tensor], weights: Sequence[float], out: Tensor) -> Tensor:
    """Write a weighted sum of tensors into another one; exact where one weight is 1 and the others are 0.

    >>> mixed([torch.tensor([0.0, 1.0]), torch.tensor([1.0, 3.0])], [0.5, 0.5], torch.zeros(2))
    tensor([0.5000, 2.0000])
    """
    used = [(value, weight) for value, weight in zip(values, weights, strict=True) if weight]
    if len(used) == 1 and used[0][1] == 1:
        return out.copy_(used[0][0])
    if len(used) == 2:
        return torch.lerp(used[0][0].to(out), used[1][0].to(out), used[1][1], out=out)
    wide = torch.promote_types(out.dtype, torch.float32)
    total = torch.zeros_like(out, dtype=wide)
    for value, weight in used:
        total.add_(value.to(total), alpha=weight)
    return out.copy_(total)


def ends(first: nn.Module | State, second: nn.Module | State, model: nn.Module | None = None) -> Ends:
    """Two networks of one architecture, ready to be measured.

    Args:
        first, second: modules, or their states.
        model: a module of the architecture; needed for two states.

    Raises:
        ParameterError: what `states.state_of` and `states.require_understood` raise, no module, one that cannot be
            copied, or two networks that are the same.

    >>> two = ends(nn.Linear(2, 3), nn.Linear(2, 3))
    >>> two.parameters, two.statistics
    (['weight', 'bias'], [])
    """
    given = (first, second)
    for which, each in zip(WHICH, given, strict=True):
        if not isinstance(each, (nn.Module, Mapping)):
            raise ParameterError(f"{which}: expected a module or a state dict, got a {type(each).__name__}")
    template = next((each for each in (*given, model) if isinstance(each, nn.Module)), None)
    if template is None:
        raise ParameterError("model: expected a module of the architecture beside two states, got none")
    module = _copied(template)
    read = [state_of(each, module, which) for which, each in zip(WHICH, given, strict=True)]
    (one, said), (other, more) = read
    require_understood(module, one, other)
    mixing = [*dict(module.named_parameters()), *statistics(module)]
    if all(same(one[name], other[name]) for name in mixing):
        raise ParameterError("second: expected another network than the first, the two are the same")
    found = Ends(module, (one, other), _modules(given), (one, other), (*said, *more))
    found.lay_end(0, one)
    return found


def _modules(given: Sequence[nn.Module | State]) -> tuple[nn.Module | None, nn.Module | None]:
    first, second = (each if isinstance(each, nn.Module) else None for each in given)
    return first, second


def _copied(template: nn.Module) -> nn.Module:
    try:
        module = copy.deepcopy(template).eval()
    except Exception as error:  # whatever an attribute does when it is copied
        reason = " ".join(str(error).split())
        raise ParameterError(f"network: expected one that can be copied, this one cannot ({reason})") from error
    lazy = [name for name, value in module.named_parameters() if nn.parameter.is_lazy(value)]
    if lazy:
        raise ParameterError(f"network: expected one whose shapes are known, {listed(lazy)} wait for a first batch")
    if not any(True for _ in module.parameters()):
        raise ParameterError("network: expected one with parameters, this one has none")
    return module.requires_grad_(False)
