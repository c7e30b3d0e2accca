"""Find, check and execute the notebooks, and record their results.

A notebook records with::

    from lmc_utils.running import record
"""

from lmc_utils.running.recorded_curves import record_curves
from lmc_utils.running.recorded_numbers import record

__all__ = [
    "record",
    "record_curves",
    "recorded_curves",
    "recorded_numbers",
    "recorded_claims",
    "notebooks",
    "notebook_dependencies",
    "parameter_cells",
    "notebook_files",
    "yaml_values",
    "quoted_numbers",
    "plain_markdown",
    "book_numbers",
    "commentary",
    "run_summary",
    "opening_figure",
    "readable_notebook",
    "comparison",
    "sweep_grid",
    "sweep_point",
    "clusters",
    "sweeps",
    "sweep_tables",
    "subprocess_jobs",
    "watchdog",
    "inherited_lock",
]
