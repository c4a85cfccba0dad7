"""Pairs with known registration for `registration.py`: control points, landmarks, rotated frames, known warps."""

import csv
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from scipy import ndimage

from clairemap.grid.mapping import PixelMapping
from clairemap.raster.source import RasterSource
from clairemap.registration.consensus import Frame
from clairemap.registration.model import Displacement

Points = NDArray[np.float64]
"""Coordinates or displacements (point, 2) in pixels, y first."""

CFOG = {"A": "cfog_optical_sar", "B": "cfog_visible1_sar1", "C": "cfog_rosenheim"}
WARPED = ("la_east", "la_west", *(f"flood_{name}" for name in "abcdef"), "whu_opt_sar_1000")
BLACK = 12
"""Maximum grey value of pixels outside the rotated frame; JPEG leaves some noise there."""

FRAME_PX = 256
"""Side of the SAR images of the SRIF pairs, pixels."""


@dataclass(frozen=True)
class KnownPair:
    """A pair of rasters with known displacement at some points: points and offsets (point, 2), optical pixels."""

    name: str
    optical: Path
    sar: Path
    places: Points
    offsets: Points

    @property
    def affine_residual_px(self) -> float:
        """Root mean square residual of the points' own best affine fit, the lower limit for affine models."""
        frame = Frame.of((1000, 1000))
        model = frame.solve("affine", self.places, self.offsets, np.ones(len(self.places)))
        assert model is not None
        return self.rmse_px(model)

    def rmse_px(self, model: Displacement) -> float:
        """Return the root mean square error of a model at the points."""
        return root_mean_square(self.offsets - model.at_places(self.places))


def root_mean_square(offsets: Points) -> float:
    """Return the root mean square length of offsets (point, 2)."""
    return math.sqrt(float((offsets**2).sum(axis=-1).mean()))


def control_points(folder: Path) -> KnownPair:
    """Return a CFOG pair; SAR points of georeferenced rasters are transformed to the optical grid."""
    points = np.loadtxt(folder / "control_points.csv", delimiter=",", skiprows=1)
    places, sar = points[:, [1, 0]], points[:, [3, 2]]
    optical_path, sar_path = folder / "optical.tif", folder / "sar.tif"
    with RasterSource(optical_path) as optical, RasterSource(sar_path) as source:
        if optical.geobox.crs is not None:
            sar = np.stack(PixelMapping(source.geobox, optical.geobox).exact(*sar.T), axis=-1)
    return KnownPair(folder.name, optical_path, sar_path, places, sar - places)


def landmarks(folder: Path) -> KnownPair:
    """Return an MMIM pair, with the fixed image as optical and the moving image as SAR."""
    with (folder / "landmarks.csv").open() as file:
        rows = [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]
    fixed = np.array([(row["fix_y"], row["fix_x"]) for row in rows])
    moving = np.array([(row["mov_y"], row["mov_x"]) for row in rows])
    return KnownPair(folder.name, folder / "fixed.png", folder / "moving.png", fixed, moving - fixed)


def turned_frame(folder: Path, number: int, work: Path) -> KnownPair:
    """Return an SRIF pair as GeoTIFFs, with the black corners of the SAR image masked, and its true displacement.

    The original pair had 256 px; the optical image was resized, the SAR image rotated about its centre by 0 to 90 whole
    degrees. The angle follows from the black corners. The files gt_N.txt of the data set do not match the images: their
    angles agree with the corners no better than chance. The original pair is aligned to a few pixels only.
    """
    optical, sar = (_grey(folder / f"pair{number}_{which}.jpg") for which in (1, 2))
    inside = _inside_frame(sar)
    angle = math.radians(frame_angle_deg(sar))
    scale = FRAME_PX / optical.shape[0]
    along, across = scale * math.cos(angle), scale * math.sin(angle)
    middle = (optical.shape[0] - 1) / 2
    to_middle = (FRAME_PX - 1) / 2 - middle
    truth = Displacement(
        "affine", (to_middle, -across, along - 1), (to_middle, along - 1, across), (middle, middle)
    )  # fmt: skip
    paths = [work / f"srif_{number}_{name}.tif" for name in ("optical", "sar")]
    write(paths[0], optical[None].astype(np.uint8))
    write(paths[1], sar[None].astype(np.uint8), mask=inside)
    places = np.stack(np.meshgrid(*(np.linspace(0, middle * 2, 9),) * 2, indexing="ij"), axis=-1).reshape(-1, 2)
    return KnownPair(f"srif_{number}", paths[0], paths[1], places, truth.at_places(places))


def _grey(path: Path) -> NDArray[np.float32]:
    with rasterio.open(path) as file:
        values: NDArray[np.float32] = file.read(1).astype(np.float32)
    return values


