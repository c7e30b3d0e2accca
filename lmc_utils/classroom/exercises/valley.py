"""Exercises on the degeneracy of valleys, and on the direction from one sibling to another."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import xarray as xr

from lmc_utils.classroom import example_families
from lmc_utils.classroom.answer_feedback import Exercise, Part
from lmc_utils.classroom.individual_numbers import IndividualExercise
from lmc_utils.classroom.number_answers import Array
from lmc_utils.measure import barriers, lines
from lmc_utils.measure.direction_curvature import against_random

_LAST = example_families.EXPERIMENT.epochs
_LATE = example_families.EXPERIMENT.fork_epochs[-1]
_AFTER = {0.0: 1, _LATE: int(_LATE) + 1}  # one epoch after a fork
_SIMILAR = 1.25  # alignments closer to 1 than by this factor are about 1
_RANDOM = np.random.default_rng(0)
_SYMMETRIC = (lambda root: root + root.T)(_RANDOM.normal(size=(4, 4)))


@cache
def _towards(split: str = "train") -> xr.Dataset:
    """The curvature towards the other sibling, mean over pairs, one epoch after a fork and at the end of training."""
    pairs = example_families.family().pairs([*_AFTER.values(), _LAST])
    return against_random(pairs, split=split).mean(["parent", "pair"])


def _value(quantity: str = "alignment", fork: float = 0, epoch: int = _LAST, split: str = "train") -> float:
    return float(_towards(split)[quantity].sel(fork_epoch=fork, epoch=epoch))


def _direction_after_late_fork() -> str:
    """How steep the direction to the other sibling is, one epoch after the last fork."""
    alignment = _value(fork=_LATE, epoch=_AFTER[_LATE])
    if 1 / _SIMILAR < alignment < _SIMILAR:
        return "about as steep"
    return "steeper" if alignment > 1 else "flatter"


def _two_weights(u: float, v: float) -> Exercise:
    slope, steep = -v / u, u**2 + v**2
    return Exercise(
        np.array([slope, steep]),
        "Along the flat direction u v stays the same. Its eigenvalue is 0, so the other one is the whole trace.",
        {
            "Along your direction both weights grow, and so does u v. It should stay the same.": [-slope, steep],
            "That is the steep direction. The flat one is at a right angle to it.": [u / v, steep],
            "You have interchanged u and v. Which of them must change more?": [-u / v, steep],
            "Zero is the eigenvalue of the flat direction. The other one was asked for.": [slope, 0],
            "The slope is right. The other number is an entry off the diagonal, not an eigenvalue.": [slope, u * v],
            "The slope is right. The other number is the sum of all entries; the eigenvalues add up to the trace.": (
                [slope, (u + v) ** 2]
            ),
            "The slope is right. The eigenvalue is twice too large: the loss has a factor ½.": [slope, 2 * steep],
        },
        tolerance=0.002,
    )


def _alignment(hessian: Array, delta: Array) -> float:
    return float(delta @ hessian @ delta * len(delta) / (delta @ delta * np.trace(hessian)))


def _participation(variances: Array) -> float:
    return float(variances.sum() ** 2 / (variances**2).sum())


def _spread(networks: Array, axis: int | None = 0) -> Array:
    """The singular values of networks, the rows, about a mean; of the networks themselves for None."""
    means = 0 if axis is None else networks.mean(axis, keepdims=True)
    return np.linalg.svd(networks - means, compute_uv=False)


def _fall_after_fork(quantity: str = "alignment", split: str = "train", after: dict[float, int] = _AFTER) -> Array:
    """The factors by which a quantity falls until the end of training, for the first and the last fork."""
    falls = [
        _value(quantity, fork, epoch, split) / _value(quantity, fork, split=split) for fork, epoch in after.items()
    ]
    return np.array(falls)


@cache
def _line(split: str = "train") -> xr.Dataset:
    """The barriers at the midpoint at the end of training, mean over pairs."""
    line = lines.line(example_families.family().pairs(), lines.ENDS_AND_MIDPOINT, splits=[split]).squeeze()
    return line.map(barriers.midpoint_barrier).mean("parent")


def _parts(fork: float, direction: str = "alignment", barrier: str = "loss", split: str = "train") -> Array:
    """Squared distance, alignment and barrier at the end of training."""
    height = float(_line(split)[barrier].sel(fork_epoch=fork))
    return np.array([_value("squared_distance", fork), _value(direction, fork, split=split), height])


def _falls(fork: float = 2, **options: str) -> Array:
    """The factors by which they fall from the fork at initialisation to a later one."""
    return _parts(0, **options) / _parts(fork, **options)


EXERCISES: dict[str, Any] = {
    "valley-1": Exercise(
        _direction_after_late_fork,
        "Siblings part where gradients differ most between batches, which is where the loss is steep. Only later does "
        "training remove the steep part of their difference.",
        {
            "That is so at the end of training. What moves two siblings apart in their first steps?": "flatter",
            "A random direction has hardly any part in the few steep directions. Is this true of the first steps "
            "after the fork?": "about as steep",
        },
        choices=("steeper", "about as steep", "flatter"),
    ),
    "valley-2": IndividualExercise(
        {"u": 2, "v": 1},
        {"u": [each / 10 for each in range(11, 20)], "v": [each / 10 for each in range(3, 10)]},
        _two_weights,
    ),
    "valley-3": Exercise(
        _alignment,
        "It depends neither on the length of delta nor on the unit of the loss.",
        {
            "Multiply by the number of parameters: the mean of the eigenvalues counts, not their sum.": (
                lambda hessian, delta: _alignment(hessian, delta) / len(delta)
            ),
            "The number of parameters is the length of delta, not the number of entries of the Hessian.": (
                lambda hessian, delta: _alignment(hessian, delta) * len(delta)
            ),
            "Your alignment depends on the length of delta. Divide by its square.": (
                lambda hessian, delta: _alignment(hessian, delta) * (delta @ delta)
            ),
            "You have divided by the length of delta, not by its square.": (
                lambda hessian, delta: _alignment(hessian, delta) * np.linalg.norm(delta)
            ),
            "You have used only the diagonal of the Hessian.": (
                lambda hessian, delta: _alignment(np.diag(np.diag(hessian)), delta)
            ),
            "You have compared with the steepest direction. Compare with a random one.": (
                lambda hessian, delta: delta @ hessian @ delta / (delta @ delta * np.linalg.eigvalsh(hessian)[-1])
            ),
            "The trace is the sum of the diagonal, not of all entries.": (
                lambda hessian, delta: _alignment(hessian, delta) * np.trace(hessian) / hessian.sum()
            ),
        },
        test_inputs=(
            (np.array([[2.0, 1.0], [1.0, 3.0]]), np.array([1.0, -2.0])),
            (np.diag([9.0, 1.0, 0.0]), np.array([0.0, 2.0, 2.0])),
            (np.diag([0.5, 0.1, 0.0, -0.1]), np.array([1.0, 0.0, 3.0, 1.0])),
            (_SYMMETRIC, np.array([0.1, 0.2, -0.3, 0.1])),
        ),
    ),
    "valley-4": Exercise(
        lambda networks: _participation(_spread(networks) ** 2),
        "Sixteen independent draws from a round set of many dimensions give nearly 15; siblings that differ in one "
        "direction only give 1.",
        {
            "Subtract the mean of the networks first.": lambda networks: _participation(_spread(networks, None) ** 2),
            "You have subtracted the mean of each network's weights. Subtract the mean *network*.": (
                lambda networks: _participation(_spread(networks, 1) ** 2)
            ),
            "Those are standard deviations along the principal axes. The variances are their squares.": (
                lambda networks: _participation(_spread(networks))
            ),
            "Those are the variances of the single weights. Those along the principal axes are eigenvalues.": (
                lambda networks: _participation(networks.var(0))
            ),
            "That counts all directions in which the networks differ, however little.": (
                lambda networks: np.linalg.matrix_rank(networks - networks.mean(0))
            ),
        },
        test_inputs=(
            (np.eye(5),),
            (np.array([[0.0, 1.0], [2.0, 2.0], [4.0, 3.0]]),),
            (_RANDOM.normal(size=(6, 3)) * [3, 1, 0.1] + 1,),
            (_RANDOM.normal(size=(4, 9)) + 0.5,),
        ),
    ),
    "valley-5": Exercise(
        _fall_after_fork,
        "At first all siblings differ along steep directions. The alignment of late siblings falls much further: it "
        "ends below that of a random direction.",
        {
            "That is the test set. The training set was asked for.": lambda: _fall_after_fork(split="test"),
            "Those are the alignments at the end. Divide those after one epoch by them.": lambda: [
                _value(fork=fork) for fork in _AFTER
            ],
            "Those are the alignments after one epoch. Divide them by those at the end.": lambda: [
                _value(fork=fork, epoch=epoch) for fork, epoch in _AFTER.items()
            ],
            "You have used the same epoch for both forks. By then, siblings that fork at initialisation have been "
            "apart for much longer than an epoch.": lambda: _fall_after_fork(
                after=dict.fromkeys(_AFTER, _AFTER[_LATE])
            ),
            "Those are the curvatures, which grow with the distance. Use the alignment.": lambda: _fall_after_fork(
                "curvature"
            ),
        },
        parts={"first fork": Part(index=0), "last fork": Part(index=1)},
    ),
    "valley-6": Exercise(
        _falls,
        "For a quadratic loss the barrier falls by the product of the other two factors and that of the trace, which "
        "is about 1 here.",
        {
            "That is the test set. The training set was asked for.": lambda: _falls(split="test"),
            "That is the last fork. The one two epochs after initialisation was asked for.": lambda: _falls(_LATE),
            "The first number is the factor of the distance. Square it.": lambda: _falls() ** [0.5, 1, 1],
            "The second number is the factor of the curvature, which contains the distance. Use the alignment.": (
                lambda: _falls(direction="curvature")
            ),
            "The third number is the factor of the error barrier. Use the loss.": lambda: _falls(barrier="error"),
            "Those are the values for the fork at initialisation. Divide them by those for the later fork.": lambda: (
                _parts(0)
            ),
        },
        parts={name: Part(index=number) for number, name in enumerate(("squared distance", "alignment", "barrier"))},
        tolerance=0.02,
    ),
}
