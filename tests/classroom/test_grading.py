"""Grading a folder of arbitrary submissions gives correct, reproducible marks, one line each."""

from __future__ import annotations

import csv
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import nbformat
import pytest
from example_submissions import SOURCE, hand_in, solved, without
from filelock import FileLock
from nbformat import NotebookNode
from rich.console import Console
from small_project import lmc

from lmc_utils.classroom import grading
from lmc_utils.classroom.exercise_lookup import exercise_numbers
from lmc_utils.classroom.workspace import Limits
from lmc_utils.cli import main

STEM = SOURCE.stem
NETWORKS = SOURCE.with_name("04_angle_exercises.ipynb")  # it trains the fewest networks
LIMIT = 20  # seconds a cell may take; others take less than one, except on a busy machine

pytestmark = pytest.mark.xdist_group("grading")  # the batch is marked once

VANDAL = """
import os, pathlib, shutil
import lmc_utils.classroom.exercise_lookup as lookup
pathlib.Path(lookup.__file__).write_text("def check(*_): return True\\nrequire_correct = check")
shutil.rmtree(os.environ["LMC_RUNS"])
for path in pathlib.Path("..").resolve().rglob("*.ipynb"):
    path.write_text("gone")
pathlib.Path.home().joinpath(".ipython/profile_default/startup").mkdir(parents=True, exist_ok=True)
pathlib.Path.home().joinpath(".ipython/profile_default/startup/00.py").write_text("raise SystemExit")
prediction = "rises"
"""
OWN_LANDSCAPE = """
def landscape(theta, roots):
    random.random()
    return (numpy.subtract.outer(theta, roots) ** 2).prod(axis=-1)
"""
OTHER_ANSWERS = {
    "toy_4": "def barrier_curve(a, p, q, roots):\n"
    "    chord = (1 - a) * landscape(p, roots) + a * landscape(q, roots)\n"
    "    return landscape(p + numpy.asarray(a) * (q - p), roots) - chord",
    "toy_5": "factor = 4.5485",
    "toy_6": "growth = numpy.cos(numpy.pi / 10) ** -10",
    "toy_7": "placement = [numpy.cos((2 * i - 1) * numpy.pi / 12) for i in range(1, 7)]",
}
# Most of the time it sleeps, but when it is interrupted it does not.
ENDLESS = f"import time\ntime.sleep({LIMIT - 2})\nwhile True: pass"
DEAF = """
import time
while True:
    try:
        time.sleep(60)
    except BaseException:
        pass
"""


TWO = f"{STEM}.ipynb"
EXERCISES = [f"toy-{number}" for number in range(1, 8)]
POINTS = dict(zip(EXERCISES, "1222223", strict=True))
PARTLY_RIGHT = "def landscape(theta, roots):\n    return (np.subtract.outer(theta, roots) ** 2).prod()"


class Batch(NamedTuple):
    """A course with one exercise notebook, its submissions, and the table of their marks."""

    root: Path
    submissions: Path
    table: Path
    said: str


def grade(root: Path, *more: str | Path) -> subprocess.CompletedProcess[str]:
    return lmc("grade", "submissions", "-o", "grades.csv", "--timeout", str(LIMIT), *more, cwd=root)


def rows(table: Path) -> dict[str, dict[str, str]]:
    """The rows of the table of files that belongs to a table of students, by folder."""
    with grading.files_table(table).open(encoding="utf-8", newline="") as file:
        return {row["submission"].partition("/")[0]: row for row in csv.DictReader(file)}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    root = tmp_path_factory.mktemp("course")
    (root / "notebooks" / "exercises").mkdir(parents=True)
    for source in (SOURCE, NETWORKS):
        shutil.copy(source, root / "notebooks" / "exercises")
    (root / "tmp").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", str(root / "tmp"))
        yield root


def names_of_its_own() -> NotebookNode:
    """All answers right, but with the names of tests and checks redefined."""
    shadows = "import random\nimport numpy\n\ndef check(*_): return 1 / 0\n\nway = along = there = np = toy = None\n"
    return solved(toy_2=f"{shadows}somewhere = random.seed(1)\nbarrier = 1.5**4", toy_3=OWN_LANDSCAPE, **OTHER_ANSWERS)


