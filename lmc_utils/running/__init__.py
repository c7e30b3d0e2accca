"""Find, check and execute the notebooks, and record what they find.

A notebook records with::

    from lmc_utils.running import record

Imports from `settings`, `showing` and `provenance`.
"""

from lmc_utils.running.results import record

__all__ = [
    "record",
    "results",
    "notebooks",
    "parameters",
    "reading",
    "values",
    "prose",
    "plain",
    "legible",
    "comparing",
    "jobs",
    "watchdog",
    "locks",
]
