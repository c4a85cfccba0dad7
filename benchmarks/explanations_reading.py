"""Reads explanations and recomputes each claim from pixel counts; shares no code with the writer of the texts.

For `explanations.py` and the tests of texts. Each sentence must match one pattern; its numbers, classes and words are
compared with the counts.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from explanations_arrays import Arrays
from numpy.typing import NDArray

FEW = 100
WEAK = "(?:; (several other classes|L) (?:is|are) weak too)?"
ELSEWHERE = (
    "(?:; on (?:scenes|a scene) without training tiles, the confidence was off by D"
    "(?: on average and by D at worst)?)?"
    "(; the confidence was calibrated on a single scene and may be less reliable in others)?"
    "(; how far the confidence is off in other scenes is not known)?"
)
FINDS = "finds (?:none|P) of the pixels labelled N(?:; of the labelled pixels mapped as N, P are right)?"


@dataclass(frozen=True)
class Counts:
    """What a tile's pixels are: counts and sums per class, a confusion matrix (truth, mapped), and the arrays."""

    names: tuple[str, ...]
    px: NDArray[np.int64]
    confidence_sum: NDArray[np.float64]
    optical_pct_sum: float
    pixels: int
    optical: int
    sar: int
    cloud: int
    cloud_unknown: int
    confusion: NDArray[np.int64]
    registration: str = "good"
    unseen: frozenset[int] = field(default_factory=frozenset)
    arrays: Arrays | None = None

    @property
    def mapped(self) -> int:
        """Mapped pixels."""
        return int(self.px.sum())

    def at(self, name: str) -> int:
        """Return the position of a class."""
        return self.names.index(name)

    def area(self, name: str) -> float:
        """Return the share of a class of the mapped area, percent."""
        return float(100 * self.px[self.at(name)] / self.mapped)

    def confidence(self, name: str) -> float:
        """Return the mean confidence of a class, percent."""
        return float(100 * self.confidence_sum[self.at(name)] / self.px[self.at(name)])

    @property
    def mean_confidence(self) -> float:
        """Mean confidence of the mapped pixels, percent."""
        return float(100 * self.confidence_sum.sum() / self.mapped)

    def truth(self, name: str) -> int:
        """Return the labelled pixels of a class."""
        return int(self.confusion[self.at(name)].sum())

    def iou(self, name: str) -> float:
        """Return the IoU of a class."""
        at, matrix = self.at(name), self.confusion
        return float(matrix[at, at] / (matrix[at].sum() + matrix[:, at].sum() - matrix[at, at]))

    def finds(self, name: str) -> float:
        """Return the share of the labelled pixels of a class that are mapped as it, percent."""
        return float(100 * self.confusion[self.at(name), self.at(name)] / self.truth(name))

    def right_share(self, name: str) -> float | None:
        """Return the share of the labelled pixels mapped as a class that have it, percent."""
        mapped = self.confusion[:, self.at(name)].sum()
        return float(100 * self.confusion[self.at(name), self.at(name)] / mapped) if mapped else None

    @property
    def right(self) -> float:
        """Overall accuracy, percent."""
        return float(100 * np.trace(self.confusion) / self.confusion.sum())

    @property
    def measured(self) -> list[str]:
        """Classes with enough labelled pixels."""
        return [name for name in self.names if self.truth(name) >= FEW]

    @property
    def missed(self) -> list[str]:
        """Measured classes without mapped pixels."""
        return [name for name in self.measured if not self.px[self.at(name)]]

    @property
    def weak(self) -> list[str]:
        """Mapped classes that do not match well, worst first."""
        labelled = self.confusion.sum()
        mapped = [name for name in self.measured if self.px[self.at(name)]]
        bad = [n for n in mapped if self.iou(n) < (0.745 if self.truth(n) >= 0.0095 * labelled else 0.495)]
        return sorted(bad, key=self.iou)

    @property
    def ranked(self) -> list[str]:
        """Mapped classes, the largest first."""
        return [self.names[at] for at in np.argsort(-self.px, kind="stable") if self.px[at]]

    @property
    def optical_weight(self) -> float:
        """Mean weight of the optical image, percent."""
        return self.optical_pct_sum / self.mapped

    @property
    def unknown_pct(self) -> float:
        """Share of the tile without a cloud mask, percent."""
        return 100 * self.cloud_unknown / self.pixels

    @property
    def cloud_pct(self) -> float:
        """Share of the tile under cloud, percent."""
        return 100 * self.cloud / self.pixels


