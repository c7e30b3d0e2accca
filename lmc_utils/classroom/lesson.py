"""The small family of networks that the exercises are about: it trains in seconds, and shows what the chapters show."""

from __future__ import annotations

from dataclasses import fields, replace
from functools import cache
from typing import Any

from lmc_utils.forking import Experiment, Run, train
from lmc_utils.settings import require_choice

EXPERIMENT = Experiment(epochs=16, fork_epochs=(0, 2, 8), parents=2)


@cache
def family(**changes: Any) -> Run:
    """Train the family, or fetch it; the changes are parameters that differ from `EXPERIMENT`.

    Raises:
        ParameterError: a parameter is unknown or out of range.
    """
    known = [field.name for field in fields(EXPERIMENT)]
    for name in changes:
        require_choice("parameter", name, known)
    return train(replace(EXPERIMENT, **changes), progress=False)
