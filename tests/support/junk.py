"""Generated junk, and what holds whatever it is: a value or one short line, no traceback, soon.

`attack(count, seed)` tries so many cases of each kind.
"""

from __future__ import annotations

import contextlib
import copy
import functools
import io
import json
import os
import re
import shutil
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import hypothesis
import papermill
import typer.main
from hypothesis import strategies as st
from rows import Row

from lmc_utils import cli
from lmc_utils.classroom import grading
from lmc_utils.classroom.marking import Marks
from lmc_utils.publishing import build
from lmc_utils.running import notebooks, values
from lmc_utils.settings import ParameterError

ROOT = Path(__file__).parents[2]
EXERCISES = ROOT / "notebooks" / "exercises" / "01_toy_exercises.ipynb"
SOON = 10.0  # seconds, on a busy machine

JUNK = Path("notebooks", "a.ipynb")

BOMB = "[" + ",".join(f"&a{n} [{','.join([f'*a{n - 1}'] * 9)}]" if n else "&a0 [lol]" for n in range(10)) + "]"
SEEN = [
    "2026-99-99",
    "2026-01-01",
    "!!int 'x'",
    "!!timestamp x",
    "!!python/name:os.system",
    "9" * 5000,
    "0x" + "f" * 5000,
]
SEEN += ["[" * 3000, "[1," * 3000, "- " * 3000, "{" * 3000, BOMB, "&a [*a]", "<<: *a", "{<<: 1}", "? [1]", "{[1]: 2}"]
SEEN += [
    "1e999",
    ".inf",
    ".nan",
    '"\\ud800"',
    "\udcff",
    "\x00",
    "\ufeff",
    "--- 1\n--- 2",
    "%YAML 1.1\n---\n010",
    "a\nb: [",
    "",
]

_FRAGMENTS = [
    "!!int ",
    "!!",
    "!x ",
    "&a ",
    "*a",
    "[",
    "]",
    "{",
    "}",
    ": ",
    ", ",
    "'",
    '"',
    "- ",
    "? ",
    "\n",
    "  ",
    "<<",
    "|",
    ">",
]
_FRAGMENTS += [
    "%YAML 1.1\n",
    "---",
    "...",
    "#",
    "0x",
    "0o",
    "1e",
    "-",
    ".",
    "_",
    "9" * 30,
    "2026-",
    "~",
    "true",
    ".nan",
    "\\",
    "\t",
]

yaml_texts = st.one_of(
    st.sampled_from(SEEN),
    st.lists(st.one_of(st.sampled_from(_FRAGMENTS), st.text(max_size=3)), max_size=12).map("".join),
    st.text(max_size=30),
)

_words = st.one_of(st.text(max_size=8), st.sampled_from(["name", "os:a\nb", "\ud800", "a\nb", "\x1b[31m", "x" * 3000]))
_numbers = st.one_of(st.integers(), st.sampled_from([0, -1, 2**63, 10**300, 10**18]), st.floats())
json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), _numbers, _words),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(_words, inner, max_size=3)),
    max_leaves=6,
)


def attack(count: int, seed: int) -> list[Row]:
    """Try so many cases of each kind, from a seed."""
    return [tried(kind, count, seed) for kind in KINDS]


def tried(kind: str, count: int, seed: int) -> Row:
    """Try so many cases of one kind, from a seed."""
    cases, truth = KINDS[kind]
    with _temporary_folder(), _nothing_executed():
        source = Path("notebooks", "exercises", EXERCISES.name)
        source.parent.mkdir(parents=True)
        shutil.copyfile(EXERCISES, source)
        return _try(kind, cases, truth, count, seed)


def _try(what: str, cases: st.SearchStrategy[Any], truth: Callable[[Any], None], count: int, seed: int) -> Row:
    tried, failures = 0, list[str]()

    @hypothesis.seed(seed)
    @hypothesis.settings(
        max_examples=count, database=None, deadline=None, suppress_health_check=list(hypothesis.HealthCheck)
    )
    @hypothesis.given(cases)
    def attempt(case: Any) -> None:
        nonlocal tried
        tried += 1
        start = time.monotonic()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                truth(case)
            assert time.monotonic() - start < SOON, f"took {time.monotonic() - start:.0f} s"
        except Exception as error:
            failures.append(f"{type(error).__name__}: {str(error)[:300]} for {ascii(case)[:2000]}")

    attempt()
    return Row(what, tried, tried - len(failures), min(failures, key=len, default=""))


