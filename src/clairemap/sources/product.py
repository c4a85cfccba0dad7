"""What a reader returns: the bands and masks of a product, with all evidence on their scale and offset.

A reader reports what the metadata state. It neither decides (`offsets` does) nor opens rasters (`resolve` does).

Files are *references*: names relative to the cell (`cells.Cell.located` makes paths of them), so that nothing changes
if the data move. A reference with a scheme (``https://…``, ``s3://…``, ``/vsi…/``) is opened as it is.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from clairemap.artefacts.scene_sources import MaskCoding, SourceFacts
from clairemap.errors import BandCountError

Statement = Literal["add", "removed", "expected", "unknown"]
"""What a piece of metadata states about a band's offset.

add: this offset must be added to the stored numbers (0: none). removed: a provider has already removed the offset from
the stored numbers. expected: products of this kind are delivered with this offset. unknown: files with such names exist
with and without an offset, and no other metadata state which.
"""


@dataclass(frozen=True)
class Evidence:
    """One statement of the metadata about the offset of a band.

    Attributes:
        statement: kind of the statement.
        where: file and key where it was read, for messages and for the record.
        offset: in stored numbers; only for add and expected.
    """

    statement: Statement
    where: str
    offset: float | None = None


@dataclass(frozen=True)
class BandFile:
    """A band of a product: where it is and what the metadata state about its numbers.

    Attributes:
        file: reference of the file.
        names: all names by which the settings may ask for it, the provider's first; case does not matter.
        number: 1-based number of the band in the file.
        evidence: all statements about the offset. Empty: there is none, and GDAL's tags of the file are used as for any
            other raster.
        scale: value of one stored number, in `unit`, after the offset is added. 1: the numbers stay.
        unit: unit of the values, for the record; None: unknown.
        nodata: stored number without data, by the metadata; None: the file's tag.
        nodata_in_any: nodata in one band makes the pixel invalid, also if the number could be a measurement (0).
        size_bytes: size of the file by the metadata; None: unknown.
        count: number of bands that the file must have; None: any.
        is_only: the file must have no other band but alpha, since nothing states which band is meant.
        crs: CRS by the metadata as EPSG code or WKT, for a file without one; None: not stated.
    """

    file: str
    names: tuple[str, ...]
    number: int = 1
    evidence: tuple[Evidence, ...] = ()
    scale: float = 1.0
    unit: str | None = None
    nodata: float | None = None
    nodata_in_any: bool = False
    size_bytes: int | None = None
    count: int | None = None
    is_only: bool = False
    crs: str | None = None


@dataclass(frozen=True)
class MaskFile:
    """A cloud mask or labels: reference of the file, number of the band, and coding of the mask.

    `coding` is None if the settings define it; then the file must have one band, without scale.
    """

    file: str
    coding: MaskCoding | None
    number: int = 1
    size_bytes: int | None = None


@dataclass(frozen=True)
class Product:
    """Bands and masks that a reader has found in a cell; `masks` (also labels) by lower-case name."""

    reader: str
    bands: tuple[BandFile, ...]
    masks: dict[str, MaskFile] = field(default_factory=dict)
    facts: SourceFacts = SourceFacts()

    def chosen(self, names: Sequence[str], where: str) -> tuple[BandFile, ...]:
        """Return the bands of some names, in their order.

        A band's first name counts before other names. Of several bands the first counts: readers list the finest first.

        Args:
            names: of the settings, for example red or B04.
            where: cell and key, for the message.

        Raises:
            BandCountError: the product lacks a band; the message lists those it has.
        """
        known: dict[str, BandFile] = {}
        for band in self.bands:
            known.setdefault(plain_name(band.names[0]), band)
        for band in self.bands:
            for name in band.names[1:]:
                known.setdefault(plain_name(name), band)
        absent = [name for name in names if plain_name(name) not in known]
        if absent:
            listed = ", ".join(dict.fromkeys(" or ".join(band.names) for band in self.bands)) or "none"
            raise BandCountError(
                f"{where}: has no band {', '.join(absent)}; its bands: {listed}. Correct the names in the settings, or "
                "name the band's file in sensors.*.files"
            )
        return tuple(known[plain_name(name)] for name in names)


def plain_name(name: str) -> str:
    """Return a band's name in lower case and without leading zeros of its number: B04 and b4 are the same band."""
    return re.sub(r"^b0+(?=\d)", "b", name.strip().lower())
