"""How the networks of the chapter on the reader's own networks are trained."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from lmc_utils.settings import Settings, above, at_least, between, odd_from, parameter


@dataclass(frozen=True)
class Tuning(Settings):
    """What the chapter trains before it connects: starts, and networks that are fine-tuned from them.

    >>> Tuning(families=0)
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
    alphas: int = parameter(11, "evenly spaced points from one network to the other", odd_from(3), bytes_each=64)
    seed: int = parameter(0, "of everything random; equal seeds give equal networks", at_least(0))
