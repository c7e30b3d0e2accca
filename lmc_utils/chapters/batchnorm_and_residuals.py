"""The chapter on residual networks with batch normalisation: its experiment and its parameters."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

from lmc_utils.forking import Experiment
from lmc_utils.measure.lines import LineGrid
from lmc_utils.measure.pairs import Pairs
from lmc_utils.measure.stacked_evaluator import require_stacked
from lmc_utils.settings import Settings, at_least, odd_at_least, parameter, require, with_default


@dataclass(frozen=True, kw_only=True)
class ResidualExperiment(Experiment):
    """An experiment with the defaults of the chapter on residual networks with batch normalisation.

    >>> ResidualExperiment(norm="group")
    Traceback (most recent call last):
    lmc_utils.settings.ParameterError: norm: expected batch, as its statistics are what is compared, got 'group'
    """

    architecture: str = with_default(Experiment, "architecture", "resnet8")
    widths: tuple[int, ...] = with_default(Experiment, "widths", (8,))
    norm: str = with_default(Experiment, "norm", "batch")
    learning_rate: float = with_default(Experiment, "learning_rate", 0.4)
    epochs: int = with_default(Experiment, "epochs", 20)

    PRESETS: ClassVar[dict[str, dict[str, Any]]] = {
        "smoke": {"epochs": 16, "parents": 2, "widths": [4], "train_samples": 256},
        "paper": Experiment.PRESETS["paper"] | {"learning_rate": 0.1},
    }

    def check(self) -> None:
        require(self.norm == "batch", "norm", "batch, as its statistics are what is compared", self.norm)


@dataclass(frozen=True)
class Parameters(Settings):
    """What the chapter measures."""

    alphas: int = parameter(9, "evenly spaced points from one sibling to the other", odd_at_least(3), bytes_each=64)
    few_samples: int = parameter(
        1000, "training samples for what is costly: during training, curvature, layer by layer", at_least(2)
    )

    PRESETS: ClassVar[dict[str, dict[str, Any]]] = {"smoke": {"alphas": 3, "few_samples": 64}}

    def line(self) -> LineGrid:
        """The line from one sibling to the other."""
        return LineGrid(alphas=self.alphas, alpha_range=(0.0, 1.0))

    def few(self, pairs: Pairs) -> Pairs:
        """The same pairs, to be measured on the first of their training samples only."""
        return replace(pairs, evaluator=require_stacked(pairs).with_few_samples(self.few_samples))
