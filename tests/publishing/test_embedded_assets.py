"""Pages with embedded assets need no other files, and lose nothing."""

from __future__ import annotations

import base64
import gzip
import re
from pathlib import Path

import pytest

from lmc_utils.publishing.embedded_assets import embed_assets


@pytest.fixture
def page(tmp_path: Path) -> Path:
    static = tmp_path / "_static"
    static.mkdir()
    (static / "more.css").write_text("b {color: red}")
    (static / "look.css").write_text('@import "more.css"; i {background: url(dot.svg)} u {src: url("font.woff2")}')
    (static / "dot.svg").write_text("<svg id='dot'/>")
    (static / "hill.svg").write_text("<svg id='hill'/>")
    (static / "short.js").write_text("const end = '</script>';")
    (static / "long.js").write_text("f();" * 20_000)
    text = """<html><head>
<link rel="preload" as="script" href="_static/short.js"/>
<link href="_static/look.css?v=1" rel="stylesheet" />
<link rel="icon" href="_static/dot.svg"/>
<link rel="next" href="other.html"/>
<script>before()</script>
<script defer src="_static/short.js?v=2"></script>
<script src="_static/long.js"></script>
<script type="application/json">{"kept": "<script>"}</script>
</head><body><img alt="a hill" src="_static/hill.svg" width="3"/></body></html>"""
    (tmp_path / "page.html").write_text(text)
    return tmp_path / "page.html"


def test_a_page_refers_to_no_other_file(page: Path) -> None:
    text = embed_assets(page)
    assert "_static" not in text
    assert "other.html" not in text
    assert "preload" not in text
    assert "font.woff2" not in text


def test_styles_keep_imports_and_images(page: Path) -> None:
    style = re.findall(r"<style>(.*?)</style>", embed_assets(page))[0]
    assert style.index("b {color: red}") < style.index("i {background: url(data:image/svg+xml;base64,")


def test_scripts_keep_their_order_and_text(page: Path) -> None:
    kept = re.findall(r'<script type="text/plain" data-lmc="(\w+)">(.*?)</script>', embed_assets(page))
    assert [kind for kind, _ in kept] == ["plain", "plain", "packed"]
    assert [kept[0][1], kept[1][1]] == ["before()", "const end = '<\\/script>';"]
    assert gzip.decompress(base64.b64decode(kept[2][1])).decode() == "f();" * 20_000


def test_a_drawing_is_compressed_and_keeps_its_text(page: Path) -> None:
    (drawing,) = re.findall(r'<img alt="a hill" data-lmc="([^"]+)" width="3"/>', embed_assets(page))
    assert gzip.decompress(base64.b64decode(drawing)) == b"<svg id='hill'/>"


def test_data_are_unchanged(page: Path) -> None:
    assert '<script type="application/json">{"kept": "<script>"}</script>' in embed_assets(page)


def test_the_same_page_gives_the_same_file(page: Path) -> None:
    assert embed_assets(page) == embed_assets(page)
