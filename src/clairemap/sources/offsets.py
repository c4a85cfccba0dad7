"""The offset of a band, decided once, with the evidence for it.

Known faults of metadata, and what happens here:

| evidence | decision |
|---|---|
| `sensors.optical.scene_offsets` names the scene | that value |
| the same offset twice, for example metadata and a tag of the file | added once |
| a provider has removed the offset; the catalogue still states one | removed counts: catalogues state the product's |
| two offsets | not decided |
| an offset, but the baseline has none; or none, but the baseline has one | not decided |
| an offset that would make many pixels negative: the provider has removed it without stating so | not decided |
| none, and files of this kind exist with and without one | not decided |
| none, and no metadata suggest one | 0 |

What is not decided is `sensors.optical.offset` if that is set, otherwise the scene is refused.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from clairemap.errors import ValuesError
from clairemap.settings import ResolvedOptical, ResolvedSar
from clairemap.sources.product import Evidence

TOLERANCE = 0.5
"""Offsets that differ by less than this, in stored numbers, are equal: catalogues round -0.1 / 0.0001."""

DARKEST = -200.0
MAX_NEGATIVE_SHARE = 0.05
"""Reflectance × 10 000 below `DARKEST` is not measured; a larger share of such pixels shows a wrong offset."""

KEY = "sensors.optical.offset"
BY_SCENE = "sensors.optical.scene_offsets"


@dataclass(frozen=True)
class OffsetKey:
    """The setting that decides: `forced` counts always, `fallback` where the metadata do not decide."""

    forced: float | None = None
    fallback: float | None = None

    @classmethod
    def of(cls, settings: ResolvedOptical | ResolvedSar, scene: str) -> Self:
        """Return the setting for a scene."""
        if isinstance(settings, ResolvedSar):
            return cls()
        return cls(forced=(settings.scene_offsets or {}).get(scene), fallback=settings.offset)


@dataclass(frozen=True)
class Decision:
    """An offset to add to stored numbers, and where it was read."""

    offset: float
    decided_by: str


class _UndecidedError(Exception):
    """The metadata do not decide; the text is the reason."""


def decided(evidence: Sequence[Evidence], key: OffsetKey, where: str, stored: NDArray[Any], scale: float) -> Decision:
    """Return the offset of a band.

    Args:
        evidence: all statements of metadata and tags.
        key: the setting.
        where: cell and band, for messages.
        stored: a sample of valid stored numbers.
        scale: of a stored number, as in reflectance × 10 000.

    Raises:
        ValuesError: the evidence does not decide, and no setting does.
    """
    if key.forced is not None:
        return Decision(key.forced, BY_SCENE)
    try:
        found = _by_metadata(evidence)
        _check_plausible(found, stored, scale)
    except _UndecidedError as reason:
        if key.fallback is not None:
            return Decision(key.fallback, f"{KEY}, because {reason}")
        raise ValuesError(
            f"{where}: the offset of its numbers is not certain: {reason}. Set {KEY}: -1000 if the numbers are those "
            "of Sentinel-2 products of processing baseline 04.00 or later (N0400 in the product's name), or 0 if they "
            f"are older or a provider has removed the offset; for single scenes, {BY_SCENE}: {{SCENE: value}}"
        ) from None
    return found


def _by_metadata(evidence: Sequence[Evidence]) -> Decision:
    stated = [item for item in evidence if item.statement == "add"]
    expected = [item for item in evidence if item.statement == "expected"]
    if removed := [item for item in evidence if item.statement == "removed"]:
        return Decision(0.0, removed[0].where)
    for item in (*stated[1:], *(expected if stated else ())):
        if abs(_of(item) - _of(stated[0])) > TOLERANCE:
            raise _UndecidedError(f"{_stated(stated[0])}, but {_stated(item)}")
    if stated:
        return Decision(_of(stated[0]), " and ".join(dict.fromkeys(item.where for item in stated)))
    if expected and _of(expected[0]) != 0:
        raise _UndecidedError(f"{_stated(expected[0])}, but the metadata state no offset")
    if expected:
        return Decision(0.0, expected[0].where)
    if unknown := [item for item in evidence if item.statement == "unknown"]:
        raise _UndecidedError(f"{unknown[0].where}, and such files exist with and without one")
    return Decision(0.0, "no metadata state an offset")


def _check_plausible(found: Decision, stored: NDArray[Any], scale: float) -> None:
    """Check that an offset of about the size of Sentinel-2's does not make many pixels negative."""
    if found.offset > DARKEST or not stored.size:
        return
    share = float(np.mean((stored + found.offset) * scale < DARKEST))
    if share > MAX_NEGATIVE_SHARE:
        raise _UndecidedError(
            f"{found.decided_by} states {found.offset:g}, but {share:.0%} of the pixels would be below {DARKEST:g} "
            "with it, so it may have been removed already"
        )


def _of(item: Evidence) -> float:
    return item.offset or 0.0


def _stated(item: Evidence) -> str:
    verb = "has" if item.statement == "expected" else "states"
    return f"{item.where} {verb} the offset {_of(item):g}"
