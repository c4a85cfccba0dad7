"""Small pairs with learnable classes, as written by tile_scene, for tests of the later stages."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from affine import Affine
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from clairemap.artefacts.store_attributes import PairAttributes
from clairemap.raster.store import Layer, complete_store, create_store
from clairemap.settings import Settings, load_settings
from clairemap.tiles.copies import content_hash

TILE_PX = 256
CLASSES = ("water", "fields", "town")
OPTICAL_BANDS = ("red", "nir")
SAR_BANDS = ("VV",)
CONFIG: dict[str, Any] = {
    "legend": {
        "classes": [
            {"code": code, "name": name, "color": f"#{40 * code:02x}4080"} for code, name in enumerate(CLASSES, start=1)
        ]
    },
    "sensors": {"optical": {"bands": OPTICAL_BANDS}, "sar": {"bands": SAR_BANDS}},
    "tiling": {"tile_px": TILE_PX},
    "training": {
        "steps": 4,
        "batch_size": 2,
        "crop_px": 128,
        "validate_every": 2,
        "checkpoint_every": 2,
        "max_validation_tiles": 2,
    },
}

OPTICAL_NODATA, SAR_NODATA, CLOUD, NO_LABEL = 1, 2, 4, 8


@dataclass(frozen=True)
class MadeScene:
    """Paths of a scene's files, and the arrays in its store."""

    scene: str
    pair: Path
    tiles: Path
    optical: NDArray[np.uint16]
    sar: NDArray[np.float32]
    label: NDArray[np.uint8]
    validity: NDArray[np.uint8]


def settings(**training: Any) -> Settings:  # noqa: ANN401 - values of any setting
    """Return settings for the pairs, with some training settings changed."""
    return load_settings({**CONFIG, "training": {**CONFIG["training"], **training}})


def make_scene(
    folder: Path, scene: str, *, seed: int = 0, shape: tuple[int, int] = (512, 512), labelled: bool = True
) -> MadeScene:
    """Write a pair store and its tile index: patches of 32 px of three classes, one of them rare.

    Rows 0-15 are optical nodata, columns 0-15 SAR nodata, rows 16-31 cloud, columns 16-31 unlabelled.
    """
    rng = np.random.default_rng(seed)
    patches = rng.choice(3, (shape[0] // 32 + 1, shape[1] // 32 + 1), p=(0.55, 0.4, 0.05))
    label = np.kron(patches, np.ones((32, 32), np.int64))[: shape[0], : shape[1]].astype(np.uint8)
    optical = np.array([[300, 900, 600], [200, 2600, 1200]])[:, label] + rng.normal(0, 60, (2, *shape))
    sar = np.array([[-22.0, -14.0, -5.0]])[:, label] + rng.normal(0, 1.5, (1, *shape))
    validity = np.zeros(shape, np.uint8)
    validity[:16] |= OPTICAL_NODATA
    validity[:, :16] |= SAR_NODATA
    validity[16:32] |= CLOUD
    validity[:, 16:32] |= NO_LABEL
    if not labelled:
        validity |= NO_LABEL
    optical[:, 16:32] = 9000
    optical[:, :16] = 0
    sar[:, :, :16] = np.nan
    label[(validity & NO_LABEL) > 0] = 255
    layers = {"optical": optical.astype(np.uint16), "sar": sar.astype(np.float32), "label": label, "validity": validity}
    pair = _write(folder / scene, scene, layers)
    tiles = pair.with_name("tiles.parquet")
    tile_index(scene, layers).to_parquet(tiles)
    return MadeScene(scene, pair, tiles, **layers)


def _write(folder: Path, scene: str, layers: dict[str, NDArray[Any]]) -> Path:
    folder.mkdir(parents=True)
    height, width = layers["label"].shape
    store = create_store(
        folder / "part.zarr",
        GeoBox((height, width), Affine(10, 0, 500_000, 0, -10, 4_000_000), "EPSG:32633"),
        [
            Layer("optical", "uint16", OPTICAL_BANDS),
            Layer("sar", "float32", SAR_BANDS),
            Layer("label", "uint8", fill=255),
            Layer("validity", "uint8"),
        ],
        tile_px=TILE_PX,
        shard_tiles=2,
        attributes=PairAttributes(
            scene=scene, sar_scale="db", registration="good", sources={}, georeferenced=True, class_codes=(1, 2, 3)
        ).model_dump(mode="json"),
    )
    for name, values in layers.items():
        for window in store.shards():
            store.write(name, window, values[..., *window.slices])
    complete_store(folder / "part.zarr", folder / "pair.zarr")
    return folder / "pair.zarr"


def tile_index(scene: str, layers: dict[str, NDArray[Any]]) -> pd.DataFrame:
    """Return the rows of tiles.parquet, counted from the arrays."""
    rows = []
    label, validity = layers["label"], layers["validity"]
    optical = (validity & (OPTICAL_NODATA | CLOUD)) == 0
    sar = (validity & SAR_NODATA) == 0
    target = np.where(optical | sar, label, 255)
    for y0 in range(0, label.shape[0], TILE_PX):
        for x0 in range(0, label.shape[1], TILE_PX):
            tile = np.s_[y0 : y0 + TILE_PX, x0 : x0 + TILE_PX]
            class_px = [int((target[tile] == index).sum()) for index in range(len(CLASSES))]
            rows.append(
                {
                    "scene": scene,
                    "row": y0 // TILE_PX,
                    "col": x0 // TILE_PX,
                    "y0": y0,
                    "x0": x0,
                    "height": label[tile].shape[0],
                    "width": label[tile].shape[1],
                    "valid_px": int((optical | sar)[tile].sum()),
                    "optical_px": int(optical[tile].sum()),
                    "sar_px": int(sar[tile].sum()),
                    "cloud_px": int(((validity[tile] & CLOUD) > 0).sum()),
                    "cloud_unknown_px": 0,
                    "labelled_px": sum(class_px),
                    "class_px": class_px,
                    "optical_hash": content_hash(layers["optical"][:, *tile], (validity[tile] & OPTICAL_NODATA) == 0),
                    "sar_hash": content_hash(layers["sar"][:, *tile], (validity[tile] & SAR_NODATA) == 0),
                }
            )
    return pd.DataFrame(rows)
