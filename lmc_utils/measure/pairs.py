"""Pairs of networks: all that a measurement needs, whoever supplies them.

A measurement asks for a network's architecture, samples, a device and labelled pairs of endpoints, some with a third
point. A forked run supplies them (`forking.Run.pairs`); so do two parameter vectors made by hand (`between`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from lmc_utils.measure import batchnorm
from lmc_utils.measure.batchnorm import Convention, Statistics
from lmc_utils.measure.labelled_arrays import Coords, Place
from lmc_utils.networks.lifted import as_stack
from lmc_utils.settings import ParameterError, require_choice

Samples = tuple[Tensor, Tensor]
"""Inputs (samples, space..., channels) and labels (samples,)."""


@dataclass(frozen=True)
class Pairs:
    """Labelled pairs of networks of one architecture, and what they are measured on.

    Attributes:
        network: any stack of the architecture, or any module that `networks.lifted.Lifted` takes; what is kept is a
            copy as a stack in evaluation mode, so that the order of its parameters is that of the vectors.
        samples: of each split, under its name.
        coords: the labels of an array over pairs: for each dimension, in order, the labels along it.
        places: where in such an array there is a pair, in the order in which they are read.
        read: the parameter vectors of the pair at a place: its endpoints, shape (2, parameters), or with a third point
            (3, parameters). Called when a pair is asked for, so that only one needs memory.
        third: what the third point is, in words; None where there is none.
        device: where to measure.
        provenance: attributes of every result: what the pairs are, what the samples are; the convention is added to it.
        convention: where statistics of batch normalisation come from, where the network has it.
        read_buffers: as `read`, what the networks at a place keep besides their parameters, (2 or 3, numbers); None
            where that is nothing, or is to be re-estimated everywhere.
    """

    network: nn.Module
    samples: Mapping[str, Samples]
    coords: Coords
    places: Sequence[Place]
    read: Callable[[Place], Tensor]
    third: str | None = None
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    provenance: Mapping[str, str] = field(default_factory=dict)
    convention: Convention = field(default_factory=Convention)
    read_buffers: Callable[[Place], Tensor] | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "network", as_stack(self.network).to(self.device))
        has_norms = bool(batchnorm.norms(self.network))
        if has_norms and self.read_buffers is None and self.convention.batchnorm != "reestimate":
            expected = "reestimate, as the networks come without their running statistics"
            raise ParameterError(f"batchnorm: expected {expected}, got {self.convention.batchnorm!r}")
        said = self.convention.describe() if has_norms else "none"
        object.__setattr__(self, "provenance", {**self.provenance, "batchnorm": said})

    def __len__(self) -> int:
        return len(self.places)

    def __iter__(self) -> Iterator[tuple[Place, Tensor]]:
        """Each pair's place, and its parameter vectors, (2, parameters) or (3, parameters)."""
        return ((place, self.read(place)) for place in self.places)

    def splits(self, wanted: str | Sequence[str] | None) -> dict[str, Samples]:
        """The samples of the splits asked for, by default of all, on the device.

        Raises:
            ParameterError: there is no such split.
        """
        wanted = [wanted] if isinstance(wanted, str) else wanted
        for name in wanted or ():
            require_choice("split", name, self.samples)
        chosen = list(self.samples) if wanted is None else wanted
        return {name: tuple(part.to(self.device) for part in self.samples[name]) for name in chosen}  # type: ignore[misc]

    def statistics(self) -> Statistics:
        """Where points between these networks have their statistics of batch normalisation from.

        Raises:
            ParameterError: they are to be re-estimated, and there is no split `train`.
        """
        return Statistics(self.network, self.convention, self.samples, self.read_buffers)

    def require_third(self) -> str:
        """What the third point is.

        Raises:
            ParameterError: the pairs have none.
        """
        if self.third is None:
            raise ParameterError("third: expected pairs with a third point, got pairs of endpoints only")
        return self.third


def between(
    network: nn.Module,
    firsts: Tensor,
    seconds: Tensor,
    samples: Mapping[str, Samples],
    thirds: Tensor | None = None,
    third: str = "third",
    provenance: Mapping[str, str] | None = None,
    convention: Convention | None = None,
    buffers: Tensor | None = None,
) -> Pairs:
    """Pairs of parameter vectors made by hand, labelled 0, 1, ... along the dimension `pair`.

    Args:
        network, samples, provenance: as in `Pairs`.
        firsts, seconds: their endpoints, shape (pairs, parameters).
        thirds: their third points, the same shape; or None.
        third: what these are, in words.
        convention: as in `Pairs`.
        buffers: what the networks keep besides, shape (pairs, 2 or 3, numbers); or None.

    Raises:
        ValueError: shapes that differ.

    >>> from lmc_utils.networks.layers import Linear
    >>> samples = {"train": (torch.zeros(5, 2), torch.zeros(5, dtype=torch.int64))}
    >>> pairs = between(Linear(1, 2, 3), torch.zeros(1, 9), torch.ones(1, 9), samples)
    >>> [(place, tuple(ends.shape)) for place, ends in pairs]
    [((0,), (2, 9))]
    """
    parts = [firsts, seconds, *([] if thirds is None else [thirds])]
    shapes: list[Any] = [tuple(part.shape) for part in parts]
    if firsts.dim() != 2 or len(set(shapes)) > 1:
        raise ValueError(f"endpoints: expected one shape (pairs, parameters), got {', '.join(map(str, shapes))}")
    points = torch.stack(parts, 1).detach()
    count = range(len(points))
    return Pairs(
        network,
        samples,
        {"pair": list(count)},
        [(row,) for row in count],
        lambda place: points[place[0]],
        None if thirds is None else third,
        firsts.device,
        provenance or {},
        convention or Convention(),
        None if buffers is None else lambda place: buffers[place[0]],
    )
