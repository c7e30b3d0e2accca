"""A self-contained page in one file, without scripts or requests to any host."""

from __future__ import annotations

import html
from collections.abc import Sequence
from pathlib import Path

from lmc_utils.provenance import write_whole

_STYLE = (  # that of the book, light and dark
    ":root{color-scheme:light dark;--line:#d1d5da;--code:#f3f4f5}"
    "body{font-family:system-ui,sans-serif;line-height:1.5;max-width:72rem;margin:2rem auto;padding:0 1rem;"
    "background:#fff;color:#323232}h1{font-size:2.2rem;font-weight:400;line-height:1.15;overflow-wrap:anywhere}"
    "h2{font-weight:400}h3,h4{font-size:1rem;margin-bottom:.2rem}"
    "details{border:1px solid var(--line);border-radius:.4rem;margin:.75rem 0;padding:.3rem .8rem}"
    "summary{cursor:pointer}table{border-collapse:collapse;display:block;overflow-x:auto}"
    "td,th{padding:.2rem .8rem;text-align:right;border-bottom:1px solid var(--line)}"
    "td:first-child,th:first-child{text-align:left}"
    "pre{background:var(--code);padding:.6rem .8rem;overflow-x:auto;margin:.4rem 0}"
    "@media (prefers-color-scheme:dark){:root{--line:#48566b;--code:#29313d}body{background:#121212;color:#ced6dd}}"
)


def html_table(rows: Sequence[Sequence[str]]) -> str:
    """A table as HTML; its first row is the header.

    >>> html_table([["a"], ["<"]])
    '<table><tr><th>a</th></tr><tr><td>&lt;</td></tr></table>'
    """

    def line(row: Sequence[str], tag: str) -> str:
        return "<tr>" + "".join(f"<{tag}>{html.escape(cell)}</{tag}>" for cell in row) + "</tr>"

    head, *others = rows
    return f"<table>{line(head, 'th')}{''.join(line(row, 'td') for row in others)}</table>"


def write(page: Path, title: str, body: str) -> None:
    """Write a page atomically; its title is text, its body HTML."""
    head = "<meta charset='utf-8'><meta name='viewport' content='width=device-width, initial-scale=1'>"
    head += f"<title>{html.escape(title)}</title><style>{_STYLE}</style>"
    text = f"<!doctype html><html lang='en'><head>{head}</head><body><h1>{html.escape(title)}</h1>{body}</body></html>"
    write_whole(page, text.encode())
