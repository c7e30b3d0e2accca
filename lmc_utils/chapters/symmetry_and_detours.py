"""The chapter on permutation symmetry and curved paths: its parameters."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

from lmc_utils.forking import Experiment
from lmc_utils.measure.lines import LineGrid
from lmc_utils.settings import Settings, at_least, odd_at_least, parameter


@dataclass(frozen=True)
class Parameters(Settings):
    """What the chapter trains and measures besides."""

    wide: int = parameter(256, "units or channels of each hidden layer of the wide family", at_least(1))
    wide_forks: int = parameter(2, "how many of the fork epochs the wide family has, the first ones", at_least(1))
    alphas: int = parameter(21, "evenly spaced points from one network to the other", odd_at_least(3), bytes_each=64)

    PRESETS: ClassVar[dict[str, dict[str, Any]]] = {"smoke": {"wide": 16, "wide_forks": 2, "alphas": 5}}

    def line(self) -> LineGrid:
        """The line from one network to the other."""
        return LineGrid(alphas=self.alphas, alpha_range=(0.0, 1.0))

    def widened(self, experiment: Experiment) -> Experiment:
        """The same experiment with wide networks and its first fork epochs."""
        widths, forks = (self.wide,) * len(experiment.widths), experiment.fork_epochs[: self.wide_forks]
        return replace(experiment, widths=widths, fork_epochs=forks)
