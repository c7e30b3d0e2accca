"""Record numbers in a notebook for its prose to quote, and read them from the executed notebook."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from lmc_utils.formatting import LONGEST_VALUE, one_line, plain_number, short_repr
from lmc_utils.running import notebook_files
from lmc_utils.settings import ParameterError

_MIME = "application/papermill.record/text/plain"


def record(*summaries: Mapping[str, Any], **values: Any) -> None:
    """Record numbers by name, so that prose can quote them with the `glue` roles of MyST-NB.

    Args:
        summaries: labelled datasets or mappings, whose variables or keys are the names.
        values: further values by name: numbers (of Python, NumPy or torch) or containers of numbers, see `numbers`.
    """
    from myst_nb import glue

    for each in (*summaries, values):
        for name, number in numbers("", each):
            glue(name, number, display=False)


def numbers(name: str, value: Any) -> Iterator[tuple[str, float]]:
    """Yield all numbers in a value, each with a distinct name.

    A labelled array gives a number for each label: `NAME_train` if labels are words, which come first, `NAME_parent_0`
    if they are numbers, `NAME_fork_0` for a dimension `fork_epoch`, or `NAME_fork_0.08065` for a fork within an epoch.
    A mapping or a labelled dataset gives one for each key; spaces in a key become underscores, and an empty key adds
    nothing to the name. A named tuple, such as a correlation with its interval, gives one for each field, of which the
    first adds nothing.

    >>> dict(numbers("loss", {"train": 0.5, "test": 0.75}))
    {'loss_train': 0.5, 'loss_test': 0.75}
    """
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from numbers("_".join(filter(None, (name, str(key).replace(" ", "_")))), item)
    elif hasattr(value, "_asdict"):
        first, *others = value._asdict()
        yield name, float(getattr(value, first))
        yield from ((f"{name}_{other}", float(getattr(value, other))) for other in others)
    elif getattr(value, "dims", ()):
        dimension = next((dim for dim in value.dims if value[dim].dtype.kind == "U"), value.dims[0])
        for label in value[dimension].values:
            word = label if isinstance(label, str) else f"{dimension.removesuffix('_epoch')}_{_digits(label)}"
            yield from numbers(f"{name}_{word}", value.sel({dimension: label}))
    else:
        yield name, float(value)


def _digits(label: Any) -> str:
    """A number as part of a name.

    >>> _digits(2.0), _digits(5 / 62), _digits(0.001)
    ('2', '0.08065', '0.001')
    """
    plain = plain_number(label)
    return str(plain) if isinstance(plain, int) else f"{plain:.4g}"


def read(path: Path) -> dict[str, float]:
    """The numbers recorded by an executed notebook, in order.

    Raises:
        ParameterError: there is no such notebook, it recorded nothing, or a recorded value is not a number.
    """
    result = recorded(notebook_files.read(path, "an executed notebook"))
    if not result:
        raise ParameterError(f"no numbers recorded in '{path}'; was it executed?")
    return result


def recorded(notebook: Mapping[str, Any]) -> dict[str, float]:
    """The numbers in the content of an executed notebook; empty if there are none.

    Raises:
        ParameterError: a recorded value is not a number.
    """
    return {name: _number(name, said) for name, said in recorded_texts(notebook)}


def recorded_texts(notebook: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield name and text of each value recorded in an executed notebook."""
    for cell in notebook["cells"]:
        for output in cell.get("outputs", []):
            about, said = output.get("metadata", {}).get("scrapbook"), output.get("data", {}).get(_MIME)
            if isinstance(about, dict) and isinstance(about.get("name"), str) and said:
                yield about["name"], "".join(said)


def as_json(numbers: Mapping[str, float]) -> str:
    """Numbers as one JSON object; NaN and infinity become null.

    >>> print(as_json({"barrier": 0.5, "correlation": float("nan")}))
    {
     "barrier": 0.5,
     "correlation": null
    }
    """
    return json.dumps(finite(numbers), indent=1, allow_nan=False)


def finite(numbers: Mapping[str, float]) -> dict[str, float | None]:
    """The numbers, with None for NaN and infinity."""
    return {name: number if math.isfinite(number) else None for name, number in numbers.items()}


def _number(name: str, text: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        name = one_line(name, LONGEST_VALUE)
        raise ParameterError(f"{name} must be a recorded number (got {short_repr(text)})") from error
