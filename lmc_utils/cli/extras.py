"""The extra of the package that each command needs, and one line where it is not installed."""

from __future__ import annotations

NEEDED = dict.fromkeys(("list", "parameters", "run", "results", "compare", "page", "build", "pdf", "serve"), "book")
NEEDED |= {"sweep": "sweep", "assign": "teach", "grade": "teach"}


def missing(command: str, error: ModuleNotFoundError) -> str | None:
    """What to install where a command lacks a module, as one line; None where no extra of this package has it.

    >>> missing("build", ModuleNotFoundError(name="IPython"))
    'lmc build needs the extra "book" (module IPython is missing): pip install "lmc-utils[book]"'
    """
    extra = NEEDED.get(command)
    if extra is None or error.name is None or error.name.startswith("lmc_utils"):
        return None
    needs = f'lmc {command} needs the extra "{extra}" (module {error.name} is missing)'
    return f'{needs}: pip install "lmc-utils[{extra}]"'
