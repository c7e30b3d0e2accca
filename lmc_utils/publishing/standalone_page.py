"""A page that stands alone in one file: no script, no picture beside it, no request to any host."""

from __future__ import annotations

import html
from collections.abc import Sequence
from pathlib import Path

from lmc_utils.provenance import write_whole
from lmc_utils.publishing.output_files import require_writable
from lmc_utils.settings import require

_STYLE = (
    "body{font-family:sans-serif;max-width:72rem;margin:2rem auto;padding:0 1rem;color:#3b4252}"
    "svg{max-width:100%;height:auto}table{border-collapse:collapse;display:block;overflow-x:auto}"
    "td,th{padding:.2rem .8rem;text-align:right;border-bottom:1px solid #e5e9f0}"
    "td:first-child,th:first-child{text-align:left}h3{font-size:1rem;margin-bottom:.2rem}"
    "pre{background:#eceff4;padding:.6rem .8rem;overflow-x:auto;margin:.4rem 0}"
    "@media (prefers-color-scheme:dark){body{background:#121212;color:#d8dee9}td,th{border-color:#3b4252}"
    "pre{background:#2e3440}svg{background:#fff;padding:.4rem;border-radius:.3rem}}"
)


def require_html_name(page: Path | None, option: str = "html") -> None:
    """Raise ParameterError unless the page that an option asks for, if it does, can be written, and ends in .html."""
    if page is not None:
        require(page.suffix == ".html", option, "a file name ending in .html", str(page))
        require_writable(page, option)


def html_table(rows: Sequence[Sequence[str]]) -> str:
    """A table as HTML; its first row is the head.

    >>> html_table([["a"], ["<"]])
    '<table><tr><th>a</th></tr><tr><td>&lt;</td></tr></table>'
    """

    def line(row: Sequence[str], tag: str) -> str:
        return "<tr>" + "".join(f"<{tag}>{html.escape(cell)}</{tag}>" for cell in row) + "</tr>"

    head, *others = rows
    return f"<table>{line(head, 'th')}{''.join(line(row, 'td') for row in others)}</table>"


def write(page: Path, title: str, body: str) -> None:
    """Write a page, whole; its title is text, its body HTML."""
    head = "<meta charset='utf-8'><meta name='viewport' content='width=device-width, initial-scale=1'>"
    head += f"<title>{html.escape(title)}</title><style>{_STYLE}</style>"
    text = f"<!doctype html><html lang='en'><head>{head}</head><body><h1>{html.escape(title)}</h1>{body}</body></html>"
    write_whole(page, text.encode())
