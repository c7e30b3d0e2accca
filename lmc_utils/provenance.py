"""What results were made from: code, data, versions; a digest that names it, and files that are whole or not there."""

from __future__ import annotations

import ast
import errno
import hashlib
import json
import os
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from importlib.metadata import packages_distributions, version
from pathlib import Path
from symtable import SymbolTable, symtable
from typing import Any

from platformdirs import user_cache_path

from lmc_utils import resources

PACKAGE = Path(__file__).parent
CHECKOUT = PACKAGE.parent  # where the package is used from a clone

_PARTIAL = ".partial"
KINDS = (".py", ".js", ".css", ".html")


class DiskFull(OSError):
    """A file did not fit on its disk; the message is one line."""


def package_files(*kinds: str) -> dict[str, Path]:
    """The files of this package in all its folders, by their paths below it, in the order of these.

    Args:
        kinds: the endings that count; by default those of code, scripts, style sheets and pages.

    >>> "measure/lines.py" in package_files(".py"), "widgets/static/line_explorer.js" in package_files(".py")
    (True, False)
    """
    wanted = kinds or KINDS
    found = (path for path in PACKAGE.rglob("*") if path.suffix in wanted and "__pycache__" not in path.parts)
    return dict(sorted((path.relative_to(PACKAGE).as_posix(), path) for path in found))


def digest(value: Any) -> str:
    """Thirty-two hexadecimal digits that name a value.

    Args:
        value: JSON values, bytes, contiguous arrays, and paths of files, which stand for their content, in lists,
            tuples and mappings; the order of a mapping's keys does not matter.

    >>> digest({"a": 1, "b": [b"2"]}) == digest({"b": [b"2"], "a": 1})
    True
    """
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=_content).encode()).hexdigest()[:32]


def _content(value: Any) -> list[Any]:
    if hasattr(value, "dtype"):
        return [str(value.dtype), value.shape, value.data]
    return ["content", hashlib.sha256(value.read_bytes() if isinstance(value, Path) else value).hexdigest()]


def write_whole(path: Path, *content: bytes | memoryview) -> None:
    """Write a file so that it appears with all of its content or not at all, also where power fails.

    Raises:
        OSError: the disk is full, or the file cannot be written.

    >>> import tempfile
    >>> target = Path(tempfile.mkdtemp()) / "a"
    >>> write_whole(target, b"all of it")
    >>> target.read_bytes()
    b'all of it'
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}{_PARTIAL}")
    try:
        with partial.open("wb") as file:
            for part in content:
                file.write(part)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        partial.unlink(missing_ok=True)
        need, free = (
            resources.format_bytes(sum(memoryview(part).nbytes for part in content)),
            resources.format_bytes(shutil.disk_usage(path.parent).free),
        )
        line = f"the disk is full: '{path.name}' takes {need}, and '{path.parent}' has {free} left"
        raise DiskFull(line) from error
    finally:
        partial.unlink(missing_ok=True)


def root() -> Path:
    """Where runs are kept: $LMC_RUNS, else `_runs` in the checkout, else the user's cache folder."""
    if chosen := os.environ.get("LMC_RUNS"):
        return Path(chosen).expanduser()
    in_clone = (CHECKOUT / "pyproject.toml").exists()
    return CHECKOUT / "_runs" if in_clone else user_cache_path("lmc_utils") / "runs"


def sweep(folder: Path) -> None:
    """Remove what `write_whole` left half where a process was killed; call it while nobody else writes there."""
    for partial in folder.glob(f".*{_PARTIAL}"):
        partial.unlink(missing_ok=True)


def versions(modules: Iterable[str]) -> dict[str, str]:
    """The installed versions of the distributions that these modules come from.

    Args:
        modules: names of modules; those of Python itself, and those that are not installed, do not count.

    >>> list(versions(["yaml", "json"]))
    ['PyYAML']
    """
    tops = {name.partition(".")[0] for name in modules} - sys.stdlib_module_names
    names = {each for top in tops for each in _distributions().get(top, ())}
    return {name: version(name) for name in sorted(names)}


@cache
def _distributions() -> dict[str, list[str]]:
    return dict(packages_distributions())


@cache
def meaning(path: Path) -> str:
    """The code of a module without docstrings, comments and layout."""
    return ast.unparse(_Bare().visit(ast.parse(path.read_text(encoding="utf-8"))))


class _Bare(ast.NodeTransformer):
    """Takes away what does not change the results of code: docstrings, and the annotations of functions."""

    def visit(self, node: ast.AST) -> ast.AST:
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) and ast.get_docstring(node) is not None:
            node.body = node.body[1:] or [ast.Pass()]
        if isinstance(node, ast.FunctionDef):
            node.returns = None
        if isinstance(node, ast.arg):
            node.annotation = None
        return self.generic_visit(node)


