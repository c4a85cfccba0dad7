"""Summary of a region that a language model wrote: ``summaries/{region}.json``."""

from pathlib import Path

from clairemap.artefacts.document import read_document, write_document
from clairemap.artefacts.explanations import Explanation


def write_summary(path: Path, summary: Explanation) -> None:
    """Write the summary of a region as JSON, atomically."""
    write_document(path, summary)


def read_summary(path: Path) -> Explanation:
    """Return the summary of a region.

    Raises:
        StoreError: the file is missing or damaged.
    """
    return read_document(path, Explanation, "summary", "summarize_region")
