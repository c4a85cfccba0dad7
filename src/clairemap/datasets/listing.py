"""Writing of a data set's sample sheet, with the virtual rasters and the chip list of its sheets."""

import logging
from collections.abc import Iterable, Sequence
from pathlib import Path

from clairemap.datasets.samples import ROLES, Sample
from clairemap.datasets.sheets import Sheet
from clairemap.datasets.virtual import virtual_raster
from clairemap.provenance import write_text_whole
from clairemap.scenes import REQUIRED
from clairemap.sheet_file import csv_text

log = logging.getLogger(__name__)


def list_scenes(samples: Iterable[Sample], sample_sheet: Path) -> None:
    """Write a sample sheet with one row per sample; paths are absolute."""
    rows = [
        (sample.name, sample.region, sample.split, *(_absolute(sample.files.get(role)) for role in ROLES))
        for sample in samples
    ]
    _write(sample_sheet, csv_text(tuple(REQUIRED), rows))


def list_sheets(sheets: Sequence[Sheet], sample_sheet: Path) -> None:
    """Write a sample sheet with one row per sheet of chips, and its rasters and chip list to the same folder.

    The rasters are ``sheets/{sheet}.{role}.vrt``; ``chips.csv`` maps each tile of each sheet to its chip. Unchanged
    files are not rewritten, so that no rule reruns because of them. The sample sheet is written last.
    """
    folder = sample_sheet.absolute().parent
    rows = []
    for sheet in sheets:
        rasters = {role: folder / "sheets" / f"{sheet.name}.{role}.vrt" for role in ROLES if role in sheet.formats}
        for role, path in rasters.items():
            _write(path, virtual_raster(sheet, role))
        rows.append((sheet.name, sheet.region, sheet.split, *(_absolute(rasters.get(role)) for role in ROLES)))
    chips = [(sheet.name, row, column, chip.name) for sheet in sheets for row, column, chip in sheet.positions()]
    _write(folder / "chips.csv", csv_text(("scene", "row", "col", "chip"), chips))
    _write(sample_sheet, csv_text(tuple(REQUIRED), rows))


def _absolute(path: Path | None) -> str:
    return "" if path is None else str(path.resolve())


def _write(path: Path, text: str) -> None:
    if not path.is_file() or path.read_text(encoding="utf-8") != text:
        write_text_whole(path, text)
