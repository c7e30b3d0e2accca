"""Numbers of the book's own run of each chapter, quoted by its commentary in reruns.

python -m lmc_utils.running.book_numbers    # `make book-numbers`: store those of the built book in results/book_numbers
"""

from __future__ import annotations

import json
import math
from pathlib import Path

from lmc_utils.formatting import short_repr
from lmc_utils.provenance import CHECKOUT, run_environment, write_whole
from lmc_utils.running import notebook_files, recorded_numbers
from lmc_utils.running.notebooks import notebook_paths
from lmc_utils.settings import ParameterError

FOLDER = Path("results", "book_numbers")


def read(source: Path) -> dict[str, float] | None:
    """The numbers of the book's run of a notebook, from the checkout of its source; None if there are none."""
    try:
        kept = json.loads((source.parent.parent / FOLDER / f"{source.stem}.json").read_text(encoding="utf-8"))
        return {name: math.nan if number is None else float(number) for name, number in kept["numbers"].items()}
    except (OSError, ValueError, LookupError, TypeError, AttributeError):  # missing or invalid file
        return None


def write(executed: list[Path], folder: Path) -> None:
    """Store the numbers of executed chapters, one file each, with commit, versions, machine and date.

    Raises:
        ParameterError: a chapter was not executed, or with other parameters than the book's.
    """
    environment = run_environment()
    folder.mkdir(parents=True, exist_ok=True)
    for path in executed:
        about = notebook_files.read(path, "an executed notebook")["metadata"].get("papermill", {})
        if given := about.get("parameters"):
            raise ParameterError(f"'{path}' was not executed with the book's parameters (got {short_repr(given)})")
        numbers = recorded_numbers.finite(recorded_numbers.read(path))
        kept = {"date": (about.get("end_time") or "")[:16], **environment, "numbers": numbers}
        write_whole(folder / f"{path.stem}.json", f"{json.dumps(kept, indent=1, allow_nan=False)}\n".encode())


if __name__ == "__main__":
    write(notebook_paths(CHECKOUT / "book" / "notebooks"), CHECKOUT / FOLDER)
