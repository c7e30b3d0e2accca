"""Find, check and execute the notebooks, and record what they find.

A notebook records with::

    from lmc_utils.running import record

Imports from `settings`, `showing`, `room`, `provenance` and `circumstances`.
"""

from lmc_utils.running.curves import record_curves
from lmc_utils.running.results import record

__all__ = [
    "record",
    "record_curves",
    "curves",
    "results",
    "notebooks",
    "parameters",
    "reading",
    "values",
    "prose",
    "plain",
    "opening",
    "legible",
    "comparing",
    "grids",
    "points",
    "clusters",
    "sweeps",
    "gathering",
    "jobs",
    "watchdog",
    "locks",
]
