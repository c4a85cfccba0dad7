"""Part of sources.py: bytes that resolve_scene and tile_scene fetch of a scene on a web server, against its blocks."""

import itertools
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import rasterio.shutil
from affine import Affine
from numpy.typing import NDArray
from sources_made import BANDS, NAMES, OFFSET, ORIGIN, numbers
from sources_product import run_stage, tile

from clairemap import stages
from clairemap.settings import load_settings

sys.path.insert(0, str(Path(__file__).parents[1]))
from tests.range_server import range_server  # noqa: E402 - the server of the tests

BLOCK_PX = 512
POLARISATIONS = ("VV", "VH")
SAR_SHIFT_PX = 0.3
"""SAR is resampled, so that the windows of neighbouring shards overlap."""


def http_figures(folder: Path, side: int) -> dict[str, Any]:
    """Return the bytes fetched divided by those of all blocks of full resolution, each once."""
    served = folder / "served"
    served.mkdir()
    item = _item(served, side)
    for seed, name in enumerate(POLARISATIONS):
        values = np.random.default_rng(seed).gamma(4, 0.02, (side, side)).astype(np.float32)
        _write_cog(served / f"{name}.tif", values, 10, SAR_SHIFT_PX)
    settings = load_settings({"sensors": {"optical": {"bands": list(NAMES)}}})
    registration, sources = folder / "registration.json", folder / "sources.json"
    run_stage(
        "register_pair", stages.stage_json(settings, stages.RegisterPair), optical=served / "B04.tif",
        registration=registration,
    )  # fmt: skip
    with range_server(served) as server:
        sar = ";".join(f"{server.url}/{name}.tif" for name in POLARISATIONS)
        cells = {"optical": f"{server.url}/{item}", "sar": sar}
        run_stage("resolve_scene", stages.stage_json(settings, stages.ResolveScene), sources=sources, **cells)
        resolving = server.sent()
        used = tile(
            folder / "tiled", stages.stage_json(settings, stages.TileScene), registration, sources=sources, **cells
        )
        fetched = server.sent()
    needed = sum(map(_block_bytes, served.glob("*.tif")))
    return {
        "http_side_px": side,
        "http_bytes_ratio": fetched / needed,
        "http_resolve_ratio": resolving / needed,
        "http_needed_mb": needed / 1e6,
        "http_requests": len(server.requests),
        "http_tile_mb": used.rss_mb,
    }


def _item(folder: Path, side: int) -> str:
    """Write the optical bands and an item of them, and return the item's name."""
    assets = {}
    for seed, (key, metres) in enumerate(BANDS.items()):
        _write_cog(folder / f"{key}.tif", numbers(side * 10 // metres, seed), metres, 0)
        raster = {"nodata": 0, "scale": 0.0001, "offset": OFFSET / 10_000}
        assets[NAMES[seed]] = {"href": f"{key}.tif", "roles": ["data"], "raster:bands": [raster]}
    item = {
        "type": "Feature", "stac_version": "1.0.0", "id": "made", "assets": assets, "links": [],
        "geometry": {"type": "Point", "coordinates": [15, 48.7]},
        "properties": {
            "datetime": "2026-05-12T10:00:31Z", "platform": "sentinel-2a", "s2:processing_baseline": "05.11"
        },
    }  # fmt: skip
    (folder / "item.json").write_text(json.dumps(item), encoding="utf-8")
    return "item.json"


def _write_cog(path: Path, values: NDArray[Any], metres: float, shift_px: float) -> None:
    plain = path.with_suffix(".plain")
    x, y = ORIGIN[0] + shift_px * metres, ORIGIN[1] - shift_px * metres
    with rasterio.open(
        plain, "w", driver="GTiff", height=values.shape[0], width=values.shape[1], count=1, dtype=values.dtype,
        crs="EPSG:32633", transform=Affine(metres, 0, x, 0, -metres, y),
    ) as file:  # fmt: skip
        file.write(values, 1)
    rasterio.shutil.copy(plain, path, driver="COG", COMPRESS="DEFLATE", BLOCKSIZE=BLOCK_PX)
    plain.unlink()


def _block_bytes(path: Path) -> int:
    with rasterio.open(path) as file:
        rows, columns = (-(-size // BLOCK_PX) for size in file.shape)
        sizes = (
            file.get_tag_item(f"BLOCK_SIZE_{column}_{row}", "TIFF", bidx=1)
            for row, column in itertools.product(range(rows), range(columns))
        )
        return sum(int(size) for size in sizes if size)
