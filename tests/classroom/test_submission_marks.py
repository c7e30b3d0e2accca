"""Missing, duplicated or changed cells of a submission are restored, and the rest is marked."""

from __future__ import annotations

import copy
import itertools
from pathlib import Path

import nbformat
import pytest
from example_submissions import SOURCE, identity, solved, without
from nbformat import NotebookNode
from nbgrader.utils import determine_grade

from lmc_utils.classroom import assignments, kernel, submission_marks
from lmc_utils.classroom.install_cell import INSTALL
from lmc_utils.classroom.protected_cells import restore
from lmc_utils.classroom.submission_marks import count_points


@pytest.fixture(scope="module")
def marked() -> NotebookNode:
    return assignments.with_hidden_tests(SOURCE)


@pytest.fixture(scope="module")
def released() -> NotebookNode:
    return assignments.student_version(SOURCE)


def names(notebook: NotebookNode) -> list[str]:
    return [identity(cell) for cell in notebook.cells if identity(cell)]


def failing(cell: NotebookNode, ename: str, evalue: str) -> None:
    cell.outputs = [nbformat.v4.new_output("error", ename=ename, evalue=evalue, traceback=[])]


def test_an_intact_notebook_is_unchanged(marked: NotebookNode, released: NotebookNode) -> None:
    submission = solved()
    restored, remarks = restore(submission, marked, released)
    assert remarks == []
    hidden = {identity(cell): cell.source for cell in marked.cells if identity(cell).endswith("-test")}
    assert [cell.source for cell in restored.cells] == [
        hidden.get(identity(cell), cell.source) for cell in submission.cells
    ]


def test_trailing_spaces_are_ignored(marked: NotebookNode, released: NotebookNode) -> None:
    assert restore(solved(toy_2_test='check("toy-2", barrier)  \n'), marked, released)[1] == []


@pytest.mark.parametrize("lost", ["toy-setup", "toy-1", "toy-4-test", "toy-7-test", "toy-7"])
def test_a_missing_cell_is_restored_in_its_place(lost: str, marked: NotebookNode, released: NotebookNode) -> None:
    restored, remarks = restore(without(solved(), lambda name: name == lost), marked, released)
    assert names(restored) == names(marked)
    (remark,) = remarks
    assert remark == f"{lost}: this cell is missing" + ("" if lost in ("toy-1", "toy-7") else ", it was restored")


def test_a_notebook_without_exercise_cells_is_rejected(marked: NotebookNode, released: NotebookNode) -> None:
    restored, remarks = restore(without(solved(), lambda name: True), marked, released)
    assert names(restored) == names(marked)
    assert remarks == ["none of the exercises' cells is in it: is it the wrong file?"]


def test_cells_without_metadata_are_recognised_by_their_ids(marked: NotebookNode, released: NotebookNode) -> None:
    stripped = solved()
    for cell in stripped.cells:
        cell.metadata = nbformat.NotebookNode()
    restored, remarks = restore(stripped, marked, released)
    assert remarks == []
    assert names(restored) == names(marked)


def test_a_duplicate_cell_is_reported_and_kept_once(marked: NotebookNode, released: NotebookNode) -> None:
    submission = solved()
    row = names(submission).index("toy-2") + len(submission.cells) - len(names(submission))
    again = copy.deepcopy(submission.cells[row])
    assert identity(again) == "toy-2"
    again.source = "barrier = 0"
    submission.cells.insert(row + 1, again)
    restored, remarks = restore(submission, marked, released)
    assert remarks == ["toy-2: this cell occurs more than once"]
    assert next(cell.source for cell in restored.cells if identity(cell) == "toy-2") == "barrier = 0"
    assert names(restored) == names(marked)


def test_changed_points_and_invented_cells_do_not_count(marked: NotebookNode, released: NotebookNode) -> None:
    submission = solved()
    for cell in submission.cells:
        if identity(cell) == "toy-2-test":
            cell.metadata.nbgrader["points"] = 100
    made_up = copy.deepcopy(submission.cells[-1])
    made_up.metadata.nbgrader = {"grade_id": "toy-99-test", "grade": True, "points": 50}
    nonsense = nbformat.v4.new_code_cell("1", metadata={"nbgrader": "yes"})
    submission.cells += [made_up, nonsense]
    restored, _ = restore(submission, marked, released)
    assert names(restored) == names(marked)
    assert count_points(restored, marked, {}).out_of == count_points(copy.deepcopy(marked), marked, {}).out_of


