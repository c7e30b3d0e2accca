"""The experiment of `notebooks/points/one_boundary.ipynb`, a point of the sweeps on when stability begins."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from lmc_utils.forking import Experiment
from lmc_utils.settings import with_default


@dataclass(frozen=True, kw_only=True)
class OnsetExperiment(Experiment):
    """One parent with many forks, to find from which fork epoch on its siblings stay together.

    >>> from lmc_utils.forking import members
    >>> len(members(OnsetExperiment()))
    29
    """

    fork_epochs: tuple[int | float, ...] = with_default(
        Experiment, "fork_epochs", (0, 1, 2, 3, 4, 6, 8, 10, 12, 15, 20, 25, 30, 40)
    )
    parents: int = with_default(Experiment, "parents", 1)
    keep: int = with_default(Experiment, "keep", 1000)

    PRESETS: ClassVar[dict[str, dict[str, Any]]] = {
        "smoke": {"epochs": 4, "fork_epochs": [0, 1, 2, 4], "train_samples": 500},
        "paper": Experiment.PRESETS["paper"] | {"fork_epochs": [0, 1, 2, 3, 5, 8, 12, 20, 30, 50, 80, 120, 160]},
    }
