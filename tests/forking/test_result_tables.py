"""Tables of long runs record their provenance, and hold the measured numbers."""

import re
import shlex
import subprocess
from pathlib import Path

import pytest
import xarray as xr

from lmc_utils.forking import Experiment, result_tables, runs_folder, train
from lmc_utils.measure import lines
from lmc_utils.settings import ParameterError

SMALL = Experiment(
    architecture="resnet8", widths=(2,), norm="batch", epochs=2, fork_epochs=(0, 1), parents=1, train_samples=128,
    device="cpu",
)  # fmt: skip


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> xr.Dataset:
    def tiny() -> xr.Dataset:
        """A tiny one."""
        return result_tables.on_lines(SMALL)

    monkeypatch.setenv("LMC_RUNS", str(tmp_path / "runs"))
    monkeypatch.setitem(result_tables.TABLES, "tiny", tiny)
    monkeypatch.setattr(result_tables, "PLACES", (tmp_path / "results",))
    result_tables.make("tiny", tmp_path / "results")
    return result_tables.read("tiny")


def test_a_table_has_the_measurements_under_each_convention(made: xr.Dataset) -> None:
    run = train(SMALL, runs_folder())
    assert made.batchnorm.values.tolist() == ["reestimate", "interpolate", "keep"]
    for how in made.batchnorm.values:
        found = lines.line(run.pairs(batchnorm=how), result_tables.LINE).isel(epoch=0)
        xr.testing.assert_allclose(made.error.sel(batchnorm=how, drop=True), found.error.drop_vars("epoch"), rtol=1e-6)


def test_a_table_says_how_it_was_made(made: xr.Dataset) -> None:
    assert made.attrs["title"] == "A tiny one."
    assert made.attrs["command"] == "python -m lmc_utils.forking.result_tables tiny"
    assert "torch" in made.attrs["versions"]
    assert {"commit", "machine", "date", "wall_time"} <= set(made.attrs)


def test_the_books_tables_exist_and_match_their_commands() -> None:
    for name, table in result_tables.TABLES.items():
        found = result_tables.read(name)
        assert found.attrs["command"].endswith(f" {name}")
        assert found.attrs["title"] == " ".join(str(table.__doc__).split())
        assert (result_tables.PLACES[0] / f"{name}.nc").stat().st_size < 1e6
        assert all(bool(each.notnull().any()) for each in found.data_vars.values())


@pytest.mark.parametrize("prefix", result_tables.SWEPT)
def test_the_sweep_tables_match_the_commands_in_their_script(prefix: str, tmp_path: Path) -> None:
    """The script is executed in an empty folder with an `lmc` that writes its arguments down."""
    (tmp_path / "results").mkdir()
    (tmp_path / "lmc").write_text('#!/bin/sh\nprintf "%s\\0" "$@" >> calls; echo >> calls\n')
    (tmp_path / "lmc").chmod(0o755)
    script = re.sub(
        r"^keep\(\).*$", "keep() { :; }", (result_tables.PLACES[0] / f"{prefix}.sh").read_text(), flags=re.M
    )
    subprocess.run(["sh", "-c", script], cwd=tmp_path, check=True, env={"PATH": f"{tmp_path}:/usr/bin:/bin"})

    def without_jobs(words: list[str]) -> tuple[str, ...]:
        return tuple(word for word in words if not re.fullmatch(r"--jobs|[0-9]", word))

    commands = {without_jobs(line.split("\0")[:-1]) for line in (tmp_path / "calls").read_text().splitlines()}
    made = {}
    for name in result_tables.SWEPT[prefix]:
        _, *given = shlex.split(result_tables.read(f"{prefix}_{name}").attrs["command"])
        made[name] = without_jobs(given)
    assert set(made.values()) == commands
    for name, command in made.items():
        found = result_tables.read(name := f"{prefix}_{name}")
        assert command[-2:] == ("--out", f"sweeps/{name.removeprefix('stability_')}")
        assert int(found.attrs["missing"]) == 0
        assert prefix != "stability" or found.sizes["seed"] == 5
        assert {"commit", "versions", "machine", "date", "wall_time"} <= set(found.attrs)
        assert float(found.attrs["wall_time"].partition(" ")[0]) < 3600
        largest = 1e5 if prefix == "stability" else 2e5  # bytes; every one of ten parents is a number of its own
        assert (result_tables.PLACES[0] / f"{name}.nc").stat().st_size < largest


def test_how_tables_were_made_can_be_read(made: xr.Dataset) -> None:
    said = result_tables.made([made, made])
    assert said.count("python -m lmc_utils.forking.result_tables tiny") == 2
    assert said.count("made on") == 1, "once for all that share it"
    two = made.assign_attrs(commit=f"{'ab' * 20}; {'cd' * 20}-dirty")
    assert "commit abababababab and cdcdcdcdcdcd-dirty, on" in result_tables.made([two])


def test_a_missing_table_is_a_one_line_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(result_tables, "PLACES", (tmp_path,))
    with pytest.raises(ParameterError, match=r"no table resnet8_norms.nc in .* make it by python -m"):
        result_tables.read("resnet8_norms")
    with pytest.raises(ParameterError, match=r"unknown table 'resnet8_norm'; did you mean 'resnet8_norms'\?"):
        result_tables.read("resnet8_norm")
