"""Trajectories: networks that part from a common parent and go on by themselves, epoch after epoch.

What `measure.pairs` is to two networks at a time, this is to whole trajectories: all that distances and angles need,
from any source (`forking.Run.trajectories` is one).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from torch import Tensor

from lmc_utils.measure.labelled_arrays import Coords


@dataclass(frozen=True)
class Trajectories:
    """The trajectories of siblings, and of the parents that they part from.

    Attributes:
        fork_epochs: when siblings part from their parent.
        parents: how many there are.
        siblings: how many of each parent at each fork epoch.
        epochs: of training.
        slices: where each layer's block lies in a parameter vector, in order, as `networks.stack.layer_slices` has it.
        read: from fork epoch, parent and epoch to parameter vectors, shape (1 + siblings, parameters): the parent,
            then its siblings, which before the fork epoch are the parent.
        provenance: attributes of every result.
    """

    fork_epochs: Sequence[int]
    parents: int
    siblings: int
    epochs: int
    slices: Mapping[str, slice]
    read: Callable[[int, int, int], Tensor]
    provenance: Mapping[str, str] = field(default_factory=dict)

    @property
    def pairs(self) -> list[tuple[int, int]]:
        """The pairs of siblings: (0, 1), and with more of them (0, 2), (1, 2), ..."""
        return sibling_pairs(self.siblings)

    def coords(self) -> Coords:
        """The labels of arrays over trajectories: fork_epoch, parent, sibling, pair, epoch."""
        return {
            "fork_epoch": list(self.fork_epochs),
            "parent": list(range(self.parents)),
            "sibling": list(range(self.siblings)),
            "pair": pair_names(self.siblings),
            "epoch": list(range(self.epochs + 1)),
        }


def sibling_pairs(siblings: int) -> list[tuple[int, int]]:
    """The pairs of so many siblings, in order.

    >>> sibling_pairs(3)
    [(0, 1), (0, 2), (1, 2)]
    """
    return list(itertools.combinations(range(siblings), 2))


def pair_names(siblings: int) -> list[str]:
    """Names of the pairs of so many siblings.

    >>> pair_names(3)
    ['0-1', '0-2', '1-2']
    """
    return [f"{first}-{second}" for first, second in sibling_pairs(siblings)]
