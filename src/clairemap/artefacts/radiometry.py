"""Statistics of the band values: ``radiometry.json`` of a scene, and of all training scenes."""

from pathlib import Path

from clairemap.artefacts.document import DocumentModel, read_document, write_document
from clairemap.artefacts.store_attributes import StoredSarScale
from clairemap.settings import Sensor

LEVELS_PCT = (0.1, 0.2, 0.5, *(float(percent) for percent in range(1, 100)), 99.5, 99.8, 99.9)
"""Quantile levels, percent."""


class SensorRadiometry(DocumentModel):
    """Statistics of one sensor's bands over `pixels` usable pixels, in the units of the pair store.

    `mean`, `floor` (minimum) and `ceiling` (maximum) have one value per band; `covariance` is (band, band) and
    `quantiles` (band, level) at `LEVELS_PCT`.
    """

    bands: tuple[str, ...]
    pixels: int
    mean: tuple[float, ...]
    covariance: tuple[tuple[float, ...], ...]
    quantiles: tuple[tuple[float, ...], ...]
    floor: tuple[float, ...]
    ceiling: tuple[float, ...]


class Radiometry(DocumentModel):
    """Radiometry of a scene; a sensor is None if too few of its pixels are usable."""

    scene: str
    sar_scale: StoredSarScale
    optical: SensorRadiometry | None
    sar: SensorRadiometry | None

    def of_sensor(self, sensor: Sensor) -> SensorRadiometry | None:
        """Return the statistics of one sensor."""
        return self.optical if sensor == "optical" else self.sar


class TrainingRadiometry(DocumentModel):
    """Radiometry of each training scene."""

    scenes: tuple[Radiometry, ...]

    def without(self, scene: str) -> tuple[Radiometry, ...]:
        """Return the training scenes except this one."""
        return tuple(known for known in self.scenes if known.scene != scene)


def write_radiometry(path: Path, radiometry: Radiometry | TrainingRadiometry) -> None:
    """Write the radiometry as JSON, atomically; equal statistics give equal files."""
    write_document(path, radiometry)


def read_radiometry(path: Path) -> Radiometry:
    """Return the radiometry of a scene.

    Raises:
        StoreError: the file is missing or damaged.
    """
    return read_document(path, Radiometry, "radiometry", "tile_scene")


def read_training_radiometry(path: Path) -> TrainingRadiometry:
    """Return the radiometry of the training scenes.

    Raises:
        StoreError: the file is missing or damaged.
    """
    return read_document(path, TrainingRadiometry, "radiometry", "collect_radiometry")
