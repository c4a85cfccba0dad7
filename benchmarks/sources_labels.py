"""Polygons burnt into a label raster: time and memory compared with `gdal_rasterize`.

200,000 polygons of 320 vertices in a GeoPackage of 1.1 GB, in the CRS of a scene of 10980² px; 8 classes. Both programs
write a tiled GeoTIFF with DEFLATE. clairemap also repairs geometries, finds overlaps of different classes, and counts.

- `burn_vs_gdal`: wall time of burn_labels over that of `gdal_rasterize`, medians of runs in turns, imports included.
- `cpu_s_…`, `wall_s_…`: seconds; `rss_mb_…`: peak memory, MiB. clairemap uses one thread, as in the rule.
- `rss_ratio_4x`: peak memory of burn_labels on a grid of four times as many pixels over that on this one.
- `differ`: pixels with another class than `gdal_rasterize`'s.

Prints one line per run, and as its last line one JSON object; figures are null without `gdal_rasterize`.

    python benchmarks/sources_labels.py [--quick] [--repetitions 3] [--folder kept]
"""

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pyogrio
import rasterio
import shapely
from affine import Affine

PROJECT = Path(__file__).parents[1]
PIXEL_M, CLASSES, VERTICES, THREADS = 10.0, 8, 320, 1
WEST, NORTH, CRS = 500_000.0, 5_400_000.0, "EPSG:32633"
AT_ONCE = 20_000
GDAL_NAME = "gdal_rasterize"
RUNNER = """
import json, resource, subprocess, sys, time
started = time.monotonic()
code = subprocess.run(json.loads(sys.argv[1]), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(json.dumps([time.monotonic() - started, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024]))
sys.exit(code)
"""


def figures(folder: Path, *, polygons: int, side_px: int, repetitions: int) -> dict[str, Any]:
    """Return the figures of all programs; files are kept in `folder`."""
    vector = folder / "labels.gpkg"
    if not vector.exists():
        write_polygons(vector, polygons, side_px)
    for name, side, size in (("scene.tif", side_px, PIXEL_M), ("fine.tif", 2 * side_px, PIXEL_M / 2)):
        write_scene(folder / name, side, size)
    arms = {"clairemap": burn_command(folder, "scene.tif"), "gdal": gdal_command(folder, side_px)}
    if shutil.which(GDAL_NAME) is None:
        arms.pop("gdal")
    runs: dict[str, list[list[float]]] = {name: [] for name in arms}
    for _ in range(repetitions):
        for name, command in arms.items():
            runs[name].append(cost(command))
            print(f"{name}: wall {runs[name][-1][0]:.2f} s, CPU {runs[name][-1][1]:.2f} s", flush=True)
    costs = {name: [median(run[part] for run in found) for part in range(3)] for name, found in runs.items()}
    ours, gdal = costs["clairemap"], costs.get("gdal", [None] * 3)
    fine = cost(burn_command(folder, "fine.tif"))
    return {
        "burn_vs_gdal": None if gdal[0] is None else ours[0] / gdal[0],
        "wall_s_clairemap": ours[0],
        "wall_s_gdal": gdal[0],
        "cpu_s_clairemap": ours[1],
        "cpu_s_gdal": gdal[1],
        "rss_mb_clairemap": ours[2],
        "rss_mb_gdal": gdal[2],
        "rss_ratio_4x": fine[2] / ours[2],
        "differ": differing(folder, side_px) if "gdal" in arms else None,
        "polygons": polygons,
        "vector_mb": vector.stat().st_size / 1e6,
    }


def write_polygons(path: Path, count: int, side_px: int) -> None:
    """Write star-like polygons that do not touch, in rows, with a random class code each."""
    rng = np.random.default_rng(1)
    per_row = int(np.ceil(np.sqrt(count)))
    cell = side_px * PIXEL_M / per_row
    angle = np.linspace(0, 2 * np.pi, VERTICES, endpoint=False)
    for first in range(0, count, AT_ONCE):
        row, column = np.divmod(np.arange(first, min(count, first + AT_ONCE)), per_row)
        phase, rough = rng.uniform(0, 6, (len(row), 1)), rng.random((len(row), VERTICES))
        radius = cell * (0.35 + 0.12 * np.sin(5 * angle + phase) + 0.03 * rough)
        x = WEST + (column[:, None] + 0.5) * cell + radius * np.cos(angle)
        y = NORTH - (row[:, None] + 0.5) * cell + radius * np.sin(angle)
        rings = np.stack([x, y], axis=-1)
        shapes = shapely.polygons(np.concatenate([rings, rings[:, :1]], axis=1))
        pyogrio.raw.write(
            path, np.asarray(shapely.to_wkb(shapes), object), [rng.integers(1, CLASSES + 1, len(row)).astype(np.int32)],
            np.array(["code"]), geometry_type="Polygon", crs=CRS, driver="GPKG", layer="labels", append=first > 0,
        )  # fmt: skip