def test_a_changed_check_is_restored_and_reported(marked: NotebookNode, released: NotebookNode) -> None:
    restored, remarks = restore(solved(toy_2_test="pass", toy_setup="check = print"), marked, released)
    assert remarks == [
        "toy-setup: this cell was changed and was restored",
        "toy-2-test: this cell was changed and was restored",
    ]
    sources = {identity(cell): cell.source for cell in restored.cells}
    assert sources["toy-2-test"].endswith("### END HIDDEN TESTS")
    assert 'require_correct("toy-2", barrier)' in sources["toy-2-test"]
    assert "from lmc_utils.classroom import check" in sources["toy-setup"]


def test_the_cell_that_tells_how_to_install_may_differ(marked: NotebookNode, released: NotebookNode) -> None:
    changed, deleted = solved(), solved()
    next(cell for cell in changed.cells if cell.id == INSTALL).source = "1 / 0"
    deleted.cells = [cell for cell in deleted.cells if cell.id != INSTALL]
    for submission in (changed, deleted):
        restored, remarks = restore(submission, marked, released)
        assert remarks == []
        assert names(restored) == names(marked)


def test_a_changed_cell_type_is_restored(marked: NotebookNode, released: NotebookNode) -> None:
    submission = solved()
    cells = {identity(cell): cell for cell in submission.cells}
    for name, kind in {"toy-2": "markdown", "toy-3-test": "markdown", "toy-4-task": "code"}.items():
        cells[name].cell_type = kind
    for name, key in itertools.product(("toy-2", "toy-3-test"), ("outputs", "execution_count")):
        del cells[name][key]
    cells["toy-4-task"].update(outputs=[], execution_count=None)
    restored, _ = restore(submission, marked, released)
    assert [cell.cell_type for cell in restored.cells] == [cell.cell_type for cell in solved().cells]
    assert {identity(cell): cell.source for cell in restored.cells}["toy-2"] == cells["toy-2"].source
    nbformat.validate(restored)


def test_points_are_counted_and_reasons_quoted(marked: NotebookNode) -> None:
    executed = copy.deepcopy(marked)
    by_name = {identity(cell): cell for cell in executed.cells}
    rows = {identity(cell): row for row, cell in enumerate(executed.cells)}
    for cell in executed.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], 1
    failing(by_name["toy-1"], "NotImplementedError", "")
    failing(by_name["toy-1-test"], "NameError", "name 'prediction' is not defined")
    failing(by_name["toy-2-test"], "AssertionError", "Mind the chord.")
    failing(by_name["toy-3"], "ValueError", "see /secret/place/x: <object at 0x7f00aa>\n\x1b[31mred\x1b[0m")
    failing(by_name["toy-3-test"], "AssertionError", "Not answered yet.")
    for name, points in {"toy-4": "99", "toy-7": "3"}.items():
        by_name[f"{name}-test"].outputs = [
            nbformat.v4.new_output("stream", name="stderr", text="RuntimeWarning: divide by zero"),
            nbformat.v4.new_output("execute_result", data={"text/plain": points}, execution_count=1),
        ]
    failing(by_name["toy-6-test"], "RuntimeError", "stopped")
    marks = count_points(executed, marked, {rows["toy-6-test"]: "takes longer than 4 seconds"}, private="/secret/place")
    assert marks.points == {"toy-1": 0, "toy-2": 0, "toy-3": 0, "toy-4": 2, "toy-5": 2, "toy-6": 0, "toy-7": 3}
    assert marks.remarks == [
        "toy-1: Not answered yet.",
        "toy-2: Mind the chord.",
        "toy-3: ValueError: see /x: <object at 0x...> red",
        "toy-6: takes longer than 4 seconds",
    ]


PARTLY_RIGHT = """
def landscape(theta, roots):
    np.log(-np.ones(1))  # warns
    return (np.subtract.outer(theta, roots) ** 2).prod()
"""
REMARK = (
    "1 of 2 parts right (✓ theta as a number, ✗ theta as an array). "
    "You have multiplied over the thetas as well. Each theta has a value of its own."
)


def test_parts_get_the_same_points_from_nbgrader() -> None:
    source = nbformat.read(SOURCE, as_version=4)
    cells = {identity(cell): cell for cell in source.cells}
    answers = {"def landscape(theta, roots):\n    return theta": 0, PARTLY_RIGHT: 1, cells["toy-3"].source: 2}
    for cell in cells.values():
        cell.metadata.pop("tags", None)
    source.cells = [cells["toy-setup"]]
    for answer in answers:
        source.cells += [nbformat.v4.new_code_cell(answer), copy.deepcopy(cells["toy-3-test"])]
    executed = assignments.run_preprocessors(source, ["Execute"], "toy-3")
    tests = executed.cells[2::2]
    assert [determine_grade(test) for test in tests] == [(points, 2) for points in answers.values()]
    for test, points in zip(tests, answers.values(), strict=True):
        executed.cells = [cells["toy-3"], test]
        assert count_points(executed, executed, {}).points == {"toy-3": points}
        remarks = count_points(executed, executed, {}).remarks
        assert (remarks == []) == (points == 2)
        assert (remarks == [f"toy-3: {REMARK}"]) == (points == 1)


