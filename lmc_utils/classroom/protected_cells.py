"""Put right what a submission may not change: cells that were lost, doubled or edited."""

from __future__ import annotations

import copy

from nbformat import NotebookNode

from lmc_utils.classroom.assignments import grade_id

WRONG_FILE = "none of the exercises' cells is in it: is it the wrong file?"


def restore(submission: NotebookNode, given: NotebookNode, handed_out: NotebookNode) -> tuple[NotebookNode, list[str]]:
    """Put back the cells that a submission has lost, the source of those that are locked, and the metadata of all.

    `given` is the exercise notebook without its solutions, `handed_out` what students got: no hidden tests either.

    Returns:
        A notebook that holds every exercise's cells once, and a line for each that was lost, doubled or changed.
    """
    notebook, remarks = copy.deepcopy(submission), []
    notebook.metadata["kernelspec"] = copy.deepcopy(given.metadata.kernelspec)
    known = {grade_id(cell): cell for cell in given.cells if grade_id(cell)}
    unchanged = {(grade_id(cell), _bare(cell.source)) for cell in (*given.cells, *handed_out.cells)}
    by_id = {cell.id: cell.metadata.nbgrader for cell in known.values()}
    for cell in notebook.cells:
        if not grade_id(cell) and cell.get("id") in by_id:  # some programs keep the ids and lose the metadata
            cell.metadata["nbgrader"] = copy.deepcopy(by_id[cell.id])
    seen: set[str] = set()
    for row, cell in reversed(list(enumerate(notebook.cells))):  # of two the last counts, as with nbgrader
        name = grade_id(cell)
        if name in seen:
            remarks.append(f"{name}: this cell is there more than once")
        if name not in known or name in seen:
            cell.metadata.pop("nbgrader", None)
            continue
        seen.add(name)
        original = known[name]
        if _is_locked(original) and original.cell_type == "code" and (name, _bare(cell.source)) not in unchanged:
            remarks.append(f"{name}: this cell was changed and has been put back")
        # Not the metadata: a tag could keep a test from being run.
        own = ("id",) if _is_locked(original) else ("id", "source")
        others = {key: copy.deepcopy(value) for key, value in original.items() if key not in own}
        notebook.cells[row] = NotebookNode(others | {key: cell[key] for key in own if key in cell})
    if not seen:
        return copy.deepcopy(given), [WRONG_FILE]
    place = 0
    for name, original in known.items():
        if name in seen:
            place = 1 + next(row for row, cell in enumerate(notebook.cells) if grade_id(cell) == name)
        elif original.cell_type == "code":
            notebook.cells.insert(place, copy.deepcopy(original))
            place += 1
            remarks.append(f"{name}: this cell is missing" + (", it has been put back" if _is_locked(original) else ""))
    return notebook, sorted(remarks, key=lambda line: list(known).index(line.partition(":")[0]))


def _is_locked(cell: NotebookNode) -> bool:
    return bool(cell.metadata.nbgrader["locked"])


def _bare(source: str) -> str:
    """Without what an editor may change: spaces at the ends of lines."""
    return "\n".join(line.rstrip() for line in source.strip().splitlines())