def skipping() -> NotebookNode:
    """No answers, and every test tagged not to run."""
    notebook = solved([])
    for cell in notebook.cells:
        cell.metadata["tags"] = ["skip-execution"]
    return notebook


@pytest.fixture(scope="module")
def batch(root: Path) -> Batch:
    folder = root / "submissions"
    name = f"{STEM}.ipynb"
    hand_in(solved(), folder / "perfect" / name)
    half = solved(["toy-1", "toy-5", "toy-6"], toy_2="barrier = 1.5", toy_3=PARTLY_RIGHT)
    hand_in(half, folder / "half" / name)
    hand_in(solved(toy_3="import os; os._exit(1)"), folder / "crashing" / name)
    hand_in(solved(toy_2=ENDLESS, toy_6=DEAF), folder / "endless" / name)
    tampered = solved(["toy-1"], toy_2_test="pass", toy_setup="check = print")
    hand_in(tampered, folder / "tampered" / name)
    hand_in(without(solved(), lambda cell: cell in ("toy-2", "toy-4-test")), folder / "lost" / name)
    hand_in(solved(toy_1=VANDAL), folder / "vandal" / name)
    hand_in(solved(), folder / "renamed" / "homework, final (2).ipynb")
    hand_in(solved([]), folder / "unsolved" / name)
    hand_in(solved(toy_2="exit()"), folder / "leaving" / name)
    hand_in(names_of_its_own(), folder / "names" / name)
    hand_in(skipping(), folder / "skipping" / name)
    (folder / "empty").mkdir()
    (folder / "empty" / name).write_text("")
    (folder / "letter.docx").write_bytes(b"PK\x03\x04\xff")
    for name, answer, when in (("", "1.5", 2_000), (" (1)", "1.5**4", 1_000)):  # the marked copy is the earlier one
        handed = folder / "twice" / f"{STEM}{name}.ipynb"
        hand_in(solved([], toy_2=f"barrier = {answer}"), handed)
        os.utime(handed, (when, when))
    for name, whose in {"ann": "ann", "copied": "ben"}.items():  # the second has submitted another student's file
        hand_in(
            solved([], student=whose, toy_2=f"barrier = {exercise_numbers('toy-2', whose)['half']}**4"),
            folder / name / TWO,
        )
    hand_in(
        solved([], student="cleo", toy_2=f"barrier = {exercise_numbers('toy-2', 'ann')['half']}**4"),
        folder / "cleo" / TWO,
    )
    done = grade(root, "--executed", "feedback", "--feedback", "pages", "--html", "class.html")
    assert done.returncode == 0, done.stderr
    return Batch(root, folder, root / "grades.csv", done.stdout + done.stderr)


def test_points_of_a_batch_of_submissions(batch: Batch) -> None:
    found = {name: (row["points"], row["out_of"]) for name, row in rows(batch.table).items()}
    assert found == {
        "ann": ("2", "14"),
        "cleo": ("0", "14"),
        "copied": ("2", "14"),
        "crashing": ("12", "14"),
        "empty": ("0", ""),
        "endless": ("10", "14"),
        "half": ("6", "14"),
        "leaving": ("12", "14"),
        "letter.docx": ("0", ""),
        "lost": ("12", "14"),
        "names": ("14", "14"),
        "perfect": ("14", "14"),
        "renamed": ("14", "14"),
        "skipping": ("0", "14"),
        "tampered": ("1", "14"),
        "twice": ("0", "14"),
        "unsolved": ("0", "14"),
        "vandal": ("13", "14"),
    }


