"""Part of sources.py: a Sentinel-2 product through resolve_scene and tile_scene, against the same bands as one file."""

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import rasterio
from sources_made import BANDS, NAMES, image_name, make_product, make_stack

from clairemap import stages
from clairemap.settings import load_settings

SCRIPTS = Path(__file__).parents[1] / "workflow" / "scripts"


@dataclass(frozen=True)
class Used:
    """CPU seconds and largest memory of a process, MB."""

    cpu_s: float
    rss_mb: float


def product_figures(folder: Path, side: int, repeats: int) -> dict[str, Any]:
    """Return the figures of a product with `side` squared pixels, the smallest of some repeats."""
    product = make_product(folder, side)
    stack = make_stack(product, folder / "stack.tif", side)
    settings = load_settings({"sensors": {"optical": {"bands": list(NAMES)}}})
    registration = folder / "registration.json"
    run_stage(
        "register_pair", stages.stage_json(settings, stages.RegisterPair), optical=stack, registration=registration
    )
    sources = folder / "sources.json"
    resolve = [
        run_stage("resolve_scene", stages.stage_json(settings, stages.ResolveScene), optical=product, sources=sources)
        for _ in range(repeats)
    ]
    tiling = stages.stage_json(settings, stages.TileScene)
    of_product, of_stack = [], []
    for number in range(repeats):
        of_product.append(tile(folder / f"p{number}", tiling, registration, optical=product, sources=sources))
        of_stack.append(tile(folder / f"s{number}", tiling, registration, optical=stack))
    jp2 = sum(_decoding_s(product / f"{image_name(key)}.jp2") for key in BANDS)
    tif = _decoding_s(stack)
    best_resolve, best_product, best_stack = (
        min(used.cpu_s for used in one) for one in (resolve, of_product, of_stack)
    )
    return {
        "side_px": side,
        "product_vs_stack": (best_resolve + best_product) / (best_stack + jp2 - tif),
        "resolve_s": best_resolve,
        "tile_product_s": best_product,
        "tile_stack_s": best_stack,
        "decode_jp2_s": jp2,
        "decode_tif_s": tif,
        "product_mb": max(used.rss_mb for used in of_product),
        "stack_mb": max(used.rss_mb for used in of_stack),
    }


def tile(folder: Path, settings: str, registration: Path, **cells: Path | str) -> Used:
    """Run tile_scene with outputs in a new folder and return what it used."""
    folder.mkdir()
    outputs = {"pair": "pair.zarr", "manifest": "pair.json", "tiles": "tiles.parquet", "radiometry": "radiometry.json"}
    files = {name: folder / file for name, file in outputs.items()}
    return run_stage("tile_scene", settings, registration=registration, **files, **cells)


def run_stage(name: str, settings: str, **options: Path | str) -> Used:
    """Run a stage's script in a process of its own and return what it used."""
    words = [word for key, value in options.items() for word in (f"--{key}", str(value))]
    command = [sys.executable, str(SCRIPTS / f"{name}.py"), "--scene", "west", *words, "--settings", settings]
    started = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert started.stderr is not None
    text = started.stderr.read()
    _, status, usage = os.wait4(started.pid, 0)
    started.returncode = os.waitstatus_to_exitcode(status)
    if started.returncode:
        raise RuntimeError(f"{name} failed:\n{text[-3000:]}")
    return Used(usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def _decoding_s(path: Path) -> float:
    """Return the CPU seconds to decode each block of a file once."""
    start = time.process_time()
    with rasterio.open(path) as file:
        for _, window in file.block_windows(1):
            file.read(window=window)
    return time.process_time() - start
