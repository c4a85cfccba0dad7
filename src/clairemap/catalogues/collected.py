"""The usable items of files, addresses and APIs, without duplicates, by sensor; what is left out and why."""

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace

from clairemap.catalogues.item import Item, ItemError, Located, Sensor, item_of, sensor_of
from clairemap.catalogues.search import search
from clairemap.catalogues.walk import walk
from clairemap.catalogues.wanted import Wanted


@dataclass
class Collected:
    """Items by sensor, each once, and what is not among them."""

    optical: list[Item] = field(default_factory=list)
    sar: list[Item] = field(default_factory=list)
    neither: list[Item] = field(default_factory=list)
    """Items whose metadata state neither or both sensors."""
    faults: list[str] = field(default_factory=list)
    """Documents and items that cannot be used, with their place."""
    refused: Counter[str] = field(default_factory=Counter)
    """Number of items that are not wanted, by reason."""
    repeated: int = 0
    """Number of items that were found more than once."""
    cloud_unknown: list[Item] = field(default_factory=list)
    """Optical items that state no cloud cover."""
    open_pages: list[str] = field(default_factory=list)
    """Pages of a search whose further pages are not read."""


def collected(
    places: Iterable[str], wanted: Wanted, optical_collections: Collection[str], sar_collections: Collection[str]
) -> Collected:
    """Return the items behind files and addresses.

    Args:
        places: items, item collections, catalogues and APIs.
        wanted: conditions for items.
        optical_collections: collections of optical items, whatever these state.
        sar_collections: collections of SAR items, likewise.

    Raises:
        SettingsError: a search of an API is not restricted, or pystac-client is missing.
        UnreadableFileError: an API fails.
    """
    walked = walk(places)
    documents = list(walked.items)
    for address, collection in walked.searches:
        narrowed = wanted if collection is None else replace(wanted, collections=(collection,))
        documents += search(address, narrowed)
    found = Collected(faults=walked.faults, open_pages=walked.open_pages)
    for item in _each_once(documents, found):
        _sort_in(item, sensor_of(item, optical_collections, sar_collections), found, wanted)
    return found


def _each_once(documents: Iterable[Located], found: Collected) -> list[Item]:
    """Return the items; the same identifier with other content is a fault."""
    items: dict[tuple[str, str], Item] = {}
    for located in documents:
        try:
            item = item_of(located)
        except ItemError as error:
            found.faults.append(f"{_named(located)}: {error}")
            continue
        known = items.setdefault((item.collection, item.id), item)
        if known is item:
            continue
        if (known.start, known.end) == (item.start, item.end) and known.footprint.equals(item.footprint):
            found.repeated += 1
        else:
            found.faults.append(
                f"{_named(located)}: has the id of another item with another time or geometry, in {known.located.place}"
            )
    return list(items.values())


def _named(located: Located) -> str:
    identifier = located.document.get("id")
    shown = isinstance(identifier, str) and identifier not in located.place
    return f"{located.place} ({identifier})" if shown else located.place


def _sort_in(item: Item, sensor: Sensor | None, found: Collected, wanted: Wanted) -> None:
    if refusal := wanted.refusal(item, sensor):
        found.refused[refusal] += 1
    elif sensor is None:
        found.neither.append(item)
    elif sensor == "sar":
        found.sar.append(item)
    else:
        found.optical.append(item)
        if item.cloud_cover_pct is None:
            found.cloud_unknown.append(item)
