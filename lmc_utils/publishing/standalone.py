"""A page that stands alone in one file: no script, no picture beside it, no request to any host."""

from __future__ import annotations

import html
from pathlib import Path

from lmc_utils.provenance import write_whole
from lmc_utils.settings import require

_STYLE = (
    "body{font-family:sans-serif;max-width:72rem;margin:2rem auto;padding:0 1rem;color:#3b4252}"
    "svg{max-width:100%;height:auto}table{border-collapse:collapse;display:block;overflow-x:auto}"
    "td,th{padding:.2rem .8rem;text-align:right;border-bottom:1px solid #e5e9f0}"
    "td:first-child,th:first-child{text-align:left}"
)


def require_name(page: Path | None) -> None:
    """Raise ParameterError unless the page that is asked for, if one is, has a name for it."""
    require(page is None or page.suffix == ".html", "html", "a name that ends in .html", str(page))


def write(page: Path, title: str, body: str) -> None:
    """Write a page, whole.

    Args:
        page: the file.
        title: as text.
        body: as HTML.
    """
    head = "<meta charset='utf-8'><meta name='viewport' content='width=device-width, initial-scale=1'>"
    head += f"<title>{html.escape(title)}</title><style>{_STYLE}</style>"
    text = f"<!doctype html><html lang='en'><head>{head}</head><body><h1>{html.escape(title)}</h1>{body}</body></html>"
    write_whole(page, text.encode())
