"""What axe-core finds on a page, in the light and in the dark, with all that is folded open."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Literal

from playwright.sync_api import Page
from vendor import Package, unpack

AXE = Package(
    "axe-core",
    "4.14.1",
    "sha512-FHfa+lmNjQZfJz1q8wKqIDwC6DExcHt/pkjNQb09a3NPjCKg2rhu5qb2S4r76ASyFNNtuFooJpZe37OgudVGtQ==",
    {"axe.min.js": "axe.js"},
)
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
UNFOLD = """() => {
    document.querySelectorAll("details").forEach((part) => (part.open = true));
    document.querySelectorAll(".toggle-hidden").forEach((part) => part.classList.remove("toggle-hidden"));
}"""
STILL = "*, ::before, ::after { transition: none !important; }"  # else colours are measured in transition
SHOWN = "scheme => document.documentElement.dataset.theme === scheme"
FINDINGS = """async () => (await axe.run(document, { resultTypes: ["violations"] })).violations
    .filter(({ impact }) => ["serious", "critical"].includes(impact))
    .flatMap(({ id, nodes }) => nodes.map(({ html, failureSummary }) => `${id}: ${html} ${failureSummary}`))"""


def serious_findings(page: Page, cache_folder: Path) -> list[str]:
    """Each finding of impact serious or critical: the rule, the element and what is wrong with it."""
    page.add_style_tag(content=STILL)
    page.evaluate(UNFOLD)
    page.evaluate(_axe(cache_folder))
    found = []
    for scheme in SCHEMES:
        page.emulate_media(color_scheme=scheme)
        page.wait_for_function(SHOWN, arg=scheme)
        found += [f"{scheme}: {each}" for each in page.evaluate(FINDINGS)]
    return found


@cache
def _axe(folder: Path) -> str:
    """The script of axe-core; it is fetched once, and no page of the book has it."""
    (file,) = unpack(AXE, folder, folder)
    return file.read_text(encoding="utf-8")
