"""Overviews of a map: each pixel is computed from the four below it, without nodata.

For 244 Mpx of classes GDAL needs 7.8 s for overviews, this module 3.7 s including compression. GDAL's COG driver reads
them from a virtual raster.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from xml.etree import ElementTree

import numpy as np
from affine import Affine
from numpy.typing import NDArray

from clairemap.grid.rounding import ceil_div
from clairemap.grid.tiles import tiles
from clairemap.raster.opening import copy_raster, is_stored, open_raster
from clairemap.raster.source import rasterio_window

Quarters = tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]]
Shrink = Literal["mode", "average", "first"]

SHRINK_PIECE_PX = 1024
"""Side of the windows in which an overview is computed, chosen for 4 MiB of input."""


@dataclass(frozen=True)
class Pyramid:
    """A virtual raster with overviews, and the sum of the values of each, largest overview first."""

    path: Path
    sums: tuple[int, ...]


def with_overviews(
    plain: Path, how: Shrink, nodata: int, smallest_px: int, creation: Mapping[str, Any], folder: Path
) -> Pyramid:
    """Return a virtual raster of a file with overviews, each half as large as the one before, down to `smallest_px`.

    A file with one column gets no overviews, because rio-cogeo rejects overviews as wide as the file.

    Args:
        plain: tiled one-band ``uint8`` raster.
        how: resampling, see `shrunk`.
        nodata: nodata value.
        smallest_px: maximum side of the smallest overview.
        creation: rasterio profile of the overviews' files, without size, CRS and transform.
        folder: folder of the virtual raster and the overviews' files.
    """
    levels, sums = [plain], []
    while max(_shape(levels[-1])) > smallest_px and _shape(plain)[1] > 1:
        level = folder / f"level{len(levels)}.tif"
        sums.append(_write_level(levels[-1], level, how, nodata, creation))
        levels.append(level)
    virtual = folder / "map.vrt"
    copy_raster(plain, virtual, driver="VRT")
    tree = ElementTree.parse(virtual)
    for band in tree.iter("VRTRasterBand"):
        for level in levels[1:]:
            overview = ElementTree.SubElement(band, "Overview")
            ElementTree.SubElement(overview, "SourceFilename", relativeToVRT="0").text = str(level.resolve())
            ElementTree.SubElement(overview, "SourceBand").text = "1"
    tree.write(virtual, encoding="utf-8")
    return Pyramid(virtual, tuple(sums))


def shrunk(values: NDArray[np.uint8], how: Shrink, nodata: int) -> NDArray[np.uint8]:
    """Return ``uint8`` values (y, x) at half the size, rounded up.

    Each result pixel is computed from the valid ones of two by two pixels, and is nodata if there are none. "mode" is
    the most frequent value (the first in row order if there are several), "average" the rounded mean (halves up),
    "first" the first valid value.
    """
    height, width = values.shape
    if height % 2 or width % 2:
        values = np.pad(values, ((0, height % 2), (0, width % 2)), constant_values=nodata)
    quarters = values[::2, ::2], values[::2, 1::2], values[1::2, ::2], values[1::2, 1::2]
    return SHRINK[how](quarters, np.uint8(nodata))


def _mode(quarters: Quarters, nodata: np.uint8) -> NDArray[np.uint8]:
    a, b, c, d = (np.ascontiguousarray(quarter) for quarter in quarters)
    ab, ac, ad, bc, bd, cd = (
        np.equal(one, other).view(np.uint8) for one, other in ((a, b), (a, c), (a, d), (b, c), (b, d), (c, d))
    )
    mode, most = a, _frequency(ab + ac + ad, a, nodata)
    for value, equal in ((b, ab + bc + bd), (c, ac + bc + cd), (d, ad + bd + cd)):
        frequency = _frequency(equal, value, nodata)
        mode = np.where(frequency > most, value, mode)
        most = np.maximum(most, frequency)
    return mode


def _frequency(equal: NDArray[np.uint8], value: NDArray[np.uint8], nodata: np.uint8) -> NDArray[np.uint8]:
    """Return the frequency of values, given the number of other pixels equal to them; 0 for nodata."""
    frequency: NDArray[np.uint8] = (equal + np.uint8(1)) * (value != nodata).view(np.uint8)
    return frequency


def _average(quarters: Quarters, nodata: np.uint8) -> NDArray[np.uint8]:
    total, count = np.zeros(quarters[0].shape, np.uint16), np.zeros(quarters[0].shape, np.uint8)
    for quarter in quarters:
        valid = (quarter != nodata).view(np.uint8)
        total += quarter * valid
        count += valid
    divisor = np.maximum(count, 1)
    mean: NDArray[np.uint8] = np.where(count > 0, (total + divisor // 2) // divisor, nodata).astype(np.uint8)
    return mean


def _first(quarters: Quarters, nodata: np.uint8) -> NDArray[np.uint8]:
    first = quarters[0].copy()
    for quarter in quarters[1:]:
        np.copyto(first, quarter, where=first == nodata)
    return first


SHRINK: dict[Shrink, Callable[[Quarters, np.uint8], NDArray[np.uint8]]] = {
    "mode": _mode,
    "average": _average,
    "first": _first,
}


def _write_level(source: Path, target: Path, how: Shrink, nodata: int, creation: Mapping[str, Any]) -> int:
    """Write an overview of half the size and return the sum of its values; areas without blocks stay sparse."""
    with open_raster(source) as whole:
        shape = ceil_div(whole.height, 2), ceil_div(whole.width, 2)
        total: int = nodata * shape[0] * shape[1]
        # Georeferencing avoids a warning of rasterio.
        fine = whole.transform  # multiplication of Affine is * up to version 2 and @ from version 3
        transform = Affine(2 * fine.a, 2 * fine.b, fine.c, 2 * fine.d, 2 * fine.e, fine.f)
        grid = {"height": shape[0], "width": shape[1], "crs": whole.crs, "transform": transform}
        with open_raster(target, "w", **{**creation, **grid}) as level:
            for tile in tiles(shape, SHRINK_PIECE_PX):
                below = tile.window.refined(2).clipped(whole.shape)
                if not is_stored(whole, below):
                    continue
                values = shrunk(whole.read(1, window=rasterio_window(below)), how, nodata)
                if (values != nodata).any():
                    level.write(values, 1, window=rasterio_window(tile.window))
                    total += int(values.sum(dtype=np.int64)) - nodata * values.size
    return total


def _shape(path: Path) -> tuple[int, int]:
    with open_raster(path) as dataset:
        return int(dataset.height), int(dataset.width)