def test_students_have_one_row_each(batch: Batch) -> None:
    with batch.table.open(encoding="utf-8", newline="") as file:
        found = {row["student"]: row for row in csv.DictReader(file)}
    assert list(next(iter(found.values()))) == ["student", STEM, "total", "out_of", "remarks"]
    assert found.keys() == (rows(batch.table).keys() - {"renamed", "letter.docx", "copied"}) | {
        *("renamed/homework, final", "letter", "ben"),  # the second submitted the file of a student with that name
    }
    assert [found["half"][name] for name in (STEM, "total", "out_of")] == ["6", "6", "14"]
    assert [found["letter"][name] for name in (STEM, "total", "out_of")] == ["", "0", "14"]
    assert f"'twice/{STEM} (1).ipynb': an earlier version: 'twice/{STEM}.ipynb' counts" in found["twice"]["remarks"]
    assert "it has the numbers of 'ben'" in found["ben"]["remarks"]


def test_remarks_explain_lost_points(batch: Batch) -> None:
    remarks = {
        name: [said for said in row["remarks"].split("; ") if "numbers" not in said]
        for name, row in rows(batch.table).items()
    }
    assert remarks["perfect"] == []
    assert remarks["half"] == [
        "toy-2: A barrier does not grow in proportion to the distance. What is f at the midpoint?",
        "toy-3: 1 of 2 parts right (✓ theta as a number, ✗ theta as an array). "
        "You have multiplied over the thetas as well. Each theta has a value of its own.",
        "toy-4, toy-7: Not answered yet.",
    ]
    assert remarks["crashing"] == ["toy-3: ends the kernel (does it take all memory?)"]
    assert remarks["endless"] == [f"toy-2, toy-6: takes longer than {LIMIT} seconds"]
    assert remarks["lost"][:2] == [
        "toy-2: this cell is missing",
        "toy-4-test: this cell is missing, it was restored",
    ]
    assert remarks["renamed"] == []  # its name is not that of another notebook
    assert remarks["tampered"][0].startswith("toy-setup, toy-2-test")
    assert remarks["tampered"][0].endswith(": this cell was changed and was restored")
    assert remarks["unsolved"] == [f"{', '.join(f'toy-{number}' for number in range(1, 8))}: Not answered yet."]
    assert remarks["empty"] == ["an empty file"]
    assert remarks["letter.docx"] == ["not a notebook"]


def test_points_are_listed_by_exercise(batch: Batch) -> None:
    row = rows(batch.table)["endless"]
    assert [row[f"toy-{number}"] for number in range(1, 8)] == ["1", "0", "2", "2", "2", "0", "3"]
    assert [rows(batch.table)["empty"][f"toy-{number}"] for number in range(1, 8)] == [""] * 7


def test_progress_is_reported(batch: Batch) -> None:
    assert f"half/{STEM}.ipynb: 6 of 14" in batch.said
    assert "19 submissions" in batch.said


def test_executed_notebooks_show_the_failed_tests(batch: Batch) -> None:
    back = {path.parent.name: path.read_text() for path in (batch.root / "feedback").rglob("*.ipynb")}
    assert set(back) == set(rows(batch.table)) - {"empty", "letter.docx"}
    assert "A barrier does not grow in proportion to the distance" in back["half"]


def test_grading_is_repeatable_to_the_byte(batch: Batch) -> None:
    tables = (batch.table, grading.files_table(batch.table))
    before = [table.read_bytes() for table in tables]
    again = grade(batch.root)
    assert again.returncode == 0
    assert " of 14" not in again.stderr, "what was marked is not marked again"
    assert [table.read_bytes() for table in tables] == before
    for name in ("half", "tampered", "empty"):
        shutil.copytree(batch.submissions / name, batch.root / "some" / name)
    table = batch.root / "some" / "grades.csv"  # inside the graded folder, but not a submission
    done = lmc("grade", "some", "-o", table, "--timeout", str(LIMIT), "--force", cwd=batch.root)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count(" of 14") == 2
    among_others = {name: row for name, row in rows(batch.table).items() if name in rows(table)}
    assert rows(table).keys() == among_others.keys()
    for name, row in rows(table).items():  # only there do others have individual numbers
        said = [each for each in among_others[name]["remarks"].split("; ") if "the book's numbers" not in each]
        assert row["remarks"] == "; ".join(said)
        assert row | {"remarks": ""} == among_others[name] | {"remarks": ""}
    assert len(rows(table)) == 3


