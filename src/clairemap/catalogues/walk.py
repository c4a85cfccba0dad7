"""All items behind files and addresses: single items, item collections, catalogues and what they link to."""

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from clairemap.catalogues.documents import Document, DocumentError, is_address, read_document, resolved, start_of
from clairemap.catalogues.item import Located, links_of, self_link
from clairemap.console import progress

THREADS = 8
"""Documents that are read at once: their servers answer slowly."""
BATCH = 64
"""Documents that are requested before the first of them is used."""


@dataclass
class Walk:
    """What a walk finds: documents of items, addresses of search interfaces (API), and faults with their place."""

    items: list[Located] = field(default_factory=list)
    searches: list[tuple[str, str | None]] = field(default_factory=list)
    """Addresses of STAC APIs; with a collection if the document was one of the API."""
    faults: list[str] = field(default_factory=list)
    open_pages: list[str] = field(default_factory=list)
    """Pages of a search whose further pages are not read: files, and searches that the server wants to be posted."""

    def add(self, place: str, document: Document) -> list[str]:
        """Add the content of a document; return the places it links to."""
        kind = document.get("type")
        if kind == "FeatureCollection":
            return self._add_collection(place, document)
        if kind == "Feature":
            self.items.append(Located(document, place, place, place))
            return []
        if isinstance(document.get("links"), list) and (
            kind in ("Catalog", "Collection") or "stac_version" in document
        ):
            return self._add_catalogue(place, document)
        self.faults.append(f"{place}: is not a STAC item, collection or catalogue (its type is {kind!r})")
        return []

    def _add_collection(self, place: str, document: Document) -> list[str]:
        features = document.get("features")
        if not isinstance(features, list):
            self.faults.append(f"{place}: is an item collection without a list of features")
            return []
        for number, feature in enumerate(features, start=1):
            if isinstance(feature, dict) and feature.get("type") == "Feature":
                self.items.append(Located(feature, f"{place}, feature {number}", self_link(feature, place), place))
            else:
                self.faults.append(f"{place}, feature {number}: is not a STAC item")
        following = links_of(document, "next")
        if following and (not is_address(place) or _is_posted(document)):
            self.open_pages.append(place)
            return []
        return [resolved(link, place) for link in following]

    def _add_catalogue(self, place: str, document: Document) -> list[str]:
        if links_of(document, "search") or "conformsTo" in document:
            self.searches.append((place, None))
            return []
        below = links_of(document, "child", "item")
        if not below and links_of(document, "items") and (roots := links_of(document, "root")):
            self.searches.append((resolved(roots[0], place), str(document.get("id"))))
            return []
        return [resolved(link, place) for link in below]


def _is_posted(document: Document) -> bool:
    """Whether the next page is not at an address, but the answer to a request with content."""
    return any(link.get("rel") == "next" and link.get("method") == "POST" for link in document["links"])


def walk(places: Iterable[str]) -> Walk:
    """Return what is behind files and addresses. Each document is read once, whatever links to it."""
    found = Walk()
    level = list(dict.fromkeys(map(start_of, places)))
    seen = set(level)
    while level:
        following = []
        for place, document in progress(_read(level), "documents of the catalogue", len(level)):
            if isinstance(document, DocumentError):
                found.faults.append(f"{place}: {document}")
            else:
                following += found.add(place, document)
        level = [place for place in dict.fromkeys(following) if place not in seen]
        seen.update(level)
    return found


def _read(places: Sequence[str]) -> Iterator[tuple[str, Document | DocumentError]]:
    """Yield places in their order, each with its document or why it cannot be read."""
    with ThreadPoolExecutor(THREADS) as pool:
        for first in range(0, len(places), BATCH):
            batch = places[first : first + BATCH]
            yield from zip(batch, pool.map(_read_one, batch), strict=True)


def _read_one(place: str) -> Document | DocumentError:
    try:
        return read_document(place)
    except DocumentError as error:
        return error
