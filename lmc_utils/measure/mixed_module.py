"""A module whose tensors are overwritten with points, which are mixtures of states."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import nn

from lmc_utils.measure.mixtures import Mixtures
from lmc_utils.measure.module_state import Attributes, State, mixed, statistics, tensors

Corners = Sequence[State]


@dataclass(frozen=True)
class MixedModule:
    """A copy of a network into which points are written.

    Attributes:
        module: the copy; its tensors change.
        groups: the tensors of each layer, by its name.
    """

    module: nn.Module
    groups: Mapping[str, Sequence[str]]

    @cached_property
    def parameters(self) -> list[str]:
        """The names of its parameters."""
        return [name for name, _ in self.module.named_parameters()]

    @cached_property
    def statistics(self) -> list[str]:
        """The names of its running means and variances."""
        return statistics(self.module)

    @cached_property
    def owners(self) -> dict[str, list[int]]:
        """The layers that each tensor belongs to."""
        result: dict[str, list[int]] = {}
        for layer, names in enumerate(self.groups.values()):
            for name in names:
                result.setdefault(name, []).append(layer)
        return result

    @cached_property
    def attributes(self) -> Attributes:
        """Values that the module holds besides its tensors, restored for each point."""
        return Attributes(self.module)

    def hold(self, state: State, names: Iterable[str] | None = None) -> None:
        """Write the tensors of a state, or only those with these names, into the module."""
        self.attributes.restore()
        own = tensors(self.module)
        with torch.no_grad():
            for name in state if names is None else names:
                own[name].copy_(state[name])

    def mix(self, corners: Corners, points: Mixtures, row: int, names: Iterable[str]) -> None:
        """Write the tensors of a point with these names into the module."""
        self.attributes.restore()
        own = tensors(self.module)
        with torch.no_grad():
            for name in names:
                weights = self._weights(points, row, name)
                mixed([corner[name] for corner in corners[: len(weights)]], weights, own[name])

    def _weights(self, points: Mixtures, row: int, name: str) -> list[float]:
        """The weights of the corners in one tensor of a point."""
        weights = points.weights[row]
        if points.statistics is not None and name in self.statistics:
            weights = points.statistics[row]
        elif weights.dim() == 2:
            home = torch.zeros(weights.shape[1], dtype=weights.dtype)
            home[points.own_homes()[row]] = 1
            moved = [weights[layer] for layer in self.owners.get(name, []) if not torch.equal(weights[layer], home)]
            weights = moved[0] if moved else home
        if name in self.statistics:  # outside the networks, as in `batchnorm.mixed`
            weights = weights.clamp(min=0) / weights.clamp(min=0).sum()
        return weights.tolist()
