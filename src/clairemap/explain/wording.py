"""Numbers and names as the texts write them; the only place that formats them."""

import re
from collections.abc import Sequence

PLAIN_NAME = re.compile(r"\w[\w /-]*")
WORDS_OF_TEXTS = frozenset(
    [
        "cloud",
        "clouds",
        "class",
        "classes",
        "confidence",
        "edges",
        "image",
        "labels",
        "land",
        "map",
        "mapped",
        "network",
    ]
    + [
        "nothing",
        "optical",
        "other",
        "others",
        "pixel",
        "pixels",
        "radar",
        "rest",
        "sar",
        "tile",
        "training",
        "unknown",
    ]
)
"""Words of the texts. A class with such a name is quoted."""

MAX_LISTED = 3


def percent(value: float) -> str:
    """Return a percentage in whole numbers; its ends are written in words, since a rounded 0 or 100 claims too much."""
    if value < 1:
        return "less than 1 %"
    return "over 99 %" if value >= 99.5 else f"{value:.0f} %"


def iou(value: float) -> str:
    """Return an IoU with two decimals."""
    return f"{value:.2f}"


def deviations(value: float) -> str:
    """Return an absolute difference in standard deviations, with one decimal below 10."""
    size = abs(value)
    return f"{size:.1f} standard deviations" if size < 9.95 else f"{size:.0f} standard deviations"


def named(name: str) -> str:
    """Return the name of a class, in quotation marks if it could be read as something else."""
    plain = PLAIN_NAME.fullmatch(name) and name.casefold() not in WORDS_OF_TEXTS and " and " not in name
    return name if plain else f"“{name}”"


def listed(names: Sequence[str]) -> str:
    """Return the names of classes in a row: three and the number of the others, if there are more than four."""
    shown = [named(name) for name in names]
    if len(names) > MAX_LISTED + 1:
        shown[MAX_LISTED:] = [f"{len(names) - MAX_LISTED} other classes"]
    return " and ".join([", ".join(shown[:-1]), shown[-1]] if len(shown) > 1 else shown)
