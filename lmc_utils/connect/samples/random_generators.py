"""Save, restore and replay the random generators used when reading samples."""

from __future__ import annotations

import functools
import random
import sys
import types
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple, TypeVar

import numpy as np
import torch
from torch import Tensor

T = TypeVar("T")
State = list[Any]
"""The states of some generators, in their order."""

_LONGEST = 1000  # items of a collection that is searched for generators
_MOST = 10_000  # objects to search


class _Handle(NamedTuple):
    get: Callable[[], Any]
    set: Callable[[Any], object]


class Generators:
    """The global generators of Python, NumPy and torch, and those held by given objects.

    Generators are found in attributes, short collections, closures of functions, the classes of the objects, and the
    modules of these classes.

    Args:
        holders: objects to search, such as a loader, a data set, or functions that read them.

    >>> loader = torch.utils.data.DataLoader(range(9), shuffle=True, generator=torch.Generator())
    >>> generators = Generators(loader)
    >>> start = generators.states()
    >>> first, again = list(generators.replay(loader, list(start))), list(generators.replay(loader, list(start)))
    >>> torch.equal(torch.cat(first), torch.cat(again))
    True
    """

    def __init__(self, *holders: Any) -> None:
        self._handles = [*_global_handles(), *_own_handles(holders)]

    def states(self) -> State:
        """The states of all generators, for `restore`."""
        return [handle.get() for handle in self._handles]

    def restore(self, states: State) -> None:
        """Restore the states of all generators."""
        for handle, state in zip(self._handles, states, strict=True):
            handle.set(state)

    def replay(self, items: Iterable[T], states: State) -> Iterator[T]:
        """Iterate with generators starting from these states; between items, their outside states are restored.

        Args:
            items: the iterable.
            states: from `states`; updated in place after each item.
        """
        iterator: Iterator[T] | None = None
        while True:
            outside = self.states()
            self.restore(states)
            try:
                iterator = iter(items) if iterator is None else iterator
                item = next(iterator)
            except StopIteration:
                return
            finally:
                states[:] = self.states()
                self.restore(outside)
            yield item


@contextmanager
def unchanged_random() -> Iterator[None]:
    """Restore the global random generators of Python, NumPy and torch at the end of a block."""
    python, numpy = random.getstate(), np.random.get_state()  # noqa: NPY002
    with torch.random.fork_rng():
        try:
            yield
        finally:
            random.setstate(python)
            np.random.set_state(numpy)  # noqa: NPY002


def _global_handles() -> list[_Handle]:
    handles = [
        _Handle(random.getstate, random.setstate),
        _Handle(np.random.get_state, np.random.set_state),
        _Handle(torch.get_rng_state, torch.set_rng_state),
    ]
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        handles.append(_Handle(torch.cuda.get_rng_state_all, torch.cuda.set_rng_state_all))
    return handles


def _handle(generator: Any) -> _Handle | None:
    """Functions to get and set the state of a generator; None for other objects."""
    if isinstance(generator, torch.Generator):
        return _Handle(generator.get_state, generator.set_state)
    if isinstance(generator, np.random.Generator):
        bits = generator.bit_generator
        return _Handle(lambda: bits.state, lambda state: setattr(bits, "state", state))
    if isinstance(generator, np.random.RandomState):
        return _Handle(generator.get_state, generator.set_state)
    if isinstance(generator, random.Random) and not isinstance(generator, random.SystemRandom):
        return _Handle(generator.getstate, generator.setstate)
    return None


def _own_handles(holders: Iterable[Any]) -> list[_Handle]:
    """The generators that objects hold, each once."""
    seen, handles, waiting = set[int](), list[_Handle](), list(holders)
    while waiting and len(seen) < _MOST:
        each = waiting.pop()
        if id(each) in seen:
            continue
        seen.add(id(each))
        handle = _handle(each)
        if handle is not None:
            handles.append(handle)
        else:
            waiting += _parts(each)
    return handles


def _parts(holder: Any) -> list[Any]:
    """Objects held by an object that may be or hold generators."""
    if isinstance(holder, (str, bytes, int, float, type, types.ModuleType, Tensor, np.ndarray)) or holder is None:
        return []
    if isinstance(holder, (list, tuple, set, dict)):
        items = holder.values() if isinstance(holder, dict) else holder
        return list(items) if len(holder) <= _LONGEST else []
    if isinstance(holder, types.FunctionType):
        cells = [cell.cell_contents for cell in holder.__closure__ or () if cell != types.CellType()]
        return [*cells, *(holder.__defaults__ or ()), *_generators_of(holder.__globals__)]
    if isinstance(holder, types.MethodType):
        return [holder.__self__, holder.__func__]
    if isinstance(holder, functools.partial):
        return [holder.func, *holder.args, *holder.keywords.values()]
    written = [each for each in type(holder).__mro__ if each.__module__.split(".")[0] not in ("builtins", "torch")]
    modules = [vars(sys.modules[each.__module__]) for each in written if each.__module__ in sys.modules]
    shared = [found for namespace in (*map(vars, written), *modules) for found in _generators_of(namespace)]
    return [*getattr(holder, "__dict__", {}).values(), *shared]


def _generators_of(namespace: Mapping[str, Any]) -> list[Any]:
    return [each for each in list(namespace.values()) if _handle(each) is not None]