def _inside_frame(sar: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Return the pixels that are not in dark areas at the image's edge."""
    dark = ~ndimage.binary_opening(ndimage.binary_closing(np.pad(sar > BLACK, 8), iterations=4), iterations=4)
    areas, _ = ndimage.label(dark[8:-8, 8:-8])
    at_rim = np.unique(np.concatenate([areas[0], areas[-1], areas[:, 0], areas[:, -1]]))
    return ~np.isin(areas, at_rim[at_rim > 0])


def frame_angle_deg(sar: NDArray[np.float32]) -> int:
    """Return the rotation of a square image about its centre, 0 to 90 degrees, from its black corners.

    From each side inwards, the first pixel that is not black is on the rotated frame, whose sides are half the image's
    side away from the centre.
    """
    side = len(sar)
    bright = sar > BLACK
    points = []
    for turn in range(4):
        first = np.rot90(bright, turn).argmax(axis=1)
        rows = np.flatnonzero((first > 1) & (first < side // 2))
        local = np.stack([rows, first[rows]], axis=-1) - (side - 1) / 2
        for _ in range(turn):  # undo the rotation
            local = np.stack([local[:, 1], -local[:, 0]], axis=-1)
        points.append(local)
    y, x = np.concatenate(points).T
    degrees = np.arange(0, 90.1, 0.125)
    misfit = [
        np.minimum(np.abs(np.maximum(np.abs(c * y + s * x), np.abs(c * x - s * y)) - half), 2).mean()
        for half in (side / 2, side / 2 - 0.5)
        for c, s in ((math.cos(math.radians(each)), math.sin(math.radians(each))) for each in degrees)
    ]
    return round(float(degrees[int(np.argmin(misfit)) % len(degrees)]))


def warps(shape: tuple[int, int]) -> Iterator[tuple[str, Displacement]]:
    """Yield the known warps of a scene: shifts, rotation by 0.5°, scale by 1 %, a second-order polynomial."""
    for length in (0.3, 2.7, 11.4, 40.0):
        yield f"shift {length} px", Displacement.translation(0.6 * length, 0.8 * length)
    frame = Frame.of(shape)
    half = frame.scale_px
    sin, cos = (function(math.radians(0.5)) for function in (math.sin, math.cos))
    turn = np.array([[1.3, -2.1], [-sin * half, (cos - 1) * half], [(cos - 1) * half, sin * half]])
    yield "rotation 0.5°", frame.model("affine", turn)
    yield "scale 1.01", frame.model("affine", np.array([[1.3, -2.1], [0, 0.01 * half], [0.01 * half, 0]]))
    bend = np.array([[2.2, -3.1], [1.1, 0.6], [-0.8, 0.9], [1.2, -1.0], [-0.7, 0.8], [0.5, 0.4]])
    yield "polynomial", frame.model("polynomial", bend)


def write_warped(source: Path, warp: Displacement, target: Path) -> None:
    """Write a raster whose content at q + warp(q) is the source's at q (cubic splines; edges and nodata masked)."""
    with rasterio.open(source) as file:
        bands, valid = file.read().astype(np.float32), file.dataset_mask() > 0
        place = {"transform": file.transform, "crs": file.crs}
    y, x = (axis.astype(np.float64) for axis in np.mgrid[: valid.shape[0], : valid.shape[1]])
    from_y, from_x = y, x
    for _ in range(3):  # the warp changes slowly: each iteration reduces the error to a hundredth
        dy, dx = warp.at(from_y, from_x)
        from_y, from_x = y - dy, x - dx
    moved = np.stack([ndimage.map_coordinates(band, [from_y, from_x], order=3) for band in bands])
    inside = ndimage.map_coordinates(valid.astype(np.float32), [from_y, from_x], order=1) > 0.999
    write(target, moved.astype(np.float32), inside, **place)


def expected(baseline: Displacement, warp: Displacement, places: Points) -> Points:
    """Return the displacement (place, 2) of a warped pair with the displacement `baseline`."""
    own = baseline.at_places(places)
    return own + warp.at_places(places + own)


def places_in(optical: Path, sar: Path, along_side: int = 33) -> Points:
    """Return evenly spaced places (place, 2) of a scene where both rasters are valid."""
    with rasterio.open(optical) as first, rasterio.open(sar) as second:
        valid = (first.dataset_mask() > 0) & (second.dataset_mask() > 0)
    rows, cols = (np.linspace(0, size - 1, along_side).round().astype(int) for size in valid.shape)
    y, x = np.meshgrid(rows, cols, indexing="ij")
    inside = valid[y, x]
    return np.stack([y[inside], x[inside]], axis=-1).astype(np.float64)


def write(path: Path, bands: NDArray[Any], mask: NDArray[np.bool_] | None = None, **place: Any) -> Path:  # noqa: ANN401
    """Write bands (band, y, x) as a tiled GeoTIFF with an internal mask."""
    place = {"transform": Affine.identity(), **place}
    with (
        rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True),
        rasterio.open(
            path, "w", driver="GTiff", width=bands.shape[2], height=bands.shape[1], count=len(bands),
            dtype=bands.dtype, tiled=bands.shape[1] > FRAME_PX, **place,
        ) as file,
    ):  # fmt: skip
        file.write(bands)
        if mask is not None:
            file.write_mask((mask * 255).astype(np.uint8))
    return path
