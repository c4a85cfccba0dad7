"""Folders with the layout, names, chip sizes, bands and types of published data sets, and generated values."""

from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import DTypeLike, NDArray

DEGREES = Affine(8.983152841195215e-05, 0, -0.78, 0, -8.983152841195215e-05, 38.1)
UTM = Affine(10, 0, 600_000, 0, -10, 5_400_000)
WHU_SHAPE = (26, 30)
BLOCK_PX = 32


def write(path: Path, values: NDArray[Any], **profile: object) -> None:
    """Write bands (band, y, x), or one band (y, x), as a GeoTIFF."""
    bands = values if values.ndim == 3 else values[None]
    path.parent.mkdir(parents=True, exist_ok=True)
    with rasterio.open(
        path, "w", driver="GTiff", height=bands.shape[1], width=bands.shape[2], count=len(bands), dtype=bands.dtype,
        **profile,
    ) as file:  # fmt: skip
        file.write(bands)


def patches(seed: int, codes: tuple[int, ...], side: int, dtype: DTypeLike) -> NDArray[Any]:
    """Return codes (y, x) in blocks of 32 px."""
    drawn = np.random.default_rng(seed).choice(codes, (side // BLOCK_PX, side // BLOCK_PX))
    return drawn.repeat(BLOCK_PX, 0).repeat(BLOCK_PX, 1).astype(dtype)


def shown(label: NDArray[Any], bands: int, seed: int, dtype: DTypeLike = "uint8") -> NDArray[Any]:
    """Return bands (band, y, x) whose level depends on the label, with noise; 1 to 255."""
    rng = np.random.default_rng(seed)
    level = (np.abs(label.astype(np.int64)) * 29 + 40)[None] % 200 + 20 * np.arange(bands)[:, None, None] % 30
    return (level + rng.integers(0, 12, (bands, *label.shape))).clip(1, 255).astype(dtype)


def whu_opt_sar(folder: Path, names: list[str]) -> None:
    """Write scenes without georeferencing: 4 bands uint8, 1 band uint8, label codes 0, 10, ... 70."""
    for seed, name in enumerate(names):
        label = np.random.default_rng(seed).choice(range(0, 80, 10), WHU_SHAPE).astype(np.uint8)
        write(folder / "optical" / f"{name}.tif", shown(label, 4, seed))
        write(folder / "sar" / f"{name}.tif", shown(label, 1, seed + 1))
        write(folder / "lbl" / f"{name}.tif", label)


def openearthmap_sar(folder: Path, train: int = 4, test: int = 2) -> None:
    """Write chips of 1024 px, uint8; SAR has a black edge, and test chips have SAR only."""
    for seed in range(train + test):
        label = patches(seed, tuple(range(9)), 1024, np.uint8)
        sar = shown(label, 1, seed + 1)
        sar[:, :, : 10 + seed] = 0
        if seed < train:
            name = f"TrainArea_{seed + 1:03d}.tif"
            write(folder / "train" / "rgb_images" / name, shown(label, 3, seed))
            write(folder / "train" / "sar_images" / name, sar)
            write(folder / "train" / "labels" / name, label)
        else:
            write(folder / "test" / "sar_images" / f"TestArea_{seed - train + 1:03d}.tif", sar)


def pie_rgb_sar(folder: Path, train: int = 20, test: int = 2) -> None:
    """Write chips of 256 px, uint8, and their lists train.txt and val.txt."""
    names = [f"{number:05d}" for number in range(train + test)]
    for seed, name in enumerate(names):
        label = patches(seed, tuple(range(6)), 256, np.uint8)
        write(folder / "rgb" / f"{name}.tif", shown(label, 3, seed))
        write(folder / "sar" / f"{name}.tif", shown(label, 1, seed + 1))
        write(folder / "label" / f"{name}.tif", label)
    (folder / "train.txt").write_text("\n".join(names[:train]) + "\n")
    (folder / "val.txt").write_text("\n".join(names[train:]) + "\n")


FLOODS = {
    "train": ("Ghana_103272", "Ghana_1078550"),
    "valid": ("India_1017769",),
    "test": ("Spain_6537196",),
    "bolivia": ("Bolivia_103757",),
}


def sen1floods11(folder: Path) -> None:
    """Write chips of 512 px in degrees: S1 float32 dB with NaN, S2 13 bands int16 with nodata 0, labels int16."""
    chips = folder / "data" / "flood_events" / "HandLabeled"
    lists = folder / "splits" / "flood_handlabeled"
    lists.mkdir(parents=True)
    for part, names in FLOODS.items():
        rows = [f"{name}_S1Hand.tif,{name}_LabelHand.tif\n" for name in names]
        (lists / f"flood_{part}_data.csv").write_text("".join(rows))
    for seed, name in enumerate(name for names in FLOODS.values() for name in names):
        label = patches(seed, (-1, 0, 1), 512, np.int16)
        decibel = shown(label, 2, seed).astype(np.float32) / -10
        decibel[:, :9] = np.nan
        place = {"crs": "EPSG:4326", "transform": DEGREES}
        write(chips / "S1Hand" / f"{name}_S1Hand.tif", decibel, nodata=np.nan, **place)
        write(chips / "S2Hand" / f"{name}_S2Hand.tif", shown(label, 13, seed, np.int16), nodata=0, **place)
        write(chips / "LabelHand" / f"{name}_LabelHand.tif", label, **place)


def dfc2020(folder: Path, train: int = 4, test: int = 2) -> None:
    """Write chips of 256 px: S1 dB float64, S2 13 bands uint16, labels int32; folder names differ by part."""
    for part, place, count in (("validation", "validation", train), ("test", "0", test)):
        for seed in range(8, 8 + count):
            label = patches(seed, (0, 1, 2, 4, 5, 6, 7, 9, 10), 256, np.int32)
            values = {
                "s1": shown(label, 2, seed) / -10.0,
                "s2": shown(label, 13, seed, np.uint16) * 10,
                "dfc": label,
            }
            for sensor, bands in values.items():
                name = f"ROIs0000_{part}_{sensor}_0_p{seed}.tif"
                write(folder / f"ROIs0000_{part}" / f"{sensor}_{place}" / name, bands, crs="EPSG:32633", transform=UTM)