Check = Callable[[Counts, Sequence[str]], bool]
CLAIMS: list[tuple[str, Check]] = []


def claim(*patterns: str) -> Callable[[Check], Check]:
    """Register a check of sentences.

    N is a class, L a list of them, P a percentage, D a number of points, Q a quantity, C the start of advice.
    """

    def register(check: Check) -> Check:
        CLAIMS.extend((pattern, check) for pattern in patterns)
        return check

    return register


def faults(text: str, counts: Counts) -> list[str]:
    """Return the sentences of a text that are not true of the counts, or that no pattern reads; [] if all are."""
    found: list[str] = []
    left = text
    while left:
        readings = [(match, check) for pattern, check in _compiled(counts.names) if (match := pattern.match(left))]
        if not readings:
            return [*found, f"not understood: {left}"]
        sentence = readings[0][0][0].strip()
        if not any(check(counts, match.groups()) for match, check in readings):
            found.append(sentence)
        left = left[len(readings[0][0][0]) :]
    return found


def _compiled(names: Sequence[str]) -> list[tuple[re.Pattern[str], Check]]:
    key = tuple(names)
    if key not in _CACHE:
        name = "|".join(rf"“{re.escape(n)}”|{re.escape(n)}" for n in sorted(names, key=len, reverse=True))
        parts = {
            "L": rf"((?:{name})(?:, (?:{name}))*(?: and (?:{name}|\d+ other classes))?)",
            "N": f"({name})",
            "C": "(?:First|Before you use this tile|If you check one thing)",
            "Q": r"(“[^”]+”|\w[\w/ -]*?)",
            "P": r"((?:less than 1|over 99|\d+) %)",
            "D": r"(less than 1 point|\d+ points?)",
        }
        _CACHE[key] = [
            (re.compile(re.sub(r"\b[CDLNPQ]\b", lambda m: parts[m[0]], pattern) + r"\.(?: |$)"), check)
            for pattern, check in CLAIMS
        ]
    return _CACHE[key]


_CACHE: dict[tuple[str, ...], list[tuple[re.Pattern[str], Check]]] = {}


def is_pct(text: str, value: float) -> bool:
    """Whether a percentage in words or whole numbers is that of a value, rounded twice at most."""
    if text.startswith("less"):
        return value < 1
    if text.startswith("over"):
        return value >= 99.45
    if text == "99 %":  # an accuracy is 100 % only if it is complete
        return 98.44 <= value < 100
    return abs(float(text.split()[0]) - value) <= 0.56


def bare(name: str) -> str:
    """Return a name without quotation marks."""
    return name[1:-1] if name.startswith("“") and name.endswith("”") else name


def in_list(text: str, names: Sequence[str]) -> list[str]:
    """Return the names that a list has, in its order; those that "other classes" stand for are not returned."""
    found = []
    while text:
        name = max((n for n in names if text.startswith((n, f"“{n}”"))), key=len, default=None)
        if name is None:
            break
        found.append(name)
        text = re.sub(r"^(, | and )", "", text.removeprefix(f"“{name}”" if text.startswith("“") else name))
    others = re.match(r"(\d+) other classes$", text)
    return found + ["?"] * (int(others[1]) if others else 0)


def same(text: str, expected: Sequence[str], names: Sequence[str]) -> bool:
    """Whether a list names exactly the expected classes, or as many of them and others."""
    found = in_list(text, names)
    return len(found) == len(expected) and all(a in ("?", b) for a, b in zip(found, expected, strict=True))


