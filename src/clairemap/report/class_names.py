"""Distinct class names for formats that limit their characters or length."""

import re
from collections import Counter
from collections.abc import Sequence

from clairemap.classes import Legend

INVALID_IN_STAC = re.compile(r"[^0-9A-Za-z_-]+")


def stac_names(legend: Legend) -> tuple[str, ...]:
    """Return names of the characters that STAC allows (A-Z, a-z, 0-9, _, -), in the legend's order.

    Other characters become `_`. Names without a valid character become `class_CODE`. The code is appended to names
    that are no longer distinct; if that is not enough, all names become `class_CODE`.
    """
    by_code = [f"class_{c.code}" for c in legend.classes]
    short = [INVALID_IN_STAC.sub("_", c.name) for c in legend.classes]
    names = [name if name.strip("_-") else code for name, code in zip(short, by_code, strict=True)]
    coded = [f"{name}_{c.code}" for name, c in zip(names, legend.classes, strict=True)]
    return _distinct(names, coded, by_code)


def table_names(legend: Legend, size: int) -> tuple[str, ...]:
    """Return names of at most `size` bytes in UTF-8, in the legend's order.

    Longer names are cut between characters. Names that are no longer distinct end with their codes.
    """
    cut = [clipped(c.name, size).rstrip() for c in legend.classes]
    codes = [f" ({c.code})" for c in legend.classes]
    coded = [clipped(name, size - len(code)).rstrip() + code for name, code in zip(cut, codes, strict=True)]
    return _distinct(cut, coded, [f"class_{c.code}" for c in legend.classes])


def clipped(text: str, size: int) -> str:
    """Return the start of a text that fits into `size` bytes of UTF-8."""
    return text.encode()[:size].decode(errors="ignore")


def _distinct(names: Sequence[str], coded: Sequence[str], fallback: Sequence[str]) -> tuple[str, ...]:
    """Return the names, with the coded one where several are equal apart from case; the fallback if some still are."""
    count = Counter(name.casefold() for name in names)
    found = [other if count[name.casefold()] > 1 else name for name, other in zip(names, coded, strict=True)]
    return tuple(found) if len({name.casefold() for name in found}) == len(found) else tuple(fallback)
