"""Comparison of runs: differences, missing numbers, and a common order."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest

from lmc_utils.running import comparison
from lmc_utils.settings import ParameterError


def write(
    path: Path, numbers: dict[str, float], given: dict[str, object], cell: str = "epochs = 40\nrate = 0.1"
) -> Path:
    outputs = [
        nbformat.v4.new_output(
            "display_data",
            {"application/papermill.record/text/plain": repr(number)},
            metadata={"scrapbook": {"name": name}},
        )
        for name, number in numbers.items()
    ]
    cells = [
        nbformat.v4.new_code_cell(cell, metadata={"tags": ["parameters"]}),
        nbformat.v4.new_code_cell("1", outputs=outputs, execution_count=1),
    ]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    about = {"kernelspec": kernel, "papermill": {"parameters": given}}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=about), path)
    return path


@pytest.fixture
def pair(tmp_path: Path) -> list[Path]:
    one = write(tmp_path / "one.ipynb", {"b_fork_0": 4.0, "b_fork_15": 1.0, "c": float("nan")}, {})
    two = write(tmp_path / "two.ipynb", {"b_fork_0": 3.0, "b_fork_8": 2.0, "c": 1.0}, {"rate": 0.5})
    return [one, two]


def test_differences_and_missing_numbers(pair: list[Path]) -> None:
    found = comparison.compare(pair)
    assert found.runs == ["one", "two"]
    assert found.parameters == {"epochs": [40, 40], "rate": [0.1, 0.5]}
    assert found.differing_parameters == {"rate": [0.1, 0.5]}
    assert list(found.numbers) == ["b_fork_0", "b_fork_8", "b_fork_15", "c"]
    assert found.numbers["b_fork_8"] == [None, 2.0]
    assert [found.differences(name) for name in found.numbers][:3] == [[-1.0], [None], [None]]
    assert found.numbers_by_fork == {"b": {0: [4.0, 3.0], 8: [None, 2.0], 15: [1.0, None]}}
    assert found.rows()[:2] == [["number", "one", "two", "two minus one"], ["b_fork_0", 4.0, 3.0, -1.0]]


def test_json_has_no_nan(pair: list[Path]) -> None:
    told = comparison.compare(pair).to_json()
    assert told["parameters"] == {"rate": {"one": 0.1, "two": 0.5}}
    assert told["numbers"]["c"] == {"one": None, "two": 1.0}
    assert told["differences"]["c"] == {"two": None}


def test_three_runs_are_each_compared_with_the_first(pair: list[Path], tmp_path: Path) -> None:
    found = comparison.compare([*pair, write(tmp_path / "three.ipynb", {"c": 2.0, "b_fork_0": 9.0}, {})])
    assert found.differences("b_fork_0") == [-1.0, 5.0]


def test_files_of_equal_name_are_distinguished(pair: list[Path], tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    again = write(tmp_path / "other" / "one.ipynb", {"c": 1.0}, {})
    assert comparison.compare([pair[0], again]).runs == [str(pair[0]), str(again)]


def test_invalid_comparisons_are_one_line_errors(pair: list[Path], tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match=r"^give at least two executed notebooks \(got 1\)$"):
        comparison.compare(pair[:1])
    with pytest.raises(ParameterError, match=r"^notebook must be different files \(got \[.* .*"):
        comparison.compare([pair[0], pair[0]])
    other = write(tmp_path / "x.ipynb", {"c": 1.0}, {}, "epochs = 1")
    with pytest.raises(
        ParameterError, match=r"^only runs of one notebook can be compared; .* has other parameters than"
    ):
        comparison.compare([pair[0], other])
    with pytest.raises(ParameterError, match=r"^no numbers recorded in .* was it executed\?"):
        comparison.compare([pair[0], write(tmp_path / "y.ipynb", {}, {})])
