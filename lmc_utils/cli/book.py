"""`lmc build`, `lmc pdf` and `lmc serve`: build the book as pages or as one PDF, and view it in a browser."""

from __future__ import annotations

from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Annotated

import typer
from typer import Option

from lmc_utils.cli.options import Preset, Root
from lmc_utils.output_files import require_writable
from lmc_utils.settings import PRESET_NAMES, ParameterError, require_choice


def build(
    preset: Preset = "default",
    jobs: Annotated[int, Option(min=1, help="Number of notebooks executed in parallel.")] = 2,
    root: Root = Path(),
) -> None:
    """Execute the notebooks that changed, and build the book in _build/html."""
    require_choice("preset", preset, PRESET_NAMES)
    if not (root / "_config.yml").is_file():
        raise ParameterError(f"'{root.resolve()}' is not a checkout of the book: it has no _config.yml; give --root")
    from lmc_utils.publishing import build

    raise typer.Exit(build.build(root, preset=preset, at_once=jobs))


def pdf(
    out: Annotated[Path | None, Option("--out", "-o", help="Output file; default: _build/book.pdf.")] = None,
    root: Root = Path(),
) -> None:
    """Print the whole book as one PDF, from the notebooks that `lmc build` has executed."""
    target = out or root / "_build" / "book.pdf"
    require_writable(target, "out", ".pdf")
    from lmc_utils.publishing import pdf

    pdf.write(root, target)
    typer.echo(target)


def serve(
    port: Annotated[int, Option(min=0, max=65535, help="Port on this machine; 0 picks a free one.")] = 8000,
    root: Root = Path(),
) -> None:
    """Serve the built book to a browser on this machine, until Ctrl-C."""
    from lmc_utils.publishing.site import Site

    html = Site(root).html
    if not (html / "index.html").is_file():
        raise ParameterError(f"no built book in '{html}'; run `lmc build` first")
    try:
        server = ThreadingHTTPServer(("127.0.0.1", port), partial(SimpleHTTPRequestHandler, directory=str(html)))
    except OSError as error:
        raise ParameterError(f"cannot use port {port}: {error.strerror}; choose another by --port") from error
    with server:
        typer.echo(f"http://127.0.0.1:{server.server_port}/ (Ctrl-C stops)")
        server.serve_forever()
