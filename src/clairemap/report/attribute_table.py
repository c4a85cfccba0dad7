"""The map's attribute table for all versions of ArcGIS: ``.vat.dbf`` next to the GeoTIFF (dBASE III)."""

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from clairemap.classes import ColoredLegend
from clairemap.report.class_names import clipped, table_names

DBASE_III = 3
TABLE_DATE = (126, 1, 1)  # fixed, so that equal maps give equal files
NAME_BYTES = 64


@dataclass(frozen=True)
class _Field:
    """A column: name (up to 10 characters), kind (N: number, C: text), width in bytes."""

    name: str
    kind: str
    width: int

    @property
    def descriptor(self) -> bytes:
        """The field's descriptor in the file header."""
        return struct.pack("<11sc4xBB14x", self.name.encode(), self.kind.encode(), self.width, 0)

    def cell(self, value: int | str) -> bytes:
        """Return a value as bytes, padded to the field's width."""
        if isinstance(value, str):
            return clipped(value, self.width).encode().ljust(self.width)
        return str(value).rjust(self.width).encode()


FIELDS = (
    _Field("VALUE", "N", 10),
    _Field("COUNT", "N", 19),
    _Field("CLASS", "C", NAME_BYTES),
    _Field("RED", "N", 4),
    _Field("GREEN", "N", 4),
    _Field("BLUE", "N", 4),
)


def attribute_table(legend: ColoredLegend, pixels: Mapping[int, int]) -> bytes:
    """Return the table as bytes, one row per class ordered by code: code, pixel count, name, colour.

    The text is UTF-8, so the table needs a ``.cpg`` file. Names are cut to 64 bytes and stay distinct.

    Args:
        legend: the classes.
        pixels: pixel count of each code in the map; codes without pixels may be missing.
    """
    rows = [
        (c.code, pixels.get(c.code, 0), name, *c.rgb)
        for c, name in zip(legend.classes, table_names(legend, NAME_BYTES), strict=True)
    ]
    rows.sort()
    return _table(FIELDS, rows)


def _table(fields: Sequence[_Field], rows: Sequence[Sequence[int | str]]) -> bytes:
    header_size, row_size = 32 + 32 * len(fields) + 1, 1 + sum(field.width for field in fields)
    header = struct.pack("<BBBBIHH20x", DBASE_III, *TABLE_DATE, len(rows), header_size, row_size)
    body = b"".join(
        b" " + b"".join(field.cell(value) for field, value in zip(fields, row, strict=True)) for row in rows
    )
    return header + b"".join(field.descriptor for field in fields) + b"\r" + body + b"\x1a"
