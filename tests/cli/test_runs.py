"""`lmc runs` lists, checks and removes cached runs."""

import os
import time
from pathlib import Path

import pytest

from lmc_utils.cli import main
from lmc_utils.forking import Experiment, train


def test_runs_are_listed_checked_and_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(*arguments: str) -> str:
        with pytest.raises(SystemExit) as left:
            main.app(["runs", *arguments])
        assert left.value.code == 0
        return capsys.readouterr().out

    monkeypatch.setenv("LMC_RUNS", str(tmp_path))
    small = Experiment(dataset="digits", widths=(4,), epochs=1, fork_epochs=(0,), parents=1, device="cpu")
    name = train(small).folder.path.name
    head, line = run().splitlines()
    assert head.split("  ")[0] == "run"
    assert line.startswith(f"{name} ")
    assert "  intact  dataset=" in run("--check")
    (tmp_path / name / "epoch_0001.safetensors").write_bytes(b"")
    assert "  corrupted: epoch 1: its file cannot be read  dataset=" in run("--check")
    assert run("gc", "--older-than", "1") == ""
    os.utime(tmp_path / name, (0, time.time() - 2 * 86400))
    assert run("gc", "--older-than", "1").startswith(name)
    assert run() == ""
    train(small)
    assert run("rm", name[:8]).startswith(f"{name}  ")
    assert not (tmp_path / name).exists()
