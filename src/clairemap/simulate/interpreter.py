"""An interpreter of the demo's sample, who knows the simulated landscape and sometimes errs; and its true areas."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from pyproj import Transformer

from clairemap.classes import MAP_NODATA
from clairemap.grid.coordinates import Coordinates, mesh_grid, pixel_to_world
from clairemap.grid.tiles import row_bands
from clairemap.raster.source import RasterSource
from clairemap.simulate.landscape import GroundCover, survey
from clairemap.simulate.layers import BAND_PX
from clairemap.simulate.noise import Positions
from clairemap.simulate.scene import WORLD_CRS

WRONG_SHARE = 0.03
"""Share of answers that are wrong on purpose."""

MISTAKEN_FOR = {
    GroundCover.WATER: GroundCover.FOREST,
    GroundCover.FOREST: GroundCover.GRASSLAND,
    GroundCover.GRASSLAND: GroundCover.CROPLAND,
    GroundCover.CROPLAND: GroundCover.GRASSLAND,
    GroundCover.VILLAGE: GroundCover.CITY,
    GroundCover.CITY: GroundCover.VILLAGE,
    GroundCover.ROAD: GroundCover.VILLAGE,
}
"""Wrong answer for each class: one that looks similar."""

STRIDE_PX = 3
"""True areas are those of every third pixel of every third row, since the landscape takes 3.5 s per megapixel; they are
within 0.4 % of those of all pixels."""

M2_PER_HA = 10_000


def cover_name(code: int) -> str:
    """Return the name of a class in the default legend."""
    return GroundCover(code).name.lower()


def true_cover(x: Coordinates, y: Coordinates, crs: str, seed: int) -> NDArray[np.uint8]:
    """Return the codes of the ground cover at coordinates in a CRS; all arrays have one shape."""
    to_world = Transformer.from_crs(crs, WORLD_CRS, always_xy=True)
    return survey(Positions(*to_world.transform(x, y)), seed).cover


def with_errors(ids: Sequence[str], truth: NDArray[np.uint8], seed: int) -> NDArray[np.uint8]:
    """Return answers for units: the true codes, but `MISTAKEN_FOR` for a share of `WRONG_SHARE`.

    Whether an answer is wrong depends only on the unit's id and the seed, so that a longer sample keeps its answers.

    Args:
        ids: id of each unit.
        truth: true code of each unit, (unit,).
        seed: seed of the errors.
    """
    draws = (hashlib.sha256(f"{seed}:{name}".encode()).digest()[:8] for name in ids)
    wrong = [int.from_bytes(draw) < WRONG_SHARE * 2**64 for draw in draws]
    pairs = zip(truth.tolist(), wrong, strict=True)
    return np.array([MISTAKEN_FOR[GroundCover(code)] if errs else code for code, errs in pairs], np.uint8)


def true_areas(landcover: Path, seed: int) -> dict[str, float]:
    """Return the true area of each class where a map has data, hectares, by name.

    Args:
        landcover: map of the demo region, in a projected CRS with metres.
        seed: seed of the landscape.
    """
    counts = np.zeros(256, np.int64)
    with RasterSource(landcover) as source:
        for band in row_bands(source.shape, BAND_PX):
            mapped = source.read(band, (1,)).values[0] != MAP_NODATA
            x, y = _thinned(source.geobox, band.y0, mapped)
            counts += np.bincount(true_cover(x, y, str(source.geobox.crs), seed), minlength=256)
        pixel_m2 = abs(source.geobox.transform.determinant)
    return {cover_name(code): float(counts[code]) * pixel_m2 * STRIDE_PX**2 / M2_PER_HA for code in GroundCover}


def _thinned(geobox: GeoBox, first_row: int, mapped: NDArray[np.bool_]) -> tuple[Coordinates, Coordinates]:
    """Return coordinates (x, y) of the centres of mapped pixels in every `STRIDE_PX`-th row and column, (pixel,)."""
    rows = np.arange(-first_row % STRIDE_PX, mapped.shape[0], STRIDE_PX)
    columns = np.arange(0, mapped.shape[1], STRIDE_PX)
    chosen = mapped[np.ix_(rows, columns)]
    y, x = mesh_grid(rows + first_row + 0.5, columns + 0.5)
    return pixel_to_world(geobox, y[chosen], x[chosen])
