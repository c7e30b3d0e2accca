"""Fuzz untrusted inputs: each must give a value or a short one-line error, without a traceback, quickly.

`attack(count, seed)` tries so many cases of each kind.
"""

from __future__ import annotations

import contextlib
import functools
import io
import json
import os
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
from fuzz_inputs import contents, json_values, numbers, words, yaml_texts
from hypothesis import strategies as st
from trial_result import Trial

from lmc_utils.classroom import grading
from lmc_utils.classroom.submission_marks import Marks
from lmc_utils.cli import main
from lmc_utils.publishing import build
from lmc_utils.running import notebooks, yaml_values
from lmc_utils.settings import ParameterError

ROOT = Path(__file__).parents[2]
EXERCISES = ROOT / "notebooks" / "exercises" / "01_toy_exercises.ipynb"
JUNK = Path("notebooks", "a.ipynb")
SOON = 10.0  # seconds, on a busy machine

CHAPTERS = [notebooks.find(str(path), ROOT) for path in notebooks.notebook_paths(ROOT / "notebooks")]


def attack(count: int, seed: int) -> list[Trial]:
    """Try so many cases of each kind, from a seed."""
    return [tried(kind, count, seed) for kind in KINDS]


def tried(kind: str, count: int, seed: int) -> Trial:
    """Try so many cases of one kind, from a seed."""
    cases, truth = KINDS[kind]
    with _temporary_folder(), _nothing_executed():
        source = Path("notebooks", "exercises", EXERCISES.name)
        source.parent.mkdir(parents=True)
        shutil.copyfile(EXERCISES, source)
        return _try(kind, cases, truth, count, seed)


def _try(what: str, cases: st.SearchStrategy[Any], truth: Callable[[Any], None], count: int, seed: int) -> Trial:
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
    return Trial(what, tried, tried - len(failures), min(failures, key=len, default=""))


def _require_one_line(text: str) -> None:
    assert len(text) <= 600, len(text)
    assert text.isprintable(), ascii(text)


def check_yaml(text: str) -> None:
    try:
        value = yaml_values.parse("x", text)
        json.dumps(value, allow_nan=False, ensure_ascii=False).encode()
    except ParameterError as error:
        _require_one_line(str(error))


@st.composite
def parameters(draw: st.DrawFn) -> tuple[notebooks.Notebook, str, Any]:
    """A chapter, one of its parameters, and a value for it: of the right type, as YAML text, or arbitrary."""
    chapter = draw(st.sampled_from(CHAPTERS))
    name = draw(st.sampled_from([*chapter.parameters, "epoch", "\ud800\n"]))
    like = chapter.parameters[name].default if name in chapter.parameters else None
    listed = like[0] if isinstance(like, list) and like else like
    kind = numbers if isinstance(listed, (int, float)) else words
    right = st.lists(kind, max_size=5) if isinstance(like, list) else kind
    return chapter, name, draw(st.one_of(right, json_values))


def check_parameter(case: tuple[notebooks.Notebook, str, Any]) -> None:
    chapter, name, value = case
    try:
        chapter.check({name: value})
    except ParameterError as error:
        _require_one_line(str(error))


@contextlib.contextmanager
def _temporary_folder() -> Iterator[None]:
    """Use a temporary working directory within a block."""
    before = Path.cwd()
    with tempfile.TemporaryDirectory(prefix="lmc-junk-") as folder:
        os.chdir(folder)
        try:
            yield
        finally:
            os.chdir(before)


@contextlib.contextmanager
def _nothing_executed() -> Iterator[None]:
    """Stop papermill before it starts a kernel, and disable marking."""
    prepare = functools.partial(papermill.execute_notebook, prepare_only=True)
    unmarked = patch.object(grading, "_mark_all", lambda _, submissions, *__: [Marks()] * len(submissions))
    with patch.object(papermill, "execute_notebook", prepare), unmarked:
        yield


def check_command(*arguments: str) -> Callable[[bytes], None]:
    """A check of a command on a file `a.ipynb` with arbitrary content."""

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
    """The Typer command, cached, as building it takes longer than most calls."""
    return typer.main.get_command(main.app)


def check_digest(content: bytes) -> None:
    JUNK.write_bytes(content)
    try:
        build.digest_of(JUNK, "smoke")
    except ParameterError as error:
        _require_one_line(str(error))


def lmc_here(*arguments: str) -> tuple[int, str, str]:
    """Run the `lmc` command in this process: its exit status, stdout and stderr."""
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2))
    status: Any = 0
    streams = patch.multiple(sys, argv=["lmc", *arguments], stdout=out, stderr=err)
    with streams, patch.object(main, "app", _command()), patch("signal.signal"):
        try:
            main.main()
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
