"""Find, check and execute the parameterised notebooks.

A notebook's metadata lists the `Settings` records that take its parameters (`lmc.settings`). Parameters are checked by
constructing these records, both here before a kernel starts and in the notebook itself if plain papermill runs it, so
that rules and messages are the same.
"""

from __future__ import annotations

import importlib
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any, cast

from lmc_utils.formatting import LONGEST_VALUE, describe_error, listed, one_line, short_repr
from lmc_utils.provenance import CHECKOUT
from lmc_utils.running import notebook_files, parameter_parsing
from lmc_utils.settings import (
    PRESET_NAMES,
    ParameterError,
    Settings,
    coerce,
    describe,
    describe_allowed,
    describe_unknown,
    require,
    require_choice,
)

_POINTS = (CHECKOUT / "notebooks" / "points", Path(sys.prefix) / "share" / "lmc_utils" / "points")
_KINDS = ("exercises", "points")  # folders of notebooks beside the chapters
TIMEOUT = 1800  # seconds a cell may take; papermill has no limit
# By default glibc returns freed memory to the system and gets it back page by page, a seventh of an evaluation's time.
_KEPT_MEMORY = {"MALLOC_MMAP_THRESHOLD_": 2**25, "MALLOC_TRIM_THRESHOLD_": 2**28}  # bytes


class ExecutionError(RuntimeError):
    """A notebook's cell failed; the message is one line."""


@dataclass(frozen=True)
class Parameter:
    """One parameter of a notebook's parameters cell; meaning and range are from its record or its comment."""

    name: str
    default: Any
    meaning: str
    allowed: str = ""

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
        """The parameters by name, in the order of the cell; none without a cell with the tag `parameters`.

        Raises:
            ParameterError: a default is not a plain value, or the cell is not Python.
        """
        source = parameter_parsing.parameters_source(self.content)
        declared = {each.name: each for record in self.settings for each in fields(record)}
        said = {name: (describe(each), describe_allowed(each)) for name, each in declared.items()}
        return {
            name: Parameter(name, parameter_parsing.literal(name, each.default), *said.get(name, (each.comment,)))
            for name, each in parameter_parsing.assignments(source or "").items()
        }

    @property
    def defaults(self) -> dict[str, Any]:
        """The default values of the parameters, by name; raises ParameterError as `parameters` does."""
        return {name: each.default for name, each in self.parameters.items()}

    @cached_property
    def content(self) -> dict[str, Any]:
        """The content of the file; raises ParameterError if it is not a notebook."""
        return notebook_files.read(self.path)

    @property
    def title(self) -> str:
        """Its first heading; empty without one."""
        prose = ("".join(cell["source"]) for cell in self.content["cells"] if cell["cell_type"] == "markdown")
        lines = (line for text in prose for line in text.splitlines())
        return next((line.lstrip("# ").strip() for line in lines if line.startswith("#")), "")

    @property
    def records(self) -> list[str]:
        """The names of the records that take the parameters, as module:Class.

        Raises:
            ParameterError: the metadata are invalid.
        """
        about = self.content["metadata"].get("lmc", {})
        names = about.get("settings", []) if isinstance(about, dict) else about
        wanted = "a mapping with `settings`, a list of names such as 'module:Class'"
        require(isinstance(names, list) and all(isinstance(each, str) for each in names), "metadata.lmc", wanted, about)
        return list(names)

    @cached_property
    def settings(self) -> list[type[Settings]]:
        """The records that take the parameters; raises ParameterError if one does not exist."""
        return [load_record(name) for name in self.records]

    def preset(self, name: str) -> dict[str, Any]:
        """The parameter values that a preset changes.

        Raises:
            ParameterError: no preset has this name.
        """
        require_choice("preset", name, PRESET_NAMES)
        if name == "default":  # the notebook unchanged; its records, and torch with them, need not be imported
            return {}
        return {parameter: value for record in self.settings for parameter, value in record.preset(name).items()}

    def check(self, values: Mapping[str, Any]) -> None:
        """Check parameter values before a kernel starts.

        Raises:
            ParameterError: an unknown name, a wrong type, or a value out of range.
        """
        if values and not self.parameters:
            raise ParameterError(f"'{self.path}' has no parameters: no assignment in a cell with the tag 'parameters'")
        for name in values:
            require_choice("parameter", name, self.parameters)
        defaults = self.defaults
        for record in self.settings:
            record.pick(defaults | dict(values))
        claimed = {field.name for record in self.settings for field in fields(record)}
        for name in values:
            default = defaults[name]
            if name not in claimed and default is not None:
                coerce(name, values[name], list if isinstance(default, tuple) else type(default))


def find(name: str, folder: Path) -> Notebook:
    """Find a notebook by path, or by its stem, such as 02_sibling_forking, in a folder or its `exercises` or `points`.

    The beginning of a stem is enough if no other notebook of the folder begins so.

    Raises:
        ParameterError: there is none, or it is not a notebook; the message suggests a similar stem.
    """
    path = Path(name) if Path(name).suffix == ".ipynb" else _by_stem(name, folder)
    if path.parent == folder and not path.is_file():
        path = next((other for kind in _KINDS if (other := folder / kind / path.name).is_file()), path)
    if not path.is_file():
        raise ParameterError(f"no such file: {name}")
    notebook_files.read(path)
    return Notebook(path)


