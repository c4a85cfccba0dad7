"""A raster that is made of bands of several files, as XML of GDAL's virtual format (VRT), without a file of its own."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

GDAL_TYPES = {
    "uint8": "Byte",
    "int8": "Int8",
    "uint16": "UInt16",
    "int16": "Int16",
    "uint32": "UInt32",
    "int32": "Int32",
    "uint64": "UInt64",
    "int64": "Int64",
    "float32": "Float32",
    "float64": "Float64",
    "complex64": "CFloat32",
    "complex128": "CFloat64",
    "complex_int16": "CInt16",
}
"""GDAL's name of each type of numbers, by rasterio's name."""


@dataclass(frozen=True)
class VirtualRaster:
    """A virtual raster: its bands are those of the settings, in their order.

    Attributes:
        path: cell of the sample sheet, for messages; it is not opened.
        xml: the raster as VRT. Scale and offset are tags of its bands: they apply to stored numbers, after nodata.
        nodata_in_any: nodata in one band makes the pixel invalid, also a number that could be a measurement (0).
        coding: of a cloud mask whose product defines it; None: by the settings.
        renewed: returns the XML with new signatures, for opening again after a failure; None: all files are local.
    """

    path: Path
    xml: str
    nodata_in_any: bool = False
    coding: Literal["binary", "nonzero", "scl", "qa_pixel"] | None = None
    renewed: Callable[[], str] | None = None

    @property
    def name(self) -> str:
        """Name of the file, folder or product, for records."""
        return self.path.name.partition("?")[0]


Raster = Path | VirtualRaster
"""What a stage opens: a file, or a virtual raster."""
