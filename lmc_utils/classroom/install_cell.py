"""The first code cell of a student's notebook: it fails, with the line to type, where this package is missing."""

from __future__ import annotations

import shlex

import nbformat
from nbformat import NotebookNode

from lmc_utils.settings import require

INSTALL = "install"  # the id of the cell
REQUIREMENT = "lmc-utils[sweep]"  # one exercise notebook sweeps over parameters
_LONGEST = 500  # characters


def add_install_cell(notebook: NotebookNode, requirement: str = REQUIREMENT) -> NotebookNode:
    """Insert the cell before the first code cell of a notebook, in place.

    It has no metadata of nbgrader, which could not grade a file with a cell that is not in its own release.

    Args:
        notebook: an exercise notebook.
        requirement: what to install with pip: a name, a URL or a wheel, with extras if any. Where a shell needs quotes
            around it, the cell shows double quotes, which also work on Windows.

    Raises:
        ParameterError: the requirement is not a short line, or contains double quotes.

    >>> notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1")])
    >>> print(add_install_cell(notebook, "lmc-utils[sweep] @ git+https://example.org/book").cells[0].source)
    try:
        import lmc_utils
    except ModuleNotFoundError:
        raise ModuleNotFoundError(
            'install the package in a new cell, then restart the kernel: '
            '%pip install "lmc-utils[sweep] @ git+https://example.org/book"'
        ) from None
    """
    requirement = requirement.strip()
    short = requirement.isprintable() and 0 < len(requirement) <= _LONGEST and '"' not in requirement
    expected = f"one line of at most {_LONGEST} characters without double quotes, such as a URL"
    require(short, "install", expected, requirement)
    line = f"%pip install {requirement}" if shlex.quote(requirement) == requirement else f'%pip install "{requirement}"'
    source = "try:\n    import lmc_utils\nexcept ModuleNotFoundError:\n    raise ModuleNotFoundError(\n"
    source += "        'install the package in a new cell, then restart the kernel: '\n"
    source += f"        {line!r}\n    ) from None"
    cell = nbformat.v4.new_code_cell(source, id=INSTALL, metadata={"deletable": False, "editable": False})
    place = next((row for row, each in enumerate(notebook.cells) if each.cell_type == "code"), len(notebook.cells))
    notebook.cells.insert(place, cell)
    return notebook
