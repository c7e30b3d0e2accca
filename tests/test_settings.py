"""Parameter records accept values injected by papermill, and report errors in one line."""

from dataclasses import dataclass, fields
from typing import Any

import pytest

from lmc_utils.settings import (
    Allowed,
    ParameterError,
    Settings,
    above,
    at_least,
    between,
    coerce,
    describe,
    each,
    increasing,
    odd_at_least,
    one_of,
    parameter,
    require,
    require_choice,
    with_default,
)


@dataclass(frozen=True)
class Walk(Settings):
    """A walk."""

    steps: int = parameter(10, "how many", at_least(1))
    pace: float = parameter(1.0, "of a step", unit="m/s")
    names: tuple[str, ...] = ("a",)
    fog: bool = False
    friend: str | None = parameter(None, "who comes along", one_of(("Ann", "Bob")))


@dataclass(frozen=True)
class Trek(Walk):
    steps: int = with_default(Walk, "steps", 10_000)


@dataclass(frozen=True)
class Climb(Settings):
    height: float = 1.0

    def check(self) -> None:
        require(self.height > 0, "height", "above 0", self.height)


@dataclass(frozen=True, kw_only=True)
class Hike(Walk, Climb):
    seed: int = 0


@pytest.mark.parametrize(
    ("hint", "value", "expected"),
    [
        (int, 3, 3), (float, 3, 3.0), (float, "1e-3", 1e-3), (bool, True, True), (str, "x", "x"),
        (tuple[int, ...], [1, 2], (1, 2)), (tuple[float, ...], [1, 2.5], (1.0, 2.5)),
        (str | None, None, None), (str | None, "x", "x"), (tuple[float, ...] | None, [1], (1.0,)),
    ],
)  # fmt: skip
def test_json_values_become_the_annotated_types(hint: Any, value: Any, expected: Any) -> None:
    made = coerce("x", value, hint)
    assert made == expected
    assert type(made) is type(expected)


@pytest.mark.parametrize(
    ("hint", "value", "line"),
    [
        (int, 2.5, "x must be a whole number (got 2.5)"),
        (int, True, "x must be a whole number (got True)"),
        (int, "3", "x must be a whole number (got '3')"),
        (float, "fast", "x must be a finite number (got 'fast')"),
        (float, float("nan"), "x must be a finite number (got nan)"),
        (float, "inf", "x must be a finite number (got 'inf')"),
        (float, 10**400, f"x must be a finite number (got 1{'0' * 198}…)"),
        (int, 2**63, f"x must be a whole number between -2**63 and 2**63 (got {2**63})"),
        (float, False, "x must be a finite number (got False)"),
        (bool, 1, "x must be true or false (got 1)"),
        (str, 1, "x must be a string (got 1)"),
        (tuple[int, ...], 4, "x must be a list, each item a whole number (got 4)"),
        (tuple[int, ...], [1, "a"], "x must be a whole number (got 'a')"),
        (str | None, 3, "x must be a string or null (got 3)"),
    ],
)
def test_a_wrong_type_is_a_one_line_error(hint: Any, value: Any, line: str) -> None:
    with pytest.raises(ParameterError) as caught:
        coerce("x", value, hint)
    assert str(caught.value) == line


def test_a_record_of_several_is_checked_part_by_part() -> None:
    assert Hike(steps=2).height == 1.0
    with pytest.raises(ParameterError, match=r"steps must be >= 1 \(got 0\)"):
        Trek(steps=0)
    with pytest.raises(ParameterError, match=r"height must be above 0 \(got -1.0\)"):
        Hike(height=-1)


def test_pick_takes_its_own_fields_only() -> None:
    assert Walk.pick({"steps": 4, "stranger": object()}) == Walk(steps=4)


def test_a_record_survives_json() -> None:
    walk = Walk(names=["x", "y"], pace=2)
    assert Walk(**walk.to_json()) == walk
    assert walk.to_json()["names"] == ["x", "y"]


def test_unknown_choices_name_the_nearest() -> None:
    with pytest.raises(ParameterError) as caught:
        require_choice("dataset", "digit", ["mnist1d", "digits"])
    assert str(caught.value) == "unknown dataset 'digit'; did you mean 'digits'? Choose from: mnist1d, digits"
    with pytest.raises(ParameterError, match="unknown preset 'huge'; choose from: smoke, default, paper"):
        Walk.preset("huge")


@pytest.mark.parametrize(
    ("allowed", "inside", "outside"),
    [
        (at_least(1), [1, 2], [0, -1]),
        (above(0), [0.1], [0, -1]),
        (between(2, 4), [2, 4], [1.9, 4.1]),
        (odd_at_least(5), [5, 7], [3, 6]),
        (each(at_least(1)), [(1,), (2, 1)], [(), (0,), (1, 0)]),
        (increasing(at_least(0)), [(0,), (0, 1)], [(), (1, 1), (1, 0), (-1, 0)]),
        (one_of(("a", "b")), ["a"], ["c"]),
    ],
    ids=lambda value: str(value) if isinstance(value, Allowed) else "",
)
def test_values_outside_the_allowed_range_are_named(allowed: Allowed, inside: list[Any], outside: list[Any]) -> None:
    for value in inside:
        allowed.check("x", value)
    for value in outside:
        with pytest.raises(ParameterError, match=r"^(x must be|unknown x) "):
            allowed.check("x", value)


def test_none_is_not_range_checked() -> None:
    assert Walk().friend is None
    with pytest.raises(ParameterError, match=r"unknown friend 'Bo'; did you mean 'Bob'\? Choose from: Ann, Bob"):
        Walk(friend="Bo")


def test_the_docstring_lists_the_parameters() -> None:
    assert Walk.__doc__ == (
        "A walk.\n\nAttributes:\n    steps: how many.\n    pace: of a step (m/s).\n    friend: who comes along.\n"
    )


def test_a_redefined_parameter_changes_only_its_default() -> None:
    assert (Walk().steps, Trek().steps) == (10, 10_000)
    assert describe(fields(Trek)[0]) == "how many"
    with pytest.raises(ParameterError, match=r"steps must be >= 1 \(got 0\)"):
        Trek(steps=0)
