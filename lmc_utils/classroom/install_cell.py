"""The first code cell of a student's notebook: it fails, with the line to type, where this package is missing."""

from __future__ import annotations

import nbformat
from nbformat import NotebookNode

from lmc_utils.settings import require

INSTALL = "install"  # the id of the cell
PACKAGE_NAME = "lmc-utils"
_LONGEST = 500  # characters


def add_install_cell(notebook: NotebookNode, requirement: str = PACKAGE_NAME) -> NotebookNode:
    """Insert the cell before the first code cell of a notebook, in place.

    It has no metadata of nbgrader, which would not know it when the notebook is submitted to a course of its own.

    Args:
        notebook: an exercise notebook.
        requirement: what to install with pip: a name, a URL or a wheel.

    Raises:
        ParameterError: the requirement is not a short line.

    >>> notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1")])
    >>> print(add_install_cell(notebook, "git+https://example.org/ada/book").cells[0].source)
    try:
        import lmc_utils
    except ModuleNotFoundError:
        raise ModuleNotFoundError(
            'install the package in a new cell, then restart the kernel: %pip install git+https://example.org/ada/book'
        ) from None
    """
    short = requirement.isprintable() and 0 < len(requirement.strip()) <= _LONGEST
    require(short, "install", f"one line of at most {_LONGEST} characters, such as a URL", requirement)
    advice = f"install the package in a new cell, then restart the kernel: %pip install {requirement.strip()}"
    source = "try:\n    import lmc_utils\nexcept ModuleNotFoundError:\n    raise ModuleNotFoundError(\n"
    source += f"        {advice!r}\n    ) from None"
    cell = nbformat.v4.new_code_cell(source, id=INSTALL, metadata={"deletable": False, "editable": False})
    place = next((row for row, each in enumerate(notebook.cells) if each.cell_type == "code"), len(notebook.cells))
    notebook.cells.insert(place, cell)
    return notebook
