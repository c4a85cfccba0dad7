"""A STAC item: identifier, footprint, time, and whether it is optical or SAR."""

import datetime
import math
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from shapely.geometry.base import BaseGeometry

from clairemap.catalogues.documents import Document, is_address, resolved
from clairemap.grid.outline import area_of

Sensor = Literal["optical", "sar"]

INSTRUMENTS: Mapping[Sensor, frozenset[str]] = {
    "sar": frozenset({"c-sar", "sar", "sar-c", "x-sar", "l-sar", "palsar", "palsar-2"}),
    "optical": frozenset(
        {"msi", "oli", "oli-2", "oli2", "tirs", "tirs-2", "tirs2", "etm", "etm+", "tm", "mss", "psb.sd"}
    ),
}
NAMES: Mapping[Sensor, tuple[str, ...]] = {
    "sar": ("sentinel-1", "sentinel-s1", "sentinel1", "radarsat", "alos-palsar", "cosmo-skymed", "capella"),
    "optical": ("sentinel-2", "sentinel-s2", "sentinel2", "landsat", "hls2", "planetscope"),
}
"""Beginnings of platforms, constellations and collections."""


class Located(NamedTuple):
    """A JSON document of an item, where it was read, and the cell that names it; None if no document is the item's."""

    document: Document
    place: str
    cell: str | None
    base: str
    """Address or path where the relative links of the item start."""


class ItemError(Exception):
    """An item cannot be used; the message is a phrase that follows its name."""


@dataclass(frozen=True, order=True)
class Item:
    """An item with the facts that pairs are made of. Items are ordered by time, then by identifier."""

    start: datetime.datetime
    end: datetime.datetime
    id: str
    collection: str
    """Empty if the item states none."""
    located: Located = field(compare=False)
    footprint: BaseGeometry = field(compare=False)
    """Area between -180 and 180 degrees."""

    @property
    def name(self) -> str:
        """Identifier with collection, for messages."""
        return f"{self.id} ({self.collection})" if self.collection else self.id

    @property
    def properties(self) -> Mapping[str, Any]:
        """Properties of the item; a missing or unusable one is empty."""
        found = self.located.document.get("properties")
        return found if isinstance(found, dict) else {}

    @property
    def cloud_cover_pct(self) -> float | None:
        """Cloud cover in percent; None if the item states none."""
        cover = self.properties.get("eo:cloud_cover")
        return float(cover) if isinstance(cover, int | float) and math.isfinite(cover) else None

    @property
    def day(self) -> datetime.date | None:
        """Day of the acquisition in UTC; None for a period of a day or more, as of a composite."""
        return self.start.date() if self.end - self.start < datetime.timedelta(days=1) else None

    def days_to(self, other: "Item") -> float:
        """Return the days between two items: 0 if their periods overlap."""
        gap = max(self.start, other.start) - min(self.end, other.end)
        return max(gap.total_seconds(), 0.0) / 86400


def item_of(located: Located) -> Item:
    """Return the item of a document.

    Raises:
        ItemError: it has no identifier, no area or no time. The message lists all faults.
    """
    document = located.document
    faults = []
    identifier = document.get("id")
    if not isinstance(identifier, str) or not identifier.strip():
        faults.append("has no id")
    try:
        start, end = _period(document.get("properties"))
    except ValueError as error:
        faults.append(str(error))
    try:
        footprint = _footprint(document.get("geometry"))
    except ValueError as error:
        faults.append(str(error))
    if faults:
        raise ItemError("; ".join(faults))
    collection = document.get("collection")
    return Item(start, end, str(identifier), str(collection or ""), located, footprint)


def self_link(document: Document, base: str) -> str | None:
    """Return the address or path of an item's own document by its link `self`; None without one."""
    for link in links_of(document, "self"):
        return resolved(link, base)
    return None


