"""`lmc connect`: numbers, a page and one-line errors, from files and names of functions."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file
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

def stops(output, target):
    with open('calls', 'a') as calls:
        calls.write('.')
    with open('calls') as calls, open('most') as most:
        if len(calls.read()) > int(most.read()):
            raise KeyboardInterrupt
    return nn.functional.cross_entropy(output, target, reduction="none")

def own(output, target):
    return nn.functional.cross_entropy(output, target, reduction="none")

def other_samples():
    return samples()[0][:20], samples()[1][:20]

def slow(output, target):
    with open('calls', 'a') as calls:
        calls.write('.')
    time.sleep(0.5)
    return nn.functional.cross_entropy(output, target, reduction="none")

empty = []
held = [samples()]
"""


Shell = Callable[..., tuple[int, str, str]]
"""Runs the command in this process: exit status, standard output and standard error."""


@pytest.fixture
def shell(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shell:
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "path", [*sys.path])  # to which it adds this folder
    monkeypatch.delitem(sys.modules, "mine", raising=False)  # of another folder
    monkeypatch.setenv("LMC_PROGRESS", "0")

    def run_here(*arguments: str, model: str = "mine:net", data: str = "mine:samples") -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as left:
            main.app(["connect", *arguments, "--model", model, "--data", data])
        said = capsys.readouterr()
        return int(left.value.code or 0), said.out, said.err

    return run_here


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
    assert "1.pt: using entry 'state_dict'" in done.stderr
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
    assert set(told["layer_groups"]) == set(told["random_steps"]) == {"single", "from_input", "from_output"}
    assert told["layer_groups"]["from_input"]["3"] == pytest.approx(told["loss_at_half"], abs=1e-6)
    page = (folder / "report.html").read_text()
    assert "Both networks are at chance" in expected.sentence
    assert expected.sentence.partition(". ")[0] in page
    assert page.count("src=") == page.count('src="data:'), "nothing is fetched"
    assert "<link" not in page


def test_several_files_make_a_matrix(shell: Shell, folder: Path) -> None:
    out = shell("0.pt", "1.pt", "2.pt", "--json", "--alphas", "3", "--html", "m.html", data="mine:held")[1]
    told = json.loads(out)
    assert told["checkpoints"] == ["0.pt", "1.pt", "2.pt"]
    assert [row[place] for place, row in enumerate(told["loss_barrier"])] == [0.0, 0.0, 0.0]
    assert told["failed"] == []
    # five quantities of lines, three of agreement, the average of all, and the conditions
    assert (folder / "m.html").read_text().count("<table") == 10


def test_agreement_is_measured_by_default(shell: Shell) -> None:
    scope: dict[str, Any] = {}
    exec(MODULE, scope)
    states = torch.load("0.pt"), torch.load("1.pt")["state_dict"]
    expected = connect.agreement(*states, scope["samples"](), model=scope["net"]())
    told = json.loads(shell("0.pt", "1.pt", "--json", "--alphas", "3")[1])
    matrices = json.loads(shell("0.pt", "1.pt", "2.pt", "--json", "--alphas", "3")[1])
    for name in ("disagreement", "both_wrong", "cka"):
        assert told[name] == pytest.approx(float(expected[name]), rel=1e-6)
        assert matrices[name][0][1] == matrices[name][1][0] == told[name]
    assert [row[place] for place, row in enumerate(matrices["disagreement"])] == [0, 0, 0]
    out = shell("0.pt", "1.pt", "--alphas", "3")[1]
    assert f"predict different classes for {told['disagreement']:.1f} % of the samples; the linear CKA" in out
    assert f"{told['cka']:.4g}" in out.partition("\nAgreement\n")[2].partition("\nConditions\n")[0]
    left_out = {"agreement_left_out": "predicted classes and probabilities are known for cross-entropy only"}
    for files in (("0.pt", "1.pt"), ("0.pt", "1.pt", "2.pt")):
        status, out, _ = shell(*files, "--alphas", "3", "--loss", "mine:own", "--json")
        told = json.loads(out)
        assert status == 0
        assert "disagreement" not in told
        assert left_out.items() <= told.items()


