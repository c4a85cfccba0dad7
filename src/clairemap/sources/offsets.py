"""The offset of a band, decided once, with the evidence for it.

Known faults of metadata, and what happens here:

| evidence | decision |
|---|---|
| `sensors.*.offset` is set | that value |
| the same offset twice, for example metadata and a tag of the file | added once |
| two offsets | refused |
| an offset, but the baseline has none; or none, but the baseline has one | refused |
| a provider has removed the offset; the catalogue still states one | removed counts: catalogues state the product's |
| neither | 0 if nothing says that there could be one, otherwise refused |

Whether the values fit the decision is checked in `plausible_offset`: catalogues exist whose flag is wrong.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from clairemap.errors import ValuesError
from clairemap.sources.cells import Role
from clairemap.sources.product import Evidence

TOLERANCE = 0.5
"""Offsets that differ by less than this, in stored numbers, are equal: catalogues round -0.1 / 0.0001."""


@dataclass(frozen=True)
class Decision:
    """An offset to add to stored numbers, and where it was read."""

    offset: float
    decided_by: str


NO_EVIDENCE = Decision(0.0, "no metadata state an offset")


def decided(evidence: Sequence[Evidence], setting: float | None, where: str, role: Role) -> Decision:
    """Return the offset of a band.

    Args:
        evidence: all that metadata and tags say.
        setting: `sensors.*.offset`; None: the metadata decide.
        where: cell and band, for messages.
        role: for the name of the setting.

    Raises:
        ValuesError: the evidence contradicts itself, or does not decide.
    """
    key = f"sensors.{role}.offset"
    if setting is not None:
        return Decision(setting, key)
    stated = [item for item in evidence if item.statement == "add" and item.offset is not None]
    removed = [item for item in evidence if item.statement == "removed"]
    expected = [item for item in evidence if item.statement == "expected" and item.offset is not None]
    if removed:
        return Decision(0.0, removed[0].where)
    for item in (*stated[1:], *(expected if stated else ())):
        if abs(_of(item) - _of(stated[0])) > TOLERANCE:
            raise ValuesError(f"{where}: {_contradiction(stated[0], item)}. {_remedy(key, stated[0], item)}")
    if stated:
        return Decision(_of(stated[0]), " and ".join(dict.fromkeys(item.where for item in stated)))
    if expected and _of(expected[0]) == 0:
        return Decision(0.0, expected[0].where)
    if expected:
        raise ValuesError(
            f"{where}: {expected[0].where} has the offset {_of(expected[0]):g}, but the metadata state none: it may "
            f"have been removed already. {_remedy(key, expected[0])}"
        )
    if unknown := [item for item in evidence if item.statement == "unknown"]:
        raise ValuesError(
            f"{where}: cannot tell whether its numbers have the offset -1000 of Sentinel-2's processing baseline 04.00 "
            f"and later ({unknown[0].where}). Set {key}: -1000 if they are as delivered by ESA since January 2022 or "
            f"reprocessed (baseline 04.00 or later in the product's name, N0400); {key}: 0 if they are older or a "
            "provider has removed it"
        )
    return NO_EVIDENCE


def _of(item: Evidence) -> float:
    return item.offset or 0.0


def _contradiction(first: Evidence, second: Evidence) -> str:
    verb = "has" if second.statement == "expected" else "states"
    return f"{first.where} states the offset {_of(first):g}, but {second.where} {verb} {_of(second):g}"


def _remedy(key: str, *items: Evidence) -> str:
    values = sorted({_of(item) for item in items} | {0.0})
    shown = " or ".join(f"{value:g}" for value in values)
    return f"Look at the values of dark pixels and set {key} ({shown}; it is added to the stored numbers, 0: none)"
