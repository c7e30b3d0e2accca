"""Trajectories of siblings that fork off a common parent, epoch by epoch.

They supply the input of distances and angles, as `measure.pairs` does for pairs of networks, from any source such as
`forking.Run.trajectories`.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from torch import Tensor

from lmc_utils.measure.labelled_arrays import Coords


@dataclass(frozen=True)
class Trajectories:
    """The trajectories of siblings, and of the parents that they fork off.

    Attributes:
        fork_epochs: epochs at which siblings fork off their parent.
        parents: the number of parents.
        siblings: the number of siblings of each parent at each fork epoch.
        epochs: the epochs of training at which they are known, among them all fork epochs, in order.
        slices: the slice of each layer in a parameter vector, in order, see `networks.stack.layer_slices`.
        read: returns, for fork epoch, parent and epoch, parameter vectors of shape (1 + siblings, parameters): the
            parent, then its siblings, which up to the fork epoch equal the parent.
        provenance: attributes of every result.
    """

    fork_epochs: Sequence[float]
    parents: int
    siblings: int
    epochs: Sequence[float]
    slices: Mapping[str, slice]
    read: Callable[[float, int, float], Tensor]
    provenance: Mapping[str, str] = field(default_factory=dict)

    @property
    def pairs(self) -> list[tuple[int, int]]:
        """The pairs of siblings: (0, 1), and with more of them (0, 2), (1, 2), ..."""
        return sibling_pairs(self.siblings)

    def since(self, fork_epoch: float) -> Iterator[tuple[int, float]]:
        """Iterate over the position and the epoch of all `epochs` from the fork on."""
        return ((place, epoch) for place, epoch in enumerate(self.epochs) if epoch >= fork_epoch)

    def coords(self) -> Coords:
        """The labels of arrays over trajectories: fork_epoch, parent, sibling, pair, epoch."""
        return {
            "fork_epoch": list(self.fork_epochs),
            "parent": list(range(self.parents)),
            "sibling": list(range(self.siblings)),
            "pair": pair_names(self.siblings),
            "epoch": list(self.epochs),
        }


def sibling_pairs(siblings: int) -> list[tuple[int, int]]:
    """The pairs of so many siblings, in order.

    >>> sibling_pairs(3)
    [(0, 1), (0, 2), (1, 2)]
    """
    return list(itertools.combinations(range(siblings), 2))


def pair_names(siblings: int) -> list[str]:
    """Labels of the pairs of so many siblings.

    >>> pair_names(3)
    ['0-1', '0-2', '1-2']
    """
    return [f"{first}-{second}" for first, second in sibling_pairs(siblings)]
