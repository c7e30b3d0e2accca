"""Find, check and execute the parameterised notebooks.

A notebook's metadata names the `Settings` records that its parameters feed (`lmc.settings`). Building these records is
how parameters are checked here before a kernel starts, and how the notebook itself checks them when plain papermill
runs it: one set of rules, one message.
"""

from __future__ import annotations

import ast
import importlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any

from lmc_utils.settings import PRESET_NAMES, ParameterError, Settings, coerce, require_choice, unknown

TIMEOUT = 1800  # seconds a cell may take; papermill would wait for ever


class ExecutionError(RuntimeError):
    """A notebook's cell failed; the message is one line."""


@dataclass(frozen=True)
class Parameter:
    """One name of a notebook's parameters cell."""

    name: str
    default: Any
    comment: str

    @property
    def type(self) -> str:
        """The type of its default."""
        return "null" if self.default is None else type(self.default).__name__


@dataclass(frozen=True)
class Notebook:
    """A parameterised notebook on disk."""

    path: Path

    @cached_property
    def parameters(self) -> dict[str, Parameter]:
        """The parameters by name, in the order of the cell, as papermill reads them."""
        from papermill import inspect_notebook

        return {
            name: Parameter(name, ast.literal_eval(found["default"]), found["help"])
            for name, found in inspect_notebook(str(self.path)).items()
        }

    @cached_property
    def settings(self) -> list[type[Settings]]:
        """The records that the parameters feed, which the metadata names as module:Class."""
        names = json.loads(self.path.read_text())["metadata"].get("lmc", {}).get("settings", [])
        pairs = [name.split(":") for name in names]
        return [getattr(importlib.import_module(module), record) for module, record in pairs]

    def preset(self, name: str) -> dict[str, Any]:
        """The parameter values that a preset changes.

        Raises:
            ParameterError: no preset has this name.
        """
        require_choice("preset", name, PRESET_NAMES)
        return {parameter: value for record in self.settings for parameter, value in record.preset(name).items()}

    def check(self, values: Mapping[str, Any]) -> None:
        """Check parameter values before a kernel starts.

        Raises:
            ParameterError: an unknown name, a wrong type, or a value out of range.
        """
        for name in values:
            if name not in self.parameters:
                raise ParameterError(f"parameter: {unknown(name, self.parameters)}")
        complete = {name: parameter.default for name, parameter in self.parameters.items()} | dict(values)
        for record in self.settings:
            record.pick(complete)
        claimed = {field.name for record in self.settings for field in fields(record)}
        for name in set(values) - claimed:
            default = self.parameters[name].default
            if default is not None and not isinstance(default, list):
                coerce(name, values[name], type(default))


def find(name: str, folder: Path) -> Notebook:
    """The notebook of a path, or of a stem such as 02_sibling_forking in a folder.

    Raises:
        ParameterError: there is none, or it is not a notebook; the message names the nearest stem.
    """
    path = Path(name) if Path(name).suffix == ".ipynb" else folder / f"{name}.ipynb"
    if not path.is_file():
        raise ParameterError(f"notebook: {unknown(name, [found.stem for found in chapters(folder)])}")
    try:
        json.loads(path.read_text())["cells"]
    except (ValueError, KeyError, TypeError) as error:
        raise ParameterError(f"notebook: expected a Jupyter notebook, '{path}' is none ({error})") from error
    return Notebook(path)


def chapters(folder: Path) -> list[Path]:
    """The notebooks of a folder, in order."""
    return sorted(folder.glob("*.ipynb"))


def execute(notebook: Notebook, values: Mapping[str, Any], out: Path, timeout: int = TIMEOUT) -> None:
    """Execute a notebook through papermill, in a kernel of this very interpreter.

    Cells are written as they finish to a file beside `out` whose name ends in .partial.ipynb. Only a notebook that has
    run to its end takes the place of `out`; a failed or interrupted one stays where it is, to be looked at.

    Args:
        notebook: what to execute.
        values: parameters that differ from the defaults; checked by the caller.
        out: where the executed notebook goes.
        timeout: seconds a single cell may take.

    Raises:
        ExecutionError: a cell failed or took too long.
        ParameterError: `out` cannot be written.
    """
    from nbclient.exceptions import CellTimeoutError, DeadKernelError
    from papermill import execute_notebook
    from papermill.exceptions import PapermillExecutionError

    os.environ.setdefault("JUPYTER_PREFER_ENV_PATH", "1")  # a python3 kernel in the home folder may be another Python
    partial = out.with_suffix(".partial.ipynb")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        partial.touch()
    except OSError as error:
        raise ParameterError(f"out: expected a file that can be written, got '{out}' ({error.strerror})") from error
    try:
        execute_notebook(
            str(notebook.path),
            str(partial),
            parameters=dict(values),
            kernel_name="python3",
            execution_timeout=timeout,
            progress_bar=False,
            log_output=False,
            extra_arguments=["--IPKernelApp.log_level=40"],
        )
    except PapermillExecutionError as error:
        line = " ".join(f"{error.ename}: {error.evalue}".split())
        raise ExecutionError(f"{notebook.path.stem}: In [{error.exec_count}]: {line} (see {partial})") from error
    except (CellTimeoutError, DeadKernelError) as error:
        line = str(error).strip().splitlines()[0]
        raise ExecutionError(f"{notebook.path.stem}: {line} (see {partial})") from error
    partial.replace(out)
