"""The map's attribute table as ArcGIS reads it in all versions: ``.vat.dbf`` beside the GeoTIFF (dBASE III)."""

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from clairemap.classes import ColoredLegend
from clairemap.report.class_names import clipped, table_names

DBASE_III = 3
TABLE_DATE = (126, 1, 1)  # a fixed day: equal maps give equal files
NAME_BYTES = 64


@dataclass(frozen=True)
class _Field:
    """A column: name (up to 10 characters), kind (N number, C text), width in bytes."""

    name: str
    kind: str
    width: int

    @property
    def descriptor(self) -> bytes:
        """Return the field's descriptor in the header of the file."""
        return struct.pack("<11sc4xBB14x", self.name.encode(), self.kind.encode(), self.width, 0)

    def cell(self, value: int | str) -> bytes:
        """Return a value as the bytes of a cell, padded to the field's width."""
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
    """Return the bytes of the table, a row for each class in the order of the codes: code, pixels, name, colour.

    Write it beside a ``.cpg`` that says UTF-8; names are cut off after 64 bytes and stay distinct.

    Args:
        legend: the classes.
        pixels: how many pixels of the map each code has; codes without any may be absent.
    """
    rows = [
        (known.code, pixels.get(known.code, 0), name, *known.rgb)
        for known, name in zip(legend.classes, table_names(legend, NAME_BYTES), strict=True)
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
