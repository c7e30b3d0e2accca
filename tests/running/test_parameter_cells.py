"""A notebook's parameters cell and table are generated from its records."""

import ast
import json
from pathlib import Path

import nbformat
import pytest
from small_project import lmc, write_notebook

from lmc_utils.forking import Experiment
from lmc_utils.measure.lines import LineGrid
from lmc_utils.running import parameter_cells
from lmc_utils.settings import ParameterError

RECORDS = ("lmc_utils.measure.lines:LineGrid",)


def source(path: Path, start: str) -> str:
    (found,) = (
        text
        for text in ("".join(cell["source"]) for cell in json.loads(path.read_text())["cells"])
        if text.startswith(start)
    )
    return found


def with_table(path: Path) -> Path:
    write_notebook(path, "1", settings=RECORDS)
    notebook = nbformat.read(path, as_version=4)
    notebook.cells.append(nbformat.v4.new_markdown_cell(parameter_cells.MARK))
    nbformat.write(notebook, path)
    return path


def test_the_cell_gives_every_parameter_its_default_and_its_meaning() -> None:
    records = [Experiment, LineGrid]
    lines = parameter_cells.parameters_cell(records).splitlines()[1:]
    given = {name: ast.literal_eval(value) for name, value in (line.split("  # ")[0].split(" = ") for line in lines)}
    assert given == Experiment().to_json() | LineGrid().to_json()
    assert 'norm = "none"  # normalisation before each activation: none, batch, group, layer' in lines


def test_the_table_lists_defaults_and_allowed_values() -> None:
    rows = parameter_cells.parameters_table([LineGrid]).splitlines()
    assert rows[0] == parameter_cells.MARK
    assert rows[2] == "| parameter | default | meaning | allowed |"
    (said,) = [row for row in rows if row.startswith(f"| `alphas` | `{LineGrid().alphas}` | ")]
    assert said.endswith(" | >= 2 |")


def test_writing_twice_changes_nothing(tmp_path: Path) -> None:
    path = with_table(tmp_path / "notebooks" / "a.ipynb")
    written = lmc("parameters", "a", cwd=tmp_path)
    assert (written.returncode, written.stdout) == (0, "notebooks/a.ipynb\n")
    assert source(path, "# fmt: off\nalphas = ") == parameter_cells.parameters_cell([LineGrid])
    assert source(path, parameter_cells.MARK) == parameter_cells.parameters_table([LineGrid])
    assert lmc("parameters", cwd=tmp_path).stdout == ""


def test_a_notebook_without_a_table_cell_is_rejected(tmp_path: Path) -> None:
    path = write_notebook(tmp_path / "a.ipynb", settings=RECORDS)
    before = path.read_bytes()
    with pytest.raises(ParameterError, match=r".* must have one table \(it has 0\)"):
        parameter_cells.update(path)
    assert path.read_bytes() == before
