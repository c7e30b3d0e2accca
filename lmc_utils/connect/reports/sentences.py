"""Summarise a report in words; every claim is computed from the numbers beside it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr

from lmc_utils.measure.barriers import STABLE_BELOW

MUCH_WORSE = 5.0
"""Points of error between both ends; where they are farther apart, the mean of both says little."""

AT_CHANCE = 1.0
"""Points of error by which a network has to be better than the most frequent label, or it is at chance."""

ABOVE_CHORD = 1e-6
"""Fraction of the largest loss on the line by which a loss has to be above the chord; less is rounding."""

_BARRIER = "the error barrier, the largest error on the line minus the mean of both ends (Frankle et al. 2020),"
_LOSS_BARRIER = "the loss barrier, the largest rise above the straight line between both losses,"


def sentence(result: xr.Dataset) -> str:
    """The cost of averaging two networks in words, with the definition, the samples and the running statistics.

    Special cases are stated, without advice: points that are not finite, both networks at chance (`AT_CHANCE`), one
    much worse than the other (`MUCH_WORSE`), and a loss that is nowhere above its chord (`ABOVE_CHORD`).

    Args:
        result: the dataset of a `connect.Report`.
    """
    if not np.isfinite(result.loss_barrier) and not _not_finite(result):
        done = int(np.isfinite(result.loss).sum())
        first, further = f"{done} of {result.sizes['alpha']} points of the line were measured", []
    else:
        first, further = _line(result), [*_curve(result), *_agreement(result)]
    if failed := result.attrs.get("failed"):
        further.append(f"Some measurements failed: {failed}")
    return ". ".join([first + _conditions(result), *further]) + "."


def points_of_error(value: float, *bounds: float) -> str:
    """Format a number with one decimal, or as many as needed to stay on the same side of each bound.

    >>> points_of_error(1.9), points_of_error(1.97, 2), points_of_error(2.0, 2)
    ('1.9', '1.97', '2.0')
    """
    texts = (f"{value:.{digits}f}" for digits in range(1, 17))
    return next((text for text in texts if all((float(text) < each) == (value < each) for each in bounds)), repr(value))


def _line(result: xr.Dataset) -> str:
    if _not_finite(result):
        return _broken_line(result)
    if "error" not in result:
        return f"{_average(result)}; {_LOSS_BARRIER} is {_loss(result, float(result.loss_barrier))}{_where(result)}"
    ends = result.error.sel(alpha=[0.0, 1.0]).values.tolist()
    barrier = points_of_error(float(result.error_barrier), STABLE_BELOW)
    constant = result.attrs.get("constant_error")
    if constant is not None and min(ends) >= constant - AT_CHANCE:
        return (
            f"Both networks are at chance: their errors are {_both(ends)}, and always answering with the most frequent "
            f"label gives {constant:.1f} %; so the line between them says nothing about averaging"
        )
    gap = abs(ends[0] - ends[1])
    if gap > MUCH_WORSE:
        middle = float(result.error.sel(alpha=0.5))
        return (
            f"One end is much worse than the other: their errors are {_both(ends)}, "
            f"{points_of_error(gap, MUCH_WORSE)} points apart, so that their mean says little; "
            f"{'after alignment, ' if _aligned(result) else ''}the average has {middle:.1f} %; "
            f"{_BARRIER} is {barrier} points{_where(result)}"
        )
    stable = float(result.error_barrier) < STABLE_BELOW
    bound = f"{'below' if stable else 'not below'} the bound of {STABLE_BELOW:g}"
    whom = "the aligned networks" if _aligned(result) else "they"
    advice = f": stable, {whom} can be averaged" if stable else ": not stable"
    if not _above_chord(result):
        advice = ""
    return f"{_average(result)}; {_BARRIER} is {barrier} points, {bound}{advice}{_where(result)}"


def _broken_line(result: xr.Dataset) -> str:
    """The sentence for a line with points that are NaN or infinite, which has no barrier."""
    broken = _not_finite(result)
    alphas = _listed([f"{alpha:.3g}" for alpha in broken])
    start = "After alignment, the" if _aligned(result) else "The"
    line = f"{start} loss or error is NaN or infinite at alpha = {alphas}, so that the line has no barrier"
    measured = all(np.isfinite(result[name]) for name in ("loss_at_half", "error_at_half") if name in result)
    return f"{line}; {_average(result, start='averaging')}" if measured else line


def _average(result: xr.Dataset, start: str = "") -> str:
    """The cost of averaging, also without alignment."""
    name = "error_at_half" if "error" in result else "loss_at_half"
    start = start or ("After alignment, averaging" if _aligned(result) else "Averaging")
    unaligned = f"{name}_unaligned"
    beside = f" (as the networks are, it {_cost(result, unaligned)})" if unaligned in result else ""
    return f"{start} {_cost(result, name)}{beside}"


def _cost(result: xr.Dataset, name: str) -> str:
    value = float(result[name])
    if not np.isfinite(value):
        return "is NaN or infinite"
    verb = "costs" if value > 0 else "saves"
    if name.startswith("error"):
        small = abs(value) < 0.05  # which would be printed as 0.0
        return "changes the error by less than 0.05 points" if small else f"{verb} {abs(value):.1f} points of error"
    if abs(value) <= _rounding(result):
        return "changes the loss by no more than rounding"
    return f"{verb} {_loss(result, abs(value))} of loss"


def _curve(result: xr.Dataset) -> list[str]:
    if "curve_loss" not in result:
        return []
    which = "Along the curve between the aligned networks" if _aligned(result) else "Along the curve"
    if "curve_error_barrier" in result:
        height = f"the error barrier is {points_of_error(float(result.curve_error_barrier), STABLE_BELOW)} points"
    else:
        height = f"the loss barrier is {_loss(result, float(result.curve_loss_barrier))}"
    return [f"{which}, which was trained on {result.attrs.get('fitted_on', 'the samples measured')}, {height}"]


def _agreement(result: xr.Dataset) -> list[str]:
    if "disagreement" not in result or not np.isfinite(result.disagreement):
        return []
    cka = f"; the linear CKA of their last hidden layers (Kornblith et al. 2019) is {float(result.cka):.3f}"
    different = f"The networks predict different classes for {float(result.disagreement):.1f} % of the samples"
    return [different + (cka if np.isfinite(result.cka) else "")]


def _conditions(result: xr.Dataset) -> str:
    """The samples and running statistics, in words."""
    statistics = result.attrs.get("batchnorm", "none")
    said = "no batch-norm statistics" if statistics == "none" else f"running statistics: {statistics}"
    return f"; measured on {result.attrs['data']}; {said}" if "data" in result.attrs else ""


def _where(result: xr.Dataset) -> str:
    if not _above_chord(result):
        return "; the loss never rises above the chord"
    return f"; the loss is highest above its chord at alpha = {float(result.highest_at):.3g}"


def _above_chord(result: xr.Dataset) -> bool:
    return float(result.loss_barrier) > _rounding(result)


def _rounding(result: xr.Dataset) -> float:
    return ABOVE_CHORD * float(abs(result.loss).max())


def _loss(result: xr.Dataset, value: float) -> str:
    unit = result.loss.attrs.get("units", "")
    return f"{value:.3g} {unit}".strip()


def _both(ends: Sequence[float]) -> str:
    return f"{ends[0]:.1f} % and {ends[1]:.1f} %"


def _aligned(result: xr.Dataset) -> bool:
    return "aligned" in result.attrs


def _not_finite(result: xr.Dataset) -> list[float]:
    return [float(alpha) for alpha in np.atleast_1d(result.attrs.get("not_finite", []))]


def _listed(words: Sequence[str]) -> str:
    shown = [*words[:3], *([f"{len(words) - 3} more"] if len(words) > 3 else [])]
    return " and ".join(filter(None, [", ".join(shown[:-1]), shown[-1]]))
