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
    lmc_utils.settings.ParameterError: loss: in math, 'sqr' is not known; did you mean 'sqrt'? Choose from ...
    """
    module, colon, attribute = place.partition(":")
    require(bool(module and colon and attribute), parameter, "MODULE:NAME, as in package.module:function", place)
    if module.endswith(".py") or "/" in module:
        written = f"{module.removesuffix('.py').strip('./').replace('/', '.')}:{attribute}"
        raise ParameterError(f"{parameter}: expected a module rather than a file, got {place!r}; write {written}")
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        holder = importlib.import_module(module)
    except (Exception, SystemExit) as problem:  # importing a user's module may raise anything
        problem_text = f"'{module}' says {_describe(problem)}"
        raise ParameterError(f"{parameter}: expected a module that can be imported, {problem_text}") from problem
    if not hasattr(holder, attribute):
        names = [each for each in vars(holder) if each[:1] != "_"]
        raise ParameterError(f"{parameter}: in {module}, {describe_unknown(attribute, names)}")
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
    require(isinstance(made, nn.Module), "model", "a function that makes a torch module", type(made).__name__)
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
    require(callable(factory), parameter, "a function that makes it", type(factory).__name__)
    try:
        return factory()
    except (Exception, SystemExit) as problem:  # a user's function may raise anything
        problem_text = f"{place} says {_describe(problem)}"
        raise ParameterError(f"{parameter}: expected a function without arguments, {problem_text}") from problem


def _describe(problem: BaseException) -> str:
    return one_line(f"{type(problem).__name__}: {problem}", 200)
