"""Compare runs of one notebook: differing parameters, and all recorded numbers."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lmc_utils.formatting import plain_number
from lmc_utils.running import notebook_files, recorded_curves, recorded_numbers
from lmc_utils.running.notebooks import Notebook
from lmc_utils.running.recorded_curves import Curves
from lmc_utils.settings import ParameterError, require

_FORK = re.compile(r"_fork_(\d+(?:\.\d+)?)$")


@dataclass(frozen=True)
class Comparison:
    """Parameters and results of several runs of one notebook.

    Attributes:
        runs: their names.
        parameters: values in all runs, by name, in the order of the notebook.
        numbers: recorded numbers of all runs, by name; None where a run lacks one.
        curves: recorded curves of all runs, by name; None where a run lacks one.
    """

    runs: list[str]
    parameters: dict[str, list[Any]]
    numbers: dict[str, list[float | None]]
    curves: dict[str, list[Curves | None]]

    @property
    def differing_parameters(self) -> dict[str, list[Any]]:
        """Parameters that differ between runs."""
        return {name: each for name, each in self.parameters.items() if any(value != each[0] for value in each)}

    def differences(self, name: str) -> list[float | None]:
        """Differences of a number in each later run from the first run; None where either is missing."""
        first, *others = self.numbers[name]
        return [None if first is None or each is None else each - first for each in others]

    @property
    def numbers_by_fork(self) -> dict[str, dict[float, list[float | None]]]:
        """Numbers recorded for each fork: by name without the fork, then by fork."""
        result: dict[str, dict[float, list[float | None]]] = {}
        for name, each in self.numbers.items():
            if fork := _FORK.search(name):
                result.setdefault(name[: fork.start()], {})[plain_number(float(fork[1]))] = each
        return result

    def to_json(self) -> dict[str, Any]:
        """The comparison as JSON types; missing and non-finite values are None."""
        _, *others = self.runs
        differences = {name: self.differences(name) for name in self.numbers}
        return {
            "runs": self.runs,
            "parameters": _by_run(self.runs, self.differing_parameters),
            "numbers": _by_run(self.runs, self.numbers),
            "differences": _by_run(others, differences),
        }

    def rows(self) -> list[list[Any]]:
        """A table with a header and a row for each number, ending with the differences; missing numbers are empty."""
        first, *others = self.runs
        head = ["number", *self.runs, *(f"{other} minus {first}" for other in others)]
        return [head, *([name, *each, *self.differences(name)] for name, each in self.numbers.items())]


def compare(paths: Sequence[Path]) -> Comparison:
    """Compare executed notebooks.

    Raises:
        ParameterError: fewer than two, one that was not executed, or runs of different notebooks.
    """
    if len(paths) < 2:
        raise ParameterError(f"give at least two executed notebooks (got {len(paths)})")
    names = [path.stem for path in paths]
    names = names if len(set(names)) == len(names) else [str(path) for path in paths]
    require(len(set(names)) == len(names), "notebook", "different files", names)
    used = [parameters(path) for path in paths]
    for path, each in zip(paths, used, strict=True):
        if list(each) != list(used[0]):
            raise ParameterError(
                f"only runs of one notebook can be compared; '{path}' has other parameters than '{paths[0]}'"
            )
    recorded = [recorded_numbers.read(path) for path in paths]
    drawn = [recorded_curves.recorded(notebook_files.read(path)) for path in paths]
    return Comparison(
        names,
        {name: [each[name] for each in used] for name in used[0]},
        {name: [each.get(name) for each in recorded] for name in order_names(recorded)},
        {name: [each.get(name) for each in drawn] for name in dict.fromkeys(name for each in drawn for name in each)},
    )


def parameters(path: Path) -> dict[str, Any]:
    """The parameters that an executed notebook ran with, in the order of its parameters cell.

    Raises:
        ParameterError: it is not a notebook.
    """
    content = notebook_files.read(path, "an executed notebook")
    given = content["metadata"].get("papermill", {}).get("parameters", {})
    defaults = Notebook(path).defaults
    return {name: given.get(name, default) for name, default in defaults.items()}


def order_names(recorded: Sequence[Mapping[str, float]]) -> list[str]:
    """All names of several runs in the order of recording, with the forks of a quantity together.

    >>> order_names([{"a_fork_0": 1.0, "a_fork_15": 1.0, "b": 2.0}, {"a_fork_3": 1.0, "c": 2.0}])
    ['a_fork_0', 'a_fork_3', 'a_fork_15', 'b', 'c']
    """
    names = list(dict.fromkeys(name for each in recorded for name in each))
    places: dict[str, int] = {}
    for name in names:
        places.setdefault(_FORK.sub("", name), len(places))
    return sorted(names, key=lambda name: (places[_FORK.sub("", name)], float((_FORK.search(name) or [0, -1])[1])))


def _by_run(runs: Sequence[str], values: Mapping[str, Sequence[Any]]) -> dict[str, dict[str, Any]]:
    """Values of several runs by name and run, as JSON types."""
    return {name: dict(zip(runs, map(_finite, each), strict=True)) for name, each in values.items()}


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value