def _require_one_line(text: str) -> None:
    assert len(text) <= 600, len(text)
    assert text.isprintable(), ascii(text)


def check_yaml(text: str) -> None:
    try:
        value = values.parse("x", text)
        json.dumps(value, allow_nan=False, ensure_ascii=False).encode()
    except ParameterError as error:
        _require_one_line(str(error))


@st.composite
def parameters(draw: st.DrawFn) -> tuple[notebooks.Notebook, str, Any]:
    """A chapter, one of its parameters, and a value for it: of the right kind, of its YAML, or any."""
    chapter = draw(st.sampled_from(CHAPTERS))
    name = draw(st.sampled_from([*chapter.parameters, "epoch", "\ud800\n"]))
    like = chapter.parameters[name].default if name in chapter.parameters else None
    listed = like[0] if isinstance(like, list) and like else like
    kind = _numbers if isinstance(listed, (int, float)) else _words
    right = st.lists(kind, max_size=5) if isinstance(like, list) else kind
    return chapter, name, draw(st.one_of(right, json_values))


def check_parameter(case: tuple[notebooks.Notebook, str, Any]) -> None:
    chapter, name, value = case
    try:
        chapter.check({name: value})
    except ParameterError as error:
        _require_one_line(str(error))


CHAPTERS = [notebooks.find(str(path), ROOT) for path in notebooks.chapters(ROOT / "notebooks")]


def _output(name: str, number: str) -> dict[str, Any]:
    data = {"application/papermill.record/text/plain": number}
    metadata = {"scrapbook": {"name": name, "mime_prefix": "application/papermill.record/"}}
    return {"output_type": "display_data", "data": data, "metadata": metadata}


def _code(source: str, tags: list[str], outputs: list[dict[str, Any]], name: str) -> dict[str, Any]:
    metadata = {"tags": tags, "nbgrader": {"grade_id": name, "solution": True}, "papermill": {"status": "completed"}}
    cell = {"cell_type": "code", "source": source, "metadata": metadata, "id": name}
    return cell | {"outputs": outputs, "execution_count": 1}


EXECUTED: dict[str, Any] = {
    "nbformat": 4,
    "nbformat_minor": 5,
    "metadata": {
        "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"},
        "language_info": {"name": "python"},
        "lmc": {"settings": ["lmc_utils.toy.settings:Landscape"], "exercises": "01_toy_exercises"},
        "papermill": {"parameters": {}, "default_parameters": {}},
    },
    "cells": [
        {"cell_type": "markdown", "source": "# Title", "metadata": {}, "id": "title"},
        _code("m = 5  # how many\nroots = None", ["parameters"], [], "toy-1"),
        _code("record(x=1)", [], [_output("loss", "0.5"), _output("gone", "nan")], "toy-2"),
    ],
}


