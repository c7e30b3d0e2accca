"""A run as a self-contained page in the style of the book."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import yaml
from nbformat import NotebookNode, from_dict
from nbformat import write as write_notebook
from rich.console import Console

from lmc_utils.output_files import require_writable
from lmc_utils.provenance import write_whole
from lmc_utils.publishing import embedded_assets
from lmc_utils.publishing.site import Site, exclusive_build, run_sphinx
from lmc_utils.running import comparison, notebook_files, readable_notebook
from lmc_utils.running.notebooks import Notebook
from lmc_utils.settings import ParameterError

_TAGGED = re.compile(r"^\$\$\n(.*?\\tag\{[^}]*\})\n\$\$$", re.MULTILINE | re.DOTALL)
_LOOK = {"custom.css", "figures.js", "folds.js", "favicon.svg", "logo.svg", "logo-dark.svg"}
_NEEDED = {"accessible_markup", "claim_outputs", "dark_figures", "offline", "page_order"}  # among the book's extensions
_ALONE = {  # settings that remove links to other pages
    "use_download_button": False,
    "use_repository_button": False,
    "use_issues_button": False,
    "article_header_start": [],
    "article_header_end": [],
    "primary_sidebar_end": [],
    "search_bar_text": "",
}


def require_target(target: Path, option: str, root: Path) -> None:
    """Raise ParameterError unless a page can be written there, and there is a checkout with the book's style."""
    if not (root / "_config.yml").is_file():
        raise ParameterError(f"'{root.resolve()}' is not a checkout of the book: it has no _config.yml; give --root")
    require_writable(target, option, ".html")


def write(root: Path, run: Path, target: Path) -> None:
    """Write the page of an executed notebook.

    Args:
        root: a checkout of the book, for its style.
        run: the notebook, executed by `lmc run` or papermill.
        target: the HTML file, replaced when the new one is complete.

    Raises:
        ParameterError: it was not executed, there is no checkout, or the page failed.
    """
    require_target(target, "out", root)
    notebook = prepare_notebook(run, root)
    site = Site(root)
    work = Site(site.root / "_build" / "page")
    console = Console(stderr=True, soft_wrap=True)
    with exclusive_build(site):
        shutil.rmtree(work.root, ignore_errors=True)
        _write_sources(site, work, notebook)
        log = work.root / "html.log"
        if not run_sphinx(work, work.root / "out", builder="html", log=log, console=console, strict=False):
            raise ParameterError(f"no page was made of '{run}'; see '{log}'")
        text = embedded_assets.embed_assets(work.root / "out" / "_build" / "html" / "run.html")
        target.parent.mkdir(parents=True, exist_ok=True)
        write_whole(target, text.encode())
        shutil.rmtree(work.root, ignore_errors=True)


def prepare_notebook(run: Path, root: Path) -> NotebookNode:
    """Prepare an executed notebook for its page: readable, with its title first and equations numbered as in the book.

    Raises:
        ParameterError: it is not a notebook, or was not executed.
    """
    executed = notebook_files.read(run, "an executed notebook")
    about = executed["metadata"].get("papermill") or {}
    if not any(cell.get("outputs") or cell.get("execution_count") for cell in executed["cells"]):
        raise ParameterError(f"'{run}' is not an executed notebook; execute it by `lmc run`")
    source = root / "notebooks" / f"{Path(about.get('input_path') or run).stem}.ipynb"
    book = Notebook(source if source.is_file() else run)  # in Jupyter, the parameters cell itself is edited
    readable = readable_notebook.make_readable(
        executed, comparison.parameters(run), book=book.defaults, source=source, just_run=False
    )
    summary, *cells = map(_with_numbered_equations, readable["cells"])
    titled = cells and cells[0]["cell_type"] == "markdown" and "".join(cells[0]["source"]).startswith("# ")
    title = cells.pop(0) if titled else _titled(summary, run.stem)
    about = readable["metadata"].get("lmc")
    picture = about.get("picture") if isinstance(about, dict) else None  # the rest is done: a box would be a second one
    metadata = {**readable["metadata"], "lmc": {"picture": picture}}
    page: NotebookNode = from_dict({**readable, "metadata": metadata, "cells": [title, summary, *cells]})
    return page


def _titled(cell: dict[str, Any], title: str) -> dict[str, Any]:
    """A cell with only a title, with the metadata of another one."""
    return {**cell, "source": f"# {title}"} | ({"id": "lmc-title"} if "id" in cell else {})


def _with_numbered_equations(cell: dict[str, Any]) -> dict[str, Any]:
    if cell["cell_type"] != "markdown":
        return cell
    equation = "```{math}\n:nowrap:\n\n\\\\begin{equation}\n\\1\n\\\\end{equation}\n```"
    return {**cell, "source": _TAGGED.sub(equation, "".join(cell["source"]))}


def _write_sources(site: Site, work: Site, notebook: NotebookNode) -> None:
    """Write the sources of a one-page book in the style of the checkout's."""
    book = work.root / "book"
    (book / "_static").mkdir(parents=True)
    for name in _LOOK:
        shutil.copyfile(site.root / "book" / "_static" / name, book / "_static" / name)
    shutil.copyfile(site.root / "book" / "references.bib", book / "references.bib")
    write_notebook(notebook, book / "run.ipynb")
    (book / "_toc.yml").write_text("format: jb-book\nroot: run\n")
    vendor = work.root / "_build" / "vendor"
    vendor.mkdir(parents=True)
    for tarball in (site.root / "_build" / "vendor").glob("*.tgz"):  # so that they need not be fetched again
        shutil.copyfile(tarball, vendor / tarball.name)
    _write_config(site.root, work.root / "_config.yml")


def _write_config(root: Path, path: Path) -> None:
    settings: dict[str, Any] = yaml.safe_load((root / "_config.yml").read_bytes())
    settings.pop("repository", None)
    own = settings["sphinx"]["local_extensions"]
    for name in own.keys() - _NEEDED:
        own.pop(name)
        settings["sphinx"]["config"]["extensions"].remove(name)
    own.update({name: str(root.resolve() / folder) for name, folder in own.items()})
    settings["sphinx"]["config"]["html_theme_options"] |= _ALONE
    settings["sphinx"]["config"]["html_sidebars"] = {"**": []}
    path.write_text(yaml.safe_dump(settings, sort_keys=False), encoding="utf-8")
