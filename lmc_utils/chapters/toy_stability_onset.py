"""When stability begins in the toy: the fork time from which on siblings have no barrier between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import xarray as xr

from lmc_utils.measure import stability_onset
from lmc_utils.settings import Settings, above, at_least, parameter
from lmc_utils.toy import descent
from lmc_utils.toy.landscape import on_interval

__all__ = ["Walkers", "fork_times", "temperature_numbers", "PARTED_BELOW"]

PARTED_BELOW = 5.0  # percent of the pairs: fewer with a barrier count as none
_HIGH = 0.1  # heights, from which on a barrier counts, as in the chapter on toy landscapes
_TIMES = np.linspace(0, 1, 21)
_GROUPS = 5  # of pairs, as many as the networks have seeds


@dataclass(frozen=True)
class Walkers(Settings):
    """Pairs of siblings on five equally spaced solutions on a line, in the units of the chapter on toy landscapes."""

    temperature: float = parameter(0.3, "initial noise temperature", at_least(0), unit="barrier heights")
    cooling: float = parameter(1.0, "exponent of the cooling: temperature ∝ (1 - time)^cooling", above(0))
    step_size: float = parameter(0.005, "step size of gradient descent", above(0), unit="length² / height")
    pairs: int = parameter(200, "pairs of siblings", at_least(10), bytes_each=400)
    seed: int = parameter(0, "random seed of the noise", at_least(0))

    PRESETS: ClassVar[dict[str, dict[str, Any]]] = {"smoke": {"pairs": 20}}

    def parted(self) -> xr.DataArray:
        """The percentage of pairs with a barrier between them, by the fraction of the run at which they fork."""
        roots = on_interval(5)[:, None]
        ends = descent.descend(
            roots,
            starts=descent.random_starts(roots, self.pairs, self.seed),
            fork_times=list(_TIMES),
            seed=self.seed,
            step_size=self.step_size,
            temperature=self.temperature,
            cooling=self.cooling,
        )
        high = 100 * (descent.sibling_barriers(ends, roots) > _HIGH).mean(axis=1)
        return xr.DataArray(high, coords={"fork_epoch": _TIMES}, attrs={"units": "percent"})

    def fork_time(self) -> float:
        """Fork time from which on fewer than `PARTED_BELOW` percent of the pairs have a barrier; NaN if there is none.

        >>> Walkers(temperature=0.0, pairs=20).fork_time()
        0.0
        """
        return float(stability_onset.stable_from(self.parted(), PARTED_BELOW))


def fork_times(name: str, values: Sequence[float], pairs: int, seed: int = 0) -> xr.DataArray:
    """The fork times of `Walkers` that differ in one parameter.

    Args:
        name: of the parameter, such as `temperature`; all others have their defaults.
        values: of it.
        pairs: of siblings in all, in five groups, each with noise of its own.
        seed: of the noise.

    Returns:
        Dimensions `parent` (a group each) and `name`.

    >>> times = fork_times("temperature", [0.01, 0.3], pairs=50)
    >>> times.dims, bool((times[:, 0] < times[:, 1]).all())
    (('parent', 'temperature'), True)
    """
    groups = [{"pairs": max(10, pairs // _GROUPS), "seed": seed + group} for group in range(_GROUPS)]
    result = [[Walkers(**{**group, name: value}).fork_time() for value in values] for group in groups]  # type: ignore[arg-type]
    return xr.DataArray(
        result, dims=["parent", name], coords={name: list(values)}, attrs={"units": "fraction of the run"}
    )


def temperature_numbers(times: xr.DataArray) -> dict[str, float]:
    """Means over groups of `fork_times` along temperatures: the first, the last, and the temperature left at either.

    >>> times = xr.DataArray([[0.0, 0.5]], dims=["parent", "temperature"], coords={"temperature": [0.2, 0.6]})
    >>> temperature_numbers(times)
    {'first': 0.0, 'last': 0.5, 'frozen_coldest': 0.2, 'frozen_hottest': 0.3}
    """
    mean, left = times.mean("parent"), (times.temperature * (1 - times)).mean("parent")
    return {
        "first": float(mean[0]),
        "last": float(mean[-1]),
        "frozen_coldest": float(left[0]),
        "frozen_hottest": float(left[-1]),
    }
