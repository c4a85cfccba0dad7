"""A sheet's raster of one role as a GDAL virtual raster (VRT): it names the chips' files and copies nothing."""

import hashlib
from collections.abc import Iterable
from pathlib import Path
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from clairemap.datasets.samples import Role
from clairemap.datasets.sheets import Form, Sheet

GDAL_TYPES = {
    "uint8": "Byte",
    "int8": "Int8",
    "uint16": "UInt16",
    "int16": "Int16",
    "uint32": "UInt32",
    "int32": "Int32",
    "float32": "Float32",
    "float64": "Float64",
}


def virtual_raster(sheet: Sheet, role: Role) -> str:
    """Return the VRT of a sheet's role as XML: no CRS; nodata, masks, alpha, scales as the chips have them.

    Files are named by absolute paths. Their sizes and times go into a fingerprint, so that the text changes with
    them: whoever depends on the VRT sees that a chip is another one.
    """
    side, form = sheet.chip_px, sheet.forms[role]
    files = [(row * side, column * side, chip.files[role].resolve()) for row, column, chip in sheet.places()]
    root = Element("VRTDataset", rasterXSize=str(sheet.columns * side), rasterYSize=str(sheet.rows * side))
    SubElement(SubElement(root, "Metadata"), "MDI", key="chips").text = _fingerprint(path for _, _, path in files)
    for band in range(1, form.bands + 1):
        raster = SubElement(root, "VRTRasterBand", dataType=GDAL_TYPES[form.dtype], band=str(band))
        if form.nodata is not None:
            SubElement(raster, "NoDataValue").text = form.nodata
        scale, offset = form.scaling[band - 1]
        if (scale, offset) != (1, 0):
            SubElement(raster, "Offset").text, SubElement(raster, "Scale").text = f"{offset:.17g}", f"{scale:.17g}"
        if band in form.alpha:
            SubElement(raster, "ColorInterp").text = "Alpha"
        _add_sources(raster, files, side, str(band), form)
    if form.masked:
        mask = SubElement(SubElement(root, "MaskBand"), "VRTRasterBand", dataType="Byte")
        _add_sources(mask, files, side, "mask,1", form)
    ElementTree.indent(root, " ")
    return ElementTree.tostring(root, encoding="unicode") + "\n"


def _add_sources(raster: Element, files: list[tuple[int, int, Path]], side: int, band: str, form: Form) -> None:
    """Add each chip's band at its place. Properties are given so that GDAL needn't open a file before it reads it."""
    size = str(side)
    for y0, x0, path in files:
        source = SubElement(raster, "SimpleSource")
        SubElement(source, "SourceFilename", relativeToVRT="0").text = str(path)
        SubElement(source, "SourceBand").text = band
        SubElement(source, "SourceProperties", RasterXSize=size, RasterYSize=size, DataType=GDAL_TYPES[form.dtype])
        SubElement(source, "SrcRect", xOff="0", yOff="0", xSize=size, ySize=size)
        SubElement(source, "DstRect", xOff=str(x0), yOff=str(y0), xSize=size, ySize=size)


def _fingerprint(paths: Iterable[Path]) -> str:
    digest = hashlib.sha256()
    for path in paths:
        status = path.stat()
        digest.update(f"{path}\0{status.st_size}\0{status.st_mtime_ns}\n".encode())
    return digest.hexdigest()[:16]
