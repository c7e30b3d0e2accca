"""Dependencies of a result, by one rule for trained runs, executed pages, points of sweeps, and marks.

A result depends on its data and on everything that its code imports, directly or indirectly: modules of this package,
without docstrings, comments and layout; the assets beside them; the installed versions of Python and of all other
imported packages. Imports within functions count. Nothing is executed to find them.
"""

from __future__ import annotations

import ast
import platform
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

from lmc_utils import provenance


def of_code(*sources: str) -> dict[str, Any]:
    """The modules of this package, assets and versions that code imports, directly or indirectly.

    Args:
        sources: Python code, such as the cells of a notebook; code that does not parse imports nothing.

    Returns:
        The code of each module (`code_without_docstrings`) and the path of each file in the folder `static` beside one,
        by their paths in the package, and versions by distribution; input for `provenance.digest`.

    Raises:
        ValueError: there is a relative import, whose target depends on the location of the code.

    >>> found = of_code("from lmc_utils import resources")
    >>> sorted(found["modules"]), list(found["versions"])
    (['__init__.py', 'resources.py'], ['python', 'psutil'])
    """
    package = provenance.PACKAGE
    modules, names = dict[Path, str](), set[str]()
    fresh = {name for source in sources for name in _read(source)[1]}
    while fresh:
        names |= fresh
        found = {file: _read(file.read_text(encoding="utf-8")) for name in fresh if (file := _file(name))}
        modules |= {file: code for file, (code, _) in found.items()}
        fresh = {name for _, imported in found.values() for name in imported} - names
    assets = {
        asset for file in modules for asset in file.parent.glob("static/*") if asset.suffix in provenance.SUFFIXES
    }
    others = [name for name in names if name.partition(".")[0] != package.name]
    return {
        "modules": {file.relative_to(package).as_posix(): code for file, code in modules.items()},
        "assets": {file.relative_to(package).as_posix(): file for file in assets},
        "versions": {"python": platform.python_version()} | provenance.versions(others),
    }


def code_without_docstrings(source: str) -> str:
    """Python code without docstrings, comments, layout and annotations of functions; unchanged if it does not parse.

    >>> code_without_docstrings("def f(x: int) -> int:\\n    '''Add one.'''\\n    return (x +  1)  # a comment")
    'def f(x):\\n    return x + 1'
    """
    return _read(source)[0]


def imported_packages(*sources: str) -> set[str]:
    """The top-level names that code imports, without those of this package and relative ones.

    >>> sorted(imported_packages("import a.b", "from c import d; from . import e"))
    ['a', 'c']
    """
    found = set[str]()
    for source in sources:
        try:
            nodes = list(ast.walk(ast.parse(source)))
        except SyntaxError:
            continue
        found |= {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
        found |= {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module and not node.level}
    return {name.partition(".")[0] for name in found} - {provenance.PACKAGE.name}


@lru_cache(maxsize=2000)
def _read(source: str) -> tuple[str, frozenset[str]]:
    """The code without docstrings, and the imported names."""
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return source, frozenset()
    return ast.unparse(_WithoutDocstrings().visit(tree)), frozenset(_imported(tree))


def _file(name: str) -> Path | None:
    """The file of a module of this package; None for other names, such as that of a function."""
    if name.partition(".")[0] != provenance.PACKAGE.name:
        return None
    path = provenance.CHECKOUT.joinpath(*name.split("."))
    return next((file for file in (path / "__init__.py", path.with_suffix(".py")) if file.is_file()), None)


def _imported(tree: ast.AST) -> Iterator[str]:
    """Yield the names that code imports (modules or objects in them), and their parent packages."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [each.name for each in node.names]
        elif isinstance(node, ast.ImportFrom):
            if node.level or not node.module:
                raise ValueError(f"expected absolute imports, found `{ast.unparse(node)}`")
            inside = [each.name for each in node.names]
            if inside == ["*"]:  # this may import modules of a folder
                inside = [path.stem for path in provenance.CHECKOUT.joinpath(*node.module.split(".")).glob("*")]
            names = [node.module, *(f"{node.module}.{each}" for each in inside)]
        else:
            continue
        for name in names:
            while name:
                yield name
                name = name.rpartition(".")[0]


class _WithoutDocstrings(ast.NodeTransformer):
    """Removes code that does not affect results: docstrings and other bare constants, and annotations of functions."""

    def visit(self, node: ast.AST) -> ast.AST:
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            node.body = [each for each in node.body if not _is_text(each)] or [ast.Pass()]
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            node.returns = None
        if isinstance(node, ast.arg):
            node.annotation = None
        return self.generic_visit(node)


def _is_text(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