def test_temporary_files_are_removed(batch: Batch) -> None:
    assert list((batch.root / "tmp").iterdir()) == []
    for source in (SOURCE, NETWORKS):
        assert (batch.root / "notebooks" / "exercises" / source.name).read_bytes() == source.read_bytes()


def test_networks_of_exercises_are_trained_once_for_all_submissions_and_graders(batch: Batch) -> None:
    folder = batch.root / "networks"
    hand_in(nbformat.read(NETWORKS, as_version=4), folder / "ann" / NETWORKS.name)
    done = lmc("grade", "networks", "-o", "networks.csv", cwd=batch.root)
    assert done.returncode == 0, done.stderr
    found = {name: (row["points"], row["out_of"]) for name, row in rows(batch.root / "networks.csv").items()}
    assert found == {"ann": ("10", "10")}
    runs = batch.root / "_build" / "grades" / NETWORKS.stem / "runs"
    assert len(list(runs.glob("*/key.json"))) == 1, "the lesson's family"
    marker = grading.Grading(batch.root, 1, Limits(), Console(quiet=True), None)
    solved, runs = marker.solved(NETWORKS.stem), marker.trained(NETWORKS.stem)
    solved.unlink()  # as with another grader
    before = {path: path.stat().st_mtime_ns for path in runs.glob("*/epoch_*")}
    grading._mark_solutions(marker, [NETWORKS.stem])
    assert solved.exists()
    assert before == {path: path.stat().st_mtime_ns for path in runs.glob("*/epoch_*")}


def test_students_are_graded_with_their_individual_numbers(batch: Batch) -> None:
    found = rows(batch.table)
    assert found["ann"]["toy-2"] == "2"
    assert found["cleo"]["toy-2"] == "0", "the neighbour's answer"
    assert found["ann"]["remarks"].startswith("toy-1,")
    assert found["copied"]["remarks"].startswith("it has the numbers of 'ben'")
    assert found["perfect"]["remarks"] == "it has the book's numbers, not individual ones"


def test_the_later_of_two_versions_counts(batch: Batch) -> None:
    with grading.files_table(batch.table).open(encoding="utf-8", newline="") as file:
        found = {row["submission"]: row for row in csv.DictReader(file) if row["submission"].startswith("twice/")}
    earlier, later = found[f"twice/{STEM} (1).ipynb"], found[f"twice/{STEM}.ipynb"]
    assert (later["toy-2"], earlier["points"], earlier["toy-2"]) == ("0", "0", "")
    assert earlier["remarks"] == f"an earlier version: 'twice/{STEM}.ipynb' counts"


def test_each_student_gets_a_feedback_page(batch: Batch) -> None:
    pages = {page.stem: page.read_text() for page in (batch.root / "pages").glob("*.html")}
    assert {"perfect", "half", "twice", "renamed_homework_final", "letter"} <= pages.keys()
    half = pages["half"]
    assert "A barrier does not grow in proportion to the distance. What is f at the midpoint?" in half
    assert "barrier = 1.5" in half
    assert "<h3>toy-3 · The landscape as a function (1 of 2 points)</h3>" in half
    assert "<h3>toy-1 · Predict: pull the outermost inwards (1 of 1 points)</h3>" in half
    for name, page in pages.items():
        assert "HIDDEN" not in page, name
        assert "_hidden" not in page, name
        assert "require_correct(" not in page, name
        assert "<script" not in page, name
        assert str(batch.root) not in page, name


def test_the_class_summary_counts_mistakes(batch: Batch) -> None:
    page = (batch.root / "class.html").read_text()
    rows_ = re.findall(r"<tr><td>(toy-\d)</td><td>(\d+)</td><td>(\d+)</td><td>(\d+)</td><td>(.*?)</td></tr>", page)
    assert [name for name, *_ in rows_] == EXERCISES
    marked = [row for row in rows(batch.table).values() if row["out_of"]]
    assert all(int(a) + int(b) + int(c) == len(marked) for _, a, b, c, _ in rows_)
    solved_by = {name: sum(row[name] == POINTS[name] for row in marked) for name in EXERCISES}
    assert {name: int(solved_) for name, solved_, *_ in rows_} == solved_by
    told = {name: which for name, _, _, _, which in rows_}
    assert re.search(r"\d × A barrier does not grow in proportion", told["toy-2"])
    assert '<img src="data:image/svg+xml' in page


