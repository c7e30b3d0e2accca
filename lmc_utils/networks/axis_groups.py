"""Groups of axis segments that must be permuted together, as a network's operations require.

An axis is a sequence of segments. Segments of one group share a permutation; segments that must keep their order belong
to the group `FIXED`. Analysis of a network begins with a separate group for every axis of every parameter; each
operation then requires some axes to be equal, and groups are joined, cut or fixed.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

FIXED = ""
"""The group of all that keeps its order."""

CONSTANT = "constant "
"""What the names of groups begin with along which all entries are equal."""


class Segment(NamedTuple):
    """Consecutive entries of an axis that belong to one permutation group.

    Attributes:
        group: name of the group, that of the layer that produces its channels.
        size: the number of channels.
        repeats: the number of consecutive entries for each channel.
    """

    group: str
    size: int
    repeats: int = 1


Axis = tuple[Segment, ...]
"""What an axis is made of, in order; empty where nothing on it permutes."""


def length(axis: Axis) -> int:
    """The number of entries of an axis.

    >>> length((Segment("conv", 4, repeats=9), Segment(FIXED, 2)))
    38
    """
    return sum(segment.size * segment.repeats for segment in axis)


class AxisGroups:
    """Records which groups are merged, split or fixed.

    Every call only restricts the allowed permutations, so the order of calls does not matter.

    >>> groups = AxisGroups()
    >>> groups.join((Segment("stream", 4),), (Segment("branch", 4),))
    >>> groups.settled((Segment("branch", 4, repeats=9),))
    (Segment(group='stream', size=4, repeats=9),)
    """

    def __init__(self) -> None:
        self._made_of: dict[str, Axis] = {}
        self._constants = 0

    def constant(self, size: int) -> Axis:
        """An axis along which all entries are equal, so that any permutation is allowed."""
        self._constants += 1
        return (Segment(f"{CONSTANT}{self._constants}", size),) if size else ()

    def settled(self, axis: Axis) -> Axis:
        """An axis in terms of the current groups."""
        parts: list[Segment] = []
        for segment in axis:
            inner = self._made_of.get(segment.group)
            if segment.group == FIXED:
                parts += [Segment(FIXED, segment.size * segment.repeats)] if segment.size else []
            elif inner is None:
                parts.append(segment)
            else:
                parts += self.settled(tuple(part._replace(repeats=part.repeats * segment.repeats) for part in inner))
        return tuple(parts)

    def fix(self, axis: Axis) -> None:
        """Require all entries of this axis to keep their order."""
        for segment in self.settled(axis):
            if segment.group != FIXED:
                self._made_of[segment.group] = (Segment(FIXED, segment.size),)

    def join(self, one: Axis, other: Axis) -> None:
        """Require two axes to share a permutation; groups of the first keep their names.

        Groups are cut where the segments of the other axis end. If no permutation fits both, both are fixed.

        Raises:
            ValueError: axes of different lengths.
        """
        if length(one) != length(other):
            raise ValueError(f"axes of {length(one)} and {length(other)} entries cannot permute alike")
        while self._joined_one_more(one, other):
            pass

    def cut(self, axis: Axis, lengths: Sequence[int]) -> list[Axis]:
        """Cut an axis into parts of these lengths, each with its own permutation."""
        for end in range(1, len(lengths)):
            while (inside := self._segment_across(axis, sum(lengths[:end]))) is not None:
                self._split(*inside)
        segments, parts = deque(self.settled(axis)), []
        for wanted in lengths:
            part: list[Segment] = []
            while length(tuple(part)) < wanted:
                segment = segments.popleft()
                missing = wanted - length(tuple(part))
                if segment.group == FIXED and segment.size > missing:
                    segments.appendleft(Segment(FIXED, segment.size - missing))
                    segment = Segment(FIXED, missing)
                part.append(segment)
            parts.append(tuple(part))
        return parts

    def _segment_across(self, axis: Axis, place: int) -> tuple[Segment, int] | None:
        """The segment that contains this index in its interior, and the number of its entries before the index."""
        start = 0
        for segment in self.settled(axis):
            end = start + segment.size * segment.repeats
            if start < place < end and segment.group != FIXED:
                return segment, place - start
            start = end
        return None

    def _joined_one_more(self, one: Axis, other: Axis) -> bool:
        """Resolve the first difference between two axes; False if there is none."""
        left, right = deque(self.settled(one)), deque(self.settled(other))
        while left:
            first, second = left.popleft(), right.popleft()
            sizes = length((first,)), length((second,))
            if sizes[0] == sizes[1]:
                if first != second:
                    self._unite(first, second)
                    return True
                continue
            shorter = min(sizes)
            longer, rest = (first, left) if sizes[0] > sizes[1] else (second, right)
            if longer.group != FIXED:
                self._split(longer, shorter)
                return True
            rest.appendleft(Segment(FIXED, longer.size - shorter))
            (right if rest is left else left).appendleft(second if rest is left else first)
            rest.appendleft(Segment(FIXED, shorter))
        return False

    def _unite(self, first: Segment, second: Segment) -> None:
        """Require two different segments of equal length to share a permutation."""
        if FIXED in (first.group, second.group) or first.group == second.group:
            self.fix((first, second))
        elif first.repeats % second.repeats == 0:
            self._made_of[second.group] = (Segment(first.group, first.size, first.repeats // second.repeats),)
        elif second.repeats % first.repeats == 0:
            self._made_of[first.group] = (Segment(second.group, second.size, second.repeats // first.repeats),)
        else:
            self.fix((first, second))

    def _split(self, segment: Segment, entries: int) -> None:
        """Split a segment's group after so many entries; a channel that is cut in two is fixed."""
        group, size, repeats = segment
        count = entries // repeats
        if entries % repeats:
            self.fix((segment,))
        else:
            self._made_of[group] = (Segment(f"{group}[:{count}]", count), Segment(f"{group}[{count}:]", size - count))
