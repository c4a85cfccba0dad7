"""Which values the bands hold, as files: ``radiometry.json`` of a scene, and of all training scenes."""

from pathlib import Path

from clairemap.artefacts.document import Part, read_document, write_document
from clairemap.artefacts.store_attributes import StoredSarScale
from clairemap.settings import Sensor

LEVELS_PCT = (0.1, 0.2, 0.5, *(float(percent) for percent in range(1, 100)), 99.5, 99.8, 99.9)
"""Levels of the quantiles, percent."""


class SensorRadiometry(Part):
    """Figures of one sensor's bands over the usable pixels, in the units of the pair store (SAR: dB, or digital).

    `mean` has one value for each band, `covariance` (band, band), `quantiles` (band, level) at `LEVELS_PCT`, `floor`
    and `ceiling` the smallest and largest value seen. `pixels` counts the pixels that the figures rest on.
    """

    bands: tuple[str, ...]
    pixels: int
    mean: tuple[float, ...]
    covariance: tuple[tuple[float, ...], ...]
    quantiles: tuple[tuple[float, ...], ...]
    floor: tuple[float, ...]
    ceiling: tuple[float, ...]


class Radiometry(Part):
    """A scene's radiometry; a sensor is None if too few of its pixels are usable."""

    scene: str
    sar_scale: StoredSarScale
    optical: SensorRadiometry | None
    sar: SensorRadiometry | None

    def of_sensor(self, sensor: Sensor) -> SensorRadiometry | None:
        """Return the figures of one sensor."""
        return self.optical if sensor == "optical" else self.sar


class TrainingRadiometry(Part):
    """The radiometry of each training scene."""

    scenes: tuple[Radiometry, ...]

    def without(self, scene: str) -> tuple[Radiometry, ...]:
        """Return the training scenes other than this one, which can't vouch for itself."""
        return tuple(known for known in self.scenes if known.scene != scene)


def write_radiometry(path: Path, radiometry: Radiometry | TrainingRadiometry) -> None:
    """Write it as JSON, whole or not at all; equal figures give equal files."""
    write_document(path, radiometry)


def read_radiometry(path: Path) -> Radiometry:
    """Return a scene's radiometry.

    Raises:
        StoreError: the file is missing or damaged.
    """
    return read_document(path, Radiometry, "radiometry", "tile_scene")


def read_training_radiometry(path: Path) -> TrainingRadiometry:
    """Return the training scenes' radiometry.

    Raises:
        StoreError: the file is missing or damaged.
    """
    return read_document(path, TrainingRadiometry, "radiometry", "collect_radiometry")
