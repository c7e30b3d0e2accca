"""Dependencies of the results of a notebook, besides its parameter values."""

from __future__ import annotations

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
    transform = TransformerManager().transform_cell  # type: ignore[no-untyped-call]
    sources = ["".join(cell["source"]) for cell in notebook.content["cells"] if cell["cell_type"] == "code"]
    points = set(CHECKOUT.glob("notebooks/points/*.ipynb")) - {notebook.path.resolve()}
    records = [f"import {name.partition(':')[0]}" for name in notebook.records]
    try:
        cells = [transform(source) for source in sources]
        reached = result_dependencies.of_code(*cells, *records)
        code = "".join([*sources, *reached["modules"].values()])
        return {
            **reached,
            "cells": [result_dependencies.code_without_docstrings(cell) for cell in cells],
            "tables": {path.name: path for path in CHECKOUT.glob("results/*.nc") if path.stem in code},
            "swept": {path.name: of_notebook(Notebook(path)) for path in points if path.stem in "".join(sources)},
        }
    except (ValueError, MemoryError, RecursionError) as error:  # such as a lone surrogate
        raise ParameterError(f"'{notebook.path}' has a cell that is not Python ({error})") from error
