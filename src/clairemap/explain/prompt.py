"""The prompt: the facts of one tile as levels and slots, without numbers."""

from dataclasses import dataclass
from typing import Literal

from clairemap.artefacts.explanations import ClassFacts, Confused, TileFacts
from clairemap.explain.caveats import required_caveats
from clairemap.explain.slots import slots_of

PROMPT_VERSION = "3"
"""Part of each answer's key: increase it when a text of the prompt changes."""

MAX_CLASSES = 8
MAX_FAULTS = 6

SYSTEM = """\
You describe land-cover maps to the people who use them. You get the facts of a tile of a map: levels, and slots that \
are replaced by figures afterwards. Write three to six plain English sentences about this tile.
Rules:
- Never type a number, a number word, a percent sign or a unit. Write slots instead, exactly as they are listed.
- Put each slot right after the name of its class and after a word for its kind: covers, confidence, IoU, weight.
- Name the classes exactly as they are listed, and no others.
- Use the levels as they are given. Only a class with the level "dominant" dominates.
- Do not mention causes, events, places or dates: they are unknown. Make no comparisons with "than".
- Keep to plain words for shares, confidence, sensors, clouds, registration, training and labels.
- Write what is, not what is not: no negations.
- Mention every point under "Must be mentioned" in a separate sentence.
- Write sentences only: no lists, headings or quotation marks."""

MessageRole = Literal["system", "user", "assistant"]


@dataclass(frozen=True)
class Message:
    """One turn of a conversation."""

    role: MessageRole
    content: str


Conversation = tuple[Message, ...]

EXAMPLE_FACTS = TileFacts(
    classes=(
        ClassFacts(name="peatland", area_pct=54.2, confidence_pct=83, iou=0.81, f1=0.9, label_pct=60.0),
        ClassFacts(name="lichen", area_pct=45.8, confidence_pct=52, iou=0.6, f1=0.75, label_pct=40.0),
    ),
    confidence_pct=66,
    sensor="mostly SAR",
    optical_share_pct=24,
    cloud_pct=31,
    mapped_pct=100,
    registration="weak",
    oa_pct=88,
    labelled_px=9000,
    confusions=(Confused(truth="lichen", mapped="peatland", pct=12),),
)
"""Facts of the example; its classes are unusual, so that a model does not copy them."""

EXAMPLE_ANSWER = (
    "Peatland dominates this tile and covers {area_pct.peatland} of its mapped area, while lichen covers "
    "{area_pct.lichen}. The mean confidence is medium at {confidence_pct}, and lichen has the lowest confidence, "
    "{confidence_pct.lichen}. Clouds cover {cloud_pct} of the tile. The map relies mostly on the SAR image, and "
    "the optical image has a weight of {optical_share_pct}. The registration of the images is weak. Agreement with "
    "the labels is fair: the map is correct for {oa_pct} of the labelled area, but lichen has an IoU of {iou.lichen}."
)


def conversation(facts: TileFacts) -> Conversation:
    """Return the conversation about a tile: rules, example, facts of the tile."""
    return (
        Message("system", SYSTEM),
        Message("user", describe(EXAMPLE_FACTS)),
        Message("assistant", EXAMPLE_ANSWER),
        Message("user", describe(facts)),
    )


def retry(first: Conversation, answer: str, faults: list[str]) -> Conversation:
    """Return the conversation that asks for a second text, with the faults of the first."""
    listed = "\n".join(f"- {fault}" for fault in faults[:MAX_FAULTS])
    return (
        *first,
        Message("assistant", answer),
        Message("user", f"Your text has these faults:\n{listed}\nWrite the whole text again without them."),
    )


def describe(facts: TileFacts) -> str:
    """Return the facts of a tile as text for the model."""
    levels = [f"{name}: {level}" for name, level in facts.levels().items() if level is not None]
    caveats = [f"- {what}" for what, _ in required_caveats(facts)] or ["- nothing"]
    return "\n".join(
        [
            "Levels of the tile: " + ", ".join(levels) + ".",
            "Classes, largest first, with their slots:",
            *(_class_line(c, facts) for c in _described_classes(facts)),
            "Slots of the tile: " + ", ".join(f"{{{key}}}" for key in slots_of(facts) if "." not in key) + ".",
            *(_confusion_line(pair) for pair in facts.confusions),
            "Must be mentioned:",
            *caveats,
        ]
    )


def _described_classes(facts: TileFacts) -> list[ClassFacts]:
    """Return the largest classes, the missed ones, and the one that must be mentioned."""
    needed = [*facts.missed, *([facts.worst] if facts.worst else [])]
    return list(dict.fromkeys([*facts.classes[:MAX_CLASSES], *needed]))


def _class_line(c: ClassFacts, facts: TileFacts) -> str:
    slots = [f"{{{key}}}" for key, slot in slots_of(facts).items() if slot.classes == (c.name,)]
    levels = [
        "only in the labels, not in the map" if c.confidence is None else f"confidence {c.confidence}",
        *([] if c.accuracy is None else [f"agreement {c.accuracy}"]),
    ]
    return f"- {c.name}: {', '.join(slots)} ({', '.join(levels)})"


def _confusion_line(pair: Confused) -> str:
    return f"Of the {pair.truth} in the labels, {{confused_pct.{pair.truth}>{pair.mapped}}} is mapped as {pair.mapped}."
