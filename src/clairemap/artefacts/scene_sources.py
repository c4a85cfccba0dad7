"""What the cells of a scene consist of: ``sources.json``, written by resolve_scene for scenes with products or files.

Files are references relative to the cell of the sheet (`sources.cells`), so that moved data change nothing here.
"""

import datetime
from pathlib import Path
from typing import Literal

from clairemap.artefacts.document import DocumentModel, read_document, write_document

RoleName = Literal["optical", "sar", "label", "cloud"]
Resampling = Literal["nearest", "bilinear", "cubic"]
MaskCoding = Literal["binary", "nonzero", "scl", "qa_pixel"]
"""What the numbers of a cloud mask mean; qa_pixel: bits of Landsat's quality band."""


class PixelGrid(DocumentModel):
    """CRS as EPSG code or WKT (None: no CRS), affine transform (a, b, c, d, e, f), height and width in pixels."""

    crs: str | None
    transform: tuple[float, float, float, float, float, float]
    height: int
    width: int


class OffsetEvidence(DocumentModel):
    """A statement about an offset (`sources.product.Evidence`), and where it was read."""

    statement: str
    offset: float | None
    where: str


class RemoteState(DocumentModel):
    """State of a remote file when it was resolved: size and what tells its versions apart; None: not sent."""

    size_bytes: int | None = None
    etag: str | None = None
    updated: str | None = None


class ResolvedBand(DocumentModel):
    """A band: file, grid, number type, and what is done with the stored numbers.

    value = (stored number + offset) * scale. `nodata` refers to stored numbers. `offset_from` is the statement that
    decided, `evidence` all of them. `masked`: the file has a mask or an alpha band. `remote` is None for local files.
    """

    name: str
    file: str
    number: int
    grid: PixelGrid
    dtype: str
    block: tuple[int, int]
    nodata: float | None
    scale: float
    offset: float
    offset_from: str
    evidence: tuple[OffsetEvidence, ...] = ()
    masked: bool = False
    remote: RemoteState | None = None


class SourceFacts(DocumentModel):
    """Origin of a role's data, as far as the metadata state it; None: not stated.

    Attributes:
        ids: identifiers of the product or of the items that it consists of.
        acquired: day of acquisition (UTC).
        cloud_cover_pct: share of the product covered by cloud, percent.
        platform: for example Sentinel-2A.
        baseline: version of the processor.
        licence: SPDX identifier or name.
        links: addresses of the product, without signatures; for `derived_from`.
    """

    ids: tuple[str, ...] = ()
    acquired: datetime.date | None = None
    cloud_cover_pct: float | None = None
    platform: str | None = None
    baseline: str | None = None
    licence: str | None = None
    links: tuple[str, ...] = ()


class ResolvedRole(DocumentModel):
    """Bands of a role on one grid.

    `cell` is the column whose cell the references belong to: the scene classification of a product belongs to optical.
    `unit` is None if the values are in the unit of the files. `nodata_in_any`: a band without data makes the pixel
    invalid. `coding` is that of a cloud mask.
    """

    reader: str
    cell: RoleName
    grid: PixelGrid
    bands: tuple[ResolvedBand, ...]
    resampling: Resampling
    nodata_in_any: bool
    unit: str | None = None
    coding: MaskCoding | None = None
    facts: SourceFacts = SourceFacts()


class SceneSources(DocumentModel):
    """Resolved roles of a scene. Roles that are one raster are not listed: they are opened as they are."""

    scene: str
    roles: dict[RoleName, ResolvedRole]
    stamp: dict[str, str] = {}

    @property
    def dates(self) -> tuple[datetime.date, ...]:
        """Acquisition days of optical and SAR that the metadata state, optical first."""
        found = (self.roles[role].facts.acquired for role in ("optical", "sar") if role in self.roles)
        return tuple(day for day in found if day is not None)


def write_scene_sources(path: Path, sources: SceneSources) -> None:
    """Write the record as JSON, atomically."""
    write_document(path, sources)


def read_scene_sources(path: Path) -> SceneSources:
    """Return the record.

    Raises:
        StoreError: the file is missing, damaged, or of another version.
    """
    return read_document(path, SceneSources, "record of a scene's sources", "resolve_scene")
