"""The text of a cell of the sample sheet that names data: one path, several, a pattern, or a name that GDAL opens.

Only names are looked at here; `clairemap.sources` decides what a cell contains.
"""

import os
import re
from pathlib import Path

from clairemap.paths import expanded_input, path_exists

SEPARATOR = ";"
"""Separates the files of one cell."""

SCENE_CLASSIFICATION = "scl"
"""Cell of the column cloud: the scene classification of the optical product."""

PATTERN = re.compile(r"[*?]|\[[^]]*\]")
NOT_LOCAL = re.compile(r"^(?:/vsi[a-z0-9_]+/|[A-Za-z][A-Za-z0-9+.-]+://)")
SUBDATASET = re.compile(r"^[A-Z][A-Z0-9_]{2,}:")


def is_gdal_name(text: str) -> bool:
    """Whether a text is not a path but a URL, a virtual path of GDAL or the name of a subdataset."""
    return bool(NOT_LOCAL.match(text) or SUBDATASET.match(text))


def items(text: str) -> tuple[str, ...]:
    """Return the paths that a cell names, in order: one, or several separated by semicolons.

    A text that is the name of an existing file is one path, whatever its characters.
    """
    if SEPARATOR not in text or path_exists(Path(text)):
        return (text,)
    return tuple(item.strip() for item in text.split(SEPARATOR) if item.strip())


def is_pattern(text: str) -> bool:
    """Whether a path contains wildcards (``*``, ``?``, ``[...]``) and is not the name of an existing file."""
    return bool(PATTERN.search(text)) and not is_gdal_name(text) and not path_exists(Path(text))


def expanded_cell(text: str, folder: Path) -> str:
    """Return a cell with `~` and variables in its paths expanded; relative paths start at a folder.

    Raises:
        SettingsError: a variable is not set, or a user does not exist.
    """
    if text.lower() == SCENE_CLASSIFICATION:
        return text
    if SEPARATOR not in text or path_exists(folder / text):
        return text if is_gdal_name(text) else str(expanded_input(text, folder))
    parts = (item.strip() for item in text.split(SEPARATOR))
    return SEPARATOR.join(item if is_gdal_name(item) else str(expanded_input(item, folder)) for item in parts if item)


def missing_item(text: str) -> Path | None:
    """Return the first path of a cell that does not exist; None if all exist or the text is not a path.

    Whether a pattern matches any file is not checked.
    """
    if text.lower() == SCENE_CLASSIFICATION:
        return None
    paths = (Path(item) for item in items(text) if not is_pattern(item) and not is_gdal_name(item))
    return next((path for path in paths if not os.path.exists(path)), None)  # noqa: PTH110 - Path.exists may raise
