"""Turn a page of the built book into a single file, with styles, scripts, pictures and fonts embedded."""

from __future__ import annotations

import base64
import gzip
import re
from pathlib import Path

_STYLE = re.compile(r'<link\b[^>]*?href="([^"]+\.css)(?:\?[^"]*)?"[^>]*>')
_SCRIPT = re.compile(r"<script\b([^>]*)>(.*?)</script>", re.DOTALL)
_SOURCE = re.compile(r'\bsrc="([^"?]+)')
_DRAWING = re.compile(r'(<img\b[^>]*?)src="((?!data:|https?:)[^"]+\.svg)"')
_PICTURE = re.compile(
    r'(<(?:img|link)\b[^>]*?(?:src|href)=")((?!data:|https?:|#)[^"]+\.(?:svg|png|webp|jpe?g))(?:\?[^"]*)?"'
)
_ASIDE = re.compile(r'<link\b[^>]*\brel="(?:preload|index|search|next|prev|canonical)"[^>]*>')
_URL = re.compile(r"url\((['\"]?)(?!data:|#|https?:)([^)'\"?#]+)[^)]*\)")
_IMPORT = re.compile(r"@import\s+(?:url\()?['\"]([^'\"]+)['\"]\)?;")
_FONT = re.compile(r'[\w.]+\s*\+\s*"([0-9a-f]+\.woff2)"')
_TYPES = {".svg": "image/svg+xml", ".jpg": "image/jpeg", ".woff2": "font/woff2", ".js": "text/javascript"}
_LONG = 50_000  # characters; longer scripts are compressed
_ICONS = "fontawesome.js"  # a third of the allowed page size; its icons are left out
_NO_ICONS = "<style>:not(.jupyter-button) > i[class*='fa-'] {display: none}</style>"

# Scripts run in order, including deferred ones; the browser decompresses packed ones.
_LOADER = """
<noscript>The figures and equations of this page need scripts, which are turned off.</noscript>
<script>
(async () => {
  if (document.readyState !== "complete") await new Promise((go) => addEventListener("load", go, { once: true }));
  const unpack = (text) => {
    const bytes = Uint8Array.from(atob(text), (each) => each.charCodeAt(0));
    return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip")));
  };
  for (const image of document.querySelectorAll("img[data-lmc]")) {
    const drawing = await unpack(image.dataset.lmc).arrayBuffer();
    image.src = URL.createObjectURL(new Blob([drawing], { type: "image/svg+xml" }));
    image.removeAttribute("data-lmc");
  }
  Object.defineProperty(document, "readyState", { value: "loading", configurable: true }); // as where they are files
  for (const kept of document.querySelectorAll("script[data-lmc]")) {
    const script = document.createElement("script");
    script.textContent = kept.dataset.lmc === "packed" ? await unpack(kept.textContent).text() : kept.textContent;
    kept.replaceWith(script);
  }
  delete document.readyState;
  document.dispatchEvent(new Event("DOMContentLoaded", { bubbles: true })); // windows listen, too
  dispatchEvent(new Event("load"));
})();
</script>
"""


def embed_assets(page: Path) -> str:
    """The HTML of a page with all its assets embedded.

    Scripts keep their order; long ones are compressed. Links to other pages are removed.

    Args:
        page: an HTML file of a built book, beside its assets.
    """
    folder = page.parent
    text = _ASIDE.sub("", page.read_text(encoding="utf-8"))
    text = _STYLE.sub(lambda found: f"<style>{_style(folder / found[1])}</style>", text)
    text = _DRAWING.sub(lambda found: f'{found[1]}data-lmc="{_compressed((folder / found[2]).read_bytes())}"', text)
    text = _PICTURE.sub(lambda found: f'{found[1]}{_data_url(folder / found[2])}"', text)
    text = _SCRIPT.sub(lambda match: _script(match, folder), text)
    return text.replace("</head>", f"{_NO_ICONS}</head>").replace("</body>", f"{_LOADER}</body>")


def _script(match: re.Match[str], folder: Path) -> str:
    attributes, text = match.groups()
    if source := _SOURCE.search(attributes):
        text = _read(folder / source[1])
    elif attributes.strip():  # data, or scripts that the theme needs before rendering
        return match[0]
    if len(text) < _LONG:
        closed = text.replace("</script", "<\\/script")
        return f'<script type="text/plain" data-lmc="plain">{closed}</script>'
    return f'<script type="text/plain" data-lmc="packed">{_compressed(text.encode())}</script>'


def _read(path: Path) -> str:
    """A script, with the assets that it would load."""
    if path.name == _ICONS:
        return ""
    text = path.read_text(encoding="utf-8")
    if path.name == "offline.js":  # in the book it loads this file from its own folder
        address = _data_url(path.with_name("anywidget.js"))
        return f'window.lmcModules = {{anywidget: "{address}"}};\n{text}'
    if path.name == "embed-amd.js":
        return _FONT.sub(lambda font: f'"{_data_url(path.with_name(font[1]))}"', text)
    return text


def _compressed(content: bytes) -> str:
    return base64.b64encode(gzip.compress(content, mtime=0)).decode()


def _style(path: Path) -> str:
    def embedded_url(match: re.Match[str]) -> str:
        beside = path.parent / match[2]
        return f"url({_data_url(beside)})" if beside.suffix == ".svg" and beside.is_file() else "url()"

    text = _IMPORT.sub(lambda match: _style(path.parent / match[1]), path.read_text(encoding="utf-8"))
    return _URL.sub(embedded_url, text)


def _data_url(path: Path) -> str:
    kind = _TYPES.get(path.suffix, f"image/{path.suffix.removeprefix('.')}")
    return f"data:{kind};base64,{base64.b64encode(path.read_bytes()).decode()}"
