"""Which items are wanted: collections, place, days and cloud cover."""

import datetime
import re
from dataclasses import dataclass
from pathlib import Path

import shapely
from shapely.geometry.base import BaseGeometry

from clairemap.catalogues.documents import Document, DocumentError, read_document
from clairemap.catalogues.item import Item, Sensor
from clairemap.errors import SettingsError, UnreadableFileError
from clairemap.grid.outline import area_of

DAYS = re.compile(r"(\d{4}-\d{2}-\d{2}|\.\.|)(?:/(\d{4}-\d{2}-\d{2}|\.\.|))?\Z", re.ASCII)


@dataclass(frozen=True)
class Days:
    """First and last day, in UTC; None if open."""

    first: datetime.date | None
    last: datetime.date | None

    def widened(self, days: float) -> "Days":
        """Return the days with a margin on both sides."""
        margin = datetime.timedelta(days=-(-days // 1))
        return Days(self.first and self.first - margin, self.last and self.last + margin)

    def has(self, item: Item) -> bool:
        """Whether the period of an item has a part within the days."""
        return not (
            (self.first is not None and item.end.date() < self.first)
            or (self.last is not None and item.start.date() > self.last)
        )

    @property
    def interval(self) -> str | None:
        """The days as an interval of a STAC search; None if both sides are open."""
        if self.first is None and self.last is None:
            return None
        first = ".." if self.first is None else f"{self.first}T00:00:00Z"
        last = ".." if self.last is None else f"{self.last}T23:59:59Z"
        return f"{first}/{last}"


ANY_DAY = Days(None, None)


def days_of(text: str) -> Days:
    """Return the days of ``2024-06-01/2024-08-31``, ``2024-06-01/..``, ``../2024-08-31`` or ``2024-06-01``.

    Raises:
        SettingsError: it is none of these.
    """
    found = DAYS.match(text.strip())
    try:
        if found is None or not any(found.groups()):
            raise ValueError
        first, last = (None if part in ("", "..") else datetime.date.fromisoformat(part) for part in _sides(found))
    except ValueError:
        raise SettingsError(
            f"--dates {text!r}: not a period; use FIRST/LAST, for example 2024-06-01/2024-08-31 or 2024-06-01/.."
        ) from None
    if first is not None and last is not None and first > last:
        raise SettingsError(f"--dates {text!r}: the first day is later than the last; exchange them")
    return Days(first, last)


def _sides(found: re.Match[str]) -> tuple[str, str]:
    return found[1], found[1] if found[2] is None else found[2]


@dataclass(frozen=True)
class Wanted:
    """Conditions for items. Days and cloud cover are those of optical items; SAR items get a margin of days."""

    collections: tuple[str, ...] = ()
    """All if empty."""
    place: BaseGeometry | None = None
    """Area in degrees that footprints must intersect."""
    days: Days = ANY_DAY
    max_cloud_pct: float | None = None
    max_days: float = 0.0

    def refusal(self, item: Item, sensor: Sensor | None) -> str | None:
        """Return the condition that an item does not meet, as a phrase; None if it is wanted."""
        if self.collections and item.collection not in self.collections:
            return "another collection"
        if self.place is not None and not item.footprint.intersects(self.place):
            return "outside the place"
        days = self.days if sensor == "optical" else self.days.widened(self.max_days)
        if not days.has(item):
            return "outside the dates"
        if sensor == "optical" and self.max_cloud_pct is not None:
            cover = item.cloud_cover_pct
            if cover is not None and cover > self.max_cloud_pct:
                return "more cloud"
        return None


def place_of_file(path: Path) -> BaseGeometry:
    """Return the area of all polygons of a GeoJSON file.

    Raises:
        UnreadableFileError: the file is not GeoJSON with polygons in degrees.
    """
    try:
        document = read_document(str(path))
        _check_degrees(document)
        return shapely.union_all([area_of(geometry) for geometry in _geometries(document)])
    except (DocumentError, ValueError) as error:
        raise UnreadableFileError(
            f"{path}: {error}; --region needs a GeoJSON file with polygons in longitudes and latitudes "
            "(ogr2ogr -t_srs EPSG:4326 region.geojson FILE)"
        ) from None


def _check_degrees(document: Document) -> None:
    stated = str(document.get("crs") or "CRS84")
    if not re.search(r"CRS84|4326", stated):
        raise ValueError(f"its CRS is {stated}")


def _geometries(document: Document) -> list[Document]:
    if document.get("type") == "FeatureCollection":
        features = document.get("features")
        found = [feature for feature in features if isinstance(feature, dict)] if isinstance(features, list) else []
        if not found:
            raise ValueError("has no features")
        return [feature.get("geometry") or {} for feature in found]
    return [document.get("geometry") or {}] if document.get("type") == "Feature" else [document]