@st.composite
def contents(draw: st.DrawFn) -> bytes:
    """The content of a file that may be a notebook: one with a few damages, JSON of any kind, or any bytes."""
    kind = draw(st.integers(0, 9))
    if kind == 0:
        return draw(st.one_of(st.binary(max_size=50), yaml_texts.map(_encoded)))
    if kind == 1:
        return _encoded(json.dumps(draw(json_values)))
    notebook = copy.deepcopy(EXECUTED)
    if kind == 5:
        code = st.sampled_from(["x = '\ud800'", "-" * 50000 + "1", "(" * 300, "a\x00b", "%%", "import ..x", "\\"])
        notebook["cells"][draw(st.integers(1, 2))]["source"] = draw(code)
    if kind == 2:
        notebook["cells"][2]["outputs"] = [_output(draw(_words), draw(st.one_of(_words, st.floats().map(str))))]
    parts = [notebook, notebook["metadata"], notebook["cells"][1], notebook["cells"][2]["outputs"]]
    for _ in range(draw(st.integers(1, 3))):
        _damage(draw, draw(st.sampled_from(parts)))
    text = json.dumps(notebook)
    if kind == 3:
        return _encoded(text)[: draw(st.integers(0, len(text)))]
    if kind == 4:
        numbers = list(re.finditer(r"\d+|null|\"\w+\"", text))
        spot = draw(st.sampled_from(numbers))
        large = draw(
            st.sampled_from(
                ["9" * 5000, "[" * 3000 + "]" * 3000, "[" * 300 + "]" * 300, "1e999", '"\\ud800"', "\ufeff"]
            )
        )
        text = text[: spot.start()] + large + text[spot.end() :]
    return _encoded(text)


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _damage(draw: st.DrawFn, part: Any) -> None:
    """Replace or remove an item of a part of a notebook, at any depth."""
    places = list(_places(part))
    if places:
        holder, key = places[draw(st.integers(0, len(places) - 1))]
        if draw(st.booleans()) and isinstance(holder, dict):
            del holder[key]
        else:
            holder[key] = draw(json_values)


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    if isinstance(value, (dict, list)):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield value, key
            yield from _places(item)


@contextlib.contextmanager
def _temporary_folder() -> Iterator[None]:
    """The working directory for a while."""
    before = Path.cwd()
    with tempfile.TemporaryDirectory(prefix="lmc-junk-") as folder:
        os.chdir(folder)
        try:
            yield
        finally:
            os.chdir(before)


@contextlib.contextmanager
def _nothing_executed() -> Iterator[None]:
    """Papermill goes as far as it can without a kernel, and nothing is marked."""
    prepare = functools.partial(papermill.execute_notebook, prepare_only=True)
    unmarked = patch.object(grading, "_mark_all", lambda _, submissions, *__: [Marks()] * len(submissions))
    with patch.object(papermill, "execute_notebook", prepare), unmarked:
        yield


def check_command(*arguments: str) -> Callable[[bytes], None]:
    """What holds for a command on a file `a.ipynb` of any content."""

    def check(content: bytes) -> None:
        JUNK.write_bytes(content)
        status, out, err = lmc_here(*arguments)
        assert status in (0, 1, 2), status
        if status:
            assert out == "", out
            assert err.startswith("lmc: "), err
            assert err.endswith("\n"), err
            _require_one_line(err.removeprefix("lmc: ").removesuffix("\n"))
        else:
            assert err == "", err
            if "--json" in arguments:
                json.loads(out, parse_constant=lambda word: 1 / 0)

    return check


@functools.cache
def _command() -> Any:
    """Typer would build it anew for each call, which takes longer than most calls."""
    return typer.main.get_command(cli.app)


def check_digest(content: bytes) -> None:
    JUNK.write_bytes(content)
    try:
        build.digest_of(JUNK, "smoke")
    except ParameterError as error:
        _require_one_line(str(error))


def lmc_here(*arguments: str) -> tuple[int, str, str]:
    """The `lmc` command in this process: its exit status, and what it wrote."""
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2))
    status: Any = 0
    streams = patch.multiple(sys, argv=["lmc", *arguments], stdout=out, stderr=err)
    with streams, patch.object(cli, "app", _command()), patch("signal.signal"):
        try:
            cli.main()
        except SystemExit as left:
            status = left.code or 0
    texts = []
    for stream in (out, err):
        stream.flush()
        stream.seek(0)
        texts.append(stream.read())
    return status, texts[0], texts[1]


KINDS: dict[str, tuple[st.SearchStrategy[Any], Callable[[Any], None]]] = {
    "a value of YAML": (yaml_texts, check_yaml),
    "a parameter of a chapter": (parameters(), check_parameter),
    "lmc results": (contents(), check_command("results", str(JUNK))),
    "lmc results --json": (contents(), check_command("results", str(JUNK), "--json")),
    "lmc run": (contents(), check_command("run", str(JUNK), "-p", "m", "4", "-o", "b.ipynb")),
    "lmc grade": (contents(), check_command("grade", str(JUNK))),
    "lmc list": (contents(), check_command("list")),
    "lmc build, as it looks for changes": (contents(), check_digest),
}
