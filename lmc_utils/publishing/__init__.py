"""Execute what changed and publish it: the pages, the PDF, a single run, and what goes back to a class.

Imports from `provenance`, `imports`, `settings`, `running`, `classroom` and `figures`.
"""

__all__ = ["site", "swap", "build", "browser", "pdf", "page", "inline", "standalone", "feedback", "address"]
