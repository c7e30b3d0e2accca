"""Restore the cells that a submission must not change: missing, duplicated or edited ones."""

from __future__ import annotations

import copy

from nbformat import NotebookNode

from lmc_utils.classroom.assignments import grade_id

WRONG_FILE = "none of the exercises' cells is in it: is it the wrong file?"


def restore(submission: NotebookNode, marked: NotebookNode, released: NotebookNode) -> tuple[NotebookNode, list[str]]:
    """Restore missing cells of a submission, the source of locked ones, and the metadata of all.

    The cell that tells how to install the package differs between classes and is not needed here: no remark is on it.

    Args:
        submission: not changed.
        marked: the exercise notebook with hidden tests, see `assignments.with_hidden_tests`.
        released: the student version, without them.

    Returns:
        A notebook with every exercise's cells once, and a remark for each that was missing, duplicated or changed.
    """
    notebook, remarks = copy.deepcopy(submission), []
    notebook.metadata["kernelspec"] = copy.deepcopy(marked.metadata.kernelspec)
    known = {grade_id(cell): cell for cell in marked.cells if grade_id(cell)}
    unchanged = {(grade_id(cell), _stripped(cell.source)) for cell in (*marked.cells, *released.cells)}
    by_id = {cell.id: cell.metadata.nbgrader for cell in known.values()}
    for cell in notebook.cells:
        if not grade_id(cell) and cell.get("id") in by_id:  # some editors keep ids and drop metadata
            cell.metadata["nbgrader"] = copy.deepcopy(by_id[cell.id])
    seen: set[str] = set()
    for row, cell in reversed(list(enumerate(notebook.cells))):  # of duplicates the last counts, as in nbgrader
        name = grade_id(cell)
        if name in seen:
            remarks.append(f"{name}: this cell occurs more than once")
        if name not in known or name in seen:
            cell.metadata.pop("nbgrader", None)
            continue
        seen.add(name)
        original = known[name]
        changed = (name, _stripped(cell.source)) not in unchanged
        if _is_locked(original) and original.cell_type == "code" and changed:
            remarks.append(f"{name}: this cell was changed and was restored")
        # Metadata are restored, too: a tag could keep a test from being run.
        kept = ("id",) if _is_locked(original) else ("id", "source")
        restored = {key: copy.deepcopy(value) for key, value in original.items() if key not in kept}
        notebook.cells[row] = NotebookNode(restored | {key: cell[key] for key in kept if key in cell})
    if not seen:
        return copy.deepcopy(marked), [WRONG_FILE]
    place = 0
    for name, original in known.items():
        if name in seen:
            place = 1 + next(row for row, cell in enumerate(notebook.cells) if grade_id(cell) == name)
        elif original.cell_type == "code":
            notebook.cells.insert(place, copy.deepcopy(original))
            place += 1
            remarks.append(f"{name}: this cell is missing" + (", it was restored" if _is_locked(original) else ""))
    return notebook, sorted(remarks, key=lambda line: list(known).index(line.partition(":")[0]))


def _is_locked(cell: NotebookNode) -> bool:
    return bool(cell.metadata.nbgrader["locked"])


def _stripped(source: str) -> str:
    """Source without spaces at the ends of lines, which editors change."""
    return "\n".join(line.rstrip() for line in source.strip().splitlines())