@pytest.mark.parametrize(
    ("shown", "points"),
    [("1.5", 1.5), ("0", 0), ("3", 2), ("-1", 2), ("", 2), ("nan", 2), ("inf", 2), ("✓ toy-2 · right.", 2)],
)
def test_only_a_number_up_to_the_possible_points_is_partial_credit(
    shown: str, points: float, marked: NotebookNode
) -> None:
    executed = copy.deepcopy(marked)
    test = next(cell for cell in executed.cells if identity(cell) == "toy-2-test")
    test.execution_count = 1
    test.outputs = [
        nbformat.v4.new_output("stream", name="stdout", text="0"),
        nbformat.v4.new_output("execute_result", data={"text/plain": shown}, execution_count=1),
        nbformat.v4.new_output("execute_result", data={"text/plain": "0"}, execution_count=1),
    ]
    marks = count_points(executed, marked, {})
    assert marks.points["toy-2"] == points
    assert ("toy-2: some parts are wrong" in marks.remarks) == (points < 2)


@pytest.mark.parametrize("shown", [[], ["✓ toy-3 · right."], ["3"], ["-1"], ["nan"], ["", "2"]])
def test_a_test_of_parts_that_shows_no_points_gives_none(shown: list[str], marked: NotebookNode) -> None:
    executed = copy.deepcopy(marked)
    test = next(cell for cell in executed.cells if identity(cell) == "toy-3-test")
    test.execution_count = 1
    test.outputs = [
        nbformat.v4.new_output("execute_result", data={"text/plain": text}, execution_count=1) for text in shown
    ]
    marks = count_points(executed, marked, {})
    assert marks.points["toy-3"] == 0
    assert "toy-3: the test showed no points" in marks.remarks


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")  # the kernel's sockets are closed
def test_parts_are_counted_after_too_many_outputs(marked: NotebookNode, tmp_path: Path) -> None:
    cells = {identity(cell): cell for cell in marked.cells}
    cells["toy-3"].source = f"print('x' * {kernel.MAX_OUTPUTS})\n{PARTLY_RIGHT}"
    executed = nbformat.v4.new_notebook(cells=[cells[name] for name in ("toy-setup", "toy-3", "toy-3-test")])
    other = nbformat.v4.new_code_cell("'x' * 20_000")
    executed.cells = copy.deepcopy([*executed.cells, other])
    tests = nbformat.v4.new_notebook(cells=[cells["toy-3-test"]])
    executor = kernel.bounded_executor([], tmp_path, timeout=lambda cell: 60, timeout_message="", started=[])
    executor.preprocess(executed, {"metadata": {"path": str(tmp_path)}})
    marks = count_points(executed, tests, {})
    assert (marks.points, marks.remarks) == ({"toy-3": 1}, [f"toy-3: {REMARK}"])
    assert [len(cell.outputs) for cell in executed.cells[1:]] == [0, 1, 0]


def test_a_test_that_did_not_run_earns_no_points(marked: NotebookNode, released: NotebookNode) -> None:
    submission = solved([])
    for cell in submission.cells:
        if identity(cell).endswith("-test"):
            cell.metadata["tags"] = ["skip-execution"]
            cell.outputs, cell.execution_count = [nbformat.v4.new_output("execute_result", data={"text/plain": "2"})], 7
    restored, _ = restore(submission, marked, released)
    tests = [cell for cell in restored.cells if identity(cell).endswith("-test")]
    assert all("skip-execution" not in cell.metadata.get("tags", []) for cell in tests)
    assignments.run_preprocessors(restored, ["ClearOutput"], SOURCE.stem)
    assert sum(count_points(restored, marked, {}).points.values()) == 0


def test_empty_marks_have_a_reason_and_the_possible_points() -> None:
    marks = submission_marks.zero_marks(SOURCE, "not marked: total time limit exceeded")
    assert sum(marks.points.values()) == 0
    assert sum(marks.out_of.values()) == 14
    assert marks.remarks == ["not marked: total time limit exceeded"]