@claim(
    r"Do not rely on this tile for L: the network had no training pixels of (?:it|them)",
    r"The network was never trained on L, so it cannot map (?:it|them) here",
    r"C, look in another source for L",
)
def _(c: Counts, g: Sequence[str]) -> bool:
    there = [c.names[at] for at in sorted(c.unseen) if c.px[at] or c.confusion[at].any()]
    return same(g[0], there, c.names)


@claim(
    r"Do not trust this tile: the map agrees with only P of its labelled pixels",
    r"This tile is unreliable, since only P of the labelled pixels are mapped as labelled",
)
def _(c: Counts, g: Sequence[str]) -> bool:
    return c.confusion.sum() >= FEW and c.right < 70 and is_pct(g[0], c.right)


@claim(
    r"Where there are labels, P of the pixels are mapped as labelled(, but not all classes do well)?",
    r"The map agrees with P of the labelled pixels(, but not all classes do well)?",
)
def _(c: Counts, g: Sequence[str]) -> bool:
    bad = bool(c.missed or c.weak)
    return c.confusion.sum() >= FEW and c.right >= 69.5 and is_pct(g[0], c.right) and bad == bool(g[1])


@claim(
    r"Treat this tile with caution: the mean confidence of the network is low, P",
    r"The network is unsure of this tile, with a mean confidence of only P",
)
def _(c: Counts, g: Sequence[str]) -> bool:
    return c.mean_confidence < 60 and is_pct(g[0], c.mean_confidence)


@claim(r"The network is (moderately )?confident here: on average, it gives the mapped class a probability of P")
def _(c: Counts, g: Sequence[str]) -> bool:
    return _confident(c, g[0], g[1])


@claim(r"With a mean confidence of P, the network is (moderately )?confident here")
def _(c: Counts, g: Sequence[str]) -> bool:
    return _confident(c, g[1], g[0])


def _confident(c: Counts, moderately: str, pct: str) -> bool:
    level = 59.5 <= c.mean_confidence < 79.5 if moderately else c.mean_confidence >= 79.5
    return c.mapped >= FEW and level and is_pct(pct, c.mean_confidence)


@claim(
    r"How reliable the map is here cannot be judged from fewer than 100 pixels",
)
def _(c: Counts, _: Sequence[str]) -> bool:
    return c.mapped < FEW


@claim(
    r"Fewer than 100 pixels of this tile are mapped, most often as N",
    r"With fewer than 100 mapped pixels, this tile says little; its most frequent class is N",
)
def _(c: Counts, g: Sequence[str]) -> bool:
    return c.mapped < FEW and bare(g[0]) == c.ranked[0]


@claim(
    r"This tile is mapped in part \(P\), with P of that as N",
    r"The map covers P of this tile; P of that is N",
)
def _(c: Counts, g: Sequence[str]) -> bool:
    part = 100 * c.mapped / c.pixels
    return part < 90 and is_pct(g[0], part) and _largest(c, g[2], g[1])


@claim(r"The whole mapped area of this tile is N", r"This tile shows a single class, N")
def _(c: Counts, g: Sequence[str]) -> bool:
    return c.ranked == [bare(g[0])]


@claim(r"Most of this tile is N, P of the mapped area", r"This tile is mainly N, with P of the mapped area")
def _(c: Counts, g: Sequence[str]) -> bool:
    return c.area(bare(g[0])) >= 59.9 and c.mapped >= 0.89 * c.pixels and _largest(c, g[0], g[1])


@claim(
    r"The two largest classes of this tile are N \(P\) and N \(P\)",
    r"No single class prevails in this tile: the largest are N \(P\) and N \(P\)",
)
def _(c: Counts, g: Sequence[str]) -> bool:
    first, second = c.ranked[:2]
    close = c.area(first) - c.area(second) < 5.1
    return bool(close) and _largest(c, g[0], g[1]) and bare(g[2]) == second and is_pct(g[3], c.area(second))


@claim(
    r"The largest class of this tile is N, with P of the mapped area",
    r"This tile is mixed; its largest class, N, covers P of the mapped area",
)
def _(c: Counts, g: Sequence[str]) -> bool:
    return _largest(c, g[0], g[1]) and c.area(c.ranked[0]) < 60.1


