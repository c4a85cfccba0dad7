"""Paths in settings and sample sheet: expand `~` and environment variables, find hidden characters."""

import os
import re
import unicodedata
from pathlib import Path

from clairemap.errors import SettingsError

VARIABLE = re.compile(r"\$(?:(\w+)|\{(\w+)\})", re.ASCII)


def expanded(text: str) -> str:
    """Return a path with `~`, `~name`, `$NAME` and `${NAME}` replaced.

    Raises:
        SettingsError: a variable is not set, or the user does not exist.
    """
    for match in VARIABLE.finditer(text):
        name = match[1] or match[2]
        if not os.environ.get(name):
            raise SettingsError(f"{text!r}: the variable ${name} is not set; set it, or write the path without it")
    whole = VARIABLE.sub(lambda match: os.environ[match[1] or match[2]], text)
    if not whole.startswith("~"):
        return whole
    home = os.path.expanduser(whole)  # noqa: PTH111 - Path.expanduser raises RuntimeError
    if home.startswith("~"):
        raise SettingsError(f"{text!r}: there is no user {whole.split('/')[0][1:]!r}; write the path without '~'")
    return home


def path_exists(path: Path) -> bool:
    """Whether a path exists; False for names that the file system does not allow, such as too long ones."""
    return os.path.exists(path)  # noqa: PTH110 - Path.exists raises OSError for such names


def expanded_input(text: str, folder: Path = Path()) -> Path:
    """Return the path of an input file: as written if it exists, because names may contain `$` and `~`; else expanded.

    `~/` is always the user's home. A relative path starts at `folder`.

    Raises:
        SettingsError: a variable is not set, or the user does not exist.
    """
    written = folder / text
    is_home = text == "~" or text.startswith("~/")
    if not is_home and (text[:1] != "~" and "$" not in text or path_exists(written)):
        return written
    return folder / expanded(text)


def hidden_character(text: str) -> str | None:
    """Return the description of the first control character or line break in a text; None if there is none."""
    if text.isascii() and text.isprintable():
        return None
    named = {"\n": "a line break", "\r": "a line break", "\t": "a tab", "\0": "a NUL"}
    for character in text:
        if unicodedata.category(character) in ("Cc", "Zl", "Zp"):
            return named.get(character, f"the control character U+{ord(character):04X}")
    return None
