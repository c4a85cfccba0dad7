"""Made pairs laid out as the real ones that `registration.py` reads: for its `--quick`, which needs no data.

Ground of polygonal fields; a field's brightness in optical says nothing about its brightness in SAR. Names of folders
and files are those of the real scenes, so that every part of the benchmark runs. Their figures are not results.
"""

import csv
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from registration_cases import CFOG, FRAME_PX, write
from scipy.spatial import cKDTree

Floats = NDArray[np.float64]
Place = Callable[[Floats, Floats], tuple[Floats, Floats]]
"""Function from pixel coordinates y, x of an image to those of the ground."""

SIDE_PX = 320
SHIFT_PX = (2.4, -3.1)
POINT_NOISE_PX = 0.3
"""Standard deviation of control points and landmarks, pixels; without noise, their affine residual would be 0."""

TURN_DEG, RESIZED_PX = 20, 320
"""Angle of the rotated SAR image, and side of the resized optical image."""


def make_data(folder: Path) -> Path:
    """Write one pair of each kind, under all names of the CFOG and MMIM pairs, and return the folder."""
    write_pair(folder / "la_east", ("optical.tif", "sar.tif"), seed=1)
    for seed, name in enumerate(CFOG.values(), 2):
        write_pair(folder / "coreg" / name, ("optical.tif", "sar.tif"), seed)
        places, moved = noisy_points(seed)
        rows = [("optical_x", "optical_y", "sar_x", "sar_y"), *np.hstack([places[:, ::-1], moved[:, ::-1]])]
        write_table(folder / "coreg" / name / "control_points.csv", rows)
    for seed, name in enumerate(("mmim_SO1", "mmim_SO2", "mmim_SO3"), 5):
        write_pair(folder / "coreg" / name, ("fixed.png", "moving.png"), seed)
        rows = [("fix_y", "fix_x", "mov_y", "mov_x"), *np.hstack(noisy_points(seed))]
        write_table(folder / "coreg" / name / "landmarks.csv", rows)
    write_turned_pair(folder / "coreg" / "srif", seed=8)
    return folder


def noisy_points(seed: int) -> tuple[Floats, Floats]:
    """Return points in the optical image, and measured points of the same ground in the SAR image (point, 2)."""
    along = np.linspace(20, SIDE_PX - 20, 5)
    places = np.stack(np.meshgrid(along, along, indexing="ij"), axis=-1).reshape(-1, 2)
    noise = np.random.default_rng(seed).normal(0, POINT_NOISE_PX, places.shape)
    return places, places + SHIFT_PX + noise


def write_pair(folder: Path, names: tuple[str, str], seed: int) -> None:
    """Write a pair of equal size whose SAR content is shifted by `SHIFT_PX`."""
    shape = (SIDE_PX, SIDE_PX)
    optical = picture(shape, seed, sensor=0, place=lambda y, x: (y, x))
    sar = picture(shape, seed, sensor=1, place=lambda y, x: (y - SHIFT_PX[0], x - SHIFT_PX[1]))
    for name, values in zip(names, (optical, sar), strict=True):
        write_grey(folder / name, values)


def write_turned_pair(folder: Path, seed: int) -> None:
    """Write pair 1 in the form of SRIF: resized optical image; SAR rotated about its centre, with black corners."""
    scale, middle, resized_middle = FRAME_PX / RESIZED_PX, (FRAME_PX - 1) / 2, (RESIZED_PX - 1) / 2
    cos, sin = math.cos(math.radians(TURN_DEG)), math.sin(math.radians(TURN_DEG))

    def resized(y: Floats, x: Floats) -> tuple[Floats, Floats]:
        return (y - resized_middle) * scale + middle, (x - resized_middle) * scale + middle

    def turned(y: Floats, x: Floats) -> tuple[Floats, Floats]:
        y, x = y - middle, x - middle
        return cos * y + sin * x + middle, cos * x - sin * y + middle

    sar = picture((FRAME_PX, FRAME_PX), seed, sensor=1, place=turned)
    ground = np.stack(turned(*np.indices(sar.shape).astype(np.float64)))
    sar[(np.abs(ground - middle) > FRAME_PX / 2).any(axis=0)] = 0
    write_grey(folder / "pair1_1.jpg", picture((RESIZED_PX, RESIZED_PX), seed, sensor=0, place=resized))
    write_grey(folder / "pair1_2.jpg", sar)


def picture(shape: tuple[int, int], seed: int, sensor: int, place: Place) -> NDArray[np.uint8]:
    """Return a grey image (y, x) of the ground, with additive noise in optical (0) and speckle in SAR (1)."""
    y, x = place(*np.indices(shape).astype(np.float64))
    random = np.random.default_rng(seed)
    centres = random.uniform(-60, SIDE_PX + 60, (SIDE_PX**2 // 200, 2))
    fields = np.asarray(cKDTree(centres).query(np.stack([y, x], axis=-1))[1])
    brightness = np.random.default_rng((seed, sensor)).uniform(60, 200, len(centres))[fields]
    noise = np.random.default_rng((seed, sensor, 1))
    values = brightness * noise.gamma(16, 1 / 16, shape) if sensor else brightness + noise.normal(0, 4, shape)
    return values.clip(20, 255).astype(np.uint8)


def write_grey(path: Path, values: NDArray[np.uint8]) -> None:
    """Write one band in the format of the file name's suffix."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".tif":
        write(path, values[None])
    else:
        Image.fromarray(values).save(path, quality=95)


def write_table(path: Path, rows: list[tuple[str, ...]]) -> None:
    """Write rows as CSV."""
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(rows)