def _largest(c: Counts, name: str, pct: str) -> bool:
    return bare(name) == c.ranked[0] and is_pct(pct, c.area(bare(name)))


@claim(r"The next class by area is N \(P\)", r"The next classes by area are N \(P\) and N \(P\)")
def _(c: Counts, g: Sequence[str]) -> bool:
    first, second = c.ranked[:2]
    before = 2 if c.area(first) - c.area(second) < 4.9 else 1
    close = 4.9 <= c.area(first) - c.area(second) < 5.1
    named = [bare(name) for name in g[::2]]
    return named in [c.ranked[n : n + len(named)] for n in ((1, 2) if close else (before,))] and _shares(c, g)


@claim(r"The map also shows N \(P\)(?: and N \(P\))?")
def _(c: Counts, g: Sequence[str]) -> bool:
    return all(bare(name) in c.ranked[1:4] for name in g[::2] if name) and _shares(c, g)


def _shares(c: Counts, named: Sequence[str | None]) -> bool:
    """Whether names and percentages in turn are right."""
    pairs = [(bare(name), pct) for name, pct in zip(named[::2], named[1::2], strict=True) if name and pct]
    return all(c.area(name) >= 9.9 and is_pct(pct, c.area(name)) for name, pct in pairs)


@claim(r"Small areas are mapped as L", r"There are also small areas of L")
def _(c: Counts, g: Sequence[str]) -> bool:
    named = [name for name in in_list(g[0], c.names) if name != "?"]
    return all(0 < c.area(name) < 10.1 and c.px[c.at(name)] >= FEW for name in named)


@claim(r"The network is less sure of N than of the rest, with a mean confidence of P")
@claim(r"Confidence is lowest for N \(P on average\)")
def _(c: Counts, g: Sequence[str]) -> bool:
    return _least_sure(c, bare(g[0])) and is_pct(g[1], c.confidence(bare(g[0])))


@claim(r"C, check N, where the network is less sure than elsewhere")
def _(c: Counts, g: Sequence[str]) -> bool:
    return _least_sure(c, bare(g[0]))


def _least_sure(c: Counts, name: str) -> bool:
    large = [n for n in c.ranked if c.px[c.at(n)] >= FEW and c.area(n) >= 0.15 or n == name]
    lowest = min(c.confidence(n) for n in large)
    return c.confidence(name) <= lowest + 1 and c.confidence(name) <= c.mean_confidence - 9


@claim(rf"There are too few labels in this tile to measure its accuracy{ELSEWHERE}")
def _(c: Counts, g: Sequence[str]) -> bool:
    return 0 < int(c.confusion.sum()) < FEW and _elsewhere(c, *g)


@claim(
    rf"The accuracy of this tile was not measured, since it has no labels{ELSEWHERE}",
    rf"Without labels in this tile, its accuracy is unknown{ELSEWHERE}",
)
def _(c: Counts, g: Sequence[str]) -> bool:
    return not c.confusion.any() and _elsewhere(c, *g)


def _elsewhere(c: Counts, mean: str | None, worst: str | None, one_scene: str | None, unknown: str | None) -> bool:
    """Whether a sentence on the confidence on other scenes, or its absence, fits the model card's calibration."""
    fit = (c.arrays.card.get("calibration") if c.arrays else None) or {}
    unseen = fit.get("unseen") or {"scenes": 0}
    several = (fit.get("scenes") or 0) > 1 and unseen["scenes"] == 0
    if bool(unknown) != several or bool(one_scene) != (fit.get("scenes") == 1):
        return False
    if (mean is None) != (unseen["scenes"] == 0):
        return False
    if (worst is None) != (unseen["scenes"] < 2) or (worst and not is_pct(worst, 100 * unseen["ece_worst"])):
        return False
    return mean is None or is_pct(mean, 100 * unseen["ece_mean"])


@claim(
    r"The labels contain L, but the map shows none in this tile",
    r"Nothing is mapped as L here, although the labels contain (?:it|them)",
    r"C, look for L, which the labels contain and the map lacks",
)
def _(c: Counts, g: Sequence[str]) -> bool:
    found = in_list(g[0], c.names)
    return len(found) == len(c.missed) and set(found) - {"?"} <= set(c.missed)


