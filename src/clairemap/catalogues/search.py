"""Searching a STAC API through pystac-client, which is optional."""

import shapely.geometry
from pystac.errors import STACError, STACTypeError
from shapely.geometry.base import BaseGeometry

from clairemap.catalogues.documents import PASSING
from clairemap.catalogues.item import Located, self_link
from clairemap.catalogues.wanted import Wanted
from clairemap.console import progress
from clairemap.errors import SettingsError, UnreadableFileError
from clairemap.text import cut

PAGE_ITEMS = 100
"""Items of a page: some servers fail on large ones."""
TIMEOUT_S = 60.0
RETRIES = 5
MAX_REASON = 300
"""Characters of a server's message that are shown; some answer with a page."""


def search(address: str, wanted: Wanted) -> list[Located]:
    """Return the items of a STAC API in the wanted collections, place and days; cloud cover is not asked for.

    A condition on cloud cover would leave out all SAR items, which have none.

    Raises:
        SettingsError: pystac-client is not installed, or collections, place or days are not restricted.
        UnreadableFileError: the server fails or does not know a collection.
    """
    try:
        from pystac_client import Client  # noqa: PLC0415 - optional
        from pystac_client.exceptions import APIError  # noqa: PLC0415
        from pystac_client.stac_api_io import StacApiIO  # noqa: PLC0415
        from urllib3 import Retry  # noqa: PLC0415 - pystac-client's
    except ImportError:
        raise SettingsError(
            f"{address}: is a STAC API, which needs pystac-client: pip install -c constraints.txt -e '.[stac]'"
        ) from None
    place = _restricted_place(address, wanted)
    retries = Retry(RETRIES, backoff_factor=1, status_forcelist=PASSING, allowed_methods=None)
    try:
        client = Client.open(address, stac_io=StacApiIO(timeout=TIMEOUT_S, max_retries=retries))
        found = client.search(
            collections=list(wanted.collections),
            intersects=shapely.geometry.mapping(place),
            datetime=wanted.days.widened(wanted.max_days).interval,
            limit=PAGE_ITEMS,
        )
        documents = list(progress(found.items_as_dicts(), f"items from {address}"))
    except (APIError, STACError, STACTypeError, NotImplementedError, ValueError, KeyError) as error:
        raise UnreadableFileError(
            f"{address}: the search failed ({cut(str(error), MAX_REASON)}); check address and collections, or try "
            "again later"
        ) from error
    return [Located(item, f"{address}, item {item.get('id')}", self_link(item, address), address) for item in documents]


def _restricted_place(address: str, wanted: Wanted) -> BaseGeometry:
    """Return the place of a search; one without an end is refused, since public catalogues have millions of items."""
    missing = {
        "--collections": not wanted.collections,
        "--bbox or --region": wanted.place is None,
        "--dates": wanted.days.interval is None,
    }
    if wanted.place is None or any(missing.values()):
        named = ", ".join(option for option, lacks in missing.items() if lacks)
        raise SettingsError(f"{address}: is a STAC API; restrict the search with {named}")
    return wanted.place
