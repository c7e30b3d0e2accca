"""Record curves in a notebook, for comparing runs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lmc_utils.formatting import plain_number

_MIME = "application/vnd.lmc.curves+json"


@dataclass(frozen=True)
class Curves:
    """A curve for each fork epoch.

    Attributes:
        along: the dimension along the curves, such as alpha.
        places: coordinates of their points, increasing.
        forks: values at these places, by fork epoch.
    """

    along: str
    places: list[float]
    forks: dict[float, list[float]]


def record_curves(along: str, **curves: Any) -> None:
    """Store curves in the executed notebook by name, without displaying them.

    Args:
        along: the dimension along the curves.
        curves: labelled arrays with exactly this dimension and `fork_epoch`.
    """
    from IPython.display import publish_display_data

    for name, values in curves.items():
        rows = [[_said(each) for each in row] for row in values.transpose("fork_epoch", along).values.tolist()]
        forks = dict(zip(map(str, values.fork_epoch.values.tolist()), rows, strict=True))
        said = {"name": name, "along": along, "places": values[along].values.tolist(), "forks": forks}
        publish_display_data({_MIME: said})  # type: ignore[no-untyped-call]


def recorded(notebook: Mapping[str, Any]) -> dict[str, Curves]:
    """The curves in the content of an executed notebook, by name; outputs of another form are skipped.

    >>> said = {"name": "error", "along": "alpha", "places": [0, 1], "forks": {"0": [2.0, 3.0]}}
    >>> recorded({"cells": [{"outputs": [{"data": {"application/vnd.lmc.curves+json": said}}]}]})
    {'error': Curves(along='alpha', places=[0.0, 1.0], forks={0: [2.0, 3.0]})}
    """
    result: dict[str, Curves] = {}
    for cell in notebook["cells"]:
        for output in cell.get("outputs", []):
            said = output.get("data", {}).get(_MIME)
            try:
                curves = Curves(str(said["along"]), _numbers(said["places"]), _by_fork(said["forks"]))
                if all(len(each) == len(curves.places) for each in curves.forks.values()):
                    result[str(said["name"])] = curves
            except (TypeError, KeyError, ValueError, AttributeError):  # missing or of another form
                continue
    return result


def _said(value: float) -> float | None:
    return value if math.isfinite(value) else None  # JSON has no NaN and no infinity


def _by_fork(forks: Mapping[str, Any]) -> dict[float, list[float]]:
    return {plain_number(float(fork)): _numbers(values) for fork, values in forks.items()}


def _numbers(values: Any) -> list[float]:
    return [float("nan") if each is None else float(each) for each in values]
