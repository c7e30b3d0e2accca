"""Hostile submissions are blocked: each gets correct marks, and nothing outside it is affected."""

from __future__ import annotations

from pathlib import Path

import pytest
from hostile_submissions import HOSTILE, ROBUSTNESS_ONLY, attack, grading

pytestmark = pytest.mark.xdist_group("hostile")  # they are graded once

DOSE = [name for name in HOSTILE if name not in ROBUSTNESS_ONLY]


@pytest.fixture(scope="module")
def held(sandbox_program: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[bool, str]]:
    rows = attack(tmp_path_factory.mktemp("h"), DOSE)
    return {name: (held, why) for name, held, why in rows}


@pytest.mark.parametrize("name", DOSE)
def test_attack_fails(name: str, held: dict[str, tuple[bool, str]]) -> None:
    assert held[name] == (True, "")


def test_a_successful_attack_is_detected(tmp_path: Path) -> None:
    """Without a sandbox; none of these attacks would harm this machine."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(grading.sandbox, "find_program", lambda _: None)
        rows = attack(tmp_path, ["solutions read", "files of the home read", "a new root"], honest=[])
    assert {name for name, held, _ in rows if not held} >= {"solutions read", "files of the home read"}
