"""What code reaches is what Python's own finder finds that starts anew for each piece of code."""

from __future__ import annotations

from collections.abc import Iterator
from modulefinder import ModuleFinder
from pathlib import Path

import pytest

from lmc_utils import dependencies, provenance

FOLDERS = sorted(each.parent.name for each in provenance.PACKAGE.glob("*/__init__.py"))


class Anew(ModuleFinder):
    """Looks into this package only, and forgets everything between two pieces of code."""

    def find_module(self, name, path, parent=None):  # type: ignore[no-untyped-def]
        if path is None and parent is None and name != provenance.PACKAGE.name:
            raise ImportError(name)
        return super().find_module(name, path, parent)


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty package, which provenance takes for the package."""
    package = tmp_path / provenance.PACKAGE.name
    package.mkdir()
    (package / "__init__.py").touch()
    monkeypatch.setattr(provenance, "PACKAGE", package)
    monkeypatch.setattr(provenance, "CHECKOUT", tmp_path)
    dependencies._finder.cache_clear()
    yield package
    dependencies._finder.cache_clear()


@pytest.mark.parametrize("folder", FOLDERS)
def test_it_is_what_a_finder_finds_that_starts_anew(folder: str) -> None:
    source = f"import lmc_utils.{folder}"
    finder = Anew(path=[str(provenance.CHECKOUT)])
    finder.scan_code(compile(source, "source", "exec"), finder.add_module("__main__"))
    files = [Path(module.__file__) for module in finder.modules.values() if module.__file__]  # type: ignore[attr-defined]
    found = dependencies.reached(source)
    assert set(found["modules"]) == {path.relative_to(provenance.PACKAGE).as_posix() for path in files}
    assert found["versions"].keys() - {"python"} == provenance.versions(finder.any_missing()).keys()


def test_one_piece_of_code_says_nothing_of_the_next() -> None:
    before = dependencies.reached("from lmc_utils import room")
    dependencies.reached("from lmc_utils.measure import lines")
    assert dependencies.reached("from lmc_utils import room") == before


def test_what_another_has_looked_for_in_vain_still_counts() -> None:
    dependencies.reached("import yaml")
    assert "PyYAML" in dependencies.reached("def later():\n    import yaml.nodes")["versions"]


def test_other_packages_beside_this_one_are_not_looked_into(package: Path) -> None:
    (package.parent / "yaml.py").write_text("import numpy")
    found = dependencies.reached("import yaml\nawait something()")
    assert (set(found["versions"]), found["modules"]) == ({"python", "PyYAML"}, {})


@pytest.mark.parametrize(
    ("code", "line"),
    [
        ("from . import other", r"expected absolute imports, found `from \. import"),
        ("from .other import x", r"expected absolute imports, found `from \.other import"),
        ("from lmc_utils import *", r"expected imports of names, found `from lmc_utils import \*`"),
    ],
)
def test_what_only_the_running_code_can_tell_is_refused(code: str, line: str, package: Path) -> None:
    (package / "one.py").write_text(code)
    (package / "other.py").touch()
    for _ in range(2):  # what was read in part is not taken for read
        with pytest.raises(ValueError, match=line):
            dependencies.reached("from lmc_utils import one")
    with pytest.raises(ValueError, match=line):
        dependencies.reached(code)


def test_the_star_of_a_module_or_of_a_library_is_all_of_it(package: Path) -> None:
    (package / "one.py").write_text("import numpy")
    found = dependencies.reached("from lmc_utils.one import *\nfrom yaml import *")
    assert (set(found["modules"]), set(found["versions"])) == ({"__init__.py", "one.py"}, {"python", "numpy", "PyYAML"})
