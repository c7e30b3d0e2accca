"""Sphinx extension: what pages say of the package is read from the package itself.

`<!-- package lmc_utils.FOLDER -->` becomes the description of a folder and of its public names, those in its
`__all__`: for a module its own functions and classes, with a summary first. `<!-- data sets -->` becomes the table of
data sets, `<!-- commands -->` that of the commands of `lmc`.
"""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Iterator
from types import ModuleType
from typing import Any

from sphinx.application import Sphinx

_PACKAGE = re.compile(r"<!-- package ([\w.]+) -->")
_DATASETS = "<!-- data sets -->"
_COMMANDS = "<!-- commands -->"


def setup(app: Sphinx) -> dict[str, Any]:
    """Register with Sphinx."""
    app.connect("source-read", fill_in)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def fill_in(app: Sphinx, name: str, content: list[str]) -> None:
    """Put what was generated in the place of its mark."""
    content[0] = _PACKAGE.sub(lambda found: described(found[1]), content[0])
    if _DATASETS in content[0]:
        content[0] = content[0].replace(_DATASETS, datasets())
    if _COMMANDS in content[0]:
        content[0] = content[0].replace(_COMMANDS, commands())


def described(name: str, depth: int = 2) -> str:
    """A folder, or a single module, as MyST: what it is, then each of its modules or public names.

    Args:
        name: of the folder or module.
        depth: of the headings of its modules.
    """
    module = importlib.import_module(name)
    parts = [_rst(f".. automodule:: {name}\n   :no-members:")]
    modules = [f"{name}.{each}" for each in public_modules(module)]
    if modules:
        parts.append(_summary(name, modules))
    parts.append(_objects(name, public_objects(module)))
    for each in modules:
        parts += [f"{'#' * depth} {each}", described(each, depth + 1)]
    return "\n\n".join(part for part in parts if part)


def public_modules(module: ModuleType) -> list[str]:
    """Those modules of a folder that its `__all__` names, in its order."""
    names = getattr(module, "__all__", ()) if hasattr(module, "__path__") else ()
    return [name for name in names if _is_module(module, name)]


def _modules_below(module: ModuleType) -> Iterator[str]:
    """The full names of the public modules of a folder and of the folders in it."""
    for name in public_modules(module):
        yield f"{module.__name__}.{name}"
        yield from _modules_below(importlib.import_module(f"{module.__name__}.{name}"))


def public_objects(module: ModuleType) -> list[tuple[str, Any]]:
    """The functions and classes to describe, by full name.

    Of a folder those in its `__all__` that none of its public modules describes; of a module its own, or those in its
    `__all__` where other modules of the folder need more of it than its readers do.
    """
    if hasattr(module, "__path__"):
        elsewhere = set(_modules_below(module))
        names = [name for name in module.__all__ if not _is_module(module, name)]
    else:
        own = [name for name in vars(module) if not name.startswith("_")]
        elsewhere, names = set(), getattr(module, "__all__", own)
    found = ((f"{module.__name__}.{name}", getattr(module, name)) for name in names)
    there = [(name, each) for name, each in found if inspect.isclass(each) or inspect.isfunction(each)]
    if hasattr(module, "__path__"):
        return [(name, each) for name, each in there if each.__module__ not in elsewhere]
    return [(name, each) for name, each in there if each.__module__ == module.__name__]


def datasets() -> str:
    """The data sets that the package knows, as a table."""
    from lmc_utils.networks.data import DATASETS

    rows = ["| `dataset` | what it is | where it comes from |", "| --- | --- | --- |"]
    return "\n".join([*rows, *(f"| `{name}` | {each.what} | {each.origin} |" for name, each in DATASETS.items())])


def commands() -> str:
    """The commands of `lmc`, as a table."""
    from typer.main import get_command

    from lmc_utils.cli import extras, main

    rows = ["| command | what it does | extra |", "| --- | --- | --- |"]
    for name, command in get_command(main.app).commands.items():
        extra = extras.NEEDED.get(name)
        rows.append(f"| `lmc {name}` | {command.help} | {f'`{extra}`' if extra else ''} |")
    return "\n".join(rows)


def _is_module(package: ModuleType, name: str) -> bool:
    full = f"{package.__name__}.{name}"
    return importlib.util.find_spec(full) is not None


def _objects(module: str, objects: list[tuple[str, Any]]) -> str:
    if not objects:
        return ""
    directives = (f".. auto{'class' if inspect.isclass(each) else 'function'}:: {name}" for name, each in objects)
    return _summary(module, [name for name, _ in objects]) + "\n\n" + _rst("\n\n".join(directives))


def _summary(module: str, names: list[str]) -> str:
    """A line for each name; Sphinx wants them as they are called within the module that it is describing."""
    lines: Iterator[str] = (f"   {name.removeprefix(f'{module}.')}" for name in names)
    return _rst(".. autosummary::\n   :nosignatures:\n\n" + "\n".join(lines))


def _rst(text: str) -> str:
    return f"```{{eval-rst}}\n{text}\n```"