def test_originals_are_not_overwritten(batch: Batch) -> None:
    before = (batch.submissions / "half" / SOURCE.name).read_bytes()
    for place in ("submissions", "submissions/half", "."):
        done = grade(batch.root, "--executed", place)
        if place == "submissions/half":
            continue
        assert done.returncode == 2
        assert done.stderr.startswith("lmc: executed must be a place that contains none of the submissions")
    assert (batch.submissions / "half" / SOURCE.name).read_bytes() == before


def test_interrupted_grading_resumes(batch: Batch) -> None:
    folder = batch.root / "later"
    hand_in(solved(["toy-1", "toy-2"]), folder / "a" / SOURCE.name)
    hand_in(solved(["toy-1"], toy_2="import time; time.sleep(5)"), folder / "b" / SOURCE.name)
    command = [sys.executable, "-m", "lmc_utils.cli", "grade", "later", "-o", "later.csv", "--jobs", "1"]
    with (batch.root / "log").open("w+") as log:
        process = subprocess.Popen(command, cwd=batch.root, stdout=log, stderr=log, env=os.environ | {"COLUMNS": "200"})
        deadline = time.monotonic() + 60
        while "a/01_toy_exercises.ipynb: 3 of 14" not in (batch.root / "log").read_text():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 130
    said = (batch.root / "log").read_text()
    assert "lmc: interrupted; what was finished is kept" in said
    assert not (batch.root / "later.csv").exists()
    done = lmc("grade", "later", "-o", "later.csv", cwd=batch.root)
    assert done.returncode == 0
    assert "b/01_toy_exercises.ipynb: 1 of 14" in done.stderr
    assert "a/01_toy_exercises.ipynb" not in done.stderr, "it was marked before"
    assert {name: row["points"] for name, row in rows(batch.root / "later.csv").items()} == {"a": "3", "b": "1"}
    (batch.root / "log").unlink()
    shutil.rmtree(folder)


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (
            ["submisions"],
            "no such file or folder: submisions; did you mean 'submissions'?",
        ),
        (["submissions", "-o", "grades.xlsx"], "out must be a file name ending in .csv (got 'grades.xlsx')"),
        (["submissions", "-o", "/proc/x/grades.csv"], "out: cannot write '/proc/x/grades.csv'"),
        (["submissions", "--executed", "grades.csv"], "executed must be a folder, not a file (got 'grades.csv')"),
        (["submissions", "--root", "submissions"], "is not a checkout of the book: it has no exercise notebooks"),
    ],
)
def test_wrong_arguments_are_one_line_errors(
    arguments: list[str],
    line: str,
    batch: Batch,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(batch.root)
    with pytest.raises(SystemExit) as left:
        main.app(["grade", *arguments])
    said = capsys.readouterr()
    assert (left.value.code, said.out) == (2, "")
    assert line in said.err.removeprefix("lmc: ")
    assert said.err.count("\n") == 1


def test_only_one_grading_at_a_time(batch: Batch) -> None:
    with FileLock(batch.root / "_build" / "grades" / "lock"):
        done = grade(batch.root)
    assert done.returncode == 2
    assert done.stderr.startswith("lmc: another `lmc grade` is running in ")


def test_exercises_whose_own_solutions_fail_are_rejected(batch: Batch, tmp_path: Path) -> None:
    (tmp_path / "notebooks" / "exercises").mkdir(parents=True)
    broken = SOURCE.read_text().replace("barrier = (1.5**2) ** 2", "barrier = 1.5")
    (tmp_path / "notebooks" / "exercises" / SOURCE.name).write_text(broken)
    shutil.copytree(batch.submissions / "perfect", tmp_path / "submissions" / "perfect")
    done = grade(tmp_path)
    assert done.returncode == 2
    line = f"lmc: {STEM}: the solutions of the book do not get full marks: toy-2: A barrier does not grow"
    assert line in done.stderr
    assert not (tmp_path / "grades.csv").exists()
