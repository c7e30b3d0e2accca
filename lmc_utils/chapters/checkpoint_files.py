"""The reader's own checkpoints as parameters of a chapter: checked, read, and connected."""

from __future__ import annotations

import atexit
import os
import shutil
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, NamedTuple

import xarray as xr
from torch import nn

from lmc_utils import connect
from lmc_utils.chapters.finetuned_families import with_difference
from lmc_utils.connect import checkpoints, import_by_name
from lmc_utils.measure.module_state import State
from lmc_utils.settings import ParameterError, Settings, parameter, require


class Loaded(NamedTuple):
    """The arguments of `connect.pair`: two states, a network of their architecture, and samples."""

    first: State
    second: State
    data: Any
    model: nn.Module

    def pair(self, **options: Any) -> connect.Report:
        """Connect both states by `connect.pair`, with these of its options."""
        return connect.pair(self.first, self.second, self.data, model=self.model, **options)


@dataclass(frozen=True)
class Checkpoints(Settings):
    """Two checkpoints of the reader; all four parameters, or none.

    >>> Checkpoints(model="my_package.networks:make")
    Traceback (most recent call last):
    lmc_utils.settings.ParameterError: data is missing: give model, data, checkpoint_a and checkpoint_b, or none
    """

    model: str | None = parameter(None, "your network: MODULE:NAME of a function that returns it")
    data: str | None = parameter(None, "your samples: MODULE:NAME, as for `lmc connect`")
    checkpoint_a: str | None = parameter(None, "checkpoint file of the first network")
    checkpoint_b: str | None = parameter(None, "checkpoint file of the second network")

    def check(self) -> None:
        given = {each.name: getattr(self, each.name) for each in fields(Checkpoints)}
        for name, value in given.items() if self else ():
            if value is None:
                raise ParameterError(f"{name} is missing: give model, data, checkpoint_a and checkpoint_b, or none")
            if name.startswith("checkpoint"):
                if not Path(value).exists():
                    raise ParameterError(f"{name}: no such file: {value}")
            else:
                require(all(value.partition(":")), name, "MODULE:NAME, e.g. package.module:function", value)

    def __bool__(self) -> bool:
        """Whether any of them is given."""
        return any(getattr(self, each.name) is not None for each in fields(Checkpoints))

    def load(self) -> Loaded:
        """Read both files, and make the network and the samples.

        Raises:
            ParameterError: none are given, or one of them is invalid; in one line.
        """
        if self.checkpoint_a is None or self.checkpoint_b is None or self.model is None or self.data is None:
            raise ParameterError("no checkpoints are given: set model, data, checkpoint_a and checkpoint_b")
        first, second = (checkpoints.read(Path(path))[0] for path in (self.checkpoint_a, self.checkpoint_b))
        return Loaded(first, second, import_by_name.samples(self.data), import_by_name.network(self.model))


def between_files(loaded: Loaded, conventions: Mapping[str, str], *, alphas: int) -> dict[str, xr.Dataset]:
    """Connect two checkpoints under each convention for the statistics of batch normalisation.

    Args:
        loaded: the checkpoints.
        conventions: see `connect.pair`, by name; a hyphen in a name is left out.
        alphas: points on the line.
    """
    reports = {
        name.replace("-", ""): loaded.pair(alphas=alphas, batchnorm=convention)
        for name, convention in conventions.items()
    }
    return {name: with_difference(report) for name, report in reports.items()}


def working_folder() -> Path:
    """Make a temporary folder whose modules can be imported, in Python and in the shell, which also finds `lmc`.

    Progress bars are hidden in both, as a page would show their every step.
    """
    folder = tempfile.mkdtemp(prefix="lmc-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    sys.path.insert(0, folder)
    for variable, first in (("PYTHONPATH", folder), ("PATH", str(Path(sys.executable).parent))):
        os.environ[variable] = os.pathsep.join(filter(None, [first, os.environ.get(variable)]))
    os.environ["LMC_PROGRESS"] = "0"
    return Path(folder)
