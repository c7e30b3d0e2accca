"""Mean scores at points of each pair, the common core of lines, planes, ridges and curves."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import xarray as xr

from lmc_utils.measure.evaluator import Corners
from lmc_utils.measure.labelled_arrays import Coords, Place, Quantity, blank, require_finite, size
from lmc_utils.measure.mixtures import Mixtures
from lmc_utils.measure.pairs import Pairs
from lmc_utils.progress import bar
from lmc_utils.settings import ParameterError, require_resources

_NUMBER = 8  # bytes of a result


class Interrupted(KeyboardInterrupt):
    """A measurement was interrupted. `partial` holds the results so far, NaN elsewhere."""

    def __init__(self, partial: xr.Dataset) -> None:
        super().__init__("what was measured is in `error.partial`")
        self.partial = partial


class Failed(ParameterError):
    """A point cannot be measured. `partial` holds the results before it, NaN elsewhere."""

    def __init__(self, line: str, partial: xr.Dataset) -> None:
        super().__init__(line)
        self.partial = partial


def measure(
    pairs: Pairs,
    inner: Coords,
    points: Mixtures | Callable[[Place, Corners], Mixtures | None],
    *,
    splits: Sequence[str] | str | None = None,
    order: Sequence[int] | None = None,
    unit: str = "point",
) -> xr.Dataset:
    """Mean scores at the points of each pair.

    Args:
        pairs: the networks.
        inner: the labels of the points of one pair.
        points: the points of every pair, in the order of the inner dimensions; or a function from a pair's place and
            corners to its points, or to None if it has none.
        splits: names of the samples; all by default.
        order: the order in which to measure the points of a pair; by default as given.
        unit: name of the points, for the progress bar.

    Returns:
        `loss`, and `error` (percent) if there is one, with dimensions split, those of the pairs, and the inner ones.
        NaN where there is no pair, as before a fork, or no points. The attribute `batchnorm` gives the source of
        batch-norm statistics. Under the convention `keep` there are also `loss_kept` and `error_kept` with a last
        dimension `kept` (first, second): all points with the statistics of one end, except for the ends themselves,
        which have their own; `loss` and `error` are then the means of both. Infinite scores of users' networks are
        recorded as NaN.

    Raises:
        ParameterError: an unknown split, a network that is not supported, or more points than memory holds.
        Failed: a point cannot be measured, or the loss of a stacked network is NaN or infinite.
        Interrupted: the measurement was interrupted. Like `Failed`, it holds the results so far.
    """
    evaluator, named = pairs.evaluator, pairs.require_splits(splits)
    coords: Coords = {"split": named, **pairs.coords, **inner}
    dims, shape = tuple(coords), tuple(size(labels) for labels in inner.values())
    count, parameters = math.prod(shape), evaluator.parameters
    results = 2 * _NUMBER * math.prod(size(labels) for labels in coords.values())
    require_resources(
        f"{', '.join(inner)} ({count:,} points of {parameters:,} parameters for each pair)", memory=results
    )
    quantities = {name: Quantity(dims, *about) for name, about in evaluator.quantities.items()}
    statistics_dim = {"kept": ["first", "second"]} if evaluator.keeps_statistics else {}
    if statistics_dim:
        quantities |= {f"{name}_kept": Quantity((*dims, "kept"), *each[1:]) for name, each in quantities.items()}
    measured = blank({**coords, **statistics_dim}, quantities, pairs.attributes)
    arrays = {name: each.values for name, each in measured.data_vars.items()}
    sequence = list(range(count)) if order is None else list(order)
    shown = bar(description=f"measuring {unit}s", unit="point", total=len(pairs) * count)
    try:
        with shown:
            for place, corners in pairs:
                mixtures = points(place, corners) if callable(points) else points
                if mixtures is None:
                    shown.update(count)
                    continue
                for rows, scores in evaluator.scores(corners, mixtures[sequence], named):
                    where: tuple[Any, ...] = np.unravel_index(sequence[rows], shape)
                    for column, name in enumerate(evaluator.quantities):
                        each = scores[..., column].cpu().numpy()  # points, splits, kept
                        each = np.where(np.isfinite(each), each, np.nan) if evaluator.allows_nonfinite else each
                        for split in range(len(named)):
                            at: Any = (split, *place, *where)
                            arrays[name][at] = each[:, split].mean(-1)
                            if statistics_dim:
                                arrays[f"{name}_kept"][at] = each[:, split]
                    shown.update(len(scores))
                for split in range(0 if evaluator.allows_nonfinite else len(named)):
                    require_finite(measured.loss.values[(split, *place)], coords, (split, *place))
    except KeyboardInterrupt as stop:
        raise Interrupted(measured) from stop
    except ParameterError as error:
        raise Failed(str(error), measured) from error
    return measured
