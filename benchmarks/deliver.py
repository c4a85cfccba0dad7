"""Post-processing of a map and of its quarter: minimum mapping unit of 0.5 ha and polygons.

The map is made: a truth of smooth patches, and probabilities with an error that varies over a few pixels, so that
patches of the wrong class arise. 6 classes, 10 m pixels. Stages run as in the workflow. `mpx` is the size of the map,
10^6 px.

- `dissolve`, `polygons`: `dissolve_patches` and `vectorize_map`. `s_per_mpx` is CPU seconds, `mb` the peak of the
  process, `mb_ratio_4x` the peak for the map over that for its quarter.
- `sieve`, `shapes`: rasterio's `features.sieve` (GDAL; small patches get the class of their largest neighbour) and
  `features.shapes`, each on the whole array, with the polygons written by pyogrio, for the quarter.
  `vs_sieve` is CPU time of `dissolve_patches`, which writes two COGs with overviews, over that of the sieve, which
  writes one GeoTIFF.
- `right_before`, `right_dissolved`, `right_sieved`: share of pixels with the class of the truth; `right_changed_…`:
  among the pixels of small patches.
- `small_left`: patches below the minimum mapping unit after `dissolve_patches`. `area_off`: largest relative difference
  between the polygons' area of a class and the map's.

Prints a table, and as its last line one JSON object.

    python benchmarks/deliver.py [--quick] [--side 15616] [--folder kept]
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyogrio
import rasterio
from affine import Affine
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from scipy import ndimage

import clairemap
from clairemap.delivery.patches import Patches
from clairemap.grid.tiles import tiles
from clairemap.grid.window import Window
from clairemap.inference.mosaic import percent
from clairemap.inference.probabilities import PROBABILITY, kept_probabilities
from clairemap.metrics.class_areas import map_class_areas
from clairemap.outputs import MapFiles
from clairemap.raster.cog import CogWriter
from clairemap.raster.most_probable import most_probable
from clairemap.report.layers import confidence_layer, landcover_layer, optical_share_layer
from clairemap.settings import load_settings
from clairemap.stages import DissolvePatches, StageSettings, VectorizeMap, stage_json

PROJECT = Path(__file__).parents[1]
MIN_HA, MIN_PX, COPIES = 0.5, 50, 4
COLORS = ("#3b7dd8", "#1f6f3a", "#a3c95a", "#e8c95a", "#c0392b", "#b9a58a")
SETTINGS = load_settings(
    {
        "legend": {"classes": [{"code": i + 1, "name": f"class {i}", "color": c} for i, c in enumerate(COLORS)]},
        "deliver": {"min_area_ha": MIN_HA, "vector": True},
    }
)
RUNNER = """
import json, resource, subprocess, sys
code = subprocess.run(json.loads(sys.argv[1]), stdout=subprocess.DEVNULL).returncode
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(json.dumps([used.ru_utime + used.ru_stime, used.ru_maxrss / 1024]))
sys.exit(code)
"""
SIEVE = """
import sys, rasterio
from rasterio.features import sieve
with rasterio.open(sys.argv[1]) as source:
    found = sieve(source.read(1), int(sys.argv[3]))
    profile = {**source.profile, "driver": "GTiff"}
with rasterio.open(sys.argv[2], "w", **profile) as target:
    target.write(found, 1)
"""
SHAPES = """
import sys, numpy, pyogrio, rasterio, shapely
from rasterio.features import shapes
with rasterio.open(sys.argv[1]) as source:
    found = list(shapes(rasterio.band(source, 1), transform=source.transform))
    crs = source.crs.to_wkt()
