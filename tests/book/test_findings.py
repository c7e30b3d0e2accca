"""The page of findings shows claims and figures as the executed chapters have them."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from findings import bring_findings
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError

from lmc_utils.measure.claim_table import ClaimTable
from lmc_utils.measure.claims import Cases, Claim, Rule

PNG = base64.b64encode(b"a picture").decode()


def chapter(*values: float) -> dict[str, Any]:
    """A chapter that claims of each value that it is small."""
    rule = Rule("below", 2.0)
    claims = (Claim(f"The value {value:g} is small.", ((rule, (Cases("it", (value,)),)),)) for value in values)
    data = ClaimTable(tuple(claims))._repr_mimebundle_()
    cells = [
        {"cell_type": "markdown", "id": "title", "metadata": {}, "source": "# Is it small?\n\nPerhaps."},
        {"cell_type": "code", "id": "claims", "metadata": {}, "source": "", "outputs": [{"data": data}]},
        {
            "cell_type": "code",
            "id": "drawing",
            "metadata": {"mystnb": {"image": {"alt": "A picture."}}},
            "source": "",
            "outputs": [{"data": {"image/svg+xml": ["<svg>", "</svg>"]}}, {"data": {"image/png": PNG}}],
        },
    ]
    return {"cells": cells, "metadata": {}}


def page(tmp_path: Path, text: str, **chapters: dict[str, Any]) -> str:
    (tmp_path / "book" / "notebooks").mkdir(parents=True, exist_ok=True)
    for name, content in chapters.items():
        (tmp_path / "book" / "notebooks" / f"{name.removeprefix('c')}.ipynb").write_text(json.dumps(content))
    env = SimpleNamespace(doc2path=lambda name: f"{name}.md", note_dependency=lambda path: None)
    app = SimpleNamespace(env=env, srcdir=tmp_path / "book", outdir=tmp_path / "out" / "html")
    content = [text]
    bring_findings(cast("Sphinx", app), "findings", content)
    return content[0]


def test_a_claim_is_looked_up_by_a_part_of_its_statement(tmp_path: Path) -> None:
    shown = page(tmp_path, "| small | <!-- claim 02 value 3 --> |", c02_a=chapter(1.0, 3.0))
    link = "[2.2](#claims-02_a)"
    assert shown == f"| small | {link} The value 3 is small. | **fails** | it: 0 of 1 (3.00) |"


def test_all_claims_are_listed_and_counted(tmp_path: Path) -> None:
    shown = page(tmp_path, "<!-- outcomes -->\n\n<!-- claims -->", c02_a=chapter(1.0, 3.0), c03_b=chapter(1.5))
    counted, *rest = shown.split("\n\n")
    assert counted == "2 hold, 1 fails, and for 0 this run cannot tell"
    assert rest[0] == "### [Is it small?](notebooks/02_a.ipynb)"
    assert [row.partition("]")[0] for row in shown.splitlines() if "](#" in row] == ["| [2.1", "| [2.2", "| [3.1"]


@pytest.mark.parametrize(
    ("mark", "complaint"),
    [
        ("<!-- claim 02 value 4 -->", "one claim of chapter 02 with 'value 4', found 0; its claims: The value 1 is"),
        ("<!-- claim 02 is small -->", "found 2"),
        ("<!-- claim 07 value 1 -->", "expected an executed chapter 07"),
        ("<!-- figure 02 title -->", "expected a figure of the cell 'title'"),
    ],
)
def test_a_mark_that_names_nothing_or_several_things_fails_the_build(tmp_path: Path, mark: str, complaint: str) -> None:
    with pytest.raises(ExtensionError, match=complaint):
        page(tmp_path, mark, c02_a=chapter(1.0, 3.0))


def test_the_last_figure_of_a_cell_is_shown(tmp_path: Path) -> None:
    shown = page(tmp_path, "<!-- figure 02 drawing -->", c02_a=chapter())
    address = next(line for line in shown.splitlines() if "{image}" in line).split()[-1]
    assert (tmp_path / "book" / address.lstrip("/")).read_bytes() == b"a picture"
    assert ":alt: A picture." in shown
