"""Counts of burnt polygons, and their texts for log and report."""

from collections.abc import Iterator

from clairemap.artefacts.label_counts import LabelCounts, ValueCount
from clairemap.classes import SourceLegend, source_key
from clairemap.grid.earth import crs_name, crs_of
from clairemap.labels.burn import Burner, BurnTally, WrittenPixels
from clairemap.labels.checks import has_class


def counts_of(
    scene: str, burner: Burner, tally: BurnTally, written: WrittenPixels, legend: SourceLegend, stamp: dict[str, str]
) -> LabelCounts:
    """Return the counts of a scene's polygons."""
    layer = burner.layer
    indices = {value: burner.classes.index(value) for value in tally.values}
    return LabelCounts(
        scene=scene,
        file=layer.path.name,
        layer=layer.name,
        field=burner.column,
        crs=crs_name(layer.crs),
        reprojected=bool(crs_of(burner.grid).proj != layer.crs.proj),
        features=layer.features,
        outside=layer.features - tally.on_grid - tally.not_polygons - tally.unusable,
        burnt=tally.burnt,
        no_value=tally.no_value,
        ignored=tally.ignored,
        not_polygons=tally.not_polygons,
        unusable=tally.unusable,
        repaired=tally.repaired,
        without_pixel=tally.without_pixel,
        values=tuple(
            ValueCount(
                value=source_key(value),
                code=legend.classes[indices[value]].code if has_class(indices[value]) else None,
                features=int(counts[0]),
                px=int(counts[1]),
            )
            for value, counts in sorted(tally.values.items(), key=lambda item: source_key(item[0]))
        ),
        class_px=written.class_px,
        overlap_px=written.overlap_px,
        unlabelled_px=written.unlabelled_px,
        pixels_sha256=written.sha256,
        stamp=stamp,
    )


def remarks(counts: LabelCounts) -> Iterator[str]:
    """Yield a remark on each kind of feature that was not used or was repaired."""
    for number, text in (
        (counts.overlap_px, "pixel(s) are in polygons of different classes: not labelled"),
        (counts.no_value, f"polygon(s) have no value in the column {counts.field!r}: not labelled"),
        (counts.not_polygons, "feature(s) are points, lines or others without an area: not used"),
        (counts.unusable, "geometries cannot be read or reprojected: not used"),
        (counts.repaired, "polygon(s) cross or overlap themselves: filled by the even-odd rule"),
        (counts.without_pixel, "polygon(s) contain no pixel centre: no pixel burnt"),
    ):
        if number:
            yield f"{number:,} {text}"


def summary(counts: LabelCounts) -> str:
    """Return the counts in one line."""
    pixels = sum(counts.class_px.values())
    return (
        f"{counts.burnt:,} of {counts.features:,} features burnt, {counts.outside:,} outside, {counts.ignored:,} "
        f"ignored, {counts.no_value:,} without a value, {counts.not_polygons:,} not polygons, {counts.unusable:,} not "
        f"usable, {counts.repaired:,} repaired, {counts.without_pixel:,} without a pixel; {pixels:,} px labelled, "
        f"{counts.overlap_px:,} px in overlaps of classes, {counts.unlabelled_px:,} px not labelled; "
        f"px by class code: {', '.join(f'{code}: {px:,}' for code, px in counts.class_px.items())}"
    )