outlines = shapely.to_wkb([shapely.geometry.shape(outline) for outline, _ in found])
codes = numpy.array([code for _, code in found], "uint8")
pyogrio.raw.write(sys.argv[2], outlines, [codes], ["code"], driver="GPKG", geometry_type="Polygon", crs=crs)
"""


@dataclass(frozen=True)
class Cost:
    """CPU seconds and peak RSS in MiB."""

    cpu_s: float
    rss_mb: float


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a map of 1024 px and one of 512 px")
    parser.add_argument("--side", type=int, default=15616, help="side of the map, pixels")
    parser.add_argument("--folder", type=Path, help="folder to keep the maps in")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as passing:
        folder = asked.folder or Path(passing)
        base_px = 256 if asked.quick else asked.side // COPIES
        truth, probability = made(base_px)
        costs: dict[tuple[str, int], Cost] = {}
        for copies in (COPIES // 2, COPIES):
            before, after = (MapFiles(folder / f"{name}{copies}" / "map") for name in ("before", "after"))
            write_map(before, truth, probability, copies)
            words = ["--source", str(before.prefix), "--maps", str(after.prefix)]
            costs["dissolve", copies] = stage("dissolve_patches", DissolvePatches, *words)
            costs["polygons", copies] = stage("vectorize_map", VectorizeMap, "--maps", str(after.prefix))
        before, after = (MapFiles(folder / f"{name}{COPIES // 2}" / "map") for name in ("before", "after"))
        sieved, shapes = folder / "sieved.tif", folder / "shapes.gpkg"
        costs["sieve", 2] = measured("-c", SIEVE, str(before.landcover), str(sieved), str(MIN_PX))
        costs["shapes", 2] = measured("-c", SHAPES, str(after.landcover), str(shapes))
        mpx = {copies: (copies * base_px) ** 2 / 1e6 for copies in (COPIES // 2, COPIES)}
        found = {
            "mpx": mpx[COPIES],
            **figures(costs, mpx),
            **rightness(before, after, sieved, tiled(truth, COPIES // 2)),
            "area_off": area_off(after),
        }
    show(costs, mpx)
    versions = {"rasterio": rasterio.__version__, "gdal_of_rasterio": rasterio.__gdal_version__}
    machine = {"python": platform.python_version(), "clairemap": clairemap.__version__}
    print(json.dumps(found | versions | machine))


def made(side_px: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return codes of the truth (y, x), and probabilities (class, y, x), 1/255."""
    generator = np.random.default_rng(1)
    shape = (side_px, side_px)
    truth, best = np.ones(shape, np.uint8), np.full(shape, -np.inf, np.float32)
    logits = np.empty((len(COLORS), *shape), np.float32)
    for index in range(len(COLORS)):
        ground, error = (
            ndimage.gaussian_filter(generator.standard_normal(shape, np.float32), sigma) for sigma in (16, 1.5)
        )
        ground, error = ground / ground.std(), error / error.std()
        truth[ground > best] = index + 1
        np.maximum(best, ground, out=best)
        logits[index] = 3 * ground + 1.2 * error
    logits = np.exp(logits - logits.max(axis=0))
    return truth, np.round(255 * logits / logits.sum(axis=0)).astype(np.uint8)


def tiled(values: NDArray[np.uint8], copies: int) -> NDArray[np.uint8]:
    """Return an array (..., y, x) beside and above its mirror images, so that patches continue."""
    rows = np.concatenate([values[..., :: 1 - 2 * (i % 2), :] for i in range(copies)], axis=-2)
    return np.concatenate([rows[..., :: 1 - 2 * (i % 2)] for i in range(copies)], axis=-1)


def mirrored(values: NDArray[np.uint8], window: Window) -> NDArray[np.uint8]:
    """Return a window of the tiled array."""
    side = values.shape[-1]
    place = [np.arange(start, end) % (2 * side) for start, end in ((window.y0, window.y1), (window.x0, window.x1))]
    rows, columns = (np.where(each < side, each, 2 * side - 1 - each) for each in place)
    return values[..., rows[:, None], columns]


def write_map(files: MapFiles, truth: NDArray[np.uint8], probability: NDArray[np.uint8], copies: int) -> None:
    """Write the files of mosaic_region that later stages read."""
    side = copies * len(truth)
    grid = GeoBox((side, side), Affine(10, 0, 300_000, 0, -10, 5_400_000), "EPSG:32633")
    files.prefix.parent.mkdir(parents=True, exist_ok=True)
    legend = SETTINGS.legend
    layers = (landcover_layer(legend, {}), confidence_layer({}), optical_share_layer({}))
    paths = (files.landcover, files.confidence, files.optical_share)
    with (
        kept_probabilities(files.probabilities, grid, legend, "map", shard_px=1024, stamp={}) as store,
        CogWriter(paths[0], grid, layers[0]) as landcover,
        CogWriter(paths[1], grid, layers[1]) as confidence,
        CogWriter(paths[2], grid, layers[2]) as share,
    ):
        for tile in tiles((side, side), 1024):
            here = mirrored(probability, tile.window)
            best = most_probable(here)
            store.write(PROBABILITY, tile.window, here)
            landcover.write(tile.window, legend.codes[best.index])
            confidence.write(tile.window, percent(best.probability))
            share.write(tile.window, np.full(tile.window.shape, 60, np.uint8))
    for path in (files.source_count, files.encoding, files.model, *files.styles.values()):
        path.write_text("")
    files.item.write_text(json.dumps({"properties": {"processing:lineage": ""}, "assets": {}}))


