"""Smaller copies of a map: each pixel from the four below it, nodata left out.

GDAL makes them, too, but spends twice as long on them as on compressing the map (244 Mpx of classes: 7.8 s of 11.6;
these and their compression: 3.7 s). Where one class is the most frequent they are GDAL's; GDAL's COG driver takes them
from a virtual raster.
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
from clairemap.raster.source import area_of

Quarters = tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]]
Shrink = Literal["mode", "average", "first"]

SHRINK_PIECE_PX = 1024
"""Side of the pieces of a level that are shrunk at once; 4 MiB of passes of single bytes."""


@dataclass(frozen=True)
class Pyramid:
    """A virtual raster with overviews, and what the values of each of them sum to, the largest overview first."""

    path: Path
    sums: tuple[int, ...]


def with_overviews(
    plain: Path, how: Shrink, nodata: int, smallest_px: int, creation: Mapping[str, Any], folder: Path
) -> Pyramid:
    """Return a virtual raster of a file with its overviews, each half as large, down to one that fits `smallest_px`.

    A file of one column has none: rio-cogeo tells how coarse an overview is by its width and refuses one as wide as
    the file.

    Args:
        plain: one-band ``uint8`` raster in blocks.
        how: `shrunk`'s.
        nodata: value that doesn't count.
        smallest_px: side that the smallest level's longer side doesn't exceed.
        creation: rasterio's profile for the levels' files, but for their size and place.
        folder: for the virtual raster and the levels' files; they are read when it is.
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
    """Return the half as large copy (y, x), sizes rounded up, of values (y, x) ``uint8``.

    Of each two by two pixels those that are nodata don't count; if all are, so is the answer. "mode" is the most
    frequent value (of several the first, by rows), "average" the mean to whole numbers (halves up), "first" the first
    value.
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
    answer, most = a, _times(ab + ac + ad, a, nodata)
    for value, like in ((b, ab + bc + bd), (c, ac + bc + cd), (d, ad + bd + cd)):
        times = _times(like, value, nodata)
        answer = np.where(times > most, value, answer)
        most = np.maximum(most, times)
    return answer


def _times(like: NDArray[np.uint8], value: NDArray[np.uint8], nodata: np.uint8) -> NDArray[np.uint8]:
    """Return how often a value occurs, 0 if it is nodata."""
    times: NDArray[np.uint8] = (like + np.uint8(1)) * (value != nodata).view(np.uint8)
    return times


def _average(quarters: Quarters, nodata: np.uint8) -> NDArray[np.uint8]:
    total, count = np.zeros(quarters[0].shape, np.uint16), np.zeros(quarters[0].shape, np.uint8)
    for quarter in quarters:
        valid = (quarter != nodata).view(np.uint8)
        total += quarter * valid
        count += valid
    divisor = np.maximum(count, 1)
    answer: NDArray[np.uint8] = np.where(count > 0, (total + divisor // 2) // divisor, nodata).astype(np.uint8)
    return answer


def _first(quarters: Quarters, nodata: np.uint8) -> NDArray[np.uint8]:
    answer = quarters[0].copy()
    for quarter in quarters[1:]:
        np.copyto(answer, quarter, where=answer == nodata)
    return answer


SHRINK: dict[Shrink, Callable[[Quarters, np.uint8], NDArray[np.uint8]]] = {
    "mode": _mode,
    "average": _average,
    "first": _first,
}


def _write_level(source: Path, target: Path, how: Shrink, nodata: int, creation: Mapping[str, Any]) -> int:
    """Write the half as large copy and return what its values sum to; where the source holds no block, nor does it."""
    with open_raster(source) as whole:
        shape = ceil_div(whole.height, 2), ceil_div(whole.width, 2)
        total: int = nodata * shape[0] * shape[1]
        # The place changes nothing in the map; without it rasterio warns at each level that it has none.
        fine = whole.transform  # affine multiplies by * up to version 2, by @ from 3 on
        transform = Affine(2 * fine.a, 2 * fine.b, fine.c, 2 * fine.d, 2 * fine.e, fine.f)
        grid = {"height": shape[0], "width": shape[1], "crs": whole.crs, "transform": transform}
        with open_raster(target, "w", **{**creation, **grid}) as level:
            for tile in tiles(shape, SHRINK_PIECE_PX):
                below = tile.window.refined(2).clipped(whole.shape)
                if not is_stored(whole, below):
                    continue
                values = shrunk(whole.read(1, window=area_of(below)), how, nodata)
                if (values != nodata).any():
                    level.write(values, 1, window=area_of(tile.window))
                    total += int(values.sum(dtype=np.int64)) - nodata * values.size
    return total


def _shape(path: Path) -> tuple[int, int]:
    with open_raster(path) as dataset:
        return int(dataset.height), int(dataset.width)
