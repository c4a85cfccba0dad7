"""Slots: placeholders like ``{area_pct.water}`` that are replaced by figures of the facts.

Texts are written with slots instead of numbers, so that each figure has the right class and unit.
"""

import re
from dataclasses import dataclass
from typing import Literal

from clairemap.artefacts.explanations import TileFacts

FigureKind = Literal[
    "area", "confidence", "iou", "f1", "optical share", "clouds", "clouds unknown", "mapped", "accuracy", "confusion"
]

SLOT = re.compile(r"\{([^{}]*)\}")


@dataclass(frozen=True)
class Slot:
    """The figure of a slot: its kind, its classes (truth before mapped), and its text."""

    kind: FigureKind
    classes: tuple[str, ...]
    text: str


class UnknownSlotError(KeyError):
    """A text has a slot that is not in the facts."""


def slots_of(facts: TileFacts) -> dict[str, Slot]:
    """Return all slots of a tile's facts by their key, the text between the braces."""
    slots = {
        "confidence_pct": Slot("confidence", (), _percent_text(facts.confidence_pct)),
        "optical_share_pct": Slot("optical share", (), _percent_text(facts.optical_share_pct)),
        "mapped_pct": Slot("mapped", (), _percent_text(facts.mapped_pct)),
    }
    if facts.cloud_pct is not None:
        slots["cloud_pct"] = Slot("clouds", (), _percent_text(facts.cloud_pct))
    if facts.has_unknown_clouds:
        slots["cloud_unknown_pct"] = Slot("clouds unknown", (), _percent_text(facts.cloud_unknown_pct))
    if facts.oa_pct is not None:
        slots["oa_pct"] = Slot("accuracy", (), _percent_text(facts.oa_pct))
    for c in facts.classes:
        if c in facts.shown:
            slots[f"area_pct.{c.name}"] = Slot("area", (c.name,), f"{c.area_pct:.1f} %")
        if c.confidence_pct is not None:
            slots[f"confidence_pct.{c.name}"] = Slot("confidence", (c.name,), _percent_text(c.confidence_pct))
        if c.iou is not None:
            slots[f"iou.{c.name}"] = Slot("iou", (c.name,), f"{c.iou:.2f}")
        if c.f1 is not None:
            slots[f"f1.{c.name}"] = Slot("f1", (c.name,), f"{c.f1:.2f}")
    for pair in facts.confusions:
        key = f"confused_pct.{pair.truth}>{pair.mapped}"
        slots[key] = Slot("confusion", (pair.truth, pair.mapped), _percent_text(pair.pct))
    return slots


def fill(text: str, slots: dict[str, Slot]) -> str:
    """Return the text with its slots replaced by figures.

    Raises:
        UnknownSlotError: a slot is not in `slots`.
    """

    def filled(match: re.Match[str]) -> str:
        slot = find_slot(match[1], slots)
        if slot is None:
            raise UnknownSlotError(match[0])
        return slot.text

    return SLOT.sub(filled, text)


def find_slot(key: str, slots: dict[str, Slot]) -> Slot | None:
    """Return the slot of a key, ignoring case and surrounding spaces; None if there is none."""
    if key in slots:
        return slots[key]
    folded = key.strip().casefold()
    return next((slot for known, slot in slots.items() if known.casefold() == folded), None)


def _percent_text(value: int) -> str:
    return f"{value} %"
