"""Texts on the origin of the scenes' data, from the records of resolve_scene."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from clairemap.artefacts.scene_sources import ResolvedRole, SceneSources
from clairemap.text import shortened

MOST_IDS = 3
"""Maximum number of products and offsets that a cell of the table lists."""


@dataclass(frozen=True)
class OriginRow:
    """A sensor's data of a scene, as texts; empty if unknown."""

    scene: str
    role: str
    product: str
    acquired: str
    cloud_cover: str
    offset: str
    licence: str


def origin_rows(records: Iterable[SceneSources]) -> tuple[OriginRow, ...]:
    """Return a row for each sensor of each scene whose cells were resolved."""
    return tuple(
        _row(record.scene, role, resolved)
        for record in records
        for role, resolved in record.roles.items()
        if role in ("optical", "sar")
    )


def _row(scene: str, role: str, resolved: ResolvedRole) -> OriginRow:
    facts = resolved.facts
    offsets = sorted({f"{band.offset:+g}" if band.offset else "none" for band in resolved.bands})
    return OriginRow(
        scene=scene,
        role={"optical": "optical", "sar": "SAR"}.get(role, role),
        product=shortened(list(facts.ids or dict.fromkeys(_file_name(band.file) for band in resolved.bands)), MOST_IDS),
        acquired="" if facts.acquired is None else facts.acquired.isoformat(),
        cloud_cover="" if facts.cloud_cover_pct is None else f"{facts.cloud_cover_pct:.1f}",
        offset=shortened(offsets, MOST_IDS).replace("-", "\u2212"),
        licence=facts.licence or "",
    )


def _file_name(reference: str) -> str:
    return reference.rsplit("/", 1)[-1]


def origin_properties(records: Iterable[SceneSources]) -> dict[str, Any]:
    """Return the origins of a map's scenes, without labels, as a property of its STAC item; empty if there are none."""
    found = {
        record.scene: {role: _properties(resolved) for role, resolved in record.roles.items() if role != "label"}
        for record in records
    }
    found = {scene: roles for scene, roles in found.items() if roles}
    return {"clairemap:sources": found} if found else {}


def _properties(resolved: ResolvedRole) -> dict[str, Any]:
    known = resolved.facts.model_dump(mode="json", exclude_none=True)
    offsets = {band.name: band.offset for band in resolved.bands if band.offset_from != "codes"}
    return {
        "reader": resolved.reader,
        **{key: value for key, value in known.items() if value not in ((), [])},
        **({"unit": resolved.unit} if resolved.unit else {}),
        **({"offsets": offsets} if offsets else {}),
    }


def origin_links(records: Iterable[SceneSources]) -> tuple[str, ...]:
    """Return the addresses of all products that a map was made from, each once."""
    return tuple(
        dict.fromkeys(link for record in records for resolved in record.roles.values() for link in resolved.facts.links)
    )


def product_ids(records: Iterable[SceneSources]) -> tuple[str, ...]:
    """Return the identifiers of all products that a map was made from, each once."""
    return tuple(
        dict.fromkeys(name for record in records for resolved in record.roles.values() for name in resolved.facts.ids)
    )
