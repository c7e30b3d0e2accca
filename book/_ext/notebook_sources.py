"""Sphinx extension: a notebook's download button hands out its source.

Pages are built from the notebooks that papermill executed, and Sphinx keeps a copy of those for download. Readers who
want to rerun a notebook are better served by the source: no outputs, no injected parameters, a small part of the size.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx


def setup(app: Sphinx) -> dict[str, Any]:
    """Register with Sphinx."""
    app.connect("build-finished", hand_out_sources)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def hand_out_sources(app: Sphinx, exception: Exception | None) -> None:
    """Put `notebooks/NAME.ipynb` of the repository in place of the executed copy under `_sources`."""
    for name in app.env.found_docs:
        executed = Path(app.outdir, "_sources", f"{name}.ipynb")
        if executed.exists():
            shutil.copyfile(Path(app.srcdir).parent / f"{name}.ipynb", executed)
