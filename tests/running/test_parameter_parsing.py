"""Parameters cells are read as Python: comments, annotations and values of several lines."""

from __future__ import annotations

import pytest

from lmc_utils.running.parameter_parsing import assignments, literal
from lmc_utils.settings import ParameterError


@pytest.mark.parametrize(
    ("source", "name", "value", "comment"),
    [
        ("rate = 0.1  # 1 = slow", "rate", 0.1, "1 = slow"),
        ("rate: float | None = None  # how fast", "rate", None, "how fast"),
        ("rate = 3  # type: int  how fast", "rate", 3, "how fast"),
        ("widths = [\n    8,\n    16,\n]  # of the layers", "widths", [8, 16], "of the layers"),
        ("word = 'a # b = c'", "word", "a # b = c", ""),
        ("first = 1; word = 'x'  # which", "word", "x", "which"),
        ("%matplotlib inline\n!ls\nseed = -1", "seed", -1, ""),
        ("seed = 1\nseed = 2", "seed", 2, ""),
        ('word = """a\n! b\n% c"""  # which', "word", "a\n! b\n% c", "which"),
        ("a = b = 5", "b", 5, ""),
    ],
)
def test_an_assignment_is_read(source: str, name: str, value: object, comment: str) -> None:
    found = assignments(source)[name]
    assert (literal(name, found.default), found.comment) == (value, comment)


def test_what_is_no_assignment_to_a_name_is_skipped() -> None:
    assert list(assignments("import os\na, b = 1, 2\nx.y = 3\nonly: int\ncount += 1\nkept = 0")) == ["kept"]


@pytest.mark.parametrize("source", ["rate = ", "a = (", "a = " + "-" * 9999 + "1", "a = \0"])
def test_what_is_not_python_is_rejected(source: str) -> None:
    with pytest.raises(ParameterError, match=r"^the parameters cell is not Python"):
        assignments(source)
