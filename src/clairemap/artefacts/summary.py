"""Summary of a region that a language model wrote: ``summaries/{region}.json``."""

from pathlib import Path

from clairemap.artefacts.document import read_document, write_document
from clairemap.artefacts.explanations import Explanation


class Summary(Explanation):
    """The whole document; `stamp` is empty in files of earlier versions."""

    stamp: dict[str, str] = {}


def write_summary(path: Path, summary: Explanation, stamp: dict[str, str]) -> None:
    """Write the summary of a region as JSON, atomically."""
    write_document(path, Summary(**dict(summary), stamp=stamp))


def read_summary(path: Path) -> Summary:
    """Return the summary of a region.

    Raises:
        StoreError: the file is missing or damaged.
    """
    return read_document(path, Summary, "summary", "summarize_region")
