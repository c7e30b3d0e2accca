"""Extra states of modules (`get_extra_state`), which must be equal in all networks of a comparison."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from io import BytesIO
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from lmc_utils.connect.checkpoints.pickled_files import unread_class
from lmc_utils.settings import ParameterError

_NAME = "_extra_state"  # torch's suffix of names in a state


def is_extra(name: str) -> bool:
    """Whether a name in a state is that of an extra state.

    >>> is_extra("head._extra_state"), is_extra("head.weight")
    (True, False)
    """
    return name.rpartition(".")[2] == _NAME


def extra_states(module: nn.Module) -> dict[str, Any]:
    """The extra states of a module by name."""
    return {name: value for name, value in module.state_dict().items() if is_extra(name)}


def adopt(module: nn.Module, states: Mapping[str, Any], which: str) -> None:
    """Load the extra states of a network into a module where they differ, in place.

    Raises:
        ParameterError: the module does not accept them.
    """
    own = extra_states(module)
    for name, value in states.items():
        require_readable(name, value, which)
        if equal(own[name], value):
            continue
        try:
            module.get_submodule(name.rpartition(".")[0]).set_extra_state(copy.deepcopy(value))
        except Exception as error:  # the module's own code
            raise ParameterError(f"{which}: the network does not take {name}: {error}") from error


def require_equal(module: nn.Module, states: Mapping[str, Any], which: str) -> None:
    """Raise ParameterError if extra states differ from those of the module."""
    for name, value in extra_states(module).items():
        if name in states:
            require_readable(name, states[name], which)
            if not equal(value, states[name]):
                raise ParameterError(
                    f"{which}: {name} differs between the networks, and there is no rule for mixing it"
                )


def require_readable(name: str, value: Any, which: str) -> None:
    """Raise ParameterError if an extra state has a class that is not read from files."""
    unread = next((each for each in map(unread_class, _leaves(value)) if each), None)
    if unread:
        raise ParameterError(
            f"{which}: {name} holds an object ({unread}), which is not read from files; pass the networks as modules"
        )


def equal(one: Any, other: Any) -> bool:
    """Compare two values that may contain tensors and arrays; False unless they are known to be equal.

    >>> equal({"scale": torch.ones(2), "steps": [1, 2]}, {"scale": torch.ones(2), "steps": [1, 2]})
    True
    """
    if type(one) is not type(other):
        return False
    if isinstance(one, Tensor):
        return one.dtype == other.dtype and one.shape == other.shape and torch.equal(one, other.to(one.device))
    if isinstance(one, np.ndarray):
        return bool(one.dtype == other.dtype and np.array_equal(one, other))
    if isinstance(one, BytesIO):
        return bool(one.getvalue() == other.getvalue())
    if isinstance(one, Mapping):
        return list(one) == list(other) and all(equal(one[key], other[key]) for key in one)
    if isinstance(one, Sequence) and not isinstance(one, (str, bytes)):
        return len(one) == len(other) and all(map(equal, one, other))
    try:
        return bool(one == other)
    except Exception:  # the value's own code
        return False


def _leaves(value: Any) -> Iterable[Any]:
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        for each in value:
            yield from _leaves(each)
    else:
        yield value