def links_of(document: Document, *relations: str) -> list[str]:
    """Return the links of a document with one of the given relations."""
    links = document.get("links")
    found = [link for link in links if isinstance(link, dict)] if isinstance(links, list) else []
    return [str(link["href"]) for link in found if link.get("rel") in relations and link.get("href")]


def with_absolute_links(located: Located) -> dict[str, Any]:
    """Return an item's document with absolute links, to be stored elsewhere; links between items are left out."""
    document = dict(located.document)
    assets = document.get("assets")
    if isinstance(assets, dict):
        document["assets"] = {
            key: {**asset, "href": resolved(str(asset["href"]), located.base)} if _has_link(asset) else asset
            for key, asset in assets.items()
        }
    document["links"] = [
        {**link, "href": resolved(str(link["href"]), located.base)}
        for link in document.get("links") or []
        if _has_link(link) and link.get("rel") in ("license", "derived_from", "via") and is_address(str(link["href"]))
    ]
    return document


def sensor_of(item: Item, optical: Collection[str], sar: Collection[str]) -> Sensor | None:
    """Return whether an item is optical or SAR; None if it states neither or both.

    Args:
        item: the item.
        optical: collections whose items are optical, whatever they state.
        sar: collections whose items are SAR, likewise.
    """
    if item.collection in optical:
        return "optical"
    if item.collection in sar:
        return "sar"
    for found in (_by_instrument(item), _by_name(item), _by_property(item)):
        if found:
            return next(iter(found)) if len(found) == 1 else None
    return None


def _has_link(value: object) -> bool:
    return isinstance(value, dict) and bool(value.get("href"))


def _by_instrument(item: Item) -> set[Sensor]:
    stated = item.properties.get("instruments")
    named = {str(name).lower() for name in stated} if isinstance(stated, list) else {str(stated).lower()}
    return {sensor for sensor, instruments in INSTRUMENTS.items() if named & instruments}


def _by_name(item: Item) -> set[Sensor]:
    """Return the sensors of the first of platform, constellation and collection that names one."""
    for stated in (item.properties.get("platform"), item.properties.get("constellation"), item.collection):
        name = re.sub(r"[ _]", "-", str(stated or "").lower())
        found: set[Sensor] = {sensor for sensor, beginnings in NAMES.items() if name.startswith(beginnings)}
        if found:
            return found
    return set()


def _by_property(item: Item) -> set[Sensor]:
    """Return the sensors whose STAC extension the item uses."""
    found: set[Sensor] = set()
    if any(key.startswith("sar:") for key in item.properties):
        found.add("sar")
    if "eo:cloud_cover" in item.properties:
        found.add("optical")
    return found


def _footprint(geometry: object) -> BaseGeometry:
    if geometry is None:
        raise ValueError("has no geometry")
    try:
        return area_of(geometry if isinstance(geometry, dict) else {})
    except ValueError as error:
        raise ValueError(f"its geometry {error}") from None


def _period(properties: object) -> tuple[datetime.datetime, datetime.datetime]:
    stated = properties if isinstance(properties, dict) else {}
    if stated.get("start_datetime") and stated.get("end_datetime"):
        start, end = _instant(stated, "start_datetime"), _instant(stated, "end_datetime")
        if start > end:
            raise ValueError(
                f"its start_datetime {stated['start_datetime']} is later than its end_datetime {stated['end_datetime']}"
            )
        return start, end
    if stated.get("datetime"):
        return (_instant(stated, "datetime"),) * 2
    raise ValueError("has no datetime, and not both start_datetime and end_datetime")


def _instant(properties: Mapping[str, Any], key: str) -> datetime.datetime:
    try:
        found = datetime.datetime.fromisoformat(str(properties[key]))
    except ValueError:
        raise ValueError(f"its {key} {properties[key]!r} is not a time in ISO 8601") from None
    return found.astimezone(datetime.UTC) if found.tzinfo else found.replace(tzinfo=datetime.UTC)
