"""Made facts, texts in other words than the template's, and mutations that turn a true text into a false one."""

import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from clairemap.artefacts.explanations import ClassFacts, Confused, SensorUse, TileFacts
from clairemap.explain.slots import fill, slots_of
from clairemap.explain.tile_sums import sensor_use

LEGENDS = (
    ("water", "forest", "grassland", "cropland", "village", "city", "road"),
    ("farmland", "city", "village", "water", "forest", "road", "others"),
    ("bareland", "rangeland", "developed", "road", "tree", "water", "cropland", "building"),
    ("no data", "trees", "flooded vegetation", "crops", "built area", "bare ground", "snow/ice", "clouds", "rangeland"),
    ("permanent water", "flooded", "burnt area", "dry land"),
    ("CORINE 1.1", "CORINE 1.2", "CORINE 2.1", "CORINE 3.1"),
)


def made_facts(seed: int, legend: tuple[str, ...]) -> TileFacts:
    """Return random facts that fit together as facts from arrays do."""
    rng = random.Random(f"{seed} {legend}")
    names = rng.sample(legend, rng.randint(1, min(len(legend), 6)))
    cuts = sorted(rng.sample(range(1, 1000), len(names) - 1))
    shares = sorted((b - a for a, b in zip([0, *cuts], [*cuts, 1000], strict=True)), reverse=True)
    labelled = rng.random() < 0.6
    classes = tuple(_class(rng, name, share / 10, labelled) for name, share in zip(names, shares, strict=True))
    missed = [name for name in legend if name not in names][: rng.choice([0, 0, 1, 2])] if labelled else []
    classes += tuple(_missed(rng, name) for name in missed)
    optical, sar = rng.choice([(1, 1), (1, 1), (1, 1), (1, 0), (0, 1)])
    share = rng.randint(0, 100) if optical and sar else 100 * optical
    sensor = sensor_use(share, optical, sar)
    clouds = rng.choice([(0, 0), (0, 0), (rng.randint(1, 60), 0), (None, rng.randint(1, 100)), (7, 30)])
    return TileFacts(
        classes=classes,
        confidence_pct=rng.randint(30, 99),
        sensor=sensor,
        optical_share_pct=share,
        cloud_pct=clouds[0] if optical else None,
        cloud_unknown_pct=clouds[1] if optical else 0,
        mapped_pct=rng.choice([100, rng.randint(5, 99)]),
        registration=rng.choice(["good", "weak", "rejected"]) if optical and sar else "single_sensor",
        oa_pct=rng.randint(20, 99) if labelled else None,
        labelled_px=9000 if labelled else rng.choice([0, 0, 11]),
        unseen=tuple(rng.sample(missed, 1)) if missed and rng.random() < 0.5 else (),
        confusions=_confusions(rng, legend) if labelled and len(legend) > 1 else (),
    )


def _class(rng: random.Random, name: str, area_pct: float, labelled: bool) -> ClassFacts:
    iou = rng.randint(5, 95) / 100
    return ClassFacts(
        name=name,
        area_pct=area_pct,
        confidence_pct=rng.randint(25, 99),
        iou=iou if labelled else None,
        f1=round(2 * iou / (1 + iou), 2) if labelled else None,
        label_pct=rng.choice([0.4, 1.0, 20.0]) if labelled else 0.0,
    )


def _missed(rng: random.Random, name: str) -> ClassFacts:
    label_pct = rng.choice([0.4, 30.0])
    return ClassFacts(name=name, area_pct=0.0, confidence_pct=None, iou=0.0, f1=0.0, label_pct=label_pct)


def _confusions(rng: random.Random, legend: tuple[str, ...]) -> tuple[Confused, ...]:
    truth, mapped = rng.sample(legend, 2)
    return (Confused(truth=truth, mapped=mapped, pct=rng.randint(5, 90)),) if rng.random() < 0.6 else ()


def other_words(facts: TileFacts, seed: int) -> str:
    """Return a true text as a language model might write it, with other sentences than the template."""
    rng = random.Random(seed)
    return " ".join([_cover(facts, rng), _confidence(facts, rng), *_caveats(facts, rng), *_accuracy(facts, rng)])


