"""Two checkpoints as parameters, families of networks, and claims in which every family counts."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import xarray as xr
from torch import nn

from lmc_utils import connect
from lmc_utils.chapters import checkpoint_files, finetuned_families
from lmc_utils.chapters import your_own_networks as chapter
from lmc_utils.chapters.your_own_networks import Checkpoints
from lmc_utils.settings import ParameterError

WHOLE = {"model": "torch.nn:Identity", "data": "math:pi", "checkpoint_a": "a.pt", "checkpoint_b": "b.pt"}


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("a", "b"):
        Path(f"{name}.pt").touch()


def test_checkpoints_are_true_only_if_given() -> None:
    assert not Checkpoints()
    assert Checkpoints(**WHOLE)
    with pytest.raises(ParameterError, match="no checkpoints are given: set model, data, checkpoint_a and"):
        Checkpoints().load()


@pytest.mark.parametrize("missing", WHOLE)
def test_missing_checkpoint_parameters_are_named(missing: str) -> None:
    with pytest.raises(ParameterError, match=f"^{missing} is missing: give model, "):
        Checkpoints(**(WHOLE | {missing: None}))


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"checkpoint_b": "c.pt"}, r"checkpoint_b: no such file: c.pt"),
        ({"data": "samples"}, r"data must be MODULE:NAME, e.g. package.module:function \(got 'samples'\)"),
        ({"model": 3}, r"model must be a string or null \(got 3\)"),
    ],
)
def test_invalid_checkpoint_parameters_are_named(change: dict[str, object], line: str) -> None:
    with pytest.raises(ParameterError, match=f"^{line}$"):
        Checkpoints(**(WHOLE | change))  # type: ignore[arg-type]


def test_loaded_checkpoints_can_be_passed_to_pair(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    Path("files_of_mine.py").write_text(
        "import torch\nmake = lambda: torch.nn.Linear(2, 2)\nsamples = torch.eye(2), torch.tensor([0, 1])\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    networks = [nn.Linear(2, 2) for _ in range(2)]
    for name, network in zip(("a.pt", "b.pt"), networks, strict=True):
        torch.save({"state_dict": network.state_dict()}, name)
    loaded = Checkpoints(**(WHOLE | {"model": "files_of_mine:make", "data": "files_of_mine:samples"})).load()
    found = loaded.pair(alphas=3)
    expected = connect.pair(*networks, (torch.eye(2), torch.tensor([0, 1])), alphas=3)
    assert found.loss.values.tolist() == expected.loss.values.tolist()


@pytest.fixture(scope="module")
def families() -> list[finetuned_families.Family]:
    inputs = torch.randn(64, 3, generator=torch.Generator().manual_seed(0))
    few = chapter.Parameters(families=2, start_epochs=1, tuning_epochs=1, batch_size=16)
    samples = inputs, (inputs[:, 0] > 0).long()
    return few.train(lambda: nn.Linear(3, 2), samples, lambda own: torch.optim.SGD(own, 0.1))


def test_networks_from_one_start_are_closer(families: list[finetuned_families.Family]) -> None:
    assert [list(family) for family in families] == [["first", "same_start", "two_starts"]] * 2
    found = finetuned_families.mean_cosine(families)
    assert -1 <= found["two_starts"] < found["same_start"] <= 1
    assert finetuned_families.mean_cosine([dict.fromkeys(families[0], families[0]["first"])])[
        "same_start"
    ] == pytest.approx(1)


def test_families_are_connected_pair_by_pair(families: list[finetuned_families.Family]) -> None:
    samples = torch.eye(3), torch.tensor([0, 1, 1])
    found = finetuned_families.connect_families(families, samples, alphas=3)
    one = connect.pair(families[1]["first"], families[1]["two_starts"], samples, alphas=3)
    np.testing.assert_array_equal(found.loss.sel(start="two_starts").isel(family=1), one.loss)
    assert float(found.endpoint_difference.max()) < 1e-6
    numbers = chapter.mean_and_range(found.error_barrier)
    assert (numbers["lowest"] <= numbers[""]).all()
    assert (numbers[""] <= numbers["highest"]).all()


def test_modules_of_the_working_folder_and_the_command_are_found_in_a_shell(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("PYTHONPATH", "PATH", "LMC_PROGRESS"):
        monkeypatch.setenv(variable, os.environ.get(variable, ""))
    monkeypatch.setattr(sys, "path", [*sys.path])
    (checkpoint_files.working_folder() / "module_of_mine.py").write_text("NAME = 'mine'")
    assert __import__("module_of_mine").NAME == "mine"
    done = subprocess.run(["python", "-c", "import module_of_mine as m; print(m.NAME)"], capture_output=True, text=True)
    assert done.stdout == "mine\n"
    assert shutil.which("lmc")


def by_start(one: float, two: float) -> xr.DataArray:
    """Two families, the second 10 % higher."""
    starts = xr.DataArray([one, two], coords={"start": list(finetuned_families.STARTS)})
    return starts * xr.DataArray([1.0, 1.1], coords={"family": [0, 1]})


def outcomes(**change: xr.DataArray) -> list[str]:
    """Outcomes of claims for networks for which all hold, with some numbers changed."""
    curve = xr.DataArray([0.0, 1.0, 0.0], coords={"alpha": [0.0, 0.5, 1.0]})
    layers = xr.DataArray([0.1, 0.4], coords={"layer": ["a", "b"]})
    given = {
        "error_barrier": by_start(0.5, 40), "kept": by_start(8, 60), "interpolated": by_start(0.6, 55),
        "reestimated": by_start(0.5, 40), "predicted": by_start(0.1, 5), "rise": 3 * by_start(1, 1) * layers,
        "aligned": by_start(0.5, 10),
    } | change  # fmt: skip
    transformers = xr.Dataset(
        {
            "error_barrier": given["error_barrier"],
            "second_order": given["predicted"] * curve,
            "layer_rise": given["rise"],
            "loss_barrier": 3 * by_start(1, 1),
        }
    )
    names = {"kept": "kept", "interpolated": "interpolated", "re-estimated": "reestimated"}
    convolutional = {name: xr.Dataset({"error_barrier": given[key]}) for name, key in names.items()}
    return [claim.outcome for claim in chapter.claims(transformers, convolutional, given["aligned"]).claims]


def test_every_family_counts_for_every_claim() -> None:
    assert outcomes() == ["holds"] * 7
    assert outcomes(error_barrier=by_start(1.9, 2.0))[:2] == ["fails", "holds"], "2.09 points in the second family"
    assert outcomes(reestimated=by_start(0.5, 1.9))[1] == "fails", "1.9 points in the first family"
    assert outcomes(kept=by_start(1.9, 60))[2] == "fails"
    assert outcomes(interpolated=by_start(1.5, 55))[3] == "fails"
    assert outcomes(interpolated=by_start(0.5, 42))[3] == "fails"
    assert outcomes(predicted=by_start(5, 5.4))[4] == "fails", "one pair from one start is higher: 5.5"
    assert outcomes(rise=3 * by_start(1, 1) * xr.DataArray([0.5], coords={"layer": ["a"]}))[5] == "fails"
    assert outcomes(aligned=by_start(0.5, 11))[6] == "fails"
    assert outcomes(kept=by_start(8, 60).where(lambda each: each.family == 0))[2] == "cannot tell"
