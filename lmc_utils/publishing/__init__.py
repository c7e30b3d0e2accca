"""Execute what changed and publish it: the pages, and the PDF.

Imports from `provenance`, `settings`, `running` and `classroom`.
"""

__all__ = ["site", "swap", "build", "browser", "pdf", "standalone", "address"]
