"""Draw the logo and favicon: two valleys of (theta^2 - 1)^2, the ridge, and the line that would join two siblings.

Run it once after a change (`python book/_ext/draw_logo.py`); the drawings lie in `book/_static`.
"""

from __future__ import annotations

from pathlib import Path

INK, FIRST, SECOND, LINE = "#3b4252", "#0173b2", "#d55e00", "#029e73"
SIDE = 64


def place(theta: float, height: float) -> tuple[float, float]:
    """Where a point of the landscape lies on the drawing."""
    return round(SIDE / 2 + 19 * theta, 1), round(49 - 33 * height, 1)


def mountain() -> str:
    """The landscape as a path from wall to wall."""
    thetas = [-1.45 + k / 20 for k in range(59)]
    spots = [place(theta, (theta**2 - 1) ** 2) for theta in thetas]
    return "M" + " L".join(f"{x} {y}" for x, y in spots)


def drawing(ground: str) -> str:
    """The logo as SVG; its landscape takes the colour of the ground that it is for."""
    (left, low), (right, _) = place(-1, 0), place(1, 0)
    return f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {SIDE} {SIDE}" role="img">
<title>Two valleys, the ridge between them, and the straight line from one to the other</title>
<path d="{mountain()}" fill="none" stroke="{ground}" stroke-width="4.5" stroke-linecap="round" stroke-linejoin="round"/>
<path d="M{left} {low}H{right}" stroke="{LINE}" stroke-width="3.5" stroke-dasharray="1 6.2" stroke-linecap="round"/>
<circle cx="{left}" cy="{low}" r="6" fill="{FIRST}"/>
<circle cx="{right}" cy="{low}" r="6" fill="{SECOND}"/>
</svg>
"""


def main() -> None:
    """Write the drawings."""
    static = Path(__file__).parent.parent / "_static"
    (static / "logo.svg").write_text(drawing(INK), encoding="utf-8")
    (static / "logo-dark.svg").write_text(drawing("#d8dee9"), encoding="utf-8")
    (static / "favicon.svg").write_text(drawing("#7b8494"), encoding="utf-8")


if __name__ == "__main__":
    main()
