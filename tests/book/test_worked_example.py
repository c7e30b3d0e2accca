"""The worked example of the page on your own networks prints what the page shows, up to rounding."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "book" / "examples"
NUMBER = r"\d+(?:\.\d+)?(?:e-?\d+)?"


def test_the_page_shows_what_the_commands_print(tmp_path: Path) -> None:
    shutil.copy(EXAMPLES / "digits.py", tmp_path)
    command = ["lmc_utils.cli", "connect", "a.pt", "b.pt", "--model", "digits:make", "--data", "digits:test"]
    subprocess.run([sys.executable, "digits.py"], cwd=tmp_path, check=True)
    done = subprocess.run(
        [sys.executable, "-m", *command, "--alphas", "5"], cwd=tmp_path, check=True, capture_output=True, text=True
    )
    printed, shown = done.stdout.partition("versions")[0], (EXAMPLES / "line.txt").read_text().partition("versions")[0]
    words = [re.sub(rf"{NUMBER}| +", " ", text).split() for text in (printed, shown)]
    assert words[0] == words[1]
    numbers = [[float(each) for each in re.findall(NUMBER, text)] for text in (printed, shown)]
    assert numbers[0] == pytest.approx(numbers[1], rel=0.5, abs=1.5)