def _cover(facts: TileFacts, rng: random.Random) -> str:
    first, others = facts.largest.name, facts.shown[1:]
    if facts.cover == "uniform":
        return f"The whole mapped part of this tile is {first}, with {{area_pct.{first}}} of it."
    if facts.cover == "dominant":
        opening = rng.choice(
            [
                f"Most of the tile is {first}, which occupies {{area_pct.{first}}}",
                f"The map is dominated by {first} ({{area_pct.{first}}})",
                f"{first.capitalize()} is the dominant class and accounts for {{area_pct.{first}}} of the area",
                f"{{area_pct.{first}}} of the tile is {first}, the main class",
            ]
        )
    else:
        opening = rng.choice(
            [
                f"The tile shows a mosaic of classes, of which {first} is the largest with {{area_pct.{first}}}",
                f"Several classes share this tile: {first} covers {{area_pct.{first}}}",
            ]
        )
    named = ", ".join(f"{c.name} covers {{area_pct.{c.name}}}" for c in others[:3])
    return f"{opening}, while {named}." if named else f"{opening}."


def _confidence(facts: TileFacts, rng: random.Random) -> str:
    words = {"high": ["high", "strong"], "medium": ["medium", "moderate"], "low": ["low", "limited"]}
    word = rng.choice(words[facts.confidence])
    return rng.choice(
        [
            f"Overall the classifier shows {word} confidence of {{confidence_pct}}.",
            f"With {{confidence_pct}}, the average confidence is {word}.",
        ]
    )


def _caveats(facts: TileFacts, rng: random.Random) -> Iterator[str]:
    sensors: dict[SensorUse, list[str]] = {
        "optical only": ["Only the optical image could be used here.", "It relies on optical data alone."],
        "SAR only": ["Only the radar image could be used here.", "The result is based solely on SAR."],
        "mostly optical": ["It relies mainly on the optical image, with a weight of {optical_share_pct}."],
        "mostly SAR": ["The radar image carries most of it: optical has a weight of {optical_share_pct}."],
        "both": ["Both sensors contribute, with an optical weight of {optical_share_pct}."],
    }
    yield rng.choice(sensors[facts.sensor])
    if facts.clouds in ("some", "heavy"):
        yield rng.choice(
            ["Clouds cover {cloud_pct} of the tile.", "A part of the tile, {cloud_pct}, lies under clouds."]
        )
    if facts.has_unknown_clouds:
        yield rng.choice(
            [
                "Whether there are clouds is unknown for {cloud_unknown_pct} of the optical image.",
                "Clouds are unknown for {cloud_unknown_pct} of the optical image.",
            ]
        )
    for name in facts.unseen:
        yield f"The class {name} is unseen: the training left it out."
    if facts.registration == "weak":
        yield "Please note that the alignment of the images is weak."
    if facts.registration == "rejected":
        yield "Please note that the co-registration was rejected."


def _accuracy(facts: TileFacts, rng: random.Random) -> Iterator[str]:
    if facts.oa_pct is None:
        return
    yield rng.choice(["The labels agree with the map on {oa_pct} of the area.", "Accuracy reaches {oa_pct}."])
    if facts.worst is not None:
        worst = facts.worst.name
        yield rng.choice(
            [
                f"Agreement is {facts.accuracy} for {worst}, with an IoU of {{iou.{worst}}}.",
                f"The IoU of {worst} is {{iou.{worst}}}, which is {facts.accuracy}.",
            ]
        )
    first = facts.largest.name
    yield f"For {first}, the IoU is {{iou.{first}}} and the F1 score {{f1.{first}}}."
    for pair in facts.confusions:
        yield f"{{confused_pct.{pair.truth}>{pair.mapped}}} of {pair.truth} is confused with {pair.mapped}."


@dataclass(frozen=True)
class Good:
    """A true text with slots, and what it is about."""

    facts: TileFacts
    legend: tuple[str, ...]
    text: str

    @property
    def filled(self) -> str:
        """The text with its figures."""
        return fill(self.text, slots_of(self.facts))


Mutation = Callable[[Good, random.Random], str | None]
"""Returns a false text, or None if the text has nothing to change in this way."""

NUMBER = re.compile(r"\d+(?:\.\d+)?(?: %)?")
SLOT = re.compile(r"\{[^{}]*\}")


