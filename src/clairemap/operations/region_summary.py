"""The regions that a failed scene leaves incomplete: the last lines of a failed run."""

from collections.abc import Collection, Iterable, Iterator, Mapping

from clairemap.text import shortened

RESULTS = {"mosaic_region": "maps", "score_region": "accuracy", "render_report": "report"}
"""Results of a region by the rule that writes them."""

SHOWN = 10
"""Regions and scenes that are listed."""


def region_lines(
    unfinished: Iterable[tuple[str, str]], failed: Mapping[str, Collection[str]], regions: Iterable[str], sheet: str
) -> Iterator[str]:
    """Yield what is missing in each region, and how to continue without a failed scene; nothing if no scene failed.

    Args:
        unfinished: (rule, region) of the jobs that did not end well.
        failed: names of failed scenes by region.
        regions: regions whose results were requested.
        sheet: the sample sheet, as in the settings.
    """
    missing: dict[str, set[str]] = {}
    for rule, region in unfinished:
        if rule in RESULTS:
            missing.setdefault(region, set()).add(rule)
    if not failed or not missing:
        return
    complete = [region for region in regions if region not in missing]
    yield f"Complete regions: {shortened(complete, SHOWN) or 'none'}. Incomplete regions:"
    for region in sorted(missing)[:SHOWN]:
        scenes = failed.get(region, ())
        because = f"failed scenes: {shortened(sorted(scenes), SHOWN)}" if scenes else "scenes of other regions failed"
        lacks = ", ".join(text for rule, text in RESULTS.items() if rule in missing[region])
        has = ", ".join(text for rule, text in RESULTS.items() if rule not in missing[region])
        yield f"- {region}: not made: {lacks}; {because}" + (f"; up to date: {has}" if has else "")
    if len(missing) > SHOWN:
        yield f"- and {len(missing) - SHOWN} more"
    yield (
        f"To continue without a failed scene, remove its row from {sheet}; if only its label is faulty, empty the "
        "label and set the split to predict. Then run the same command again. Without a train or val scene, the "
        "model is trained again."
    )
