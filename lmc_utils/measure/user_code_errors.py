"""Report exceptions in user code as one-line errors."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from lmc_utils.formatting import one_line
from lmc_utils.settings import ParameterError


@contextmanager
def reported(what: str) -> Iterator[None]:
    """Turn any exception but ParameterError into one.

    >>> with reported("data: reading the samples raised"):
    ...     raise OSError("no such file")
    Traceback (most recent call last):
    lmc_utils.settings.ParameterError: data: reading the samples raised OSError: no such file
    """
    try:
        yield
    except ParameterError:
        raise
    except Exception as error:
        raise ParameterError(f"{what} {one_line(_described(error), 300)}") from error


def _described(error: Exception) -> str:
    """The type and message of an error; if a worker process passed it on, those of the original error."""
    if "Original Traceback (most recent call last)" in str(error):
        return str(error).strip().rpartition("\n")[2]
    return f"{type(error).__name__}: {error}"