def swapped_slots(good: Good, rng: random.Random) -> str | None:
    """Two slots of different figures change places."""
    places = [match for match in SLOT.finditer(good.text)]
    pairs = [(a, b) for a in places for b in places if a.start() < b.start() and a[0] != b[0]]
    if not pairs:
        return None
    a, b = rng.choice(pairs)
    return good.text[: a.start()] + b[0] + good.text[a.end() : b.start()] + a[0] + good.text[b.end() :]


def swapped_numbers(good: Good, rng: random.Random) -> str | None:
    """Two different figures change places in the filled text."""
    places = figures(good)
    pairs = [(a, b) for a in places for b in places if a.start() < b.start() and a[0] != b[0]]
    if not pairs:
        return None
    text, (a, b) = good.filled, rng.choice(pairs)
    return text[: a.start()] + b[0] + text[a.end() : b.start()] + a[0] + text[b.end() :]


def changed_unit(good: Good, rng: random.Random) -> str | None:
    """A figure gets another unit."""
    place = rng.choice(figures(good))
    unit = rng.choice([" ha", " km²", " hectares", " pixels", " percentage points", " m", " dB", " square kilometres"])
    if "%" not in place[0]:
        unit = rng.choice([unit, " %"])
    number = place[0].removesuffix(" %")
    return good.filled[: place.start()] + number + unit + good.filled[place.end() :]


def wrong_class(good: Good, rng: random.Random) -> str | None:
    """A class of the tile is called by the name of a class that does not occur, in or outside the legend."""
    outside = ["desert", "glaciers", "orchards", "mangrove"]
    foreign = [name for name in good.legend if name not in good.facts.names and name not in ("clouds", "no data")]
    present = [name for name in good.facts.names if f" {name}" in good.text]
    if not present:
        return None
    return good.text.replace(f" {rng.choice(present)}", f" {rng.choice(foreign or outside)}", 1)


def negated_dominance(good: Good, rng: random.Random) -> str | None:
    """The statement on the largest class is negated."""
    options = [
        good.text.replace(" dominates", " does not dominate"),
        good.text.replace(" dominates", " hardly dominates"),
        good.text.replace(" has the largest share", " has the smallest share"),
        good.text.replace(" is the dominant", " is not the dominant"),
        good.text.replace("Most of the tile is", "Little of the tile is not"),
        good.text.replace("This tile is mixed", "This tile is uniform"),
        good.text.replace("This tile is uniform", "This tile is mixed"),
    ]
    if len(good.facts.classes) > 1:
        first, second = good.facts.classes[0].name, good.facts.classes[1].name
        options.append(good.text.replace(f"dominated by {first}", f"dominated by {second}"))
        options.append(good.text.replace(f" {first} dominates", f" {second} dominates"))
    changed = [text for text in options if text != good.text]
    return rng.choice(changed) if changed else None


def caveat_marks(facts: TileFacts) -> Iterator[tuple[str, ...]]:
    """Yield, for each caveat that the facts ask for, words of which the texts' caveat has one."""
    if facts.confidence == "low":
        yield "confidence is low", "low confidence", "limited confidence", "confidence is limited"
    if facts.sensor.endswith("only"):
        yield "alone", "Only", "solely"
    if facts.clouds in ("some", "heavy"):
        yield "{cloud_pct}", "{cloud_pct}"
    if facts.has_unknown_clouds:
        yield ("unknown",)
    if facts.unseen:
        yield ("unseen",)
    if facts.worst is not None:
        yield (f"{{iou.{facts.worst.name}}}",)
    if facts.registration in ("weak", "rejected"):
        yield "registration", "alignment"


def dropped_caveat(good: Good, rng: random.Random) -> str | None:
    """The sentence of a caveat is missing."""
    needed = list(caveat_marks(good.facts))
    if not needed:
        return None
    marks = rng.choice(needed)
    return " ".join(sentence for sentence in _sentences(good.text) if not any(mark in sentence for mark in marks))


def invented_cause(good: Good, rng: random.Random) -> str | None:
    """A cause or an event that is not in the facts is added."""
    first = good.facts.largest.name
    return good.text + rng.choice(
        [
            f" The {first} expanded because of heavy rainfall.",
            " This is due to the recent drought.",
            f" The share of {first} reflects intensive irrigation.",
            " The low contrast results from sensor noise.",
            f" Farmers have probably harvested the {first} already.",
            " A wildfire burnt through the area in the summer.",
            f" The errors are caused by the similar texture of {first}.",
            " Urbanisation has led to this pattern.",
            " The changes stem from a storm.",
            f" Owing to seasonal flooding, {first} looks this way.",
        ]
    )


