"""Print the whole book as one PDF by Chromium, with equations and figures as on screen."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from rich.console import Console

from lmc_utils.provenance import write_whole
from lmc_utils.publishing import browser
from lmc_utils.publishing.site import Site, exclusive_build, run_job, run_sphinx
from lmc_utils.running import subprocess_jobs
from lmc_utils.settings import ParameterError

_FOOTER = (
    '<div style="width: 100%; font-size: 8px; color: #3b4252; text-align: center">'
    '<span class="title"></span> &middot; <span class="pageNumber"></span></div>'
)


def write(root: Path, target: Path) -> None:
    """Print the book from the last executed notebooks, with outline and page numbers.

    Args:
        root: the checkout; `lmc build` has executed its notebooks.
        target: the PDF, replaced when the new one is complete.

    Raises:
        ParameterError: nothing has been executed, the pages failed, or there is no browser.
    """
    site = Site(root)
    if not any(site.executed.glob("*.ipynb")):
        raise ParameterError(f"no executed notebooks in '{site.executed}'; run `lmc build` first")
    browser.require_browser()
    console = Console(stderr=True, soft_wrap=True)
    output = site.root / "_build" / "pdf"
    with exclusive_build(site):
        shutil.rmtree(output, ignore_errors=True)
        output.mkdir(parents=True)
        if not run_sphinx(site, output, builder="singlehtml", log=output / "sphinx.log", console=console):
            raise ParameterError(f"the pages have warnings; see '{output / 'sphinx.log'}'")
        (page,) = (path for path in output.glob("_build/singlehtml/*.html") if path.name != "index.html")
        command = [sys.executable, "-m", __name__, str(page), str(output / "book.pdf")]
        printing = subprocess_jobs.Job("printing", command, output / "print.log", site.root, os.environ)
        if not run_job(printing, console):
            raise ParameterError(subprocess_jobs.last_line(printing.log))
        target.parent.mkdir(parents=True, exist_ok=True)
        write_whole(target, (output / "book.pdf").read_bytes())


def print_page(page: Path, target: Path) -> None:
    """Print a local page once its equations are rendered.

    Raises:
        ParameterError: there is no browser, or Playwright is not installed.
    """
    margins = {"top": "16mm", "bottom": "18mm", "left": "16mm", "right": "16mm"}
    with browser.launched() as chromium:
        sheet = chromium.new_page(color_scheme="light")
        sheet.goto(page.as_uri())
        sheet.evaluate("window.MathJax?.startup?.promise")
        sheet.evaluate("Promise.all([...document.images].map((image) => image.decode()))")
        sheet.pdf(
            path=target,
            format="A4",
            scale=0.75,
            margin=margins,  # type: ignore[arg-type]
            outline=True,
            tagged=True,
            print_background=True,
            display_header_footer=True,
            header_template="<span></span>",
            footer_template=_FOOTER,
        )


if __name__ == "__main__":
    try:
        print_page(Path(sys.argv[1]), Path(sys.argv[2]))
    except ParameterError as error:
        sys.exit(f"lmc: {error}")
