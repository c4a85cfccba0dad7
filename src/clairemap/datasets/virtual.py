"""GDAL virtual rasters (VRT) of sheets, one per role; they refer to the chips' files without copying them."""

import hashlib
from collections.abc import Iterable
from pathlib import Path
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from clairemap.datasets.samples import Role
from clairemap.datasets.sheets import ChipFormat, Sheet
from clairemap.raster.virtual_raster import GDAL_TYPES


def virtual_raster(sheet: Sheet, role: Role) -> str:
    """Return the VRT of one role of a sheet as XML: no CRS; nodata, mask, alpha and scales of the chips.

    Paths are absolute. A hash of the files' sizes and times changes the VRT when a chip changes.
    """
    side, chip_format = sheet.chip_px, sheet.formats[role]
    files = [(row * side, column * side, chip.files[role].resolve()) for row, column, chip in sheet.positions()]
    root = Element("VRTDataset", rasterXSize=str(sheet.columns * side), rasterYSize=str(sheet.rows * side))
    SubElement(SubElement(root, "Metadata"), "MDI", key="chips").text = _fingerprint(path for _, _, path in files)
    for band in range(1, chip_format.bands + 1):
        raster = SubElement(root, "VRTRasterBand", dataType=GDAL_TYPES[chip_format.dtype], band=str(band))
        if chip_format.nodata is not None:
            SubElement(raster, "NoDataValue").text = chip_format.nodata
        scale, offset = chip_format.scaling[band - 1]
        if (scale, offset) != (1, 0):
            SubElement(raster, "Offset").text, SubElement(raster, "Scale").text = f"{offset:.17g}", f"{scale:.17g}"
        if band in chip_format.alpha:
            SubElement(raster, "ColorInterp").text = "Alpha"
        _add_sources(raster, files, side, str(band), chip_format)
    if chip_format.masked:
        mask = SubElement(SubElement(root, "MaskBand"), "VRTRasterBand", dataType="Byte")
        _add_sources(mask, files, side, "mask,1", chip_format)
    ElementTree.indent(root, " ")
    return ElementTree.tostring(root, encoding="unicode") + "\n"


def _add_sources(
    raster: Element, files: list[tuple[int, int, Path]], side: int, band: str, chip_format: ChipFormat
) -> None:
    """Add a band of each chip at its position; with the properties GDAL opens a file only when it reads it."""
    size = str(side)
    for y0, x0, path in files:
        source = SubElement(raster, "SimpleSource")
        SubElement(source, "SourceFilename", relativeToVRT="0").text = str(path)
        SubElement(source, "SourceBand").text = band
        SubElement(
            source, "SourceProperties", RasterXSize=size, RasterYSize=size, DataType=GDAL_TYPES[chip_format.dtype]
        )
        SubElement(source, "SrcRect", xOff="0", yOff="0", xSize=size, ySize=size)
        SubElement(source, "DstRect", xOff=str(x0), yOff=str(y0), xSize=size, ySize=size)


def _fingerprint(paths: Iterable[Path]) -> str:
    digest = hashlib.sha256()
    for path in paths:
        status = path.stat()
        digest.update(f"{path}\0{status.st_size}\0{status.st_mtime_ns}\n".encode())
    return digest.hexdigest()[:16]
