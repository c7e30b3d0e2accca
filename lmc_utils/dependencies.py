"""What code can reach by its imports, so that a change of anything else changes nothing that was made with it."""

from __future__ import annotations

import ast
import platform
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from modulefinder import ModuleFinder
from pathlib import Path
from types import CodeType
from typing import Any

from lmc_utils import provenance


def reached(*sources: str) -> dict[str, Any]:
    """All that code can reach by its imports: this package's modules and their assets, and versions of all others.

    Imports within functions count; nothing is executed.

    Args:
        sources: Python code, such as the cells of a notebook; what does not parse reaches nothing.

    Returns:
        The meaning of each module of this package (`provenance.meaning`), the path of each file in the folder `static`
        beside one, and the versions of Python and of all else that is imported, as `provenance.digest` takes them.

    Raises:
        ValueError: what is imported cannot be told by reading: a relative import, or the star of a folder.

    >>> found = reached("from lmc_utils import resources")
    >>> sorted(found["modules"]), list(found["versions"])
    (['__init__.py', 'resources.py'], ['python', 'psutil'])
    """
    package, finder = provenance.PACKAGE, _finder()
    try:
        names = finder.names_from(*sources)
    except Exception:
        _finder.cache_clear()  # it has read a module in part
        raise
    files = [getattr(finder.modules[name], "__file__", None) for name in names & finder.modules.keys()]
    inside = {Path(file) for file in files if file}
    assets = {
        asset for path in inside for asset in (path.parent / "static").glob("*") if asset.suffix in provenance.KINDS
    }
    others = [name for name in names if name.partition(".")[0] != package.name]
    return {
        "modules": {path.relative_to(package).as_posix(): provenance.meaning(path) for path in inside},
        "assets": {path.relative_to(package).as_posix(): path for path in assets},
        "versions": {"python": platform.python_version()} | provenance.versions(others),
    }


@cache  # notebooks reach much the same modules, and to read those takes nearly all of the time
def _finder() -> _Finder:
    return _Finder(path=[str(provenance.CHECKOUT)])


class _Finder(ModuleFinder):
    """Looks into this package only, also where others are installed beside it, and keeps which names a module imports.

    A name may be that of a module, of something in one, or of a package outside; `modules` has those within.
    """

    def __init__(self, path: list[str]) -> None:
        super().__init__(path)
        self._imported: dict[str, set[str]] = defaultdict(set)

    def names_from(self, *sources: str) -> set[str]:
        """All that code imports, and what is imported by that, and so on."""
        main = self.add_module("__main__")
        self._imported.pop("__main__", None)
        for source in sources:
            try:
                self.scan_code(compile(source, "source", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT), main)
            except SyntaxError:
                continue
        found, fresh = set[str](), {*self._imported["__main__"]}
        while fresh:
            found |= fresh
            fresh = {name for each in fresh for name in self._imported.get(each, ())} - found
        return found

    def find_module(self, name: str, path: Any, parent: Any = None) -> Any:
        if path is None and parent is None and name != provenance.PACKAGE.name:
            raise ImportError(name)
        return super().find_module(name, path, parent)

    def _safe_import_hook(self, name: str, caller: Any, fromlist: list[str] | None, level: int = -1) -> None:
        """What every import comes through, also one that leads nowhere."""
        super()._safe_import_hook(name, caller, fromlist, level)  # type: ignore[misc]
        self._imported[caller.__name__].update(_with_parents(name), (f"{name}.{each}" for each in fromlist or ()))

    def scan_opcodes(self, co: CodeType) -> Iterator[tuple[str, tuple[Any, ...]]]:
        """What is imported; a relative import and the star of a folder bring what only the running code can tell."""
        for what, about in super().scan_opcodes(co):
            if what == "relative_import":
                raise ValueError(f"expected absolute imports, found `from {'.' * about[0]}{about[2]} import ...`")
            starred = what == "absolute_import" and "*" in (about[0] or ())
            if starred and provenance.CHECKOUT.joinpath(*about[1].split(".")).is_dir():
                raise ValueError(f"expected imports of names, found `from {about[1]} import *`")
            yield what, about


def _with_parents(name: str) -> Iterator[str]:
    """A name, and those of the packages around it, which are imported with it."""
    while name:
        yield name
        name = name.rpartition(".")[0]
