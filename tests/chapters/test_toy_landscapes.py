"""The toy chapter's landscapes: out-of-range parameters give one line, and ridges belong to their landscape."""

from __future__ import annotations

import pytest

from lmc_utils import toy
from lmc_utils.chapters.toy_landscapes import Landscape, decay_rates, ridges_by_count
from lmc_utils.settings import ParameterError


@pytest.mark.parametrize(
    ("parameters", "line"),
    [
        ({"m": 1}, "m must be between 2 and 64 (got 1)"),
        ({"m": 65}, "m must be between 2 and 64 (got 65)"),
        ({"m_max": 3}, "m_max must be between 4 and 64 (got 3)"),
        ({"spacing": 0}, "spacing must be > 0 (got 0.0)"),
        ({"n_points": 9}, "n_points must be >= 10 (got 9)"),
        ({"roots": [1]}, "roots must be a list of at least two (got [1.0])"),
        ({"roots": [1, 1]}, "roots must be distinct, finite numbers (got [1.0, 1.0])"),
        ({"roots": "1, 2"}, "roots must be null or a list, each item a finite number (got '1, 2')"),
        ({"spacing": 1e30}, "spacing must be such that all barriers lie between 1e-300 and 1e300 (got 1e+30)"),
        ({"roots": [0, 1e-90]}, "roots must be such that all barriers lie between 1e-300 and 1e300 (got [0.0, 1e-90])"),
    ],
)
def test_landscape_parameters_out_of_range_are_one_line_errors(parameters: dict[str, object], line: str) -> None:
    with pytest.raises(ParameterError) as error:
        Landscape(**parameters)  # type: ignore[arg-type]
    assert str(error.value) == line


def test_roots_are_equally_spaced_by_default() -> None:
    assert Landscape(m=4, spacing=1.0).minima().tolist() == [-1.5, -0.5, 0.5, 1.5]
    assert Landscape(m=4, roots=(2.0, -1.0)).minima().tolist() == [-1.0, 2.0]
    assert Landscape().minima().tolist() == toy.on_interval(5).tolist()
    assert Landscape(m=64, m_max=64).minima().shape == (64,)


def test_ridges_by_count_are_those_of_each_landscape() -> None:
    found = ridges_by_count(Landscape(m_max=4))
    assert found["largest_barrier_m"][2] == pytest.approx(1), "(theta^2 - 1)^2 at 0"
    assert found["largest_barrier_m"][3] == pytest.approx(4 / 27), "theta^2 (theta^2 - 1)^2 at 1 / sqrt(3)"
    height = (4 / 9) ** 4  # of (theta^2 - 1)^2 (theta^2 - 1/9)^2 at theta^2 = 5/9; at 0 it is 1/81
    assert found["smallest_barrier_m_max"] == pytest.approx(1 / 81)
    assert found["fall_of_smallest_barrier"] == pytest.approx(9), "from 1 to 1/81 in two steps"
    assert found["largest_over_smallest_barrier_m_max"] == pytest.approx(height * 81)
    assert found["fall_of_largest_barrier"] == pytest.approx(4 / 27 / height)


def test_ridges_fall_at_the_theoretical_rates() -> None:
    found = decay_rates()
    assert found["rate"]["chebyshev"] == pytest.approx(4, rel=1e-9)
    for where in ("edge", "middle"):
        assert found["rate"][where] == pytest.approx(found["law"][where], rel=0.02), "up to terms of order 1 / m"
