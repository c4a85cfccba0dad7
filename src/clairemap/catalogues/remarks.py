"""What a listing left out, and why: lines for the user."""

import datetime
from collections import Counter
from collections.abc import Iterator, Sequence

from clairemap.catalogues.collected import Collected
from clairemap.catalogues.item import Item
from clairemap.catalogues.pairing import Alone, Limits, Pair
from clairemap.text import shortened

RADAR_GEOMETRY = "sentinel-1-grd"
"""Collection of earth-search and the Planetary Computer whose images have control points instead of a grid."""

SAME_GROUND = 0.9
"""Share of the ground of two items of the same time that both cover, from which they are the same image."""

MAX_NAMED = 10
"""Number of items that one line names."""


def remarks(found: Collected, max_cloud_pct: float | None) -> Iterator[str]:
    """Yield lines about documents and items that are not used or that may be surprising."""
    for path in found.open_pages:
        yield f"{path}: is one page of a search; its further pages are not read: save all items to one file"
    if found.neither:
        kinds = Counter(item.collection or "no collection" for item in found.neither)
        named = ", ".join(f"{count} of {kind}" for kind, count in kinds.items())
        yield (
            f"{len(found.neither)} item(s) left out that are neither optical nor SAR by instruments, platform and "
            f"collection ({named}): {_named(found.neither)}; name their collection in --optical-collection or "
            "--sar-collection"
        )
    if radar := [item for item in found.sar if item.collection == RADAR_GEOMETRY]:
        yield (
            f"{len(radar)} item(s) of {RADAR_GEOMETRY}: images without terrain correction, which have no grid on the "
            "ground and cannot be mapped; use terrain-corrected ones, such as sentinel-1-rtc"
        )
    for same in _same_acquisitions(found.optical):
        yield f"the same image in {len(same)} items, keep one row: {', '.join(item.name for item in same)}"
    if found.cloud_unknown and max_cloud_pct is not None:
        yield f"cloud cover unknown, kept in spite of --max-cloud: {_named(found.cloud_unknown)}"


def partner_remarks(found: Collected, pairs: Sequence[Pair], alone: Sequence[Alone], limits: Limits) -> Iterator[str]:
    """Yield lines about items without a partner: one for each optical item, one for all SAR items."""
    for left in alone:
        yield f"no partner for {left.optical.name}: {left.reason}"
    taken = {pair.sar for pair in pairs}
    if unused := [item for item in found.sar if item not in taken]:
        yield (
            f"{len(unused)} SAR item(s) are not used, because another one is the better partner or no optical item is "
            f"within {limits.max_days:g} days and {100 * limits.min_overlap:g} % overlap: {_named(unused)}"
        )


def counts(found: Collected, pairs: Sequence[Pair]) -> str:
    """Return the numbers of items and pairs, with the ranges of overlap and days."""
    left_out = {**found.refused, "found twice": found.repeated}
    reasons = ", ".join(f"{count} {reason}" for reason, count in left_out.items() if count)
    text = f"{len(pairs)} pair(s) of {len(found.optical)} optical and {len(found.sar)} SAR item(s)"
    if pairs:
        overlaps, days = [pair.overlap for pair in pairs], [pair.days for pair in pairs]
        text += (
            f", overlap {100 * min(overlaps):.0f} to {100 * max(overlaps):.0f} %, {min(days):.1f} to {max(days):.1f} "
            "days apart"
        )
    return f"{text}; left out: {reasons}" if reasons else text


def _same_acquisitions(items: Sequence[Item]) -> Iterator[list[Item]]:
    """Yield items of the same second and ground: an image that was processed again, or is in several collections."""
    by_second: dict[datetime.datetime, list[Item]] = {}
    for item in items:
        by_second.setdefault(item.start.replace(microsecond=0), []).append(item)
    for group in by_second.values():
        while len(group) > 1:
            first = group[0]
            same = [item for item in group if _shared_share(first, item) >= SAME_GROUND]
            if len(same) > 1:
                yield same
            group = [item for item in group if item not in same]


def _shared_share(first: Item, second: Item) -> float:
    """Return the share of the ground of two items that both cover, 0 to 1."""
    shared: float = first.footprint.intersection(second.footprint).area
    return shared / first.footprint.union(second.footprint).area


def _named(items: Sequence[Item]) -> str:
    return shortened([item.id for item in items], MAX_NAMED)
