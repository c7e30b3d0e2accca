"""Headline numbers: glued by a notebook for its prose to quote, read back out of the executed notebook."""

from __future__ import annotations

import json
from pathlib import Path
from typing import SupportsFloat

from lmc_utils.settings import ParameterError

_MIME = "application/papermill.record/text/plain"


def record(**numbers: SupportsFloat) -> None:
    """Glue numbers under their names, so that prose can quote them with the `glue` roles of MyST-NB.

    Args:
        numbers: anything that `float` takes: Python and NumPy numbers, tensors and labelled arrays of one element.
    """
    from myst_nb import glue

    for name, number in numbers.items():
        glue(name, float(number), display=False)


def read(path: Path) -> dict[str, float]:
    """The numbers that an executed notebook recorded, in the order in which it did.

    Raises:
        ParameterError: there is no such notebook, or it recorded nothing.
    """
    try:
        cells = json.loads(path.read_text())["cells"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ParameterError(f"notebook: expected an executed notebook, '{path}' is none ({error})") from error
    outputs = [output for cell in cells for output in cell.get("outputs", [])]
    named = [
        (output.get("metadata", {}).get("scrapbook", {}).get("name"), output.get("data", {})) for output in outputs
    ]
    numbers = {name: float("".join(data[_MIME])) for name, data in named if name and _MIME in data}
    if not numbers:
        raise ParameterError(f"notebook: expected recorded numbers, found none in '{path}'; was it executed?")
    return numbers
