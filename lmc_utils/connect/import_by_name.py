"""Import the user's networks, samples and functions by name: `package.module:name`."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterable
from typing import Any

from torch import nn
from torch.utils.data import Dataset

from lmc_utils.formatting import one_line
from lmc_utils.settings import ParameterError, describe_unknown, require


def import_object(parameter: str, place: str) -> Any:
    """Import an object by `package.module:name`; modules in the current folder are found, too.

    Args:
        parameter: name of the parameter, for the message.
        place: module and name.

    Raises:
        ParameterError: the module cannot be imported, or has no such attribute.

    >>> import_object("loss", "math:sqr")
    Traceback (most recent call last):
    lmc_utils.settings.ParameterError: loss: unknown name in math: 'sqr'; did you mean 'sqrt'? Choose from: ...
    """
    module, colon, attribute = place.partition(":")
    require(bool(module and colon and attribute), parameter, "MODULE:NAME, e.g. package.module:function", place)
    if module.endswith(".py") or "/" in module:
        written = f"{module.removesuffix('.py').strip('./').replace('/', '.')}:{attribute}"
        raise ParameterError(f"{parameter} must name a module, not a file (got {place!r}); write {written}")
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        holder = importlib.import_module(module)
    except (Exception, SystemExit) as problem:  # importing a user's module may raise anything
        problem_text = f"'{module}': {_describe(problem)}"
        raise ParameterError(f"{parameter}: cannot import {problem_text}") from problem
    if not hasattr(holder, attribute):
        names = [each for each in vars(holder) if each[:1] != "_"]
        raise ParameterError(f"{parameter}: {describe_unknown(f'name in {module}:', attribute, names)}")
    return getattr(holder, attribute)


def network(place: str) -> nn.Module:
    """Import a network, or a class or function that returns one when called without arguments.

    Raises:
        ParameterError: there is none, the function raises, or it returns something else.

    >>> network("torch.nn:Identity")
    Identity()
    """
    found = import_object("model", place)
    made = found if isinstance(found, nn.Module) else _call("model", place, found)
    require(
        isinstance(made, nn.Module), "model", "a module of torch, or a function that makes one", type(made).__name__
    )
    return made


def samples(place: str, parameter: str = "data") -> Any:
    """Import samples, or a class or function that returns them when called without arguments.

    Args:
        place: module and name.
        parameter: name of the parameter, for the message.

    Raises:
        ParameterError: there are none, or the function raises.
    """
    value = import_object(parameter, place)
    stands = isinstance(value, (Dataset, Iterable)) or not callable(value)
    return value if stands else _call(parameter, place, value)


def _call(parameter: str, place: str, factory: Any) -> Any:
    require(callable(factory), parameter, "a function or class that makes it", type(factory).__name__)
    try:
        return factory()
    except (Exception, SystemExit) as problem:  # a user's function may raise anything
        problem_text = f"{place}() raised {_describe(problem)}"
        raise ParameterError(f"{parameter}: {problem_text}; it is called without arguments") from problem


def _describe(problem: BaseException) -> str:
    return one_line(f"{type(problem).__name__}: {problem}", 200)