def stage(name: str, settings: type[StageSettings], *words: str) -> Cost:
    """Run a stage's script."""
    script = str(PROJECT / "workflow" / "scripts" / f"{name}.py")
    return measured(script, *words, "--settings", stage_json(SETTINGS, settings))


def measured(*words: str) -> Cost:
    """Run Python with arguments in the rule's environment. A small process starts it: peaks are inherited."""
    environment = {**os.environ, "PYTHONPATH": str(PROJECT / "src"), "MALLOC_ARENA_MAX": "2", "OMP_NUM_THREADS": "1"}
    small = [sys.executable, "-I", "-S", "-c", RUNNER, json.dumps([sys.executable, *words])]
    done = subprocess.run(small, capture_output=True, text=True, env=environment, check=False)
    if done.returncode:
        sys.exit(f"{words[:2]} failed:\n{done.stderr[-2000:]}")
    return Cost(*json.loads(done.stdout))


def figures(costs: dict[tuple[str, int], Cost], mpx: dict[int, float]) -> dict[str, float]:
    """Return time and memory."""
    found: dict[str, float] = {}
    for name in ("dissolve", "polygons"):
        large, small = costs[name, COPIES], costs[name, COPIES // 2]
        found |= {
            f"{name}_s_per_mpx": large.cpu_s / mpx[COPIES],
            f"{name}_mb": large.rss_mb,
            f"{name}_mb_ratio_4x": large.rss_mb / small.rss_mb,
        }
    half = COPIES // 2
    return {
        **found,
        "vs_sieve": costs["dissolve", half].cpu_s / costs["sieve", half].cpu_s,
        "vs_shapes": costs["polygons", half].cpu_s / costs["shapes", half].cpu_s,
        "sieve_mb": costs["sieve", half].rss_mb,
        "shapes_mb": costs["shapes", half].rss_mb,
    }


def rightness(before: MapFiles, after: MapFiles, sieved: Path, truth: NDArray[np.uint8]) -> dict[str, float]:
    """Return shares of pixels with the true class."""

    def read(path: Path) -> NDArray[np.uint8]:
        with rasterio.open(path) as file:
            values: NDArray[np.uint8] = file.read(1)
        return values

    old, dissolved, by_sieve = read(before.landcover), read(after.landcover), read(sieved)
    patches = Patches.of(old)
    is_small = (patches.sums() < MIN_PX)[patches.labels]
    return {
        "right_before": float((old == truth).mean()),
        "right_dissolved": float((dissolved == truth).mean()),
        "right_sieved": float((by_sieve == truth).mean()),
        "right_changed_dissolved": float((dissolved == truth)[is_small].mean()),
        "right_changed_sieved": float((by_sieve == truth)[is_small].mean()),
        "in_small_patches": float(is_small.mean()),
        "small_left": int((Patches.of(dissolved).sums()[1:] < MIN_PX).sum()),
        "small_left_sieved": int((Patches.of(by_sieve).sums()[1:] < MIN_PX).sum()),
    }


def area_off(files: MapFiles) -> float:
    """Return the largest relative difference of a class's area between polygons and map."""
    found = map_class_areas(files.landcover, SETTINGS.legend)
    assert found.m2 is not None
    *_, (codes, areas) = pyogrio.raw.read(
        files.polygons, layer="landcover", columns=["code", "area_ha"], read_geometry=False
    )
    polygons = np.array([areas[codes == code].sum() for code in SETTINGS.legend.codes])
    return float(np.abs(polygons / (found.m2 / 10_000) - 1).max())


def show(costs: dict[tuple[str, int], Cost], mpx: dict[int, float]) -> None:
    """Print the table."""
    print(f"{'':<12}{'Mpx':>8}{'CPU s':>9}{'s/Mpx':>9}{'MB':>7}")
    for (name, copies), cost in costs.items():
        size = mpx[copies]
        print(f"{name:<12}{size:>8.1f}{cost.cpu_s:>9.1f}{cost.cpu_s / size:>9.3f}{cost.rss_mb:>7.0f}")


if __name__ == "__main__":
    main()
