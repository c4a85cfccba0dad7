"""Design of a sample of a map: what estimates need to know of each unit, and interpreters must not."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from clairemap.artefacts.document import read_document, write_document


@dataclass(frozen=True)
class DesignStratum:
    """A stratum: its name, pixels, area in square metres, and drawn units."""

    name: str
    pixels: int
    area_m2: float
    units: int


@dataclass(frozen=True)
class DesignUnit:
    """A sampled pixel: its place on the map, its stratum (0-based), the map's class, the pixel's area.

    `probability` is the chance of the pixel to be in the sample, `rank` its place in the stratum's random order.
    """

    id: str
    row: int
    column: int
    stratum: int
    rank: int
    map_code: int
    area_m2: float
    probability: float


@dataclass(frozen=True)
class SampleDesign:
    """The design of a sample.

    Attributes:
        stamp: version, code and settings that drew it.
        map: name of the sampled map.
        map_sha256: hash of its file.
        height: height of the map, pixels.
        width: width of the map, pixels.
        transform: its affine transform, in the order of rasterio.
        crs: its CRS as WKT.
        seed: seed of the random order.
        distance_px: minimum distance between units of a stratum.
        area_method: how areas were computed.
        strata: strata of the map.
        units: sampled pixels, by `id`.
    """

    stamp: Mapping[str, str]
    map: str
    map_sha256: str
    height: int
    width: int
    transform: tuple[float, ...]
    crs: str
    seed: int
    distance_px: float
    area_method: str
    strata: tuple[DesignStratum, ...]
    units: tuple[DesignUnit, ...]


def write_sample_design(path: Path, design: SampleDesign) -> None:
    """Write the design as JSON, atomically."""
    write_document(path, design)


def read_sample_design(path: Path) -> SampleDesign:
    """Return the design of a sample.

    Raises:
        StoreError: the file is missing or damaged.
    """
    return read_document(path, SampleDesign, "design of a sample", "draw_sample")
