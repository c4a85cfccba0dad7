"""Checks the sentences on reasons in explanations: patterns as in `explanations_reading`, figures from the arrays."""

import re
from collections.abc import Sequence

from explanations_reading import Counts, bare, claim, in_list, is_pct

HOW = r"(\d+(?:\.\d)?) standard deviations (above|below)"
SENSOR = r"(the optical image|SAR)"


def _key(words: str) -> str:
    return "sar" if words == "SAR" else "optical"


def _is_off(size: str, side: str, value: float) -> bool:
    """Whether a difference in words is that of a value."""
    return abs(float(size) - abs(value)) <= (0.051 if "." in size else 0.56) and (side == "above") == (value > 0)


@claim(
    rf"Be careful with this tile: its Q values are {HOW} those of training(?: \(([^)]*) differs? too\))?",
    rf"This tile differs from the training images: its Q values are {HOW} their mean(?: \(([^)]*) differs? too\))?",
)
def _(c: Counts, g: Sequence[str]) -> bool:
    shift, first = c.arrays.shift if c.arrays else {}, bare(g[0])
    if first not in shift or abs(shift[first]) < max(map(abs, shift.values())) - 0.1:
        return False
    others = in_list(re.sub(r"other bands$", "other classes", g[3] or ""), list(shift))
    right = len(others) == len(shift) - 1 and first not in others and "classes" not in (g[3] or "")
    return right and _is_off(g[1], g[2], shift[first])


@claim(rf"Without {SENSOR}, P of the area mapped as N would be mapped as N")
def _(c: Counts, g: Sequence[str]) -> bool:
    return _instead(c, g[0], g[1], g[2], g[3])


@claim(r"(The optical image|SAR) keeps P of the area mapped as N from being mapped as N")
def _(c: Counts, g: Sequence[str]) -> bool:
    return _instead(c, g[0], g[1], g[2], g[3])


def _instead(c: Counts, sensor: str, pct: str, name: str, other: str) -> bool:
    if c.arrays is None or _key(sensor) not in c.arrays.without or c.at(bare(name)) not in c.arrays.large:
        return False
    shares = c.arrays.instead(_key(sensor), c.at(bare(name)))
    share = float(shares[c.at(bare(other))])
    return share >= 9.4 and share == shares.max() and is_pct(pct, share)


@claim(rf"Without {SENSOR}, the map of this tile would hardly change")
def _(c: Counts, g: Sequence[str]) -> bool:
    if c.arrays is None or _key(g[0]) not in c.arrays.without:
        return False
    changed = {at: c.arrays.instead(_key(g[0]), at).sum() for at in c.arrays.large}
    total = sum(share * c.px[at] for at, share in changed.items()) / sum(c.px[at] for at in changed)
    return bool(total < 5.5 and max(changed.values()) < 10)


@claim(rf"For N, {SENSOR} counts more than elsewhere in this tile, with P of the weight")
@claim(rf"Where N is mapped, {SENSOR} has P of the weight, more than elsewhere")
def _(c: Counts, g: Sequence[str]) -> bool:
    at = c.at(bare(g[0]))
    if c.arrays is None or at not in c.arrays.large or not (c.optical and c.sar):
        return False
    weight = c.arrays.weight(at)
    off = weight - c.optical_weight
    right = abs(off) >= 19 and (off > 0) == (_key(g[1]) == "optical")
    return right and is_pct(g[2], weight if off > 0 else 100 - weight)


@claim(rf"The area mapped as N looks unusual for it: Q is {HOW} its mean in training")
def _(c: Counts, g: Sequence[str]) -> bool:
    return _unusual(c, g[0], g[1], g[2], g[3])


@claim(rf"In training, N looked different: here its Q is {HOW} the mean")
def _(c: Counts, g: Sequence[str]) -> bool:
    return _unusual(c, g[0], g[1], g[2], g[3])


def _unusual(c: Counts, name: str, quantity: str, size: str, side: str) -> bool:
    found = _most_unusual(c, c.at(bare(name)))
    return any(quantity_ == bare(quantity) and _is_off(size, side, off) for (_, quantity_), off in found.items())


@claim(r"C, check N, which looks unlike the N of the training")
def _(c: Counts, g: Sequence[str]) -> bool:
    return g[0] == g[1] and bool(_most_unusual(c, c.at(bare(g[0]))))


