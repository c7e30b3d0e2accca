"""Labelled pairs of networks to measure, from any source.

A measurement needs labelled pairs of endpoints, sometimes with a third point, and an evaluator for them. They come from
a forked run (`forking.Run.pairs`), two PyTorch modules (`connect.pairs`) or parameter vectors (`between`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, nn

from lmc_utils.measure.batchnorm import Convention
from lmc_utils.measure.evaluator import Corners, Evaluator
from lmc_utils.measure.labelled_arrays import Coords, Place
from lmc_utils.measure.stacked_evaluator import Samples, StackedEvaluator
from lmc_utils.networks.stack import Networks
from lmc_utils.settings import ParameterError, require_choice


@dataclass(frozen=True)
class Pairs:
    """Labelled pairs of networks of one architecture.

    Attributes:
        evaluator: measures the networks, on samples that it holds.
        coords: the labels of an array over pairs: for each dimension, in order, the labels along it.
        places: indices of the pairs in such an array, in the order in which they are read.
        read: returns the corners at a place, two endpoints or with a third point three networks, in the evaluator's
            format. Called one pair at a time, so that only one is in memory.
        third: description of the third point; None without one.
        provenance: attributes of every result, which describe the pairs and the samples.
        networks: the number of networks at each place without the third point. Only `ensembles` measures groups of more
            than two; all other measurements are of the first two.
    """

    evaluator: Evaluator
    coords: Coords
    places: Sequence[Place]
    read: Callable[[Place], Corners]
    third: str | None = None
    provenance: Mapping[str, str] = field(default_factory=dict)
    networks: int = 2

    def __len__(self) -> int:
        return len(self.places)

    def __iter__(self) -> Iterator[tuple[Place, Corners]]:
        """Iterate over the place and the corners of each pair."""
        return ((place, self.read(place)) for place in self.places)

    @property
    def corners(self) -> int:
        """The number of corners of each pair: its networks, and the third point if there is one."""
        return self.networks + (self.third is not None)

    @property
    def attributes(self) -> dict[str, str]:
        """The attributes of every result: `provenance`, and the convention for batch normalisation."""
        return {**self.provenance, "batchnorm": self.evaluator.batchnorm}

    def only(self, **labels: Any) -> Pairs:
        """Select the pairs with these labels; in arrays over pairs, the places of the others remain NaN.

        Args:
            labels: labels to select, by dimension.

        Raises:
            ValueError: no such dimension or label.
        """
        along = {dim: range(each) if isinstance(each, int) else each for dim, each in self.coords.items()}
        wanted = {list(along).index(dim): list(along[dim]).index(label) for dim, label in labels.items()}
        kept = [place for place in self.places if all(place[axis] == number for axis, number in wanted.items())]
        return replace(self, places=kept)

    def require_splits(self, requested: str | Sequence[str] | None) -> list[str]:
        """The names of the requested splits, by default of all.

        Raises:
            ParameterError: there is no such split.
        """
        chosen = [requested] if isinstance(requested, str) else requested
        for name in chosen or ():
            require_choice("split", name, self.evaluator.splits)
        return list(self.evaluator.splits if chosen is None else chosen)

    def require_third(self) -> str:
        """A description of the third point.

        Raises:
            ParameterError: the pairs have none.
        """
        if self.third is None:
            raise ParameterError("the pairs have no third point; make them with third=")
        return self.third


def between(
    network: nn.Module,
    firsts: Tensor,
    seconds: Tensor,
    *,
    samples: Mapping[str, Samples],
    thirds: Tensor | None = None,
    third: str = "third",
    provenance: Mapping[str, str] | None = None,
    convention: Convention | None = None,
    buffers: Tensor | None = None,
) -> Pairs:
    """Make pairs of a stack's parameter vectors, labelled 0, 1, ... along the dimension `pair`.

    Args:
        network: any stack of the architecture.
        firsts, seconds: the endpoints, shape (pairs, parameters).
        samples: inputs and labels of each split, under its name.
        thirds: the third points, the same shape; or None.
        third: description of the third points.
        provenance: as in `Pairs`.
        convention: the source of batch-norm statistics.
        buffers: running statistics, shape (pairs, 2 or 3, numbers); or None.

    Raises:
        ValueError: shapes that differ.

    >>> from lmc_utils.networks.layers import Linear
    >>> samples = {"train": (torch.zeros(5, 2), torch.zeros(5, dtype=torch.int64))}
    >>> pairs = between(Linear(1, 2, 3), torch.zeros(1, 9), torch.ones(1, 9), samples=samples)
    >>> [(place, tuple(ends.theta.shape)) for place, ends in pairs]
    [((0,), (2, 9))]
    """
    parts = [firsts, seconds, *([] if thirds is None else [thirds])]
    shapes: list[Any] = [tuple(part.shape) for part in parts]
    if firsts.dim() != 2 or len(set(shapes)) > 1:
        raise ValueError(f"endpoints: expected one shape (pairs, parameters), got {', '.join(map(str, shapes))}")
    points = torch.stack(parts, 1).detach()
    count = range(len(points))
    return Pairs(
        StackedEvaluator(network, samples, convention or Convention(), firsts.device),
        {"pair": list(count)},
        [(row,) for row in count],
        lambda place: Networks(points[place[0]], None if buffers is None else buffers[place[0]]),
        None if thirds is None else third,
        provenance or {},
    )