def write_scene(path: Path, side_px: int, pixel_m: float) -> None:
    """Write an empty raster: only its grid is read."""
    with rasterio.open(
        path, "w", driver="GTiff", height=side_px, width=side_px, count=1, dtype="uint8", crs=CRS, tiled=True,
        transform=Affine(pixel_m, 0, WEST, 0, -pixel_m, NORTH), sparse_ok=True,
    ):  # fmt: skip
        pass


def burn_command(folder: Path, scene: str) -> list[str]:
    """Return the command of burn_labels."""
    classes = [{"code": code, "name": f"class {code}"} for code in range(1, CLASSES + 1)]
    labels: dict[str, Any] = {"layer": None, "field": "code", "polygon_class": None, "ignore": []}
    settings = json.dumps({"legend": {"classes": classes, "ignore": []}, "labels": labels})
    return [
        sys.executable, str(PROJECT / "workflow" / "scripts" / "burn_labels.py"), "--scene", "made",
        "--polygons", str(folder / "labels.gpkg"), "--optical", str(folder / scene),
        "--label", str(folder / f"burnt_{scene}"), "--counts", str(folder / "label.json"),
        "--settings", settings, "--threads", str(THREADS),
    ]  # fmt: skip


def gdal_command(folder: Path, side_px: int) -> list[str]:
    """Return the command of gdal_rasterize."""
    extent = (WEST, NORTH - side_px * PIXEL_M, WEST + side_px * PIXEL_M, NORTH)
    return [
        GDAL_NAME, "-q", "-a", "code", "-te", *map(str, extent), "-tr", str(PIXEL_M), str(PIXEL_M), "-ot", "Byte",
        "-init", "255", "-a_nodata", "255", "-co", "TILED=YES", "-co", "COMPRESS=DEFLATE",
        str(folder / "labels.gpkg"), str(folder / "gdal.tif"),
    ]  # fmt: skip


def cost(command: list[str]) -> list[float]:
    """Return wall and CPU seconds and peak memory, MiB, of a command."""
    environment = {**os.environ, "PYTHONPATH": str(PROJECT / "src"), "OMP_NUM_THREADS": "1"}
    run = [sys.executable, "-c", RUNNER, json.dumps(command)]
    done = subprocess.run(run, check=True, capture_output=True, text=True, env=environment)
    found: list[float] = json.loads(done.stdout.splitlines()[-1])
    return found


def differing(folder: Path, side_px: int) -> int:
    """Return the number of pixels that differ between both programs."""
    with rasterio.open(folder / "burnt_scene.tif") as ours, rasterio.open(folder / "gdal.tif") as gdal:
        windows = (rasterio.windows.Window(0, y, side_px, min(512, side_px - y)) for y in range(0, side_px, 512))
        return sum(int((ours.read(1, window=w) != gdal.read(1, window=w)).sum()) for w in windows)


def gdal_version() -> str | None:
    """Return the version of gdal_rasterize; None without it."""
    if shutil.which(GDAL_NAME) is None:
        return None
    return subprocess.run([GDAL_NAME, "--version"], check=True, capture_output=True, text=True).stdout.split(",")[0]


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="2,000 polygons on 1100 px")
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--folder", type=Path, help="keeps the files")
    arguments = parser.parse_args()
    size = {"polygons": 2000, "side_px": 1100} if arguments.quick else {"polygons": 200_000, "side_px": 10_980}
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        found = figures(folder, repetitions=1 if arguments.quick else arguments.repetitions, **size)
    versions = {"python": platform.python_version(), "gdal": gdal_version(), "rasterio": rasterio.__version__}
    print(json.dumps({**found, **versions, "cpus": os.cpu_count()}))


if __name__ == "__main__":
    main()
