"""Sphinx extension: the exercises of a chapter on its page, with folded solutions, from their own executed notebook.

A chapter says where they belong by a cell whose metadata name the notebook (`lmc.exercises`). What is shown is what was
executed; the student version, which `lmc build` has written, is offered for download.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from docutils import nodes  # type: ignore[import-untyped]
from sphinx.application import Sphinx
from sphinx_exercise.nodes import solution_node

Cell = dict[str, Any]

_SETUP = "What the solutions begin with"
_HIDDEN = re.compile(r"^ *### BEGIN HIDDEN TESTS\n.*?^ *### END HIDDEN TESTS\n?", re.MULTILINE | re.DOTALL)
_MARKS = re.compile(r"^ *### (?:BEGIN|END) SOLUTION\n?", re.MULTILINE)


def setup(app: Sphinx) -> dict[str, Any]:
    """Register with Sphinx."""
    app.connect("builder-inited", share_translators)
    app.connect("source-read", bring_exercises)
    app.connect("doctree-resolved", unlink_solution_titles)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def share_translators(app: Sphinx) -> None:
    """Let the builder of the PDF know how all extensions write HTML.

    Sphinx looks at what is registered for `html` only where nothing is registered for `singlehtml`, and sphinx-exercise
    registers its own nodes there.
    """
    handlers = app.registry.translation_handlers
    if "singlehtml" in handlers:
        handlers["singlehtml"] = handlers["html"] | handlers["singlehtml"]


def unlink_solution_titles(app: Sphinx, doctree: nodes.document, name: str) -> None:
    """Let the whole bar of a solution unfold it; sphinx-exercise makes its title a link to the exercise above."""
    for solution in doctree.findall(solution_node):
        for link in list(solution[0].findall(nodes.reference)):
            link.replace_self(link.children)


def bring_exercises(app: Sphinx, name: str, content: list[str]) -> None:
    """Put the exercises into the page of a chapter that asks for them."""
    if not app.env.doc2path(name).endswith(".ipynb"):
        return
    page = json.loads(content[0])
    folder = Path(app.env.doc2path(name)).parent / "exercises"
    cells: list[Cell] = []
    for cell in page["cells"]:
        cells.append(cell)
        stem = cell["metadata"].get("lmc", {}).get("exercises")
        if stem:
            app.env.note_dependency(str(folder / f"{stem}.ipynb"))
            cells.append(_text(f"{stem}-handout", _handout(stem)))
            cells += as_page(json.loads((folder / f"{stem}.ipynb").read_text(encoding="utf-8"))["cells"])
    content[0] = json.dumps(page | {"cells": cells})


def as_page(cells: list[Cell]) -> list[Cell]:
    """The cells of an executed exercise notebook as a page shows them.

    A task becomes a numbered exercise; what follows it, up to the next one, its folded solution. The opening is left
    out, and so are hidden tests and the marks around solutions.
    """
    shown: list[Cell] = []
    open_solution = ""
    for cell in cells:
        grade_id = cell["metadata"].get("nbgrader", {}).get("grade_id", "")
        source = "".join(cell["source"])
        if grade_id.endswith("-task"):
            if open_solution:
                shown.append(_text(f"{open_solution}-end", "```{solution-end}\n```"))
            open_solution = grade_id.removesuffix("-task")
            heading, _, task = source.partition("\n")
            title = heading.partition(" · ")[2]
            shown.append(_text(grade_id, _exercise(open_solution, title, task.strip())))
            shown.append(_text(f"{open_solution}-start", _solution(open_solution)))
        elif cell["cell_type"] == "code":
            prompt = {} if open_solution else {"mystnb": {"code_prompt_show": _SETUP}}
            metadata = cell["metadata"] | prompt
            shown.append(cell | {"metadata": metadata, "source": _MARKS.sub("", _HIDDEN.sub("", source)).rstrip()})
        elif open_solution:
            shown.append(cell)
    if open_solution:
        shown.append(_text(f"{open_solution}-end", "```{solution-end}\n```"))
    return shown


def _handout(stem: str) -> str:
    return (
        f"The notebook is also here: {{download}}`{stem}.ipynb <exercises/student/{stem}.ipynb>`. Below, each solution "
        "is folded away, with what its check says of it. Try first."
    )


def _exercise(name: str, title: str, task: str) -> str:
    fence = ":" * (1 + max([len(run) for run in re.findall(r"^:{3,}", task, re.MULTILINE)], default=2))
    named = re.sub(r"\((\d+ points?)\)$", rf"(`{name}`, \1)", task)
    return f"{fence}{{exercise}} {title}\n:label: exercise-{name}\n\n{named}\n{fence}"


def _solution(name: str) -> str:
    return f"```{{solution-start}} exercise-{name}\n:label: solution-{name}\n:class: dropdown\n```"


def _text(identity: str, source: str) -> Cell:
    return {"cell_type": "markdown", "id": identity, "metadata": {}, "source": source}
