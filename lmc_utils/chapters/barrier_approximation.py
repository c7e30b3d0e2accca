"""The chapter on the barrier and its second-order approximation: its parameters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from lmc_utils.measure.lines import LineGrid
from lmc_utils.settings import Settings, at_least, between, increasing, odd_at_least, one_of, parameter


@dataclass(frozen=True)
class Parameters(Settings):
    """How the chapter measures and compares.

    >>> Parameters(alphas=20)
    Traceback (most recent call last):
    lmc_utils.settings.ParameterError: alphas: expected an odd number of at least 3, got 20
    """

    alphas: int = parameter(21, "evenly spaced points from one sibling to the other", odd_at_least(3), bytes_each=64)
    nodes: int = parameter(32, "points at which the curvature along the line is measured", between(1, 200))
    smooth_activation: str = parameter("gelu", "of the family without kinks", one_of(("gelu", "tanh")))
    decays: tuple[float, ...] = parameter((0.0, 1e-4, 1e-3, 3e-3), "weight decays to compare", increasing(at_least(0)))
    sweep_parents: int = parameter(2, "different initialisations for each of them", at_least(1))

    PRESETS: ClassVar[dict[str, dict[str, Any]]] = {
        "smoke": {"alphas": 5, "nodes": 6, "decays": [0.0, 1e-3], "sweep_parents": 1}
    }

    def line(self) -> LineGrid:
        """The line from one sibling to the other."""
        return LineGrid(alphas=self.alphas, alpha_range=(0.0, 1.0))
