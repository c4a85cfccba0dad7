"""Paths as people write them: `~` and variables of the environment are expanded, hidden characters found."""

import os
import re
import unicodedata
from pathlib import Path

from clairemap.errors import SettingsError

VARIABLE = re.compile(r"\$(?:(\w+)|\{(\w+)\})", re.ASCII)


def expanded(text: str) -> str:
    """Return a path with `~`, `~name`, `$NAME` and `${NAME}` replaced.

    Raises:
        SettingsError: a variable is not set, or there is no such user; the text names it.
    """
    for match in VARIABLE.finditer(text):
        name = match[1] or match[2]
        if not os.environ.get(name):
            raise SettingsError(f"{text!r}: the variable ${name} is not set: set it, or write the folder's name")
    whole = VARIABLE.sub(lambda match: os.environ[match[1] or match[2]], text)
    if not whole.startswith("~"):
        return whole
    home = os.path.expanduser(whole)  # noqa: PTH111 - Path has it with an error of another kind
    if home.startswith("~"):
        raise SettingsError(f"{text!r}: no user {whole.split('/')[0][1:]!r} has a home here: write the folder's path")
    return home


def is_there(path: Path) -> bool:
    """Whether there is something of this name; a name that can't be, such as one too long, is not there."""
    return os.path.exists(path)  # noqa: PTH110 - Path's raises an error for such names


def expanded_input(text: str, folder: Path = Path()) -> Path:
    """Return the path of a file that is read: as written if it exists, else expanded; relative ones start at `folder`.

    `$` and `~` may be part of a file's name, so that the name as written comes first. `~/` is always the user's home.

    Raises:
        SettingsError: a variable in the path is not set.
    """
    written = folder / text
    is_home = text == "~" or text.startswith("~/")
    if not is_home and (text[:1] != "~" and "$" not in text or is_there(written)):
        return written
    return folder / expanded(text)


def hidden_character(text: str) -> str | None:
    """Return the name of a character that no path or name can mean: a line break, NUL or another control character."""
    named = {"\n": "a line break", "\r": "a line break", "\t": "a tab", "\0": "a NUL"}
    for character in text:
        if unicodedata.category(character) in ("Cc", "Zl", "Zp"):
            return named.get(character, f"the control character U+{ord(character):04X}")
    return None
