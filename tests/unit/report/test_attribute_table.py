import shutil
import struct
import subprocess
from pathlib import Path

import pytest

from clairemap.classes import ColoredClass, ColoredLegend
from clairemap.report.attribute_table import attribute_table

LEGEND = ColoredLegend(
    classes=(
        ColoredClass(code=40, name="forêt & <bois>", color="#ff8000"),
        ColoredClass(code=1, name="é" * 40, color="#0010ff"),
    )
)
ROWS = [
    ("1", "5000000000", "é" * 32, "0", "16", "255"),
    ("40", "0", "forêt & <bois>", "255", "128", "0"),
]


def test_bytes_are_a_dbase_table():
    """Parse by the format's description: header, 32 bytes per field, rows of fixed width."""
    content = attribute_table(LEGEND, {1: 5_000_000_000})
    version, *date, rows, header_size, row_size = struct.unpack_from("<BBBBIHH", content)
    assert (version, rows, len(content)) == (3, 2, header_size + 2 * row_size + 1)
    assert 1 <= date[1] <= 12 and 1 <= date[2] <= 31
    assert content[header_size - 1] == 0x0D and content[-1] == 0x1A
    fields = [struct.unpack_from("<11sc4xBB", content, at) for at in range(32, header_size - 1, 32)]
    assert [name.rstrip(b"\0").decode() for name, *_ in fields] == ["VALUE", "COUNT", "CLASS", "RED", "GREEN", "BLUE"]
    assert row_size == 1 + sum(width for *_, width, _ in fields)
    for number, expected in enumerate(ROWS):
        at = header_size + number * row_size
        assert content[at : at + 1] == b" "  # not deleted
        at += 1
        for (_, kind, width, decimals), value in zip(fields, expected, strict=True):
            assert decimals == 0 and kind in (b"N", b"C")
            assert content[at : at + width].decode().strip() == value
            at += width


@pytest.mark.skipif(shutil.which("ogrinfo") is None, reason="gdal-bin is not installed")
def test_gdal_reads_the_table(tmp_path: Path):
    (tmp_path / "map.dbf").write_bytes(attribute_table(LEGEND, {1: 5_000_000_000}))
    (tmp_path / "map.cpg").write_text("UTF-8")
    shown = subprocess.run(["ogrinfo", "-al", str(tmp_path / "map.dbf")], capture_output=True, text=True, check=True)
    values = [line.split(" = ")[1] for line in shown.stdout.splitlines() if " = " in line]
    assert values == [value for row in ROWS for value in row]


def test_equal_maps_give_equal_tables():
    assert attribute_table(LEGEND, {1: 7, 40: 9}) == attribute_table(LEGEND, {40: 9, 1: 7})