def test_several_files_are_compared_with_their_average_and_their_ensemble(shell: Shell) -> None:
    files = ("0.pt", "1.pt", "2.pt", "--json")
    told, soup = (json.loads(shell(*files, *more)[1]) for more in (["--alphas", "3"], ["--soup"]))
    for row, name in ((3, "average"), (5, "ensemble")):
        assert told[f"{name}_loss"] == pytest.approx(soup["loss"][row], rel=1e-6)
        assert told[f"{name}_error"] == pytest.approx(soup["error"][row])
    assert told["single_error"] == pytest.approx(sum(soup["error"][:3]) / 3)
    assert told["best_error"] == min(soup["error"][:3])
    assert told["best_chosen_on"] == "the samples measured"
    table = shell("0.pt", "1.pt", "2.pt", "--alphas", "3")[1].partition("\nAverage of all and ensemble\n")[2]
    rows = [line.split() for line in table.splitlines()[1:5]]
    assert [row[-1] for row in rows] == [
        f"{told[f'{name}_error']:.4g}" for name in ("average", "ensemble", "best", "single")
    ]
    for option, reason in (
        (["--align"], "with --align or --rescale, the average of more than two files is undefined"),
        (["--loss", "mine:own"], "predicted classes and probabilities are known for cross-entropy only"),
        (
            ["--batchnorm", "keep"],
            "batchnorm must be reestimate or interpolate: an average has one set of running stat",
        ),
    ):
        status, out, _ = shell(*files, "--alphas", "3", *option)
        assert (status, "average_loss" in json.loads(out)) == (0, False)
        assert json.loads(out)["average_and_ensemble_left_out"].startswith(reason)


