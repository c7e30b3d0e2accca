"""Recorded numbers are read back unchanged."""

import copy
import json
from pathlib import Path
from typing import NamedTuple

import fuzz_inputs
import pytest
import xarray as xr
from small_project import lmc, write_notebook

from lmc_utils.running import recorded_numbers
from lmc_utils.settings import ParameterError

CELL = """
import numpy, torch, xarray
from lmc_utils.running import record
record(plain=count / 3, numpy=numpy.float32(0.5), tensor=torch.tensor(2))
record(xarray.Dataset({"array": 1e-12}), {"gone": float("nan")})
"""


def test_the_command_prints_recorded_numbers(tmp_path: Path) -> None:
    write_notebook(tmp_path / "a.ipynb", CELL)
    assert lmc("run", "a.ipynb", "-p", "count", "1", "-o", "out.ipynb", cwd=tmp_path).returncode == 0
    numbers = recorded_numbers.read(tmp_path / "out.ipynb")
    assert numbers.pop("gone") != numbers.get("gone")
    assert numbers == {"plain": 1 / 3, "numpy": 0.5, "tensor": 2.0, "array": 1e-12}
    shown = lmc("results", "out.ipynb", "--json", cwd=tmp_path)
    assert '"plain": 0.3333333333333333' in shown.stdout
    assert '"gone": null' in shown.stdout, "JSON has no NaN"
    assert "array   1e-12" in lmc("results", "out.ipynb", cwd=tmp_path).stdout


class Estimate(NamedTuple):
    value: float
    low: float
    high: float


def test_labelled_values_get_a_name_for_each_label() -> None:
    by_split_and_fork = xr.DataArray(
        [[1.0, 2.0], [3.0, 4.0]],
        coords={"fork_epoch": [0, 15], "split": ["train", "test"]},
        dims=["fork_epoch", "split"],
    )
    assert dict(recorded_numbers.numbers("error", by_split_and_fork)) == {
        "error_train_fork_0": 1.0,
        "error_train_fork_15": 3.0,
        "error_test_fork_0": 2.0,
        "error_test_fork_15": 4.0,
    }
    seeds = xr.DataArray([1.0, 2.0], {"seed": [1234567, 1234568]}, dims=["seed"])
    assert dict(recorded_numbers.numbers("x", seeds)) == {"x_seed_1234567": 1.0, "x_seed_1234568": 2.0}
    nested = {"m": {2: 0.5}, "agreement": Estimate(0.9, 0.8, 1.0)}
    assert dict(recorded_numbers.numbers("x", nested)) == {
        "x_m_2": 0.5,
        "x_agreement": 0.9,
        "x_agreement_low": 0.8,
        "x_agreement_high": 1.0,
    }
    dataset = xr.Dataset({"error": by_split_and_fork.sel(split="train"), "pairs": 3})
    assert dict(recorded_numbers.numbers("", dataset)) == {"error_fork_0": 1.0, "error_fork_15": 3.0, "pairs": 3.0}
    assert dict(recorded_numbers.numbers("x", {"": 1, "at the end": 0})) == {"x": 1.0, "x_at_the_end": 0.0}
    with pytest.raises(TypeError):
        dict(recorded_numbers.numbers("x", [1.0, 2.0]))


def test_a_notebook_without_numbers_is_a_one_line_error(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match=r"no numbers recorded in .* was it executed\?"):
        recorded_numbers.read(write_notebook(tmp_path / "a.ipynb", "1"))
    with pytest.raises(ParameterError, match=""):
        recorded_numbers.read(tmp_path / "missing.ipynb")
    (tmp_path / "text.ipynb").write_text("hello")
    with pytest.raises(ParameterError, match=""):
        recorded_numbers.read(tmp_path / "text.ipynb")
    for text in ('{"cells": [1, 2]}', '{"cells": [{"outputs": null}]}'):
        (tmp_path / "junk.ipynb").write_text(text)
        with pytest.raises(ParameterError, match=""):
            recorded_numbers.read(tmp_path / "junk.ipynb")


def test_a_recorded_value_must_be_a_number(tmp_path: Path) -> None:
    notebook = copy.deepcopy(fuzz_inputs.EXECUTED)
    output = notebook["cells"][2]["outputs"][0]
    (mime,) = output["data"]
    for said, line in {"many": "'many'", "9" * 10**5 + "x": "'999"}.items():
        output["data"][mime] = said
        (tmp_path / "a.ipynb").write_text(json.dumps(notebook))
        with pytest.raises(ParameterError, match=rf"^loss must be a recorded number \(got {line}"):
            recorded_numbers.read(tmp_path / "a.ipynb")
    output["data"][mime] = ["0.", "25"]  # as Jupyter may write it
    (tmp_path / "a.ipynb").write_text(json.dumps(notebook))
    assert recorded_numbers.read(tmp_path / "a.ipynb")["loss"] == 0.25
