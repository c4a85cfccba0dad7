"""Names of classes where a format allows few characters or few bytes: always distinct, always the same."""

import re
from collections import Counter
from collections.abc import Sequence

from clairemap.classes import Legend

FOREIGN_TO_STAC = re.compile(r"[^0-9A-Za-z_-]+")


def stac_names(legend: Legend) -> tuple[str, ...]:
    """Return a name for each class, in the legend's order, of the characters that STAC allows: A-Z, a-z, 0-9, _, -.

    Other characters become `_`. A name of which nothing is left is `class_CODE`; names that fall together get their
    codes; should one still meet another, all are `class_CODE`.
    """
    by_code = [f"class_{known.code}" for known in legend.classes]
    short = [FOREIGN_TO_STAC.sub("_", known.name) for known in legend.classes]
    told = [name if name.strip("_-") else code for name, code in zip(short, by_code, strict=True)]
    return _with_distinct_names(
        told, [f"{name}_{known.code}" for name, known in zip(told, legend.classes, strict=True)], by_code
    )


def table_names(legend: Legend, size: int) -> tuple[str, ...]:
    """Return a name for each class, in the legend's order, of at most `size` bytes in UTF-8.

    A longer one is cut off between characters; names that fall together so end with their codes.
    """
    cut = [clipped(known.name, size).rstrip() for known in legend.classes]
    codes = [f" ({known.code})" for known in legend.classes]
    coded = [clipped(name, size - len(code)).rstrip() + code for name, code in zip(cut, codes, strict=True)]
    return _with_distinct_names(cut, coded, [f"class_{known.code}" for known in legend.classes])


def clipped(text: str, size: int) -> str:
    """Return as many whole characters of a text as `size` bytes of UTF-8 hold."""
    return text.encode()[:size].decode(errors="ignore")


def _with_distinct_names(names: Sequence[str], coded: Sequence[str], last: Sequence[str]) -> tuple[str, ...]:
    """Return the names, coded where two are equal but for case; all the last resort if that isn't enough."""
    count = Counter(name.casefold() for name in names)
    told = [other if count[name.casefold()] > 1 else name for name, other in zip(names, coded, strict=True)]
    return tuple(told) if len({name.casefold() for name in told}) == len(told) else tuple(last)