def spelled_number(good: Good, rng: random.Random) -> str | None:
    """A figure is spelled out."""
    words = ["sixty percent", "about a third", "half", "two thirds", "roughly ninety", "a quarter", "nearly one fifth"]
    place = rng.choice(list(SLOT.finditer(good.text)))
    return good.text[: place.start()] + rng.choice(words) + good.text[place.end() :]


def off_by_one(good: Good, rng: random.Random) -> str | None:
    """The last digit of a figure is one too high or too low."""
    place = rng.choice(figures(good))
    digits = re.sub(r"\D", "", place[0])
    moved = str(max(0, int(digits) + rng.choice([-1, 1]))).rjust(len(digits), "0")
    if moved == digits:
        moved = str(int(digits) + 1).rjust(len(digits), "0")
    whole = place[0].removesuffix(" %")
    if "." in whole:
        after = len(whole) - whole.index(".") - 1
        moved = f"{moved[:-after] or '0'}.{moved[-after:]}"
    changed = moved + (" %" if "%" in place[0] else "")
    return good.filled[: place.start()] + changed + good.filled[place.end() :]


def figures(good: Good) -> list[re.Match[str]]:
    """Return where the filled text has its figures: not the digits in class names and in F1."""
    names = sorted([*good.legend, "F1"], key=len, reverse=True)
    hidden = re.compile("|".join(map(re.escape, names)))
    masked = hidden.sub(lambda match: "x" * len(match[0]), good.filled)
    return list(NUMBER.finditer(masked))


def unknown_as_clear(good: Good, rng: random.Random) -> str | None:
    """Unknown clouds are described as no clouds."""
    if good.facts.clouds != "unknown" or not good.facts.has_unknown_clouds:
        return None
    kept = [sentence for sentence in _sentences(good.text) if "unknown" not in sentence]
    return " ".join(
        [
            *kept,
            rng.choice(
                [
                    "No clouds hide the optical image.",
                    "The optical image is cloudless.",
                    "The optical image is clear.",
                    "Clouds hide little of the optical image.",
                    "The tile is free of clouds.",
                ]
            ),
        ]
    )


def better_agreement(good: Good, rng: random.Random) -> str | None:
    """The agreement follows the overall accuracy although a class is worse."""
    if good.facts.worst is None:
        return None
    kept = [sentence for sentence in _sentences(good.text) if not sentence.startswith("Agreement")]
    best = max(good.facts.classes, key=lambda c: c.iou or 0.0)
    better = "good" if good.facts.accuracy == "poor" else rng.choice(["good", "excellent", "high"])
    texts = [
        f"Agreement with the labels is {better}: the map is right for {{oa_pct}} of the labelled area.",
        f"The map agrees with the labels, and the agreement is {better}.",
        f"Agreement with the labels is {better}, and the IoU of {best.name} is {{iou.{best.name}}}.",
        f"Accuracy is {better} with {{oa_pct}}.",
    ]
    return " ".join([*kept, rng.choice(texts)])


def other_unseen_class(good: Good, rng: random.Random) -> str | None:
    """A class in the training data is described as unseen."""
    trained = [c.name for c in good.facts.shown if c.name not in good.facts.unseen]
    if not trained:
        return None
    return f"{good.text} The training left out {rng.choice(trained)}, so the map is unreliable there."


def _sentences(text: str) -> list[str]:
    return re.split(r"(?<=[.]) (?=[A-Z{])", text)


SLOTTED: dict[str, Mutation] = {
    "swapped slots": swapped_slots,
    "wrong class": wrong_class,
    "negated dominance": negated_dominance,
    "dropped caveat": dropped_caveat,
    "invented cause": invented_cause,
    "spelled-out number": spelled_number,
    "unknown as clear": unknown_as_clear,
    "better agreement": better_agreement,
    "other unseen class": other_unseen_class,
}
FILLED: dict[str, Mutation] = {
    "swapped numbers": swapped_numbers,
    "unit change": changed_unit,
    "off-by-one": off_by_one,
}
