"""Execute changed notebooks and publish: the book's pages, the PDF, the page of a run, and feedback for a class."""

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
    "markdown_html",
    "source_links",
]
