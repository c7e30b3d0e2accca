"""The toy chapter's siblings: parameters out of range are rejected with one line, before anything descends."""

from __future__ import annotations

import numpy as np
import pytest

from lmc_utils.chapters.toy_siblings import Descent, between_random_solutions
from lmc_utils.settings import ParameterError

RISING = "an increasing, non-empty list of values between 0 and 1"
LONG = "or descent diverges at the steepest minimum (2 / curvature)"


@pytest.mark.parametrize(
    ("parameters", "line"),
    [
        ({"step_size": 0.02}, f"step_size must be < 0.00542, {LONG} (got 0.02)"),
        ({"step_size": 0.02, "counts": [3]}, f"step_size must be < 0.0111, {LONG} (got 0.02)"),
        ({"step_size": 0}, "step_size must be > 0 (got 0.0)"),
        ({"rank": 11}, "rank must be <= the smallest of `dimensions`, 10 (got 11)"),
        ({"rank": 0}, "rank must be >= 1 (got 0)"),
        ({"m_field": 11}, "m_field must be <= the smallest of `dimensions`, 10 (got 11)"),
        ({"dimensions": [1, 10]}, "dimensions must be a non-empty list of values between 2 and 200 (got [1, 10])"),
        (
            {"fork_times": [0, 1.5]},
            f"fork_times must be {RISING} (got [0.0, 1.5])",
        ),
        (
            {"fork_times": [0.5, 0]},
            f"fork_times must be {RISING} (got [0.5, 0.0])",
        ),
        ({"fork_times": []}, f"fork_times must be {RISING} (got [])"),
        ({"fork_times": [0.5, 0.501]}, "fork_times must be at least 0.01 apart (got [0.5, 0.501])"),
        ({"counts": [1, 3]}, "counts must be a non-empty list of values between 2 and 64 (got [1, 3])"),
        ({"temperature": -1}, "temperature must be >= 0 (got -1.0)"),
        ({"cooling": 0}, "cooling must be > 0 (got 0.0)"),
        ({"pairs": 0}, "pairs must be >= 10 (got 0)"),
        ({"steps": 0}, "steps must be between 1 and 100000 (got 0)"),
        ({"threshold": 0}, "threshold must be > 0 (got 0.0)"),
        ({"seed": -1}, "seed must be >= 0 (got -1)"),
    ],
)
def test_descent_parameters_out_of_range_are_one_line_errors(parameters: dict[str, object], line: str) -> None:
    with pytest.raises(ParameterError) as error:
        Descent(**parameters)  # type: ignore[arg-type]
    assert str(error.value) == line


def test_a_field_has_the_dimension_and_the_rank_asked_for() -> None:
    descent = Descent(rank=3, m_field=4)
    roots, frames = descent.field(10, "degenerate")
    assert frames is not None
    assert (roots.shape, frames.shape) == ((4, 10), (4, 3, 10))
    assert descent.field(20, "isotropic")[1] is None


def test_at_full_rank_all_solutions_are_corners() -> None:
    settings = Descent(pairs_field=20)
    often, high = between_random_solutions(settings, [settings.dimensions[0]], range(2))
    assert often.shape == high.shape == (1, 2)
    assert np.all((often > 0.5) & (often <= 1)), "two of eight corners differ seven times of eight"


def test_fractions_by_fork_have_names_in_percent() -> None:
    settings = Descent(fork_times=(0.0, 0.25))
    separated = np.array([[True, True], [False, True]])
    assert settings.by_fork({2: separated}) == {2: {"fork_0": 1.0, "fork_25": 0.5}}
