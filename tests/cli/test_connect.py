"""`lmc connect`: numbers, a page and one line for each mistake, from files and names of functions."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from torch import nn

from lmc_utils import connect
from lmc_utils.cli import main

MODULE = """
import time
import torch
from torch import nn

def net():
    return nn.Sequential(nn.Linear(3, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 2))

def samples():
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(40, 3, generator=generator)
    return inputs, (inputs[:, 0] > 0).long()

def far():
    return samples()[0], samples()[1] + 2

def raises():
    raise RuntimeError("two\\nlines")

def slow(output, target):
    with open('calls', 'a') as calls:
        calls.write('.')
    time.sleep(0.5)
    return nn.functional.cross_entropy(output, target, reduction="none")

empty = []
held = [samples()]
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "mine.py").write_text(MODULE)
    for seed in range(3):
        torch.manual_seed(seed)
        network = nn.Sequential(nn.Linear(3, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 2))
        torch.save({"state_dict": network.state_dict()} if seed else network.state_dict(), tmp_path / f"{seed}.pt")
    return tmp_path


def run(
    folder: Path, *arguments: str, model: str = "mine:net", data: str = "mine:samples"
) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "lmc_utils.cli", "connect", *arguments, "--model", model, "--data", data]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_numbers_equal_the_librarys_and_the_page_is_self_contained(folder: Path) -> None:
    done = run(
        folder, "0.pt", "1.pt", "--json", "--layers", "--curvature", "--curve", "--alphas", "5", "--html", "report.html"
    )
    assert done.returncode == 0, done.stderr
    assert "1.pt: what it holds as state_dict was taken" in done.stderr
    told = json.loads(done.stdout)
    scope: dict[str, object] = {}
    exec(MODULE, scope)
    states = torch.load(folder / "0.pt"), torch.load(folder / "1.pt")["state_dict"]
    expected = connect.pair(*states, scope["samples"](), model=scope["net"](), alphas=5)  # type: ignore[operator]
    # in single precision, which another process may add up in another order
    assert told["loss"] == pytest.approx(expected.loss.values.tolist(), rel=1e-6)
    assert told["error_barrier"] == float(expected.error_barrier)
    assert {"alphas", "error", "loss_barrier", "highest_at", "batchnorm", "curvature", "curve_loss_barrier"} <= set(
        told
    )
    assert set(told["layers"]) == {"0", "1", "3"}
    page = (folder / "report.html").read_text()
    assert expected.sentence in page
    assert "src=" not in page
    assert "<link" not in page


def test_several_files_make_a_matrix(folder: Path) -> None:
    done = run(folder, "0.pt", "1.pt", "2.pt", "--json", "--alphas", "3", "--html", "m.html", data="mine:held")
    told = json.loads(done.stdout)
    assert told["checkpoints"] == ["0.pt", "1.pt", "2.pt"]
    assert [row[place] for place, row in enumerate(told["loss_barrier"])] == [0.0, 0.0, 0.0]
    assert (folder / "m.html").read_text().count("<table") == 4


@pytest.mark.parametrize(
    ("arguments", "names", "line"),
    [
        (["0.pt"], {}, "checkpoint: expected at least two files, got 1"),
        (["0.pt", "9.pt"], {}, "checkpoint: expected a file, '9.pt' is not there"),
        (["0.pt", "0.pt"], {}, "second: expected another network than the first, the two are the same"),
        (["0.pt", "1.pt", "--html", "x.txt"], {}, "html: expected a name that ends in .html, got 'x.txt'"),
        (["0.pt", "1.pt"], {"model": "mine"}, "model: expected MODULE:NAME, as in package.module:function, got 'mine'"),
        (["0.pt", "1.pt"], {"model": "mine:nets"}, "model: in mine, 'nets' is not known; did you mean 'net'?"),
        (["0.pt", "1.pt"], {"model": "nowhere:net"}, "model: expected a module that can be imported, 'nowhere' says"),
        (["0.pt", "1.pt"], {"model": "mine:raises"}, "model: expected a function without arguments, mine:raises says"),
        (
            ["0.pt", "1.pt"],
            {"model": "mine:samples"},
            "model: expected a function that makes a torch module, got 'tuple'",
        ),
        (["0.pt", "1.pt"], {"data": "mine:empty"}, "data: expected at least one sample, got none"),
        (["0.pt", "1.pt"], {"data": "mine:far"}, "data: expected labels from 0 to 1, got 3"),
        (
            ["0.pt", "1.pt", "--loss", "mine:net"],
            {},
            "loss: expected a function of output and target, it gave TypeError",
        ),
    ],
)
def test_mistakes_are_one_line_errors(
    folder: Path,
    arguments: list[str],
    names: dict[str, str],
    line: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "path", [*sys.path])  # to which it adds this folder
    monkeypatch.delitem(sys.modules, "mine", raising=False)  # of another folder
    named = {"model": "mine:net", "data": "mine:samples"} | names
    with pytest.raises(SystemExit) as left:
        main.app(["connect", *arguments, "--model", named["model"], "--data", named["data"]])
    said = capsys.readouterr()
    lines = [each for each in said.err.splitlines() if "was taken" not in each]
    assert (left.value.code, len(lines), said.out) == (2, 1, "")
    assert lines[0].startswith(f"lmc: {line}")


def test_an_interrupted_measurement_reports_the_finished_points(folder: Path) -> None:
    command = [sys.executable, "-m", "lmc_utils.cli", "connect", "0.pt", "1.pt", "--json", "--loss", "mine:slow"]
    command += ["--model", "mine:net", "--data", "mine:samples"]
    calls = folder / "calls"
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as work:
        while not (calls.exists() and len(calls.read_text()) > 2):
            assert work.poll() is None
            time.sleep(0.1)
        work.send_signal(signal.SIGINT)
        out, error = work.communicate(timeout=60)
    assert work.returncode == 130
    assert "interrupted; what was measured is above" in error
    told = json.loads(out)
    done = [value for value in told["loss"] if value is not None]
    assert 1 <= len(done) < 21
    assert told["loss_barrier"] is None
