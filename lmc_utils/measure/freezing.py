"""The toy's own answer to when stability begins: from which share of the run on walkers no longer part."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr

from lmc_utils.measure import stability
from lmc_utils.toy import descent
from lmc_utils.toy.landscape import on_interval

__all__ = ["fork_times", "PARTED_BELOW"]

PARTED_BELOW = 5.0  # percent of the pairs: fewer that part count as none
_HIGH = 0.1  # heights, from which on a barrier counts, as in the chapter on toy landscapes
_TIMES = np.linspace(0, 1, 21)
_GROUPS = 5  # of pairs, as many as the networks have seeds


def fork_times(name: str, values: Sequence[float], pairs: int, seed: int = 0) -> xr.DataArray:
    """From which share of the run on fewer than `PARTED_BELOW` percent of the pairs part, on five solutions on a line.

    Args:
        name: the argument of `toy.descent.descend` that is changed, such as `temperature`; all others have defaults.
        values: of it.
        pairs: of walkers in all; they are counted in five groups, each with noise of its own.
        seed: of the noise.

    Returns:
        Dimensions `parent` (a group each) and `name`; NaN where walkers part whenever they fork.

    >>> times = fork_times("temperature", [0.01, 0.3], pairs=50)
    >>> times.dims, bool((times[:, 0] < times[:, 1]).all())
    (('parent', 'temperature'), True)
    """
    roots = on_interval(5)[:, None]
    found = np.empty((_GROUPS, len(values), len(_TIMES)))
    for group in range(_GROUPS):
        starts = descent.starts_around(roots, max(1, pairs // _GROUPS), seed + group)
        for place, value in enumerate(values):
            options = {name: value, "fork_times": list(_TIMES), "seed": seed + group}
            ends = descent.descend(roots, starts=starts, **options)  # type: ignore[arg-type]
            found[group, place] = 100 * (descent.sibling_barriers(ends, roots) > _HIGH).mean(axis=1)
    parted = xr.DataArray(found, dims=["parent", name, "fork_epoch"], coords={name: list(values), "fork_epoch": _TIMES})
    return stability.stable_from(parted, PARTED_BELOW).assign_attrs(units="share of the run")
