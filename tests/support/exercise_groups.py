"""Run the tests of a chapter's exercises in one process, so that shared measurements are made once."""

from __future__ import annotations

from typing import Any

import pytest


def grouped_by_chapter(value: Any, name: str) -> Any:
    """A test parameter: an exercise with its name, which begins with that of its chapter."""
    return pytest.param(value, id=name, marks=pytest.mark.xdist_group(name.partition("-")[0]))
