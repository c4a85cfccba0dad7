"""Statistics of the training tiles: ``statistics.json``."""

from dataclasses import dataclass
from pathlib import Path

from clairemap.artefacts.document import read_document, write_document
from clairemap.artefacts.store_attributes import StoredSarScale


@dataclass(frozen=True)
class BandStatistics:
    """Mean, standard deviation and 2nd and 98th percentile of each band, in units of the store."""

    bands: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    p02: tuple[float, ...]
    p98: tuple[float, ...]


@dataclass(frozen=True)
class ClassSignatures:
    """Mean and standard deviation of a sensor's quantities over the training pixels of each class.

    `mean` and `std` are (class, quantity); zeros for a class without pixels. `px` counts the usable labelled pixels.
    """

    quantities: tuple[str, ...]
    px: tuple[int, ...]
    mean: tuple[tuple[float, ...], ...]
    std: tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class TrainingStatistics:
    """Statistics of both sensors and the labels over the training tiles.

    `pixels` is the number of mappable pixels, `class_px` the labelled ones among them by class index. `optical_unit` is
    that of all scenes; None if it is unknown or they differ. Signatures are by class; None in older files.
    """

    optical: BandStatistics
    sar: BandStatistics
    class_px: tuple[int, ...]
    pixels: int
    scenes: tuple[str, ...]
    sar_scale: StoredSarScale
    optical_unit: str | None = None
    optical_signatures: ClassSignatures | None = None
    sar_signatures: ClassSignatures | None = None


def write_statistics(path: Path, statistics: TrainingStatistics) -> None:
    """Write the statistics as JSON, atomically; equal statistics give equal files."""
    write_document(path, statistics)


def read_statistics(path: Path) -> TrainingStatistics:
    """Return the statistics of the training tiles.

    Raises:
        StoreError: the file is missing or damaged.
    """
    return read_document(path, TrainingStatistics, "training statistics file", "fit_statistics")
