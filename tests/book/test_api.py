"""The pages of the package: one a module, each name with its place in the source."""

from __future__ import annotations

import re
from pathlib import Path

from generated import listed_modules

ROOT = Path(__file__).parents[2]
SOURCE = re.compile(r'class="lmc-source">(.*?)<a class="headerlink"')


def test_each_public_module_has_a_page(site: Path) -> None:
    listed = listed_modules(ROOT / "book" / "api")
    assert {"lmc_utils.settings", "lmc_utils.measure.lines", "lmc_utils.connect.alignment.matching"} <= set(listed)
    assert {path.stem for path in (site / "api" / "modules").glob("*.html")} == set(listed)


def test_each_function_and_class_has_the_line_of_its_source(site: Path) -> None:
    said = 0
    for page in site.glob("api/**/*.html"):
        for shown in SOURCE.findall(page.read_text(encoding="utf-8")):
            path, line = re.sub("<[^>]+>", "", shown).split(", line ")
            first = (ROOT / path).read_text(encoding="utf-8").splitlines()[int(line) - 1]
            assert re.match(r"@|def |class ", first), (page, path, line)
            said += 1
    assert said > 100


def test_fields_of_named_tuples_are_not_aliases(site: Path) -> None:
    assert [page for page in site.glob("api/**/*.html") if "Alias for field number" in page.read_text()] == []
