"""The chapter on the reader's own networks: how those that it trains are trained, and two checkpoints in files."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

from torch import nn

from lmc_utils.connect import checkpoints, import_by_name
from lmc_utils.measure.module_state import State
from lmc_utils.settings import (
    ParameterError,
    Settings,
    above,
    at_least,
    between,
    odd_at_least,
    parameter,
    require,
)


@dataclass(frozen=True)
class Parameters(Settings):
    """What the chapter trains before it connects: starts, and networks that are fine-tuned from them.

    >>> Parameters(families=0)
    Traceback (most recent call last):
    lmc_utils.settings.ParameterError: families: expected at least 1, got 0
    """

    PRESETS: ClassVar[dict[str, dict[str, Any]]] = {
        "smoke": {"families": 1, "start_epochs": 2, "tuning_epochs": 1, "sequences": 400, "alphas": 5}
    }

    families: int = parameter(3, "families of three networks: two from one start, one from another", at_least(1))
    start_epochs: int = parameter(4, "passes over the training samples for a start", at_least(1), unit="epochs")
    tuning_epochs: int = parameter(6, "passes after it, in an order of their own", at_least(1), unit="epochs")
    batch_size: int = parameter(80, "samples in a step; the last short batch is dropped", between(1, 400))
    sequences: int = parameter(2400, "sequences that the transformers are trained on", at_least(400))
    adam_rate: float = parameter(0.007, "largest learning rate of the transformers, by AdamW", above(0))
    sgd_rate: float = parameter(0.3, "largest learning rate of the convolutional networks, by SGD", above(0))
    alphas: int = parameter(11, "evenly spaced points from one network to the other", odd_at_least(3), bytes_each=64)
    seed: int = parameter(0, "of everything random; equal seeds give equal networks", at_least(0))


class Loaded(NamedTuple):
    """What `connect.pair` takes: two states, a network of their architecture, and samples."""

    first: State
    second: State
    data: Any
    model: nn.Module


@dataclass(frozen=True)
class Checkpoints(Settings):
    """Two checkpoints of the reader's own; all four parameters, or none.

    >>> Checkpoints(model="my_package.networks:make")
    Traceback (most recent call last):
    lmc_utils.settings.ParameterError: data: expected MODULE:NAME, as model, data, checkpoint_a and checkpoint_b go ...
    """

    model: str | None = parameter(None, "your network: MODULE:NAME of a function that makes one")
    data: str | None = parameter(None, "your samples: MODULE:NAME, as for `lmc connect`")
    checkpoint_a: str | None = parameter(None, "a file with one state of your network")
    checkpoint_b: str | None = parameter(None, "a file with another")

    def check(self) -> None:
        given = {each.name: getattr(self, each.name) for each in fields(Checkpoints)}
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
        return any(getattr(self, each.name) is not None for each in fields(Checkpoints))

    def load(self) -> Loaded:
        """Read both files, and make the network and the samples.

        Raises:
            ParameterError: none are given, or one of them is not what it should be; in one line.
        """
        if self.checkpoint_a is None or self.checkpoint_b is None or self.model is None or self.data is None:
            raise ParameterError("model: expected MODULE:NAME, got None, as no files are given")
        first, second = (checkpoints.read(Path(path))[0] for path in (self.checkpoint_a, self.checkpoint_b))
        return Loaded(first, second, import_by_name.samples(self.data), import_by_name.network(self.model))
