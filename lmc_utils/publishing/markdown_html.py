"""Markdown as HTML for self-contained pages: no scripts, no raw HTML, no requests, and equations as SVG."""

from __future__ import annotations

import html
import re
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.rules_inline import StateInline

_EQUATION = re.compile(r"\$\$(.+?)\$\$|\$(?!\s)([^$]+?)(?<!\s)\$", re.DOTALL)
_NOT_IN_MATPLOTLIB = {
    r"\\tfrac\b": r"\\frac",
    r"\\le\b": r"\\leq",
    r"\\ge\b": r"\\geq",
    r"\\[bB]igg?[lr]?\b": "",
    "&": "",
}
_EM = 10.0  # size of the surrounding text, in units of the paths
_LARGER = 1.15  # equations than text, as letters of this font are small


def block_html(text: str) -> str:
    """Text with paragraphs, lists, code, links and equations. Raw HTML is shown as text, and images as links.

    >>> print(block_html("Is *f* `<b>`? <script>"), end="")
    <p>Is <em>f</em> <code>&lt;b&gt;</code>? &lt;script&gt;</p>
    """
    return str(_renderer().render(text))


def inline_html(text: str) -> str:
    """One line with emphasis and code, and nothing else: safe for text of students.

    >>> inline_html("Each is *squared*: [x](javascript:y) <b> `a*b*c`")
    'Each is <em>squared</em>: [x](javascript:y) &lt;b&gt; <code>a*b*c</code>'
    """
    from markdown_it import MarkdownIt

    return str(MarkdownIt("zero").enable(["emphasis", "backticks"]).renderInline(text))


@cache
def equation_html(latex: str) -> str:
    """An equation as inline SVG in the colour of the text, by Matplotlib; as code where it cannot draw it.

    >>> equation_html("x^2")[:46], equation_html(r"\\unknown <")
    ('<svg role="img" aria-label="x^2" style="width:', '<code>\\\\unknown &lt;</code>')
    """
    body = re.sub(r"\\(?:begin|end)\{aligned\}", "", latex)
    try:
        return "<br>".join(_line_svg(line) for line in re.split(r"\\\\", body))
    except ValueError:  # unknown commands
        return f"<code>{html.escape(latex)}</code>"


def _line_svg(latex: str) -> str:
    from matplotlib.font_manager import FontProperties  # slow to import
    from matplotlib.path import Path
    from matplotlib.textpath import TextPath

    drawn = " ".join(latex.split())
    for command, replacement in _NOT_IN_MATPLOTLIB.items():
        drawn = re.sub(command, replacement, drawn)
    path = TextPath((0, 0), f"${drawn}$", size=_LARGER * _EM, prop=FontProperties(math_fontfamily="cm"))
    letters = {Path.MOVETO: "M", Path.LINETO: "L", Path.CURVE3: "Q", Path.CURVE4: "C", Path.CLOSEPOLY: "Z"}
    commands = (
        letters[code] + ("" if code == Path.CLOSEPOLY else " ".join(f"{number:.2f}" for number in points))
        for points, code in path.iter_segments(curves=True, simplify=False)
    )
    box = path.get_extents()
    size = f"width:{box.width / _EM:.2f}em;height:{box.height / _EM:.2f}em;vertical-align:{box.y0 / _EM:.2f}em"
    view = f"{box.x0:.2f} {-box.y1:.2f} {box.width:.2f} {box.height:.2f}"
    return (
        f'<svg role="img" aria-label="{html.escape(" ".join(latex.split()))}" style="{size}" viewBox="{view}">'
        f'<path fill="currentColor" transform="scale(1,-1)" d="{"".join(commands)}"/></svg>'
    )


@cache
def _renderer() -> MarkdownIt:
    from markdown_it import MarkdownIt

    renderer = MarkdownIt("commonmark", {"html": False}).disable("image")
    renderer.inline.ruler.before("escape", "equation", _equation)
    renderer.add_render_rule("equation", lambda _, tokens, row, *__: equation_html(tokens[row].content))
    return renderer


def _equation(state: StateInline, silent: bool) -> bool:
    """The rule of the parser for equations in dollar signs."""
    found = _EQUATION.match(state.src, state.pos)
    if found is None:
        return False
    if not silent:
        token: Any = state.push("equation", "svg", 0)
        token.content = found[1] or found[2]
    state.pos = found.end()
    return True
