"""Bars whose lengths are the counts."""

from __future__ import annotations

import numpy as np

from lmc_utils.figures import class_results


def test_each_bar_is_as_long_as_its_count_and_begins_where_the_last_one_ends() -> None:
    counts = {"a-1": (3, 1, 2), "a-2": (0, 6, 0)}
    (axis,) = class_results.bar_chart(counts).axes
    bars = np.array([[(bar.get_x(), bar.get_width()) for bar in kind] for kind in axis.containers])
    assert bars[..., 1].T.tolist() == [list(each) for each in counts.values()]
    assert (bars[1:, :, 0] == bars[:-1].sum(-1)).all()
    assert [label.get_text() for label in axis.get_yticklabels()] == list(counts)