@claim(rf"The map matches the labels (poorly|only fairly well) for N: it {FINDS}{WEAK}")
def _(c: Counts, g: Sequence[str]) -> bool:
    return _weakest(c, g[0], g[1], g[2:6], g[6])


@claim(rf"Against the labels, N is mapped (poorly|only fairly well): the map {FINDS}{WEAK}")
def _(c: Counts, g: Sequence[str]) -> bool:
    return _weakest(c, g[1], g[0], g[2:6], g[6])


def _weakest(c: Counts, how: str, name: str, figures: Sequence[str | None], others: str | None) -> bool:
    weak, value, (found, truth, mapped, pct) = c.weak, c.iou(bare(name)), figures
    level = value < 0.505 if how == "poorly" else 0.495 <= value < 0.755
    right = bool(weak) and value <= c.iou(weak[0]) + 0.01 and level and truth == name
    both = c.finds(bare(name)), c.right_share(bare(name))
    if found is None or pct is None:
        right = right and both == (0, None) and found == pct == mapped
    else:
        right = right and is_pct(found, both[0]) and both[1] is not None and is_pct(pct, both[1]) and mapped == name
    if others == "several other classes":
        return right and len(weak) > 3
    return right and {bare(name), *(in_list(others, c.names) if others else [])} == set(weak)


@claim(r"C, check the area mapped as N: the map shows (too) much of it")
@claim(r"C, look for N that is mapped as another class: the map shows too (little) of it")
@claim(r"C, check N, which the map misses in some places and shows (wrongly) in others")
def _(c: Counts, g: Sequence[str]) -> bool:
    at = c.at(bare(g[0]))
    if not c.weak or c.iou(bare(g[0])) > c.iou(c.weak[0]) + 0.01:
        return False
    labelled, mapped, both = c.confusion[at].sum(), c.confusion[:, at].sum(), c.confusion[at, at]
    return bool(
        {
            "too": mapped > 1.15 * labelled,
            "little": mapped < labelled / 1.15,
            "wrongly": both < min(labelled, mapped),
        }[g[1]]
    )


@claim(r"Of the (\d+) classes with enough labels, N is mapped best and N least well")
def _(c: Counts, g: Sequence[str]) -> bool:
    ious = sorted(map(c.iou, c.measured))
    best, worst = c.iou(bare(g[1])), c.iou(bare(g[2]))
    return len(ious) == int(g[0]) >= 3 and best >= ious[-1] - 0.01 and worst <= ious[0] + 0.01 and best - worst > 0.08


@claim(r"Of the pixels labelled N, P are mapped as N")
def _(c: Counts, g: Sequence[str]) -> bool:
    return _confused(c, g[0], g[2], g[1])


@claim(r"The map shows N for P of the pixels that are labelled N")
def _(c: Counts, g: Sequence[str]) -> bool:
    return _confused(c, g[2], g[0], g[1])


def _confused(c: Counts, truth: str, mapped: str, pct: str) -> bool:
    value = 100 * c.confusion[c.at(bare(truth)), c.at(bare(mapped))] / c.truth(bare(truth))
    return truth != mapped and c.truth(bare(truth)) >= FEW and is_pct(pct, value)


@claim(
    r"C, see whether areas mapped as N are in fact N",
)
def _(c: Counts, g: Sequence[str]) -> bool:
    mapped, truth = map(bare, g)
    return int(c.confusion[c.at(truth), c.at(mapped)]) >= 0.194 * c.truth(truth)


SHIFT = (
    r"(; their alignment is uncertain, so edges may be displaced|"
    r"; the two could not be aligned, so they may be shifted against each other)?"
)


@claim(
    r"The map is based on the optical image only, since there is no usable SAR here",
    r"Only the optical image decides here, as no SAR pixel of this tile is usable",
)
def _(c: Counts, _: Sequence[str]) -> bool:
    return c.sar == 0


