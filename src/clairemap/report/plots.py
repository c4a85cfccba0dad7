"""What the plots of accuracy and radiometry show."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from clairemap.artefacts.metrics import RegionMetrics
from clairemap.artefacts.tiles import TileId
from clairemap.metrics.calibration import Calibration
from clairemap.metrics.tally import read_tallies
from clairemap.report.content import Picture
from clairemap.report.figures import radiometry_figure, reliability_figure

MOST_LINES = 40
"""Maximum number of scenes and sensors in the plot of radiometry, those with the largest differences."""


def reliability_plot(scores: Iterable[Path], splits: Mapping[TileId, str], metrics: RegionMetrics) -> Picture | None:
    """Return accuracy by confidence over the tiles of the page's figures; None without any.

    Memory: the score table of one scene.
    """
    counts = Calibration.empty()
    for path in scores:
        for tile in read_tallies(path, len(metrics.per_class)):
            if splits.get(tile.id, "predict") == metrics.split:
                counts += tile.counts.calibration
    return reliability_figure(counts) if counts.px.any() else None


def radiometry_plot(metrics: RegionMetrics) -> Picture | None:
    """Return the difference of each band of each scene from the training scenes; None without a comparison."""
    lines = {
        f"{scene}, {'SAR' if sensor == 'sar' else sensor}": list(zip(found.bands, found.distance_std, strict=True))
        for scene, sensors in metrics.radiometry.items()
        for sensor, found in sensors.items()
        if found.bands
    }
    largest = sorted(lines, key=lambda name: -max(value for _, value in lines[name]))[:MOST_LINES]
    return radiometry_figure({name: lines[name] for name in lines if name in set(largest)}) if lines else None
