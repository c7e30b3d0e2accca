"""Execute what changed and publish it: the pages, the PDF, a single run, and what goes back to a class."""

__all__ = [
    "site",
    "folder_swap",
    "build",
    "browser",
    "pdf",
    "run_page",
    "embedded_assets",
    "standalone_page",
    "comparison_page",
    "feedback",
    "source_links",
]