@claim(
    r"The map is based on SAR only, since no optical pixel of this tile is usable",
    r"Only SAR decides here, as the optical image has no usable pixel in this tile",
)
def _(c: Counts, _: Sequence[str]) -> bool:
    return c.optical == 0


@claim(rf"Both sensors have usable pixels in this tile{SHIFT}")
def _(c: Counts, g: Sequence[str]) -> bool:
    return c.optical > 0 and c.sar > 0 and _shift(c, g[0])


@claim(
    rf"The optical image has most of the weight, P, SAR the rest{SHIFT}",
    rf"SAR has less weight here: P is on the optical image{SHIFT}",
)
def _(c: Counts, g: Sequence[str]) -> bool:
    return c.optical_weight >= 65 and is_pct(g[0], c.optical_weight) and _shift(c, g[1])


@claim(
    rf"SAR has most of the weight, P, the optical image the rest{SHIFT}",
    rf"The optical image has less weight here: P is on SAR{SHIFT}",
)
def _(c: Counts, g: Sequence[str]) -> bool:
    return c.optical_weight <= 35 and is_pct(g[0], 100 - c.optical_weight) and _shift(c, g[1])


@claim(
    rf"Both sensors contribute to the map: the optical image has P of the weight, SAR the rest{SHIFT}",
    rf"The classes follow from both sensors, with P of the weight on the optical image{SHIFT}",
)
def _(c: Counts, g: Sequence[str]) -> bool:
    return 35 < c.optical_weight < 65 and is_pct(g[0], c.optical_weight) and _shift(c, g[1])


def _shift(c: Counts, words: str | None) -> bool:
    if words is None:
        return c.registration in ("good", "single_sensor")
    return c.registration == ("weak" if "uncertain" in words else "rejected")


@claim(
    r"Clouds or their shadows hide P of this tile(, where only SAR can be used)?",
    r"In the optical image, P of this tile is under clouds or their shadows(, where only SAR can be used)?",
)
def _(c: Counts, g: Sequence[str]) -> bool:
    return c.cloud_pct >= 0.5 and is_pct(g[0], c.cloud_pct) and c.unknown_pct <= 0.5 and bool(g[1]) == (c.sar > 0)


@claim(r"Clouds hide at least P of this tile; for P there is no cloud mask")
def _(c: Counts, g: Sequence[str]) -> bool:
    return c.unknown_pct >= 0.5 and is_pct(g[0], c.cloud_pct) and is_pct(g[1], c.unknown_pct)


@claim(r"Whether clouds affect this tile is unknown, since it has no cloud mask")
def _(c: Counts, _: Sequence[str]) -> bool:
    return c.unknown_pct >= 99.5


@claim(r"For P of this tile there is no cloud mask, so clouds there are unknown")
def _(c: Counts, g: Sequence[str]) -> bool:
    return c.unknown_pct >= 0.5 and is_pct(g[0], c.unknown_pct)


@claim(r"The cloud mask marks P of this tile")
def _(c: Counts, g: Sequence[str]) -> bool:
    return c.optical > 0 and c.unknown_pct <= 0.5 and is_pct(g[0], c.cloud_pct)


@claim(
    r"C, compare the clouded part with a clear image",
)
def _(c: Counts, _: Sequence[str]) -> bool:
    return c.cloud_pct >= 19.5


@claim(
    r"C, check whether edges are where the optical image shows "
    r"them",
)
def _(c: Counts, _: Sequence[str]) -> bool:
    return c.registration in ("weak", "rejected")


@claim(
    r"No figure stands out; check the edges between classes",
    r"No figure points to a certain place to check, so look at the edges between classes",
)
def _(c: Counts, _: Sequence[str]) -> bool:
    by_reason = c.arrays is not None and c.arrays.stands_out
    return len(c.ranked) > 1 and not (c.missed or c.weak or c.cloud_pct >= 20.5 or by_reason)


@claim(
    r"Check with another source whether this tile contains anything but N",
    r"Check whether the tile contains anything but N",
)
def _(c: Counts, g: Sequence[str]) -> bool:
    return bare(g[0]) == c.ranked[0] and all(c.area(name) < 0.1 for name in c.ranked[1:])
