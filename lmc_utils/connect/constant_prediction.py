"""Baseline error of always predicting the same class."""

from __future__ import annotations

import torch
from torch import Tensor

from lmc_utils.measure.batches import Batches


def constant_error(batches: Batches) -> float | None:
    """The error (percent) of always predicting the most frequent label of some samples.

    If a sample has several positions, they share its weight equally, as in `measure.module_scores.misclassified`.

    Args:
        batches: batches whose targets are classes, (samples, positions...).

    Returns:
        A number from 0 to 100; None if targets are not classes, that is, integers from 0 on.

    >>> from lmc_utils.connect.samples.repeatable_data import repeatable
    >>> constant_error(repeatable((torch.zeros(4, 1), torch.tensor([0, 2, 2, 2]))))
    25.0
    """
    counts, samples = torch.zeros(0, dtype=torch.float64), 0
    for batch in batches:
        target = batch.target
        if not isinstance(target, Tensor) or target.is_floating_point() or target.is_complex() or not target.numel():
            return None
        labels = target.detach().flatten().cpu().to(torch.int64)
        if int(labels.min()) < 0:
            return None
        more = torch.bincount(labels, minlength=len(counts)).double() * (batch.size / len(labels))
        more[: len(counts)] += counts
        counts = more
        samples += batch.size
    return 100 * (1 - counts.max().item() / samples) if samples else None
