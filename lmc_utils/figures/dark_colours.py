"""Dark-mode colours of SVG figures; the browser chooses them by the page that shows the figure."""

from __future__ import annotations

import re

from lmc_utils.figures.theme import FAINT, INK, ON_MAP

PAPER = "#121212"  # background of the book's pages in dark mode
_TURNED = {INK: "#d8dee9", FAINT: "#4c566a"}
_LEAST_CONTRAST = 3.0  # of graphics and their surroundings, WCAG 2.2, 1.4.11
_STROKE = re.compile(r"stroke: (#[0-9a-f]{6})")


def with_dark_colours(svg: str) -> str:
    """Add a style sheet for dark mode to the SVG of a matplotlib figure.

    Paper, ink and guides are inverted; lines that are too dark for dark paper are lightened, with their bands and
    markers. Maps are unchanged. In an `<img>`, a figure follows the `color-scheme` of its page.

    >>> line = '<svg><path style="fill: none; stroke: #3b4252"/></svg>'
    >>> with_dark_colours(line).count("#d8dee9")
    2
    """
    rules = [f"#figure_1>#patch_1>path{{fill:{PAPER}!important}}"]
    for colour, turned in _TURNED.items():
        rules += [f'[style*="{part}: {colour}"]{{{part}:{turned}!important}}' for part in ("fill", "stroke")]
    for colour in sorted(set(_STROKE.findall(svg)) - {*_TURNED, ON_MAP}):
        if (lighter := lightened(colour)) != colour:
            filled = f'[style*="fill: {colour}; fill-opacity"],[style*="fill: {colour}; stroke: {colour}"]'
            rules += [f'[style*="stroke: {colour}"]{{stroke:{lighter}!important}}{filled}{{fill:{lighter}!important}}']
    style = f"<style>@media (prefers-color-scheme:dark){{{''.join(rules)}}}</style>"
    start = svg.index(">", svg.index("<svg")) + 1
    return svg[:start] + style + svg[start:]


def lightened(colour: str) -> str:
    """Lighten a colour as little as necessary for contrast on dark paper.

    >>> lightened("#0173b2"), lightened("#000000")
    ('#0173b2', '#666666')
    """
    red_green_blue = [int(colour[place : place + 2], 16) for place in (1, 3, 5)]
    for tenths in range(10):
        mixed = [round(part + (255 - part) * tenths / 10) for part in red_green_blue]
        if _contrast(mixed, [int(PAPER[1:3], 16)] * 3) >= _LEAST_CONTRAST:
            break
    return "#" + "".join(f"{part:02x}" for part in mixed)


def _contrast(first: list[int], second: list[int]) -> float:
    high, low = sorted(map(_luminance, (first, second)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def _luminance(colour: list[int]) -> float:
    linear = [(part / 255 / 12.92) if part <= 10 else ((part / 255 + 0.055) / 1.055) ** 2.4 for part in colour]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