def _by_stem(name: str, folder: Path) -> Path:
    """The notebook with this stem, else the only one whose stem begins so, of the first folder that has any."""
    folders = [notebook_paths(folder / kind) for kind in ("", *_KINDS)]
    for found in (
        [path for paths in folders for path in paths if path.stem == name][:1],
        *([path for path in paths if path.stem.startswith(name)] for paths in folders if name),
    ):
        if len(found) > 1:
            raise ParameterError(f"'{name}' is ambiguous: {listed([path.stem for path in found])}")
        if found:
            return found[0]
    if not folders[0]:
        raise ParameterError(f"no such notebook: {name}; the folder '{folder}' has none (give a path, or --root)")
    raise ParameterError(describe_unknown("notebook", name, [path.stem for path in folders[0]]))


def point(name: str) -> Notebook:
    """A notebook of this book for parameter sweeps, see `sweeps`.

    Raises:
        ParameterError: there is none with this name.

    >>> point("one_boundary").path.name
    'one_boundary.ipynb'
    """
    result = [path for folder in _POINTS if (path := folder / f"{name}.ipynb").is_file()]
    if not result:
        raise ParameterError(f"no notebook {name!r} in '{_POINTS[0]}'")
    return Notebook(result[0])


def notebook_paths(folder: Path) -> list[Path]:
    """The notebooks of a folder, in order."""
    return sorted(folder.glob("*.ipynb"))


def execute(
    notebook: Notebook, values: Mapping[str, Any], out: Path, *, timeout: int = TIMEOUT, folder: Path | None = None
) -> None:
    """Execute a notebook by papermill, in a kernel of the current interpreter.

    Finished cells are written regularly to a file beside `out` whose name ends in .partial.ipynb. Only a completed
    notebook replaces `out`; a failed or interrupted one remains for inspection.

    Args:
        notebook: the notebook.
        values: parameters that differ from the defaults; checked by the caller.
        out: path of the executed notebook.
        timeout: seconds a single cell may take.
        folder: the kernel's working directory; by default the present one.

    Raises:
        ExecutionError: a cell failed or took too long, or the kernel died.
        KeyboardInterrupt: after the kernel has stopped; the message names the unfinished file.
        ParameterError: `out` cannot be written, or is the notebook itself.
    """
    from papermill import execute_notebook
    from papermill.exceptions import PapermillExecutionError

    from lmc_utils.running import papermill_engine

    partial = out.with_suffix(".partial.ipynb")
    for written in (out, partial):
        require(written.resolve() != notebook.path.resolve(), "out", "another file than the source", str(out))
    require(not out.is_dir(), "out", "a file, not a folder", str(out))
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        partial.touch()
    except OSError as error:
        raise ParameterError(f"out: cannot write '{out}': {error.strerror}") from error
    try:
        with kernel_of_this_python():
            execute_notebook(
                _escape_braces(notebook.path),
                _escape_braces(partial),
                parameters=dict(values),
                engine_name=papermill_engine.NAME,
                kernel_name="python3",
                language="python",  # where the metadata do not say so
                execution_timeout=timeout,
                cwd=folder,
                progress_bar=False,
                log_output=False,
                extra_arguments=["--IPKernelApp.log_level=50"],
            )
    except PapermillExecutionError as error:
        line = one_line(" ".join(f"{error.ename}: {error.evalue}".split()), LONGEST_VALUE)
        raise ExecutionError(f"{notebook.path.stem}: In [{error.exec_count}]: {line} (see {partial})") from error
    except Exception as error:  # a cell took too long, the kernel died or did not start, or metadata are invalid
        raise ExecutionError(f"{notebook.path.stem}: {describe_error(error)} (see {partial})") from error
    except KeyboardInterrupt as error:
        raise KeyboardInterrupt(
            f"{notebook.path.stem}: what was executed is in {partial}; a rerun resumes training"
        ) from error
    partial.replace(out)


@contextmanager
def kernel_of_this_python() -> Iterator[None]:
    """Make `python3` the kernel of this interpreter; Jupyter's search path may find that of another one.

    Jupyter's connection files are in the same temporary folder. The kernel keeps freed memory for reuse.
    """
    from ipykernel.kernelspec import write_kernel_spec

    with tempfile.TemporaryDirectory(prefix="lmc-") as folder:
        write_kernel_spec(Path(folder) / "kernels" / "python3")
        path = os.pathsep.join([folder, *filter(None, [os.environ.get("JUPYTER_PATH")])])
        kept_memory = {name: os.environ.get(name, str(size)) for name, size in _KEPT_MEMORY.items()}
        with _environment(JUPYTER_PATH=path, JUPYTER_RUNTIME_DIR=str(Path(folder) / "runtime"), **kept_memory):
            yield


@contextmanager
def _environment(**variables: str) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name)
            if value is not None:
                os.environ[name] = value


def _escape_braces(path: Path) -> str:
    """Escape braces in a path, which papermill would fill in as a template."""
    return str(path).replace("{", "{{").replace("}", "}}")


def load_record(name: str) -> type[Settings]:
    """Import the parameter record named as module:Class; raises ParameterError if there is none."""
    module, _, attribute = name.partition(":")
    try:
        record = getattr(importlib.import_module(module), attribute)
        require(isinstance(record, type) and issubclass(record, Settings), attribute, "a subclass of Settings", record)
    except Exception as error:  # importing a module may raise anything
        raise ParameterError(f"the notebook's metadata names unknown settings, {short_repr(name)} ({error})") from error
    return cast("type[Settings]", record)
