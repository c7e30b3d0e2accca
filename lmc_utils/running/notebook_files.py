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
        description: what the message calls it.

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
    except FileNotFoundError:
        raise ParameterError(f"no such file: {path}") from None
    except Exception as error:  # no text, no JSON, no notebook: the validator's errors are of every kind
        raise ParameterError(f"'{path}' is not {description}: {describe_error(error)}") from error
    return notebook


def with_metadata(notebook: dict[str, Any], **about: Any) -> bytes:
    """The file of an executed notebook whose metadata say this in `lmc`, such as the digest of what it depends on."""
    notebook["metadata"].setdefault("lmc", {}).update(about)
    return json.dumps(notebook, indent=1, ensure_ascii=False).encode()


def digest_in(path: Path) -> str | None:
    """The digest that an executed notebook carries, see `with_metadata`; None where there is none, or no whole file."""
    try:
        digest: str | None = json.loads(path.read_text(encoding="utf-8"))["metadata"]["lmc"]["digest"]
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return None
    return digest
