"""Conversion of MyST to plain Markdown."""

from __future__ import annotations

from pathlib import Path

import pytest

from lmc_utils.running import plain_markdown

WORKS = {"a2020": ("Alf and Bo", "2020", "https://example.org/a"), "c1999": ("Cy", "1999", "")}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{cite:p}`a2020,c1999`", "([Alf and Bo, 2020](https://example.org/a); Cy, 1999)"),
        ("{cite:t}`c1999`", "Cy (1999)"),
        ("{cite:p}`nobody`", "(nobody)"),
        ("{eq}`eq-a` and {eq}`eq-b`", "(2.1) and (eq-b)"),
        ("{term}`sibling`, {term}`nats <nat>`", "sibling, nats"),
        ("{mod}`lmc_utils.toy`", "`lmc_utils.toy`"),
        (
            "[chapter 3](03_x.ipynb#part), [a host](https://x.y), ![p](p.png)",
            "chapter 3, [a host](https://x.y), ![p](p.png)",
        ),
        ("(here-it-is)=\n## Here", "## Here"),
        ("`{not}` a {role} `x`", "`{not}` a {role} `x`"),
    ],
)
def test_roles_and_links(text: str, said: str) -> None:
    assert plain_markdown.to_plain_markdown(text, {"eq-a": "2.1"}, WORKS) == said


def test_lines_of_an_equation_are_aligned_and_numbered() -> None:
    text = "So:\n\n```{math}\n:label: eq-a\na &= b \\\\\nc &= d\n```\n\n```{math}\nx\n```\n"
    aligned = "\\begin{aligned}\na &= b \\\\\nc &= d\n\\end{aligned} \\tag{2.1}"
    assert plain_markdown.to_plain_markdown(text, {"eq-a": "2.1"}, {}) == f"So:\n\n$$\n{aligned}\n$$\n\n$$\nx\n$$\n"
    assert plain_markdown.equation_labels(text) == ["eq-a"]


def test_a_remark_is_a_quotation() -> None:
    text = "```{admonition} What {eq}`eq-a` hides\n:class: note\nMuch.\n\nMore.\n```"
    assert plain_markdown.to_plain_markdown(text, {"eq-a": "1"}, {}) == "> **What (1) hides**\n>\n> Much.\n>\n> More."


def test_works_are_read_with_their_letters(tmp_path: Path) -> None:
    path = tmp_path / "x.bib"
    path.write_text(
        '@misc{a, author={Sch{\\"o}lkopf, B. and Kaiser, {\\L}.}, year={2017}, eprint={1.2}}\n'
        "@book{b, author={A, B. and C, D. and E, F.}, year={2018}, doi={10.1/x}}\n"
    )
    assert plain_markdown.read_bibliography(path) == {
        "a": ("Schölkopf and Kaiser", "2017", "https://arxiv.org/abs/1.2"),
        "b": ("A et al.", "2018", "https://doi.org/10.1/x"),
    }
    assert plain_markdown.read_bibliography(tmp_path / "none.bib") == {}
