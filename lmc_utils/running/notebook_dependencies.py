"""Dependencies of the results of a notebook, besides its parameter values."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from IPython.core.inputtransformer2 import TransformerManager

from lmc_utils import result_dependencies
from lmc_utils.provenance import CHECKOUT
from lmc_utils.running.notebooks import Notebook
from lmc_utils.settings import ParameterError


def of_notebook(notebook: Notebook) -> dict[str, Any]:
    """The code of its cells, and all that its cells and parameter records import.

    Tables of long runs are included if a cell or an imported module names them, notebooks for sweeps if a cell does.

    Returns:
        As `result_dependencies.of_code`, with `cells`, `tables` (their paths) and `swept` (the dependencies of such
        notebooks).

    Raises:
        ParameterError: it is not a notebook, or its cells cannot be code.
    """
    sources = _sources(notebook)
    points = set(CHECKOUT.glob("notebooks/points/*.ipynb")) - {notebook.path.resolve()}
    records = [f"import {name.partition(':')[0]}" for name in notebook.records]
    try:
        cells = _as_python(sources)
        reached = result_dependencies.of_code(*cells, *records)
        code = "".join([*sources, *reached["modules"].values()])
        return {
            **reached,
            "cells": [result_dependencies.code_without_docstrings(cell) for cell in cells],
            "tables": {path.name: path for path in CHECKOUT.glob("results/*.nc") if _is_named(path.stem, code)},
            "swept": {path.name: of_notebook(Notebook(path)) for path in points if path.stem in "".join(sources)},
        }
    except (ValueError, MemoryError, RecursionError) as error:  # such as a lone surrogate
        raise ParameterError(f"'{notebook.path}' has a cell that is not Python ({error})") from error


def of_sweep(notebook: Notebook) -> dict[str, Any]:
    """As `of_notebook`, with the code of all modules in the present folder that its cells import (`local`)."""
    found, local = of_notebook(notebook), dict[str, str]()
    names = set(result_dependencies.imported_packages(*_as_python(_sources(notebook))))
    while names:
        name = names.pop()
        for path in (Path(f"{name}.py"), *Path(name).rglob("*.py")):
            if path.is_file() and path.as_posix() not in local:
                local[path.as_posix()] = path.read_text(encoding="utf-8", errors="replace")
                names |= result_dependencies.imported_packages(local[path.as_posix()])
    return {**found, "local": local} if local else found


def _is_named(table: str, code: str) -> bool:
    """Whether code has the name of a table, or its beginning up to the first underscore in a formatted string."""
    return table in code or f"{table.partition('_')[0]}_{{" in code


def _sources(notebook: Notebook) -> list[str]:
    return ["".join(cell["source"]) for cell in notebook.content["cells"] if cell["cell_type"] == "code"]


def _as_python(sources: Sequence[str]) -> list[str]:
    """Cells with magics and shell commands as Python code."""
    transform = TransformerManager().transform_cell  # type: ignore[no-untyped-call]
    return [transform(source) for source in sources]
