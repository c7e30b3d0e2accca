"""Read a notebook's file, whoever wrote it: what comes back has the form of a notebook, and all else costs one line."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

from lmc_utils.formatting import LONGEST_VALUE, one_line
from lmc_utils.settings import ParameterError, require


def read(path: Path, wanted: str = "a Jupyter notebook") -> dict[str, Any]:
    """The content of a notebook of version 4 of Jupyter's format.

    Args:
        path: the file.
        wanted: what the message calls it.

    Raises:
        ParameterError: there is no such file, it cannot be read, or it is not a notebook.
    """
    from nbformat import validate

    try:
        notebook: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        require(isinstance(notebook, dict), "content", "a mapping", notebook)
        require(notebook.get("nbformat") == 4, "nbformat", "4", notebook.get("nbformat"))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of names that cells lack, which it adds
            validate(notebook)
    except Exception as error:  # no file, no text, no JSON, no notebook: the validator's errors are of every kind
        reason = one_line(str(error).partition("\n")[0] or type(error).__name__, LONGEST_VALUE)
        raise ParameterError(f"notebook: expected {wanted}, '{path}' is none ({reason})") from error
    return notebook
