"""Reports on two networks for people: sentences, tables, a figure, a page.

Every claim in a sentence is computed from the numbers beside it.
"""

from lmc_utils.connect.reports.report import Report

__all__ = ["Report", "report", "sentences", "tables"]
