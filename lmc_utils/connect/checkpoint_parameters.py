"""Two checkpoints in files, with what it takes to measure them: the parameters of a notebook."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, NamedTuple

from torch import nn

from lmc_utils.connect import checkpoints, import_by_name
from lmc_utils.connect.state_dicts import State
from lmc_utils.settings import ParameterError, Settings, parameter, require


class Loaded(NamedTuple):
    """What `connect.pair` takes: two states, a network of their architecture, and samples."""

    first: State
    second: State
    data: Any
    model: nn.Module


@dataclass(frozen=True)
class Files(Settings):
    """Two checkpoints of the reader's own; all four parameters, or none.

    >>> Files(model="my_package.networks:make")
    Traceback (most recent call last):
    lmc_utils.settings.ParameterError: data: expected MODULE:NAME, as model, data, checkpoint_a and checkpoint_b go ...
    """

    model: str | None = parameter(None, "your network: MODULE:NAME of a function that makes one")
    data: str | None = parameter(None, "your samples: MODULE:NAME, as for `lmc connect`")
    checkpoint_a: str | None = parameter(None, "a file with one state of your network")
    checkpoint_b: str | None = parameter(None, "a file with another")

    def check(self) -> None:
        given = {each.name: getattr(self, each.name) for each in fields(Files)}
        for name, value in given.items() if self else ():
            wanted = "a file" if name.startswith("checkpoint") else "MODULE:NAME"
            together = f"{wanted}, as model, data, checkpoint_a and checkpoint_b go together"
            require(value is not None, name, together, value)
            if name.startswith("checkpoint"):
                require(Path(value).is_file(), name, "a file that is there", value)
            else:
                require(all(value.partition(":")), name, "MODULE:NAME, as in package.module:function", value)

    def __bool__(self) -> bool:
        """Whether any of them is given."""
        return any(getattr(self, each.name) is not None for each in fields(Files))

    def load(self) -> Loaded:
        """Read both files, and make the network and the samples.

        Raises:
            ParameterError: none are given, or one of them is not what it should be; in one line.
        """
        if self.checkpoint_a is None or self.checkpoint_b is None or self.model is None or self.data is None:
            raise ParameterError("model: expected MODULE:NAME, got None, as no files are given")
        first, second = (checkpoints.read(Path(path))[0] for path in (self.checkpoint_a, self.checkpoint_b))
        return Loaded(first, second, import_by_name.samples(self.data), import_by_name.network(self.model))