class Definitions:
    """The definitions of this package that functions and classes lead to: the code that their results depend on.

    A name that a definition uses leads to its own definition, in the same module or through an import. What is looked
    up while the code runs, such as an entry of a table or a method of an argument, is not seen: name it as a root.

    Args:
        roots: functions and classes of this package.

    Raises:
        ValueError: a root is of another package, or a module on the way does more than import and define.

    Attributes:
        code: of each definition, without docstrings, comments and layout, by its full name.
        libraries: the modules outside this package that they use.

    >>> list(Definitions(digest).code)
    ['lmc_utils.provenance.digest', 'lmc_utils.provenance._content']
    """

    def __init__(self, *roots: Callable[..., Any]) -> None:
        self.code: dict[str, str] = {}
        self.libraries: set[str] = set()
        for root in roots:
            if root.__module__.partition(".")[0] != PACKAGE.name:
                raise ValueError(f"expected code of {PACKAGE.name}, got {root.__qualname__} of {root.__module__}")
            self._follow(f"{root.__module__}.{root.__qualname__}")

    def _follow(self, full: str) -> None:
        module, name = _split(full)
        if not module:
            self.libraries.add(full.partition(".")[0])
        elif name and f"{module}.{name}" not in self.code:
            imported, defined = _names(module)
            if name in imported:
                self._follow(imported[name])
            elif name in defined:
                self.code[f"{module}.{name}"] = "\n".join(map(ast.unparse, defined[name]))
                for node in defined[name]:
                    for used in _uses(node):
                        first, _, rest = used.partition(".")
                        if first in imported:
                            self._follow(f"{imported[first]}.{rest}")
                        elif first in defined:
                            self._follow(f"{module}.{first}")


def _split(full: str) -> tuple[str, str]:
    """The module of this package in which a full name lies, and the name's first part in it; empty where there is none.

    >>> _split("lmc_utils.provenance.Definitions.code"), _split("numpy.mean")
    (('lmc_utils.provenance', 'Definitions'), ('', ''))
    """
    parts = full.split(".")
    if parts[0] != PACKAGE.name:
        return "", ""
    depth = max(n for n in range(1, len(parts) + 1) if _source(".".join(parts[:n])))
    return ".".join(parts[:depth]), parts[depth] if depth < len(parts) else ""


@cache
def _source(module: str) -> Path | None:
    """The file of a module of this package."""
    path = CHECKOUT.joinpath(*module.split("."))
    return next((file for file in (path / "__init__.py", path.with_suffix(".py")) if file.is_file()), None)


@cache
def _names(module: str) -> tuple[dict[str, str], dict[str, list[ast.stmt]]]:
    """What names mean in a module: the full names of what it imports, and the statements that define the others."""
    source = _source(module)
    tree = ast.parse(meaning(source)) if source else ast.Module([], [])
    imported: dict[str, str] = {}
    defined: dict[str, list[ast.stmt]] = {}
    for node in ast.walk(tree):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            _require_plain(node, module)
            origin = f"{node.module}." if isinstance(node, ast.ImportFrom) else ""
            imported |= {each.asname or each.name.partition(".")[0]: origin + each.name for each in node.names}
    for statement in tree.body:
        if isinstance(statement, (ast.FunctionDef, ast.ClassDef)):
            defined.setdefault(statement.name, []).append(statement)
        elif isinstance(statement, (ast.Assign, ast.AnnAssign, ast.AugAssign)):
            targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
            for name in (node.id for target in targets for node in ast.walk(target) if isinstance(node, ast.Name)):
                defined.setdefault(name, []).append(statement)
        elif not isinstance(statement, (ast.Import, ast.ImportFrom)) and not _is_text(statement):
            raise ValueError(f"{module}: expected imports and definitions, found `{ast.unparse(statement)}`")
    return imported, defined


def _is_text(statement: ast.stmt) -> bool:
    """Whether it is the description of a name that stands above it."""
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def _require_plain(node: ast.Import | ast.ImportFrom, module: str) -> None:
    """Refuse imports whose names cannot be told apart by reading one module."""
    hidden = isinstance(node, ast.Import) and any(each.name.startswith(f"{PACKAGE.name}.") for each in node.names)
    if hidden or any(each.name == "*" for each in node.names):
        raise ValueError(f"{module}: expected `from {PACKAGE.name}.… import NAME`, found `{ast.unparse(node)}`")


def _uses(definition: ast.stmt) -> Iterator[str]:
    """The names of its module that a definition uses, with the attribute that is taken of them at once."""
    names = _globals(symtable(ast.unparse(definition), "definition", "exec"))
    for node in ast.walk(definition):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in names:
            yield f"{node.value.id}.{node.attr}"
        elif isinstance(node, ast.Name) and node.id in names:
            yield node.id


def _globals(scope: SymbolTable) -> set[str]:
    """The names that a scope, or one within it, looks up in the module."""
    outermost = scope.get_type() == "module"
    here = {each.get_name() for each in scope.get_symbols() if each.is_referenced() and (outermost or each.is_global())}
    return here.union(*map(_globals, scope.get_children()))
