"""Read a notebook's parameters cell: assignments of plain values, each with a comment that says what it means."""

from __future__ import annotations

import ast
import io
import re
import tokenize
import warnings
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from lmc_utils.formatting import LONGEST_VALUE, one_line, short_repr
from lmc_utils.settings import ParameterError

_TYPE_COMMENT = re.compile(r"^type:\s*\S+\s*")
_NOT_PYTHON = re.compile(r"^[ \t]*[%!?].*$", re.MULTILINE)  # magics and shell commands
_UNREADABLE = (ValueError, SyntaxError, TypeError, MemoryError, RecursionError)


class Assignment(NamedTuple):
    """A default value, as source, and the comment after it."""

    default: str
    comment: str


def parameters_source(notebook: Mapping[str, Any]) -> str | None:
    """The source of the cell with the tag `parameters`, the first if there are several; None without one."""
    tagged = (cell for cell in notebook["cells"] if "parameters" in cell["metadata"].get("tags", ()))
    return next(("".join(cell["source"]) for cell in tagged), None)


def assignments(source: str) -> dict[str, Assignment]:
    """The assignments to names in a parameters cell, in order; annotations and `# type:` comments are skipped.

    Raises:
        ParameterError: it is not Python.

    >>> assignments("rate: float | None = 0.1  # 1 = slow")
    {'rate': Assignment(default='0.1', comment='1 = slow')}
    """
    try:
        source, tree = _parse(source)
        comments = dict(_comments(source))
    except (*_UNREADABLE, tokenize.TokenError) as error:
        raise ParameterError(f"the parameters cell is not Python ({error})") from error
    return {
        name: Assignment(ast.get_source_segment(source, value) or "", comments.get(value.end_lineno or 0, ""))
        for name, value in _assigned(tree)
    }


def literal(name: str, source: str) -> Any:
    """The value of a parameter's default; raises ParameterError unless it is a literal.

    >>> literal("widths", "[8, -1]")
    [8, -1]
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.literal_eval(source)
    except _UNREADABLE as error:
        line = f"its default must be a plain value (got {short_repr(source)})"
        raise ParameterError(f"{one_line(name, LONGEST_VALUE)}: {line}") from error


def _parse(source: str) -> tuple[str, ast.Module]:
    """Python code and its tree; if it does not parse, without lines of magics and shell commands."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about backslashes
        try:
            return source, ast.parse(source)
        except SyntaxError:
            without = _NOT_PYTHON.sub("", source)
            return without, ast.parse(without)


def _assigned(tree: ast.Module) -> Iterator[tuple[str, ast.expr]]:
    for node in tree.body:
        if isinstance(node, ast.Assign):
            targets: list[ast.expr] = node.targets
        elif isinstance(node, ast.AnnAssign):
            targets = [node.target]
        else:
            continue
        if node.value is not None:
            yield from ((target.id, node.value) for target in targets if isinstance(target, ast.Name))


def _comments(source: str) -> Iterator[tuple[int, str]]:
    """Yield the number of each line with a comment, and the comment."""
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], _TYPE_COMMENT.sub("", token.string.lstrip("#").strip())
