"""Sphinx extension: everything a page needs lies beside it, so that it works without a network and from a disk.

MathJax, require.js and the Jupyter widgets' html-manager come from npm (see `vendor`), anywidget's script from its
Python package. They go into a folder of their own: Jupyter Book adds whatever lies in `book/_static` to every page,
while these are for the pages that have equations or widgets.
"""

from __future__ import annotations

import re
import shutil
from importlib import resources
from importlib.metadata import version
from pathlib import Path
from typing import Any

from docutils import nodes  # type: ignore[import-untyped]
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.errors import ExtensionError
from vendor import Package, VendorError, integrity, unpack

MATHJAX = Package(
    "mathjax",
    "3.2.2",
    "sha512-Bt+SSVU8eBG27zChVewOicYs7Xsdt40qm4+UpHyX7k0/O9NliPc+x77k1/FEsPsjKPZGJvtRZM1vO+geW0OhGw==",
    {"es5/tex-svg-full.js": "mathjax/tex-svg-full.js"},
)
REQUIRE = Package(
    "requirejs",
    "2.3.8",
    "sha512-7/cTSLOdYkNBNJcDMWf+luFvMriVm7eYxp4BcFCsAX0wF421Vyce5SXP17c+Jd5otXKGNehIonFlyQXSowL6Mw==",
    {"require.js": "widgets/require.js"},
)
ANYWIDGET = (
    "0.11.0",
    "sha512-6VKFs6N8SBLqjP/j0KeCcB6FPN/+lBbUCo+oBJuVwcKyXgFggsYasWgAevmvNsWs6SsmJ8EYiWrjFtqO1faFCg==",
)
FONTS = ("1551f4f60c37af51121f", "7a3337626410ca2f4071", "d878b0a6a1144760244f")  # the icons of Play and its kin
MANAGER = Package(
    "@jupyter-widgets/html-manager",
    "1.0.15",
    "sha512-5thBIV6ymNgmPVOHvzx+gGy8ZSKmSazhtGw4/c4xJDVzRhG9PTeQsRjF3FUTopvFi//SABeNz1yp47bCrJ3CQA==",
    {f"dist/{name}": f"widgets/{name}" for name in ("embed-amd.js", *(f"{font}.woff2" for font in FONTS))},
)

VIEW = '<script type="application/vnd.jupyter.widget-view+json">'
NOTE = (
    '<p class="widget-missing" role="note">This interactive figure did not load: JavaScript is '
    "turned off, or its script or data is missing. The static figures on this page show its starting state.</p>"
)


def setup(app: Sphinx) -> dict[str, Any]:
    """Register with Sphinx."""
    app.connect("config-inited", bring_along)
    app.connect("doctree-read", leave_notes)
    # The theme's icon script would replace the icons of widgets too, under the widgets' hands.
    app.add_js_file(None, body="window.FontAwesomeConfig = {observeMutations: false};", priority=1)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def bring_along(app: Sphinx, config: Config) -> None:
    """Lay the scripts out, and let pages ask for them there."""
    build = Path(app.srcdir).parent / "_build" / "vendor"
    static = build / "static"
    shutil.rmtree(static, ignore_errors=True)
    try:
        for package in (MATHJAX, REQUIRE, MANAGER):
            unpack(package, build, static)
    except VendorError as error:
        raise ExtensionError(f"the book's scripts: {error}") from error
    _find_fonts_on_disk(static / "widgets" / "embed-amd.js")
    (static / "widgets" / "anywidget.js").write_bytes(_anywidget())
    shutil.copyfile(Path(__file__).with_name("offline.js"), static / "widgets" / "offline.js")
    config.html_static_path = [*config.html_static_path, str(static)]
    config.mathjax_path = "mathjax/tex-svg-full.js"
    scripts = ("require", "offline", "embed-amd")
    config.nb_ipywidgets_js = {f"widgets/{name}.js": {"defer": "defer"} for name in scripts}


def _anywidget() -> bytes:
    """The script of the installed anywidget, which in the locked version is the one that was pinned."""
    script = (resources.files("anywidget") / "nbextension" / "index.js").read_bytes()
    pinned, wanted = ANYWIDGET
    if version("anywidget") == pinned and (got := integrity(script)) != wanted:
        raise ExtensionError(f"the book's scripts: anywidget {pinned}: expected the script {wanted}, got {got}")
    return script


def _find_fonts_on_disk(script: Path) -> None:
    """Let the widgets look for their fonts beside their script also where it has no host: a file's origin is "null"."""
    text, count = re.subn(r"\$\{(\w+)\.origin\}\$\{\1\.pathname\}", r"${\1.href}", script.read_text(encoding="utf-8"))
    if not count:
        raise ExtensionError(f"the book's scripts: {MANAGER.pinned} says in a new way where its fonts are")
    script.write_text(text, encoding="utf-8")


def leave_notes(app: Sphinx, doctree: nodes.document) -> None:
    """Put a note beside each widget. The style sheet shows it where the widget does not appear; no script is needed."""
    for view in [raw for raw in doctree.findall(nodes.raw) if raw.astext().startswith(VIEW)]:
        view.parent.insert(view.parent.index(view) + 1, nodes.raw("", NOTE, format="html"))
