"""Sphinx extension: what pages say of the package is read from the package itself.

`<!-- package lmc_utils.FOLDER -->` becomes the description of a folder and of its public names, those in its
`__all__`; `<!-- package lmc_utils.MODULE -->` that of a module, with its own functions and classes, and
`<!-- modules lmc_utils.MODULE ... -->` a table of modules. Each module has a page of its own in `api/modules`, which is
written before pages are read. `<!-- data sets -->` becomes the table of data sets, `<!-- commands -->` that of the
commands of `lmc`.
"""

from __future__ import annotations

import gc
import importlib
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from docutils import nodes  # type: ignore[import-untyped]
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.config import Config

from lmc_utils.provenance import CHECKOUT
from lmc_utils.publishing.source_links import line_url

_PACKAGE = re.compile(r"<!-- package ([\w.]+) -->")
_MODULES = re.compile(r"<!-- modules ([\w. ]+) -->")
_DATASETS = "<!-- data sets -->"
_COMMANDS = "<!-- commands -->"


def setup(app: Sphinx) -> dict[str, Any]:
    """Register with Sphinx."""
    gc.set_threshold(100_000, 20, 50)  # at Python's default rate, collecting garbage takes a quarter of the build
    app.connect("config-inited", write_module_pages, priority=800)  # before the table of contents looks for files
    app.connect("source-read", fill_in)
    app.connect("autodoc-skip-member", skip_field_aliases)
    app.connect("doctree-read", show_sources)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def write_module_pages(app: Sphinx, config: Config) -> None:
    """Write a page for each module that a page in `api` lists, and remove those of modules that are gone."""
    folder = Path(app.srcdir, "api", "modules")
    pages = {folder / f"{name}.md": f"# {name}\n\n<!-- package {name} -->\n" for name in listed_modules(folder.parent)}
    for gone in set(folder.glob("*.md")) - set(pages):
        gone.unlink()
        Path(app.outdir, "api", "modules", f"{gone.stem}.html").unlink(missing_ok=True)  # of an earlier build
    for path, text in pages.items():
        if not path.exists() or path.read_text(encoding="utf-8") != text:  # else Sphinx would read it again
            folder.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")


def fill_in(app: Sphinx, name: str, content: list[str]) -> None:
    """Put what was generated in the place of its mark."""
    for listed in _listed_in(content[0]):  # the table shows the first lines of their descriptions
        app.env.note_dependency(str(inspect.getsourcefile(importlib.import_module(listed))))
    content[0] = _PACKAGE.sub(lambda found: described(found[1]), content[0])
    content[0] = _MODULES.sub(lambda found: _summary("", found[1].split()), content[0])
    if _DATASETS in content[0]:
        content[0] = content[0].replace(_DATASETS, datasets())
    if _COMMANDS in content[0]:
        content[0] = content[0].replace(_COMMANDS, commands())


def described(name: str) -> str:
    """A folder or a module as MyST: what it is, a table of its modules, and its public names."""
    module = importlib.import_module(name)
    modules = [f"{name}.{each}" for each in public_modules(module)]
    parts = [_rst(f".. automodule:: {name}\n   :no-members:"), _summary(name, modules)]
    parts.append(_objects(name, public_objects(module)))
    return "\n\n".join(part for part in parts if part)


def skip_field_aliases(app: Sphinx, what: str, name: str, member: Any, skip: bool, options: Any) -> bool | None:
    """Leave out the fields of named tuples that Python alone describes; the signature has them, with their types."""
    return True if (getattr(member, "__doc__", None) or "").startswith("Alias for field number ") else None


def show_sources(app: Sphinx, doctree: nodes.document) -> None:
    """Say in which file and line each function and class is, with a link where the repository is on the web."""
    theme = app.config.html_theme_options
    known = theme.get("use_repository_button")  # else the address is Jupyter Book's own
    repository = theme["repository_url"] if known else None
    for signature in doctree.findall(addnodes.desc_signature):
        name = signature.get("fullname", "")
        if signature.parent.get("domain") != "py" or not name or "." in name:  # a method is in its class
            continue
        path, line = _place(getattr(importlib.import_module(signature["module"]), name))
        address = line_url(repository, theme.get("repository_branch", "main"), path, line)
        shown = nodes.inline("", f"{path}, line {line}")
        if address:
            shown = nodes.reference("", "", shown, internal=False, refuri=address)
        signature += nodes.inline("", "", shown, classes=["lmc-source"])


def _place(thing: Any) -> tuple[str, int]:
    """The file of a function or class, from the root of the checkout, and its first line."""
    own = inspect.unwrap(thing)
    path = Path(inspect.getfile(own)).relative_to(CHECKOUT)
    return path.as_posix(), inspect.getsourcelines(own)[1]


def listed_modules(folder: Path) -> list[str]:
    """The modules that have pages of their own: those that the pages of a folder list, and those within."""
    found: list[str] = []
    for page in sorted(folder.glob("*.md")):
        for name in _listed_in(page.read_text(encoding="utf-8")):
            found += [name, *_modules_below(importlib.import_module(name))]
    return found


def _listed_in(text: str) -> list[str]:
    folders = (importlib.import_module(found[1]) for found in _PACKAGE.finditer(text))
    below = [f"{folder.__name__}.{name}" for folder in folders for name in public_modules(folder)]
    return below + [name for found in _MODULES.finditer(text) for name in found[1].split()]


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
    return _rst(".. autosummary::\n   :nosignatures:\n\n" + "\n".join(lines)) if names else ""


def _rst(text: str) -> str:
    return f"```{{eval-rst}}\n{text}\n```"
