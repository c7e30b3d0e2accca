"""Notebook files: untrusted ones are read, or rejected with a one-line error; written ones carry a digest."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

from lmc_utils.formatting import describe_error
from lmc_utils.settings import ParameterError, require


def read(path: Path, description: str = "a Jupyter notebook") -> dict[str, Any]:
    """The content of a notebook of version 4 of Jupyter's format.

    Args:
        path: the file.
        description: its description in messages.

    Raises:
        ParameterError: there is no such file, it cannot be read, or it is not a notebook.
    """
    from nbformat import validate

    try:
        notebook: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        require(isinstance(notebook, dict), "content", "a mapping", notebook)
        require(notebook.get("nbformat") == 4, "nbformat", "4", notebook.get("nbformat"))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of missing cell ids, which it adds
            validate(notebook)
    except FileNotFoundError:
        raise ParameterError(f"no such file: {path}") from None
    except Exception as error:  # the validator raises many kinds
        raise ParameterError(f"'{path}' is not {description}: {describe_error(error)}") from error
    return notebook


def with_metadata(notebook: dict[str, Any], **about: Any) -> bytes:
    """The content of an executed notebook's file with these entries in its `lmc` metadata, such as its digest."""
    notebook["metadata"].setdefault("lmc", {}).update(about)
    return json.dumps(notebook, indent=1, ensure_ascii=False).encode()


def digest_in(path: Path) -> str | None:
    """The digest in an executed notebook, see `with_metadata`; None without one, or if the file is invalid."""
    try:
        digest: str | None = json.loads(path.read_text(encoding="utf-8"))["metadata"]["lmc"]["digest"]
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return None
    return digest
