"""The small families of networks for the exercises, which train in seconds and show the effects of the chapters."""

from __future__ import annotations

from dataclasses import fields, replace
from functools import cache
from typing import Any

from lmc_utils import progress
from lmc_utils.forking import Experiment, Run, train
from lmc_utils.settings import require_choice

EXPERIMENT = Experiment(epochs=16, fork_epochs=(0, 2, 8), parents=2)
RESIDUAL = replace(
    EXPERIMENT, architecture="resnet8", widths=(8,), norm="batch", learning_rate=0.4, epochs=10, fork_epochs=(0, 2),
    train_samples=1000,
)  # fmt: skip


@cache
def family(**changes: Any) -> Run:
    """Train the family, or load it from the cache; `changes` are parameters that differ from `EXPERIMENT`.

    Raises:
        ParameterError: a parameter is unknown or out of range.
    """
    return _trained(EXPERIMENT, changes)


@cache
def residual_family(**changes: Any) -> Run:
    """Likewise a family of small residual networks with batch normalisation, `RESIDUAL`."""
    return _trained(RESIDUAL, changes)


def _trained(experiment: Experiment, changes: dict[str, Any]) -> Run:
    known = [field.name for field in fields(experiment)]
    for name in changes:
        require_choice("parameter", name, known)
    with progress.hidden():
        return train(replace(experiment, **changes))
