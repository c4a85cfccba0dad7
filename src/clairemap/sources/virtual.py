"""The virtual raster of a role: XML of GDAL's virtual format that picks the resolved bands on one grid.

Stored numbers stay as they are, so that nodata is decided before scale and offset; these are tags of the bands, which
`raster.source.RasterSource` applies once. Bands of larger pixels are resampled by GDAL, without their nodata.
"""

from collections.abc import Callable, Sequence
from xml.etree.ElementTree import Element, SubElement, tostring

import numpy as np
from affine import Affine

from clairemap.artefacts.scene_sources import PixelGrid, ResolvedBand, ResolvedRole
from clairemap.raster.remote_names import CACHE_MB, cached
from clairemap.raster.virtual_raster import GDAL_TYPES
from clairemap.sources.grids import in_pixels_of

WHOLE_PIXEL = 1e-6

Located = Callable[[str], str]


def virtual_xml(role: ResolvedRole, located: Located) -> str:
    """Return the virtual raster of a role as XML.

    Args:
        role: bands and grid.
        located: returns what GDAL opens for a reference (`cells.Cell.located`).
    """
    grid = role.grid
    root = Element("VRTDataset", rasterXSize=str(grid.width), rasterYSize=str(grid.height))
    _add_place(root, grid)
    dtype = _common_type(role.bands)
    share_mb = CACHE_MB / len({band.file for band in role.bands})
    for number, band in enumerate(role.bands, start=1):
        _add_band(root, number, band, role, cached(located(band.file), share_mb), dtype)
    return tostring(root, encoding="unicode")


def _add_place(root: Element, grid: PixelGrid) -> None:
    if grid.crs is not None:
        SubElement(root, "SRS", dataAxisToSRSAxisMapping="1,2").text = grid.crs
    a, b, c, d, e, f = grid.transform
    if grid.crs is not None or Affine(a, b, c, d, e, f) != Affine.identity():
        SubElement(root, "GeoTransform").text = ", ".join(f"{value:.17g}" for value in (c, a, b, f, d, e))


def _common_type(bands: Sequence[ResolvedBand]) -> str:
    names = {band.dtype for band in bands}
    return GDAL_TYPES[names.pop() if len(names) == 1 else np.result_type(*map(np.dtype, names)).name]


def _add_band(root: Element, number: int, band: ResolvedBand, role: ResolvedRole, name: str, dtype: str) -> None:
    raster = SubElement(root, "VRTRasterBand", dataType=dtype, band=str(number))
    SubElement(raster, "Description").text = band.name
    if band.nodata is not None:
        SubElement(raster, "NoDataValue").text = f"{band.nodata:.17g}"
    if (band.scale, band.offset) != (1, 0):
        SubElement(raster, "Offset").text = f"{band.offset * band.scale:.17g}"
        SubElement(raster, "Scale").text = f"{band.scale:.17g}"
    _add_source(raster, band, role, name, str(band.number))
    if band.masked:
        mask = SubElement(SubElement(raster, "MaskBand"), "VRTRasterBand", dataType="Byte")
        _add_source(mask, band, role, name, f"mask,{band.number}", is_mask=True)


def _add_source(
    raster: Element, band: ResolvedBand, role: ResolvedRole, name: str, number: str, is_mask: bool = False
) -> None:
    """Add the part of a band's file that covers the grid. With its properties, GDAL opens the file when it reads it."""
    x, y, width, height = _covered(band.grid, role.grid)
    is_same = (width, height) == (role.grid.width, role.grid.height)
    resampling = "nearest" if is_mask or is_same or role.coding is not None else role.resampling
    source = SubElement(raster, "SimpleSource", {} if resampling == "nearest" else {"resampling": resampling})
    if resampling != "nearest" and band.nodata is not None:
        # GDAL leaves nodata out of a mean only if the band it reads has the tag; Sentinel-2's images have none.
        SubElement(source, "SourceFilename", relativeToVRT="0").text = _tagged(band, name)
        SubElement(source, "SourceBand").text = "1"
    else:
        SubElement(source, "SourceFilename", relativeToVRT="0").text = name
        SubElement(source, "SourceBand").text = number
        _add_properties(source, band, "Byte" if is_mask else GDAL_TYPES[band.dtype])
    SubElement(source, "SrcRect", xOff=_text(x), yOff=_text(y), xSize=_text(width), ySize=_text(height))
    SubElement(
        source, "DstRect", xOff="0", yOff="0", xSize=str(role.grid.width), ySize=str(role.grid.height)
    )  # fmt: skip


def _tagged(band: ResolvedBand, name: str) -> str:
    """Return a virtual raster of one band on its own grid with its nodata as a tag."""
    grid = band.grid
    root = Element("VRTDataset", rasterXSize=str(grid.width), rasterYSize=str(grid.height))
    raster = SubElement(root, "VRTRasterBand", dataType=GDAL_TYPES[band.dtype], band="1")
    SubElement(raster, "NoDataValue").text = f"{band.nodata:.17g}"
    source = SubElement(raster, "SimpleSource")
    SubElement(source, "SourceFilename", relativeToVRT="0").text = name
    SubElement(source, "SourceBand").text = str(band.number)
    _add_properties(source, band, GDAL_TYPES[band.dtype])
    whole = {"xOff": "0", "yOff": "0", "xSize": str(grid.width), "ySize": str(grid.height)}
    SubElement(source, "SrcRect", whole)
    SubElement(source, "DstRect", whole)
    return tostring(root, encoding="unicode")


def _add_properties(source: Element, band: ResolvedBand, dtype: str) -> None:
    SubElement(
        source, "SourceProperties", RasterXSize=str(band.grid.width), RasterYSize=str(band.grid.height),
        DataType=dtype, BlockXSize=str(band.block[1]), BlockYSize=str(band.block[0]),
    )  # fmt: skip


def _covered(own: PixelGrid, target: PixelGrid) -> tuple[float, float, float, float]:
    """Return the target grid in a band's pixels: x, y, width, height; whole numbers where they are nearly whole."""
    x, y = in_pixels_of(own, target, 0, 0)
    x1, y1 = in_pixels_of(own, target, target.width, target.height)
    return _whole(x), _whole(y), _whole(x1 - x), _whole(y1 - y)


def _whole(value: float) -> float:
    return float(round(value)) if abs(value - round(value)) < WHOLE_PIXEL else value


def _text(value: float) -> str:
    return f"{value:.17g}"
