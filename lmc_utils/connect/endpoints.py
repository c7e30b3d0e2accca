"""Several networks of one architecture, whatever it is, and one copy of it in which their mixtures are measured.

A network is its parameters, the running statistics of torch's normalisations, and buffers that all networks share. What
else it may hold is not seen here; plain forward passes of each network, compared with the copy, show it
(`connect.endpoint_checks`).
"""

from __future__ import annotations

import copy
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from torch import nn

from lmc_utils.connect.state_dicts import listed, require_understood, same, state_of
from lmc_utils.measure.module_state import State, statistics
from lmc_utils.settings import ParameterError

ORDINALS = ("first", "second", "third")


@dataclass(frozen=True)
class Endpoints:
    """Networks of one architecture.

    Attributes:
        module: a copy in evaluation mode, without gradients; measurements change what it holds.
        names: what each network is called in messages.
        states: their parameters and buffers, which nothing here changes.
        originals: the networks as they were given: modules, or None for states.
        given: their states as they were given, also where those to be measured are permuted.
        notes: what was done to read them, in words.
    """

    module: nn.Module
    names: tuple[str, ...]
    states: tuple[State, ...]
    originals: tuple[nn.Module | None, ...]
    given: tuple[State, ...]
    notes: tuple[str, ...] = ()


def endpoints(
    networks: Sequence[nn.Module | State], *, model: nn.Module | None = None, names: Sequence[str] = ORDINALS
) -> Endpoints:
    """Networks of one architecture, ready to be measured.

    Args:
        networks: modules, or their states.
        model: a module of the architecture; needed where all are states.
        names: what they are called in messages.

    Raises:
        ParameterError: what `state_dicts.state_of` and `state_dicts.require_understood` raise, no module, one that
            cannot be copied.

    >>> two = endpoints([nn.Linear(2, 3), nn.Linear(2, 3)])
    >>> len(two.states), two.names
    (2, ('first', 'second'))
    """
    names = tuple(names[: len(networks)])
    for name, each in zip(names, networks, strict=True):
        if not isinstance(each, (nn.Module, Mapping)):
            raise ParameterError(f"{name}: expected a module or a state dict, got a {type(each).__name__}")
    template = next((each for each in (*networks, model) if isinstance(each, nn.Module)), None)
    if template is None:
        raise ParameterError("model: expected a module of the architecture beside two states, got none")
    module = _copied(template)
    states, notes = zip(
        *(state_of(each, module, name) for name, each in zip(names, networks, strict=True)), strict=True
    )
    for one, other in itertools.pairwise(states):
        require_understood(module, one, other)
    originals = tuple(each if isinstance(each, nn.Module) else None for each in networks)
    return Endpoints(module, names, states, originals, states, tuple(note for each in notes for note in each))


def require_different(ends: Endpoints, first: int, second: int) -> None:
    """Raise ParameterError where two of the networks, by their numbers, are the same."""
    one, other = ends.states[first], ends.states[second]
    mixing = [*dict(ends.module.named_parameters()), *statistics(ends.module)]
    if all(same(one[name], other[name]) for name in mixing):
        expected = f"another network than the {ends.names[first]}"
        raise ParameterError(f"{ends.names[second]}: expected {expected}, the two are the same")


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