def test_ctrl_c_after_the_pairs_shows_the_matrix(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(connect, "agreement_matrix", stopped)
    status, out, error = shell("0.pt", "1.pt", "2.pt", "--alphas", "3", "--json")
    assert status == 130
    assert "interrupted; what was measured is above" in error
    told = json.loads(out)
    assert np.isfinite(np.array(told["loss_barrier"], dtype=float)).all()
    assert "disagreement" not in told


@pytest.mark.parametrize(
    ("arguments", "names", "line"),
    [
        (["0.pt"], {}, "give at least two checkpoints"),
        (["0.pt", "9.pt"], {}, "no such file: 9.pt"),
        (["0.pt", "0.pt"], {}, "0.pt (second): the same network as the first"),
        (
            ["0.pt", "1.pt", "--html", "/proc/no/x.html"],
            {},
            "html: cannot write '/proc/no/x.html'",
        ),
        (["0.pt", "1.pt", "--save", "/proc/no/x.safetensors"], {}, "save: cannot write '/proc/no/x.safetensors'"),
        (["0.pt", "1.pt", "--save", "x.pt"], {}, "save must be a file name ending in .safetensors (got 'x.pt')"),
        (["0.pt", "1.pt", "2.pt", "--save", "x.safetensors"], {}, "--save takes two checkpoints, or --soup"),
        (["0.pt", "1.pt", "--save", "x.safetensors", "--batchnorm", "keep"], {}, "batchnorm must be reestimate or"),
        (["0.pt", "1.pt", "--at", "0.3"], {}, "--at takes effect only with --save"),
        (["0.pt", "1.pt", "--plane"], {}, "--plane takes three checkpoints (got 2)"),
        (["0.pt", "1.pt", "2.pt", "--layers"], {}, "--layers takes two checkpoints (got 3)"),
        (["0.pt", "1.pt", "--soup", "--align"], {}, "--align cannot be combined with --soup"),
        (
            ["0.pt", "1.pt", "--alphas", "0,x"],
            {},
            "alphas must be a number of points, or positions such as 0,0.5,1 (got '0,x')",
        ),
        (["0.pt", "1.pt", "--estimated-on", "mine:empty"], {}, "estimated_on: there are no samples"),
        (["0.pt", "1.pt", "--html", "x.txt"], {}, "html must be a file name ending in .html (got 'x.txt')"),
        (["0.pt", "1.pt"], {"model": "mine"}, "model must be MODULE:NAME, e.g. package.module:function (got 'mine')"),
        (["0.pt", "1.pt"], {"model": "mine:nets"}, "model: unknown name in mine: 'nets'; did you mean 'net'?"),
        (["0.pt", "1.pt"], {"model": "nowhere:net"}, "model: cannot import 'nowhere': "),
        (["0.pt", "1.pt"], {"model": "mine:raises"}, "model: mine:raises() raised "),
        (
            ["0.pt", "1.pt"],
            {"model": "mine:samples"},
            "model must be a module of torch, or a function that makes one (got 'tuple')",
        ),
        (["0.pt", "1.pt"], {"data": "mine:empty"}, "data: there are no samples"),
        (["0.pt", "1.pt"], {"data": "mine:far"}, "data: labels must be between 0 and 1 (got 3)"),
        (
            ["0.pt", "1.pt", "--loss", "mine:net"],
            {},
            "loss: loss(output, target) raised TypeError",
        ),
    ],
)
def test_mistakes_are_one_line_errors(
    folder: Path,
    arguments: list[str],
    names: dict[str, str],
    line: str,
    shell: Shell,
) -> None:
    named = {"model": "mine:net", "data": "mine:samples"} | names
    status, out, error = shell(*arguments, **named)
    lines = [each for each in error.splitlines() if "using entry" not in each]
    assert (status, len(lines), out) == (2, 1, "")
    assert lines[0].startswith(f"lmc: {line}")


def test_an_interrupted_measurement_reports_the_finished_points(folder: Path) -> None:
    command = [sys.executable, "-m", "lmc_utils.cli", "connect", "0.pt", "1.pt", "--json", "--loss", "mine:slow"]
    command += ["--model", "mine:net", "--data", "mine:samples"]
    calls = folder / "calls"
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as work:
        while not (calls.exists() and len(calls.read_text()) > 6):
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


def test_the_text_shows_everything_that_was_asked_for(shell: Shell) -> None:
    status, out, _ = shell("0.pt", "1.pt", "--layers", "--curvature", "--align", "--curve", "--alphas", "0,0.25,1")
    assert status == 0
    for title in (
        "Along the line",
        "One layer at the midpoint",
        "Groups of layers at the midpoint",
        "Random steps as far as to the midpoint",
        "At both ends",
        "Along the curve",
        "Barriers",
    ):
        assert f"\n{title}\n" in out
    for name in ("second order", "distance after", "loss with own statistics", "layer error rise", "not aligned"):
        assert name in out
    assert [line.split()[0] for line in out.partition("alpha")[2].splitlines()[1:5]] == ["0", "0.25", "0.5", "1"]


def test_running_statistics_are_estimated_on_the_samples_that_are_named(shell: Shell) -> None:
    told = json.loads(shell("0.pt", "1.pt", "--json", "--alphas", "3", "--estimated-on", "mine:other_samples")[1])
    assert "20 samples" in told["batchnorm"]
    assert "40 samples" in told["data"]


def test_a_pair_that_fails_leaves_the_matrix_and_names_both_files(shell: Shell, folder: Path) -> None:
    torch.save(torch.load(folder / "0.pt"), folder / "copy.pt")
    torch.save(nn.Linear(3, 2).state_dict(), folder / "shape.pt")
    files = ("0.pt", "1.pt", "copy.pt", "shape.pt")
    status, out, _ = shell(*files, "--alphas", "3", "--json", "--html", "m.html")
    told = json.loads(out)
    assert status == 1
    measured = [[value is not None for value in row] for row in told["loss_barrier"]]
    assert measured == [[1, 1, 1, 0], [1, 1, 1, 0], [1, 1, 1, 0], [0, 0, 0, 1]]
    assert [line.partition(":")[0] for line in told["failed"]] == [
        "0.pt and shape.pt", "1.pt and shape.pt", "copy.pt and shape.pt",
    ]  # fmt: skip
    assert told["equal"] == "0.pt and copy.pt"
    text = shell(*files, "--alphas", "3")[1]
    page = (folder / "m.html").read_text()
    for shown in (text, page):
        assert "0.pt and shape.pt: second: " in shown
        assert (
            "3 of 6 pairs were measured; 3 could not be; equal networks, whose barrier is 0: 0.pt and copy.pt." in shown
        )
    status, out, _ = shell("0.pt", "copy.pt", "1.pt", "--alphas", "3")
    assert (status, out.partition("\n")[0]) == (
        0, "3 of 3 pairs were measured; equal networks, whose barrier is 0: 0.pt and copy.pt.",
    )  # fmt: skip


@pytest.mark.parametrize("extra", [[], ["--soup"], ["--plane"]], ids=["matrix", "soup", "plane"])
def test_ctrl_c_shows_what_was_measured_and_names_no_attribute(shell: Shell, folder: Path, extra: list[str]) -> None:
    files = ("0.pt", "1.pt", "2.pt")
    arguments = [*files, *extra, *([] if extra else ["--alphas", "3"]), "--loss", "mine:stops", "--json"]
    (folder / "most").write_text("1000000")
    assert shell(*arguments)[0] == 0
    (folder / "most").write_text(str(len((folder / "calls").read_text()) - 1))
    (folder / "calls").unlink()
    status, out, error = shell(*arguments, "--html", "m.html")
    assert status == 130
    assert "interrupted; what was measured is above" in error
    assert "`" not in error
    assert "error." not in error
    told = json.loads(out)
    losses = np.array(told["loss" if extra else "loss_barrier"], dtype=float)
    assert 0 < np.isfinite(losses).sum() < losses.size
    assert (folder / "m.html").exists()


@pytest.mark.parametrize(("calls", "done"), [(0, 0), (3, 1), (6, 3)])
def test_ctrl_c_in_a_soup_shows_the_networks_that_were_compared(
    shell: Shell, folder: Path, calls: int, done: int
) -> None:
    (folder / "most").write_text(str(calls))
    arguments = ["0.pt", "1.pt", "2.pt", "--soup", "--loss", "mine:stops", "--json", "--html", "m.html"]
    status, out, error = shell(*arguments)
    assert status == 130
    assert ("what was measured is above" if done else "nothing was measured yet") in error
    assert (folder / "m.html").exists() == bool(out) == bool(done)
    if done:
        assert sum(value is not None for value in json.loads(out)["loss"]) == done


def test_nothing_is_measured_where_the_output_cannot_be_written(shell: Shell, folder: Path) -> None:
    (folder / "x.html").mkdir()
    for option in (["--html", "/proc/no/x.html"], ["--html", "x.html"], ["--save", "/proc/no/x.safetensors"]):
        assert shell("0.pt", "1.pt", "--loss", "mine:stops", *option)[0] == 2
    assert not (folder / "calls").exists()
    assert not list(folder.glob(".*"))


def test_a_saved_average_has_the_recorded_loss(shell: Shell, folder: Path) -> None:
    save = ["--save", "average.safetensors", "--at", "0.3"]
    status, out, error = shell("0.pt", "1.pt", "--json", "--alphas", "3", *save)
    assert (status, error.splitlines()[-1]) == (0, "average.safetensors")
    told = json.loads(out)
    with safe_open(folder / "average.safetensors", "pt") as file:
        about = file.metadata()
    scope: dict[str, Any] = {}
    exec(MODULE, scope)
    network = scope["net"]().eval()
    network.load_state_dict(load_file(folder / "average.safetensors"))
    inputs, labels = scope["samples"]()
    loss = nn.functional.cross_entropy(network(inputs), labels).item()
    assert json.loads(about["loss"]) == pytest.approx(loss, rel=1e-5)
    assert told["loss"][told["alphas"].index(0.3)] == pytest.approx(loss, rel=1e-5)
    assert json.loads(about["weights"]) == {"0.pt": 0.7, "1.pt": 0.3}
    assert {"files", "alpha", "batchnorm", "data", "versions"} <= about.keys()


def test_a_soup_and_a_plane_are_shown_and_saved(shell: Shell, folder: Path) -> None:
    status, out, _ = shell("0.pt", "1.pt", "2.pt", "--soup", "--json", "--save", "soup.safetensors")
    told = json.loads(out)
    assert status == 0
    assert told["candidates"][-3:] == ["average of all", "greedy soup", "ensemble"]
    with safe_open(folder / "soup.safetensors", "pt") as file:
        about = file.metadata()
    assert json.loads(about["loss"]) == told["loss"][-2]
    assert "The greedy soup " in shell("0.pt", "1.pt", "2.pt", "--soup")[1]
    status, out, _ = shell("0.pt", "1.pt", "2.pt", "--plane", "--json", "--html", "plane.html")
    assert (status, np.array(json.loads(out)["loss"]).shape) == (0, (25, 25))
    assert "<img src=" in (folder / "plane.html").read_text()