def _most_unusual(c: Counts, at: int) -> dict[tuple[str, str], float]:
    """Return the quantities of a class that differ from training as much as any quantity of any class."""
    by_class = c.arrays.class_off if c.arrays else {}
    largest = max((abs(off) for each in by_class.values() for off in each.values()), default=0.0)
    found = by_class.get(at, {})
    return {key: off for key, off in found.items() if abs(off) >= max(2, largest - 0.1)}


@claim(
    r"The area mapped as N looks like N in the training images",
    r"The pixel values of the area mapped as N are typical of N in training",
)
def _(c: Counts, g: Sequence[str]) -> bool:
    off = c.arrays.class_off.get(c.at(bare(g[0]))) if c.arrays else None
    same_name = len({bare(name) for name in g}) == 1
    return same_name and bare(g[0]) == c.ranked[0] and off is not None and all(abs(value) < 2 for value in off.values())


@claim(r"Where N is mapped, N is nearly as probable")
def _(c: Counts, g: Sequence[str]) -> bool:
    return _close(c, g[0], g[1])


@claim(r"It was a close decision between N and N where N is mapped")
def _(c: Counts, g: Sequence[str]) -> bool:
    return g[0] == g[2] and _close(c, g[0], g[1])


@claim(r"C, see whether areas mapped as N are in fact N")
def _(c: Counts, g: Sequence[str]) -> bool:
    return _close(c, g[0], g[1])


def _close(c: Counts, name: str, other: str) -> bool:
    rivals, at = c.arrays.rivals if c.arrays else {}, c.at(bare(name))
    if at not in rivals:
        return False
    margin = rivals[at][1]
    return rivals[at][0] == c.at(bare(other)) and margin < 25 and margin <= min(m for _, m in rivals.values()) + 1


@claim(r"In validation, (only )?P of the pixels mapped as N with similar confidence were right")
def _(c: Counts, g: Sequence[str]) -> bool:
    return _record(c, g[0], g[1], g[2])


@claim(r"Of validation pixels mapped as N with similar confidence, (only )?P were right")
def _(c: Counts, g: Sequence[str]) -> bool:
    return _record(c, g[1], g[2], g[0])


def _record(c: Counts, only: str | None, pct: str, name: str) -> bool:
    records, at = c.arrays.records if c.arrays else {}, c.at(bare(name))
    if at not in records:
        return False
    worst = min(records.values())
    chosen = records[at] < 69.51 and records[at] <= worst + 1 if only else worst >= 69.49 and at == next(iter(records))
    return chosen and is_pct(pct, records[at])


@claim(r"Single pixels among other classes make up P of the map, which is often noise")
def _(c: Counts, g: Sequence[str]) -> bool:
    return c.arrays is not None and c.arrays.isolated >= 4.5 and is_pct(g[0], c.arrays.isolated) and c.mapped >= 100


@claim(r"The classes are small-scale: P of the pixels are at an edge, where maps are least reliable")
def _(c: Counts, g: Sequence[str]) -> bool:
    return c.arrays is not None and c.arrays.edges >= 29.5 and is_pct(g[0], c.arrays.edges) and c.mapped >= 100


@claim(
    r"There may be more N than the map shows: the probabilities add up to P, but (?:(none)|P) is mapped",
    r"Some N may be missing, since its probabilities add up to P of the mapped area, but (?:(none)|P) is mapped",
)
def _(c: Counts, g: Sequence[str]) -> bool:
    if not _first_missed(c, g[0]) or c.arrays is None:
        return False
    at = c.at(bare(g[0]))
    mapped = c.px[at] == 0 if g[2] else c.px[at] > 0 and is_pct(g[3], c.area(bare(g[0])))
    return bool(mapped) and is_pct(g[1], float(c.arrays.expected[at]))


@claim(r"C, look for N that the map does not show")
def _(c: Counts, g: Sequence[str]) -> bool:
    return _first_missed(c, g[0])


def _first_missed(c: Counts, name: str) -> bool:
    found = c.arrays.may_be_missed if c.arrays and c.mapped >= 100 else []
    return bool(found) and c.at(bare(name)) == found[0]
