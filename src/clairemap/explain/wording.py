"""Numbers and names as the texts write them; the only place that formats them."""

import re
from collections.abc import Sequence

PLAIN_NAME = re.compile(r"\w[\w /-]*")
WORDS_OF_TEXTS = (
    "cloud clouds class classes confidence edges image labels land map mapped network nothing optical other others "
    "pixel pixels radar rest sar tile training unknown"
)
"""Words of the texts. A class with such a name is quoted."""

MAX_LISTED = 3


def percent(value: float) -> str:
    """Return a percentage in whole numbers; its ends are written in words, since a rounded 0 or 100 claims too much."""
    if value < 1:
        return "less than 1 %"
    return "over 99 %" if value >= 99.5 else f"{value:.0f} %"


def percentage_points(value: float) -> str:
    """Return a difference in whole percentage points."""
    rounded = round(value)
    return "less than 1 point" if value < 1 else f"{rounded} point{'s' if rounded > 1 else ''}"


def accuracy_phrase(name: str, producers_pct: float, users_pct: float | None) -> str:
    """Return producer's and user's accuracy of a class in words, after a subject such as "the map".

    `users_pct` is None if no labelled pixel is mapped as the class.
    """
    if users_pct is None:
        return f"finds none of the pixels labelled {named(name)}"
    found, right = percent(producers_pct), percent(users_pct)
    return (
        f"finds {found} of the pixels labelled {named(name)}; of the labelled pixels mapped as {named(name)}, {right} "
        "are right"
    )


def confused(truth: str, mapped: str, share_pct: float) -> tuple[str, str]:
    """Return wordings of the share of a class's labelled pixels that are mapped as another one."""
    share, truth, mapped = percent(share_pct), named(truth), named(mapped)
    return (
        f"Of the pixels labelled {truth}, {share} are mapped as {mapped}.",
        f"The map shows {mapped} for {share} of the pixels that are labelled {truth}.",
    )


def falsely_mapped(truth: str, mapped: str, share_pct: float) -> tuple[str, str]:
    """Return wordings of the share of the labelled pixels mapped as a class that have the label of another one."""
    share, truth, mapped = percent(share_pct), named(truth), named(mapped)
    return (
        f"Of the labelled pixels mapped as {mapped}, {share} have the label {truth}.",
        f"The label is {truth} for {share} of the labelled pixels that are mapped as {mapped}.",
    )


def other_weak_classes(names: Sequence[str]) -> str:
    """Return the addition to a sentence on a weak class that others are weak too; empty if there are none."""
    if not names:
        return ""
    which = listed(names) if len(names) <= 2 else "several other classes"
    return f"; {which} {'is' if len(names) == 1 else 'are'} weak too"


def deviations(value: float) -> str:
    """Return an absolute difference in standard deviations, with one decimal below 10."""
    size = abs(value)
    return f"{size:.1f} standard deviations" if size < 9.95 else f"{size:.0f} standard deviations"


def named(name: str) -> str:
    """Return the name of a class, in quotation marks if it could be read as something else."""
    plain = PLAIN_NAME.fullmatch(name) and name.casefold() not in WORDS_OF_TEXTS.split() and " and " not in name
    return name if plain else f"“{name}”"


def listed(names: Sequence[str], kind: str = "classes") -> str:
    """Return names in a row: of more than four, three and the number of the others; `kind` says what they name."""
    shown = [named(name) for name in names]
    if len(names) > MAX_LISTED + 1:
        shown[MAX_LISTED:] = [f"{len(names) - MAX_LISTED} other {kind}"]
    return " and ".join([", ".join(shown[:-1]), shown[-1]] if len(shown) > 1 else shown)
