"""Find the state of a network in a checkpoint with other content, such as optimiser states and settings."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from lmc_utils.connect.checkpoints.extra_states import is_extra
from lmc_utils.connect.checkpoints.pickled_files import SAVE_A_STATE, unread_class
from lmc_utils.connect.checkpoints.wrappers import without_parts
from lmc_utils.formatting import listed, one_line
from lmc_utils.settings import ParameterError, describe_unknown

TRAINED = (
    "state_dict", "model_state_dict", "model", "module", "net", "network", "weights", "params", "model_state",
    "model_weights", "net_state_dict", "network_state_dict",
)  # fmt: skip
"""Keys under which trainers save the weights that they train."""

AVERAGED = (
    "ema",
    "ema_state_dict",
    "state_dict_ema",
    "model_ema",
    "ema_model",
    "params_ema",
    "ema_weights",
    "averaged",
)
"""Keys under which they save averages of these weights."""

_NO_WEIGHTS = ("optim", "sched", "scaler", "callback", "loops", "rng", "random", "hyper_parameters", "extra_state")
_DEPTH = 5


def find(content: Any, path: Path, key: str | None = None) -> tuple[dict[str, Tensor], list[str]]:
    """Find the state of the trained network in the content of a file; also return notes on how it was found.

    A state maps names to tensors. Of several, the only one with a usual name of trained weights is used; weight
    averages only if there are no others. Otherwise the user has to choose.

    Args:
        content: content of the file.
        path: the file, for messages.
        key: the state to use: its name, or names joined by dots. If no state has this name, a prefix of the names of
            the tensors to use, which is removed.

    Raises:
        ParameterError: no state, several without a unique trained one, or none under the key.

    >>> find({"epoch": 3, "model": {"bias": Tensor([0])}, "ema": {"bias": Tensor([1])}}, Path("x.pt"))[1]
    ["x.pt: using entry 'model'; it also holds ema, which --key NAME (or key=) chooses"]
    """
    states = _states(content)
    named = [name for name in states if name]
    if key is not None:
        below = [name for name in named if name == key or name.startswith(f"{key}.")]
        if key not in below and len(below) != 1:
            states = _begun(states, key)
            below = list(states)
        if key not in below and len(below) != 1:
            known = (
                describe_unknown("key", key, below or named)
                if below or named
                else f"unknown key '{key}'; it holds one state, so leave key out"
            )
            raise ParameterError(f"'{path}': {known}")
        key = key if key in below else below[0]
        return _state(states[key], path, [f"{path.name}: using entry '{key}'"])
    if not states:
        raise _no_state(content, path)
    chosen = _chosen(states, content, path)
    others = [name for name in named if not f"{chosen}.".startswith(f"{name}.")]
    also = f"; it also holds {listed(others)}, which --key NAME (or key=) chooses" if others else ""
    return _state(states[chosen], path, [f"{path.name}: using entry '{chosen}'{also}"] if chosen else [])


def _states(content: Any) -> dict[str, Mapping[Any, Any]]:
    """All mappings from names to tensors, by their dotted path; an untrusted file may be nested deeply."""
    states, seen, waiting = dict[str, Mapping[Any, Any]](), set[int](), [("", content)]
    for place, value in waiting:
        if not isinstance(value, Mapping) or id(value) in seen or place.count(".") > _DEPTH:
            continue
        seen.add(id(value))
        if _count(value):
            states[place] = value
        waiting += [
            (f"{place}.{name}".lstrip("."), each)
            for name, each in value.items()
            if isinstance(name, str) and not any(word in name.lower() for word in _NO_WEIGHTS)
        ]
    return states


def _begun(states: Mapping[str, Mapping[Any, Any]], key: str) -> dict[str, Mapping[Any, Any]]:
    """The part of each state whose names have a prefix, without it; the key may also include the state's own key.

    >>> list(_begun({"state_dict": {"model.bias": Tensor([0]), "ema.bias": Tensor([1])}}, "model"))
    ['state_dict.model']
    """
    result = dict[str, Mapping[Any, Any]]()
    for place, state in states.items():
        start = (key.removeprefix(f"{place}.") if place else key) + "."
        for shorten in (str, without_parts):  # the second, as messages omit wrapper prefixes
            names = [(name, shorten(name)) for name in state if isinstance(name, str)]
            names = [(name, short.removeprefix(start)) for name, short in names if short.startswith(start)]
            part = {short: state[name] for name, short in names}
            if _count(part) and len(part) == len(names):
                result[f"{place}.{start}".strip(".")] = part
                break
    return result


def _count(content: Mapping[Any, Any]) -> int:
    return sum(isinstance(name, str) and isinstance(value, Tensor) for name, value in content.items())


def _chosen(states: Mapping[str, Mapping[Any, Any]], content: Any, path: Path) -> str:
    """The key of the trained state; empty for the content itself."""
    trained, averaged = _under(TRAINED, states), _under((*AVERAGED, *TRAINED), states)
    if len(trained) == 1:
        return trained[0]
    unread = next((name for name in TRAINED if unread_class(content.get(name))), None)
    if unread and not trained:
        raise ParameterError(
            f"checkpoint: '{path}' holds the whole network as {unread} (a {unread_class(content[unread])}), "
            f"which is not read, as that would run its code; {SAVE_A_STATE}, or choose another state by --key "
            f"NAME (or key=): {listed([*filter(None, states)])}"
        )
    if not trained and not set(states) - {"", *averaged} and len(averaged) == 1:
        return averaged[0]
    if not trained and len(states) - ("" in states) <= 1:
        return max(states, key=lambda name: _count(states[name]))  # names that do not fit are rejected later
    raise ParameterError(
        f"checkpoint: '{path}' holds several states; choose one by --key NAME (or key=): "
        f"{', '.join(trained or filter(None, states))}"
    )


def _under(names: Collection[str], states: Mapping[str, Any]) -> list[str]:
    """The keys all parts of which are in `names`, without those that contain another one."""
    keys = [key for key in states if key and set(key.split(".")) <= set(names)]
    return [key for key in keys if not any(other.startswith(f"{key}.") for other in keys)]


def _state(state: Mapping[Any, Any], path: Path, notes: list[str]) -> tuple[dict[str, Tensor], list[str]]:
    """A state reduced to its tensors, and the notes."""
    beside = [
        str(name)
        for name, value in state.items()
        if isinstance(value, (int, float, str, bytes, list, tuple, Mapping, type(None))) and not is_extra(str(name))
    ]
    notes = [*notes, f"{path.name}: ignoring entries that are not tensors: {listed(beside)}"] if beside else notes
    return {str(name): value for name, value in state.items() if str(name) not in beside}, notes


def _no_state(content: Any, path: Path) -> ParameterError:
    unread = unread_class(content)
    objects = {name: unread_class(value) for name, value in content.items()} if isinstance(content, Mapping) else {}
    network = next((name for name in TRAINED if objects.get(name)), None)
    if unread or network:
        where, which = (f" as {network}", objects[network]) if network else ("", unread)
        return ParameterError(
            f"checkpoint: '{path}' holds an object{where} (a {which}), not tensors by name; it is not read, as "
            f"that would run its code; {SAVE_A_STATE}"
        )
    arrays = next((name for name, each in objects.items() if each and each.startswith("numpy.")), None)
    way_out = "make tensors of arrays, `torch.from_numpy(value)`" if arrays else SAVE_A_STATE
    held = type(content).__name__
    if isinstance(content, Mapping):
        held = f"the names {listed([str(name) for name in content])}" if content else "an empty mapping"
    return ParameterError(f"checkpoint: '{path}' does not hold tensors by name but {one_line(held, 120)}; {way_out}")
