"""Networks of one architecture, and a copy of it in which their mixtures are measured.

A network consists of its parameters, the running statistics of torch's normalisations, and buffers that all networks
share. Anything else it may hold is detected by comparing forward passes of each network with the copy
(`connect.endpoint_checks`).
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import nn

from lmc_utils.connect.checkpoints import extra_states, lora, wrappers
from lmc_utils.connect.checkpoints.state_dicts import extra_state_of, require_understood, same, state_of
from lmc_utils.connect.module_copies import evaluating_copy, require_values
from lmc_utils.measure.module_state import State, statistics, tensors
from lmc_utils.settings import ParameterError

ORDINALS = ("first", "second", "third")


@dataclass(frozen=True)
class Endpoints:
    """Networks of one architecture.

    Attributes:
        module: a copy in evaluation mode, without gradients; measurements change its tensors.
        names: the name of each network in messages.
        states: their parameters and buffers, which are never changed.
        originals: the given networks: modules, or None for states.
        given: their given states, even if `states` are permuted.
        notes: notes on how they were read.
        template: the original of the copy; states are loaded into another copy of it.
    """

    module: nn.Module
    names: tuple[str, ...]
    states: tuple[State, ...]
    originals: tuple[nn.Module | None, ...]
    given: tuple[State, ...]
    notes: tuple[str, ...] = ()
    template: nn.Module | None = None


def endpoints(
    networks: Sequence[nn.Module | State], *, model: nn.Module | None = None, names: Sequence[str] = ORDINALS
) -> Endpoints:
    """Prepare networks of one architecture for measurement.

    Args:
        networks: modules, or their states.
        model: a module of the architecture; required if all are states.
        names: their names in messages.

    Raises:
        ParameterError: as raised by `state_dicts.state_of` and `state_dicts.require_understood`; or no module, or one
            that cannot be copied.

    >>> two = endpoints([nn.Linear(2, 3), nn.Linear(2, 3)])
    >>> len(two.states), two.names
    (2, ('first', 'second'))
    """
    names = tuple(names[: len(networks)])
    for name, each in zip(names, networks, strict=True):
        if not isinstance(each, (nn.Module, Mapping)):
            raise ParameterError(f"{name}: must be a module or a state dict (got {kind_of(each)})")
        require_values(tensors(each) if isinstance(each, nn.Module) else each, name)
    networks = [wrappers.unwrapped(each) if isinstance(each, nn.Module) else each for each in networks]
    model = wrappers.unwrapped(model) if isinstance(model, nn.Module) else model
    templates = zip((*names, "model"), (*networks, model), strict=True)
    name, template = next(((name, each) for name, each in templates if isinstance(each, nn.Module)), ("model", None))
    if template is None:
        got = "None" if model is None else kind_of(model)
        raise ParameterError(f"model must be a module of the architecture where only state dicts are given (got {got})")
    module = wrappers.unwrap_parts(evaluating_copy(template, name))
    extra_states.adopt(module, extra_state_of(networks[0], module, names[0]), names[0])
    states, notes = zip(
        *(state_of(each, module, name) for name, each in zip(names, networks, strict=True)), strict=True
    )
    for one, other in itertools.pairwise(states):
        require_understood(module, one, other)
    originals = tuple(each if isinstance(each, nn.Module) else None for each in networks)
    said = (*itertools.chain(*notes), *lora.describe_factors(module))
    return Endpoints(module, names, states, originals, states, said, template)


def kind_of(given: Any) -> str:
    """The type of a value, for messages.

    >>> kind_of(nn.Linear), kind_of(3)
    ('the class Linear; write Linear(...)', 'an int')
    """
    if isinstance(given, type):
        return f"the class {given.__name__}; write {given.__name__}(...)"
    name = type(given).__name__
    return f"{'an' if name[0] in 'aeiouAEIOU' else 'a'} {name}"


def require_mapping(networks: Any) -> None:
    """Raise ParameterError unless networks are given by name."""
    if not isinstance(networks, Mapping):
        raise ParameterError(f"networks must be a mapping from names to networks (got {kind_of(networks)})")


class EqualNetworks(ParameterError):
    """Two networks have the same parameters and running statistics."""


def require_different(ends: Endpoints, first: int, second: int) -> None:
    """Raise EqualNetworks if two of the networks have equal parameters and running statistics."""
    one, other = ends.states[first], ends.states[second]
    mixing = [*dict(ends.module.named_parameters()), *statistics(ends.module)]
    if all(same(one[name], other[name]) for name in mixing):
        raise EqualNetworks(f"{ends.names[second]}: the same network as the {ends.names[first]}")
