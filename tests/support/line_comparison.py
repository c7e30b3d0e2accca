"""Compare a report of `connect.pair` with the numbers of a plain loop, up to rounding."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from plain_loop import Line, NDArray, norms

from lmc_utils.connect.reports.report import Report

SAME_ALPHA = 1e-9  # closer points count as one
ALIKE = {torch.float64: 1e-9, torch.float32: 1e-4, torch.float16: 0.02, torch.bfloat16: 0.08}
"""Relative differences of scores that rounding explains without a second look: about `eps ** 0.6`."""


def disagreement(
    report: Report, line: Line, requested: Sequence[float], dtype: torch.dtype, *, either_end: bool = False
) -> str:
    """Where a report disagrees with a plain loop, in one line; empty if it agrees.

    Args:
        report: from `connect.pair`.
        line: the plain loop.
        requested: the requested points.
        dtype: type of the networks.
        either_end: whether the ends differ in more than their states, so that a point between them is a copy of either.
    """
    alphas = [float(alpha) for alpha in report.alpha.values]
    wanted = [*requested, 0.0, 0.5, 1.0]
    strays = [alpha for alpha in alphas if min(abs(alpha - each) for each in wanted) > SAME_ALPHA]
    absent = [each for each in wanted if min(abs(alpha - each) for alpha in alphas) > SAME_ALPHA]
    if strays or absent or min(np.diff(alphas)) < SAME_ALPHA:
        return f"alphas {alphas} for {list(requested)}"
    names = [name for name in ("loss", "error") if name in report.dataset]
    if len(names) != len(line.scores):
        return f"scores {names}, the loop has {len(line.scores)}"
    by_template = [line.curves(alphas, template) for template in range(1 + either_end)]
    curves = by_template[0]
    ours = np.stack([report[name].values for name in names], -1)
    room = _Tolerance(line, alphas, curves, dtype)
    for row, alpha in enumerate(alphas):
        if all(_apart(ours[row], each.mean(0)[row], room, row) for each in by_template):
            return f"at alpha {alpha:.3g} {names} {ours[row].tolist()}, the loop {curves.mean(0)[row].tolist()}"
    if not all(np.allclose(curves, each, equal_nan=True) for each in by_template):
        return ""  # the right barrier is ambiguous
    return _barriers(report, alphas, curves, room) or _own_scores(report, line, room)


class _Tolerance:
    """Tolerance of scores: rounding error, or if that is exceeded, the change of the loop for perturbed parameters."""

    def __init__(self, line: Line, alphas: Sequence[float], curves: NDArray, dtype: torch.dtype) -> None:
        self.line, self.alphas, self.curves, self.dtype = line, alphas, curves, dtype
        self.quick: NDArray = ALIKE[dtype] * (1 + np.abs(np.nan_to_num(curves))).max(0)
        self.quick[:, 1:] = 1e-3  # an error is counted; one place of one sample is more

    def beyond(self, away: float, rows: Any, column: int) -> bool:
        """Whether a difference is too large for a score at these points."""
        return not away <= self.quick[rows, column].max() and not away <= self.wide[rows, column].max()

    @cached_property
    def wide(self) -> NDArray:
        """Tolerance from four perturbed loops; infinite where one of them is not finite."""
        shaken = replace(self.line, shaken=4 * torch.finfo(self.dtype).eps)
        torch.default_generator.manual_seed(0)
        apart = [np.abs(shaken.curves(self.alphas) - self.curves).max(0) for _ in range(4)]
        return self.quick + 8 * np.nan_to_num(np.max(apart, axis=0), nan=np.inf)


def _apart(ours: NDArray, loop: NDArray, room: _Tolerance, row: int) -> bool:
    """Whether scores at a point differ beyond rounding; a non-finite loss must be reported as NaN."""
    if not np.isfinite(loop[0]) or abs(loop[0]) > 1e30:
        return not np.isnan(ours[0])
    return any(room.beyond(abs(ours[column] - loop[column]), [row], column) for column in range(len(loop)))


def _barriers(report: Report, alphas: Sequence[float], curves: NDArray, room: _Tolerance) -> str:
    """Where the barriers disagree; barriers of several curves are averaged."""
    positions = np.array(alphas)
    inside = (positions >= 0) & (positions <= 1)
    first, half, last = (int(np.abs(positions - each).argmin()) for each in (0, 0.5, 1))
    for column, name in enumerate(["loss", "error"][: curves.shape[2]]):
        values = curves[..., column]
        above = values - ((1 - positions) * values[:, [first]] + positions * values[:, [last]])
        found = {f"{name}_at_half": above[:, half].mean()}
        found["error_barrier_above_chord" if column else "loss_barrier"] = above[:, inside].max(1).mean()
        if column:
            found["error_barrier"] = (values[:, inside].max(1) - values[:, [first, last]].mean(1)).mean()
        for key, loop in found.items():
            ours, used = float(report[key]), [first, half, last] if key.endswith("half") else inside
            if np.isfinite(loop) and room.beyond(abs(ours - loop) / 3, used, column):  # a sum of three scores
                return f"{key} is {ours:.6g}, by the loop {loop:.6g}"
            if not np.isfinite(loop) and not np.isnan(ours) and not column:
                return f"{key} is {ours:.6g}, the loop has points that are not finite"
    return ""


def _own_scores(report: Report, line: Line, room: _Tolerance) -> str:
    """Where the losses of both networks with their own statistics disagree."""
    if line.convention != "reestimate" or not norms(line.build(0)):
        return ""
    loop, ours = np.array(line.own()[0]), np.array(report.attrs["loss_with_own_statistics"], dtype=float)
    for end in (0, 1):
        if np.isfinite(loop[end]) and not abs(ours[end] - loop[end]) <= ALIKE[room.dtype] * (1 + abs(loop[end])):
            return f"loss with own statistics {ours.tolist()}, by the loop {loop.tolist()}"
    return ""
