"""Read files of `torch.save` without running code that they refer to.

torch's own reader for weights builds tensors and plain values, and fails at everything else: a namespace of options, a
path, a NumPy number. Here, each other class or function in a file is replaced by an empty placeholder, so that a state
can be read whatever else the file contains, and no code that it refers to is run, not even what
`torch.serialization.add_safe_globals` has registered.
"""

from __future__ import annotations

import re
import warnings
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch.serialization import (
    add_safe_globals,
    clear_safe_globals,
    get_safe_globals,
    get_unsafe_globals_in_checkpoint,
    safe_globals,
)

from lmc_utils.formatting import listed
from lmc_utils.settings import ParameterError

SAVE_A_STATE = "save the tensors alone, `torch.save(network.state_dict(), PATH)`"
GATHER_A_STATE = (
    "gather the whole state, `get_model_state_dict(network, options=StateDictOptions(full_state_dict=True))`"
)
_UNKNOWN = re.compile(r"Unsupported global: GLOBAL ([\w.]+)")
_CONTAINERS = {"Can only SETITEM": OrderedDict, "Can only append": list, "Can only extend": list}
_POINTER = b"version https://git-lfs"
_ATTEMPTS = 100  # each failed attempt adds a placeholder, or turns one into a container


class Unread:
    """Placeholder for an object other than a tensor or plain value; each class in a file gets a subclass."""

    def __init__(self, *_: Any, **__: Any) -> None:
        pass

    def __new__(cls, *_: Any, **__: Any) -> Any:
        return object.__new__(cls)

    def __setstate__(self, _: Any) -> None:
        pass


def load(path: Path) -> Any:
    """Read a file of `torch.save` on the CPU, with `Unread` objects for all but tensors and plain values.

    Subclasses of `dict` and `list` are read as plain ones.

    Raises:
        ParameterError: another kind of file, or one whose tensors cannot be built without running code that it names.
    """
    with _nothing_registered():
        return _load(path)


def _load(path: Path) -> Any:
    placeholders = {name: _placeholder(name) for name in _named_classes(path)}
    for _ in range(_ATTEMPTS):
        try:
            with warnings.catch_warnings(), safe_globals(list(placeholders.values())):
                warnings.simplefilter("ignore")
                return torch.load(path, map_location="cpu", weights_only=True)
        except Exception as error:  # torch may raise anything for bytes that are not a checkpoint
            more = _further_placeholder(str(error), placeholders)
            if not more:
                raise _unreadable(path, list(placeholders), error) from error
            placeholders |= more
    raise ParameterError(f"checkpoint: too many types of objects in '{path}'; {SAVE_A_STATE}")


def unread_class(value: Any) -> str | None:
    """The name of the class or function that a placeholder replaces; None for other values.

    >>> unread_class(_placeholder("argparse.Namespace")()), unread_class(3)
    ('argparse.Namespace', None)
    """
    kind = value if isinstance(value, type) else type(value)
    return f"{kind.__module__}.{kind.__qualname__}" if issubclass(kind, Unread) else None


@contextmanager
def _nothing_registered() -> Iterator[None]:
    """Disable the classes and functions that the user or a library has registered as safe for torch's reader."""
    before = get_safe_globals()
    clear_safe_globals()
    try:
        yield
    finally:
        clear_safe_globals()
        add_safe_globals(before)


def _named_classes(path: Path) -> list[str]:
    """The classes and functions in a file, beyond those of tensors and plain values.

    A class cannot have a name with characters such as NUL, so that reading fails at it.
    """
    try:
        return sorted(name for name in get_unsafe_globals_in_checkpoint(path) if name.isprintable())
    except Exception:  # another kind of file, or torch's old format: `torch.load` reports the error
        return []


def _further_placeholder(message: str, placeholders: Mapping[str, type[Any]]) -> dict[str, type[Any]]:
    """Placeholders for the next attempt, with a new one, or with one turned into a container."""
    unknown = _UNKNOWN.search(message)
    if unknown:
        name = unknown.group(1) if "." in unknown.group(1) else f"builtins.{unknown.group(1)}"
        return {} if name in placeholders else {name: _placeholder(name)}
    kind = next((kind for start, kind in _CONTAINERS.items() if start in message), None)
    name = next((name for name, each in placeholders.items() if repr(each) in message), None)
    return {name: _container(name, kind)} if kind and name else {}


def _placeholder(name: str) -> type[Any]:
    """A placeholder that torch's reader accepts as the class or function of this name."""
    module, _, own = name.rpartition(".")
    return type(own, (Unread,), {"__module__": module})


def _container(name: str, kind: type[Any]) -> type[Any]:
    """A placeholder that is built as an empty mapping or list, to which items are added."""
    module, _, own = name.rpartition(".")
    return type(own, (), {"__module__": module, "__new__": lambda cls, *_, **__: kind()})


def _unreadable(path: Path, named: Sequence[str], error: Exception) -> ParameterError:
    if "TorchScript" in str(error):
        state = SAVE_A_STATE.replace("network", "torch.jit.load(FILE)")
        return ParameterError(f"checkpoint: '{path}' is a TorchScript archive, whose code is not run; {state}")
    if isinstance(error, (PermissionError, MemoryError)):
        return ParameterError(f"checkpoint: cannot read '{path}': {str(error) or 'out of memory'}")
    if named:
        way_out = GATHER_A_STATE if any("DTensor" in name for name in named) else SAVE_A_STATE
        return ParameterError(
            f"checkpoint: '{path}' holds more than tensors and plain values: {listed(named)}, which cannot be "
            f"read without running code; {way_out}"
        )
    with path.open("rb") as file:
        pointer = file.read(len(_POINTER)) == _POINTER
    if pointer:
        return ParameterError(f"checkpoint: '{path}' is a Git LFS pointer; fetch the file by `git lfs pull`")
    return ParameterError(f"checkpoint: '{path}' was not written by torch.save, or is corrupted or incomplete")
