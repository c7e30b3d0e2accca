"""Tests of a chapter's exercises run in one process, where what they measure is measured once."""

from __future__ import annotations

from typing import Any

import pytest


def grouped_by_chapter(value: Any, name: str) -> Any:
    """A parameter of a test: an exercise, under its name, which begins with that of its chapter."""
    return pytest.param(value, id=name, marks=pytest.mark.xdist_group(name.partition("-")[0]))
