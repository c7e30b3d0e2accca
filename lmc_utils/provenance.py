"""What results were made from: the files of this package."""

from __future__ import annotations

from pathlib import Path

PACKAGE = Path(__file__).parent
CHECKOUT = PACKAGE.parent  # where the package is used from a clone

_KINDS = (".py", ".js", ".css", ".html")


def package_files(*kinds: str) -> dict[str, Path]:
    """The files of this package in all its folders, by their paths below it, in the order of these.

    Args:
        kinds: the endings that count; by default those of code, scripts, style sheets and pages.

    >>> "measure/lines.py" in package_files(".py"), "widgets/static/line.js" in package_files(".py")
    (True, False)
    """
    wanted = kinds or _KINDS
    found = (path for path in PACKAGE.rglob("*") if path.suffix in wanted and "__pycache__" not in path.parts)
    return dict(sorted((path.relative_to(PACKAGE).as_posix(), path) for path in found))
