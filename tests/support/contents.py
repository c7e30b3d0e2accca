"""Snapshots of everything that user objects hold, to detect changes."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import torch
from torch import Tensor

Contents = dict[str, Any]


def contents(things: dict[str, Any]) -> Contents:
    """All values in objects, recursively, by path; repeated objects are replaced by their first path.

    >>> contents({"a": [1, torch.zeros(1)]})["a[0]"]
    1
    """
    found: Contents = {}
    seen: dict[int, tuple[str, Any]] = {}
    waiting = list(things.items())
    while waiting:
        path, thing = waiting.pop()
        if thing is None or isinstance(thing, (bool, int, float, complex, str, bytes, type, torch.dtype, torch.device)):
            found[path] = thing
            continue
        if id(thing) in seen:
            found[path] = f"as {seen[id(thing)][0]}"
            continue
        seen[id(thing)] = path, thing
        found[path] = type(thing).__name__
        if isinstance(thing, Tensor):
            plain = thing.detach().contiguous().reshape(-1)
            bits = plain.view(torch.uint8).numpy().tobytes() if plain.numel() else b""
            grad = None if not thing.is_leaf or thing.grad is None else "a gradient"
            found[path] = (thing.dtype, tuple(thing.shape), thing.requires_grad, grad, bits)
        elif isinstance(thing, torch.Generator):
            found[path] = thing.get_state().numpy().tobytes()
        elif isinstance(thing, np.ndarray):
            found[path] = thing.tobytes()
        elif isinstance(thing, dict):
            found[f"{path} order"] = str(list(thing))
            waiting += [(f"{path}[{key!r}]", value) for key, value in thing.items()]
        elif isinstance(thing, (list, tuple, set, frozenset)):
            found[f"{path} length"] = len(thing)
            waiting += [(f"{path}[{row}]", value) for row, value in enumerate(thing)]
        elif isinstance(getattr(thing, "__dict__", None), dict) and not callable(getattr(thing, "__code__", None)):
            waiting += [(f"{path}.{name}", value) for name, value in vars(thing).items()]
    return found


def generators() -> dict[str, Any]:
    """The states of the global random generators."""
    numpy = np.random.get_state()  # noqa: NPY002
    return {"Python": random.getstate(), "NumPy": [numpy[1].tolist(), numpy[2:]], "torch": torch.get_rng_state()}


def changed(before: Contents, after: Contents) -> str:
    """The path to the first difference; empty if there is none."""
    paths = [*before, *(path for path in after if path not in before)]
    missing = object()
    return next((path for path in paths if before.get(path, missing) != after.get(path, missing)), "")
