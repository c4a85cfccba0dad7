"""Mosaic of 16 overlapping scenes of 4096² to Cloud-Optimized GeoTIFF: CPU time and memory compared with GDAL.

4 x 4 scenes, 256 px of overlap, 8 classes. clairemap reads class probabilities (8 bytes per pixel, half of the pixels
certain at 98 %) and blends them. The other tools read class maps (1 byte, DEFLATE) and put the last scene on top. All
write a COG with DEFLATE, 512 px blocks and MODE overviews.

- `alone`: clairemap, land-cover map only, the same product as the others; `all`: the stage with all maps and files.
- `gdal`, `newer`: GDAL's virtual raster and COG driver, the system's GDAL and that of rasterio; `merge`:
  `rasterio.merge` and rio-cogeo.
- `cpu_vs_…`: CPU time of clairemap over the other tool's. `cpu_s_…`: CPU seconds of all processes, imports included,
  medians of runs in turns. `rss_mb_…`: peak of the largest process.
- `rss_ratio_4x`: peak memory of the stage for 8 x 8 scenes over that for 4 x 4.
- `differ_outside_overlaps`: pixels outside the overlaps that differ between the tools.

Tools that this machine lacks are named.
Prints a table, and as its last line one JSON object; figures of what the machine lacks are null.

    python benchmarks/mosaic.py [--quick] [--repetitions 3] [--folder kept]
"""

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # the arms of other tools must not load unnecessary modules
    import numpy as np
    from numpy.typing import NDArray

    from clairemap.raster.store import GridStore
    from clairemap.settings import Settings

PROJECT = Path(__file__).parents[1]
OVERLAP_PX, PIXEL_M, CLASSES = 256, 10.0, 8
NAMES = ("water", "woods", "meadow", "crops", "town", "bare", "road", "wetland")
COLORS = ("#3b7dd8", "#1f6f3a", "#a3c95a", "#e8c95a", "#c0392b", "#b9a58a", "#555555", "#58b0a0")
THREADS = 2  # as in the rule
GDAL_CACHE_MB = "256"  # for the peers; GDAL's default, a fraction of all memory, needs more
RUNNER = """
import json, resource, subprocess, sys, time
started = time.monotonic()
for command in json.loads(sys.argv[1]):
    if code := subprocess.run(command, stdout=subprocess.DEVNULL).returncode:
        sys.exit(code)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(json.dumps([used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, time.monotonic() - started]))
"""


@dataclass(frozen=True)
class Cost:
    """CPU seconds of all processes, peak RSS of the largest in MiB, wall seconds."""

    cpu_s: float
    rss_mb: float
    wall_s: float


@dataclass(frozen=True)
class Region:
    """A square of `count` x `count` overlapping scenes of `side_px` below `folder`."""

    folder: Path
    side_px: int
    count: int

    @property
    def places(self) -> list[tuple[int, int]]:
        """Row and column of each scene."""
        return [(row, col) for row in range(self.count) for col in range(self.count)]

    @property
    def step_px(self) -> int:
        """Distance between neighbouring scenes, pixels."""
        return self.side_px - OVERLAP_PX

    @property
    def megapixels(self) -> float:
        """Size of the map, 10^6 px."""
        return ((self.count - 1) * self.step_px + self.side_px) ** 2 / 1e6

    def store(self, row: int, col: int) -> Path:
        """Return the path of a scene's probabilities."""
        from clairemap.outputs import SceneFolder

        return SceneFolder(self.folder / f"{row}_{col}").probabilities

    def classes(self, row: int, col: int) -> Path:
        """Return the path of a scene's class map."""
        return self.folder / f"{row}_{col}" / "classes.tif"


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="scenes of 512 px, one run of each")
    parser.add_argument("--repetitions", type=int, default=3, help="runs of each arm")
    parser.add_argument("--folder", type=Path, help="folder to keep scenes and maps in; existing scenes are used")
    parser.add_argument("--land-cover-alone", nargs="+", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--merge", nargs="+", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.land_cover_alone:
        land_cover_alone(*asked.land_cover_alone)
    elif asked.merge:
        merge_and_translate(*asked.merge)
    else:
        with tempfile.TemporaryDirectory() as passing:
            compare(
                asked.folder or Path(passing), 512 if asked.quick else 4096, 1 if asked.quick else asked.repetitions
            )


def compare(folder: Path, side_px: int, repetitions: int) -> None:
    """Measure all arms and print the figures."""
    region = made(Region(folder / f"scenes{side_px}", side_px, 4))
    out = folder / "maps"
    out.mkdir(parents=True, exist_ok=True)
    arms = commands(region, out)
    costs: dict[str, list[Cost]] = {name: [] for name in arms}
    for _ in range(repetitions):
        for name, words in arms.items():
            costs[name].append(measured(words))
    large = measured(ours(multiplied(region), out / "large"))
    middle = {
        name: Cost(*(median(getattr(c, f) for c in runs) for f in Cost.__annotations__)) for name, runs in costs.items()
    }
    show(middle, region, out)
    differ = different_outside_overlaps(region, out / "alone.tif", out / "gdal.tif") if "gdal" in arms else None
    print(f"64 scenes: {large.cpu_s:.1f} s CPU, {large.rss_mb:.0f} MB; pixels outside overlaps that differ: {differ}")
    print(json.dumps(figures(middle, large) | {"differ_outside_overlaps": differ} | machine()))


def figures(cost: dict[str, Cost], large: Cost) -> dict[str, float | None]:
    """Return the ratios to each tool, and our memory."""

    def ratio(mine: str, other: str) -> float | None:
        return cost[mine].cpu_s / cost[other].cpu_s if other in cost else None

    return {
        "cpu_vs_gdal": ratio("alone", "gdal"),
        "cpu_vs_merge_riocogeo": ratio("alone", "merge"),
        "cpu_vs_gdal_all_maps": ratio("all", "gdal"),
        "cpu_vs_merge_riocogeo_all_maps": ratio("all", "merge"),
        "cpu_vs_newer_gdal": ratio("alone", "newer"),
        "rss_mb": cost["all"].rss_mb,
        "rss_ratio_4x": large.rss_mb / cost["all"].rss_mb,
        **{f"cpu_s_{name}": value.cpu_s for name, value in cost.items()},
        **{f"rss_mb_{name}": value.rss_mb for name, value in cost.items()},
    }


TITLES = {
    "all": "clairemap, the stage: all maps, blended",
    "alone": "clairemap, land cover alone, blended",
    "gdal": "gdalbuildvrt + gdal_translate, not blended",
    "merge": "rasterio.merge + rio-cogeo, not blended",
    "newer": "VRT + COG driver of rasterio's GDAL, not blended",
}


def show(cost: dict[str, Cost], region: Region, out: Path) -> None:
    """Print the table."""
    print(f"{region.count}² scenes of {region.side_px}², {region.megapixels:.0f} Mpx, {THREADS} threads")
    print(f"{'':<50}{'maps':>5}{'CPU s':>8}{'wall s':>8}{'Mpx/CPU-s':>11}{'RSS MB':>8}{'file MB':>9}")
    for name, title in TITLES.items():
        if name not in cost:
            print(f"{title:<50} missing: this machine has no {'gdal_translate' if name == 'gdal' else 'gdalbuildvrt'}")
            continue
        used, maps = cost[name], sorted((out / "all").glob("*.tif")) if name == "all" else [out / f"{name}.tif"]
        size = sum(path.stat().st_size for path in maps) / 1e6
        speed = region.megapixels / used.cpu_s
        print(
            f"{title:<50}{len(maps):>5}{used.cpu_s:>8.1f}{used.wall_s:>8.1f}{speed:>11.1f}{used.rss_mb:>8.0f}{size:>9.1f}"
        )


def machine() -> dict[str, str]:
    """Return the machine and the versions used."""
    import rasterio

    import clairemap

    gdal = shutil.which("gdalinfo")
    words = subprocess.run([gdal, "--version"], capture_output=True, text=True, check=True).stdout if gdal else "none"
    return {
        "gdal": words.split(",")[0],
        "gdal_of_rasterio": rasterio.__gdal_version__,
        "rasterio": rasterio.__version__,
        "python": platform.python_version(),
        "clairemap": clairemap.__version__,
    }


def commands(region: Region, out: Path) -> dict[str, list[list[str]]]:
    """Return the command lines of each arm whose tool is installed."""
    me = [sys.executable, str(Path(__file__).resolve())]
    stores = [str(region.store(*place)) for place in region.places]
    classes = [str(region.classes(*place)) for place in region.places]
    vrt, cog = str(out / "classes.vrt"), str(out / "gdal.tif")
    arms = {
        "all": ours(region, out / "all"),
        "alone": [[*me, "--land-cover-alone", str(out / "alone.tif"), *stores]],
        "merge": [[*me, "--merge", str(out / "merge.tif"), *classes]],
    }
    if shutil.which("gdalbuildvrt") and shutil.which("gdal_translate"):
        options = {"COMPRESS": "DEFLATE", "OVERVIEW_RESAMPLING": "MODE", "BLOCKSIZE": 512, "NUM_THREADS": THREADS}
        words = [word for key, value in options.items() for word in ("-co", f"{key}={value}")]
        build = ["gdalbuildvrt", "-q", "-overwrite", vrt, *classes]
        arms["gdal"] = [build, ["gdal_translate", "-q", "-of", "COG", *words, vrt, cog]]
        arms["newer"] = [build, [sys.executable, "-c", NEWER, vrt, str(out / "newer.tif"), str(THREADS)]]
    return arms


NEWER = """
import sys, rasterio, rasterio.shutil
vrt, target, threads = sys.argv[1:]
rasterio.shutil.copy(vrt, target, driver="COG", compress="DEFLATE", overview_resampling="MODE", num_threads=threads)
"""


def ours(region: Region, out: Path) -> list[list[str]]:
    """Return the stage's command line, as in the rule."""
    from clairemap.stages import MosaicRegion, stage_json

    script = PROJECT / "workflow" / "scripts" / "mosaic_region.py"
    stores = [word for place in region.places for word in ("--probabilities", str(region.store(*place)))]
    chosen = ["--settings", stage_json(settings(), MosaicRegion), "--threads", str(THREADS)]
    return [[sys.executable, str(script), "--maps", str(out / "map"), *stores, *chosen]]


def measured(words: list[list[str]]) -> Cost:
    """Run command lines in sequence in the rule's environment; return the cost of all their processes.

    A small process starts them, because a forked process inherits the peak memory of its parent.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("MALLOC_", "ZARR_"))}
    environment = {
        **kept,
        "GDAL_CACHEMAX": GDAL_CACHE_MB,
        "PYTHONPATH": str(PROJECT / "src"),
        "MALLOC_ARENA_MAX": "2",
    }
    small = [sys.executable, "-I", "-S", "-c", RUNNER, json.dumps(words)]
    done = subprocess.run(small, capture_output=True, text=True, env=environment, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(words[-1][:3])} … failed:\n{done.stderr[-2000:]}")
    return Cost(*json.loads(done.stdout))


def settings() -> "Settings":
    """Return the default settings with the benchmark's classes."""
    from clairemap.settings import load_settings

    classes = [{"code": i + 1, "name": name, "color": COLORS[i]} for i, name in enumerate(NAMES)]
    return load_settings({"legend": {"classes": classes}})


def land_cover_alone(target: Path, *stores: Path) -> None:
    """Write only the blended land-cover map, with the functions of the stage."""
    from clairemap.inference.grid import region_grid
    from clairemap.inference.mosaic import mosaic
    from clairemap.inference.placement import place
    from clairemap.inference.probabilities import open_probabilities
    from clairemap.raster.cog import CogWriter
    from clairemap.report.layers import landcover_layer

    legend = settings().legend
    opened = [open_probabilities(path, legend) for path in stores]
    grid = region_grid({str(store.path): store.geobox for store in opened}, settings().mosaic)
    with CogWriter(target, grid, landcover_layer(legend, {}), threads=THREADS) as writer:
        for block in mosaic(place(opened, grid), grid, legend.codes, THREADS):
            writer.write(block.window, block.landcover)


def merge_and_translate(target: Path, *classes: Path) -> None:
    """Write the map with rasterio.merge, window by window, and rio-cogeo."""
    from rasterio.merge import merge
    from rio_cogeo.cogeo import cog_translate
    from rio_cogeo.profiles import cog_profiles

    plain = target.with_suffix(".plain.tif")
    tiled = {"driver": "GTiff", "tiled": True, "blockxsize": 512, "blockysize": 512, "compress": "deflate", "zlevel": 1}
    merge(list(classes), method="last", dst_path=plain, dst_kwds=tiled, mem_limit=64)
    config = {"GDAL_NUM_THREADS": str(THREADS)}
    profile: dict[str, Any] = dict(cog_profiles["deflate"])
    cog_translate(plain, target, profile, in_memory=False, quiet=True, overview_resampling="mode", config=config)
    plain.unlink()


def made(region: Region) -> Region:
    """Write the scenes' probability stores and class maps, unless they exist."""
    import numpy as np

    from clairemap.artefacts.manifest import manifest_of

    rng = np.random.default_rng(1)
    nodes = ((region.count - 1) * region.step_px + region.side_px) // NODE_PX + 2
    ground = rng.normal(size=(CLASSES, nodes, nodes)).astype(np.float32)
    for row, col in region.places:
        if not manifest_of(region.store(row, col)).exists():
            write_scene(region, row, col, ground)
    return region


NODE_PX = 32
"""Distance of the nodes of the common fields, pixels; nodes of a scene's own fields are half as far apart."""


def write_scene(region: Region, row: int, col: int, ground: "NDArray[np.float32]") -> None:
    """Write a scene: softmax of common smooth fields plus weaker fields of the scene and noise."""
    import numpy as np
    import rasterio

    from clairemap.raster.most_probable import most_probable
    from clairemap.raster.store import complete_store

    store = empty_store(region, row, col)
    rng = np.random.default_rng([row, col])
    own = 0.35 * rng.normal(size=(CLASSES, *(2 * (region.side_px // NODE_PX) + 2,) * 2)).astype(np.float32)
    top, left = row * region.step_px // NODE_PX, col * region.step_px // NODE_PX
    profile = {"driver": "GTiff", "count": 1, "dtype": "uint8", "nodata": 255, "compress": "deflate", "zlevel": 1}
    tiled = {"tiled": True, "blockxsize": 512, "blockysize": 512, "crs": "EPSG:32633"}
    side = {"height": region.side_px, "width": region.side_px, "transform": store.geobox.transform}
    with rasterio.open(region.classes(row, col), "w", **profile, **tiled, **side) as classes:
        for window in store.shards():
            (y0, x0), (height, width) = (window.y0, window.x0), window.shape
            logits = upsampled(ground, top * NODE_PX + y0, left * NODE_PX + x0, window.shape, NODE_PX)
            logits += upsampled(own, y0, x0, window.shape, NODE_PX // 2)
            logits += 0.01 * rng.normal(size=(1, height, width)).astype(np.float32) * logits
            probability = np.exp(13 * (logits - logits.max(0)))
            probability = np.round(255 * probability / probability.sum(0)).astype(np.uint8)
            store.write("probability", window, probability)
            store.write("optical_share", window, np.full(window.shape, 60, np.uint8))
            best = 1 + most_probable(probability).index
            classes.write(best, 1, window=rasterio.windows.Window(x0, y0, width, height))
    target = region.store(row, col)
    complete_store(store.path, target)


def empty_store(region: Region, row: int, col: int) -> "GridStore":
    """Return an empty store for a scene, at its position in the region."""
    from affine import Affine
    from odc.geo.geobox import GeoBox

    from clairemap.inference.probabilities import create_probabilities
    from clairemap.outputs import FUSED

    path = region.store(row, col).with_name("part.zarr")
    shutil.rmtree(path.parents[1], ignore_errors=True)
    path.parent.mkdir(parents=True)
    north, west = 5_400_000 - PIXEL_M * row * region.step_px, 300_000 + PIXEL_M * col * region.step_px
    grid = GeoBox((region.side_px, region.side_px), Affine(PIXEL_M, 0, west, 0, -PIXEL_M, north), "EPSG:32633")
    codes = list(range(1, CLASSES + 1))
    facts = {
        "scene": f"{row}_{col}",
        "view": FUSED,
        "class_names": NAMES,
        "class_codes": codes,
        "georeferenced": True,
    }
    return create_probabilities(path, grid, NAMES, tile_px=512, shard_tiles=4, attributes=facts)


def upsampled(
    nodes: "NDArray[np.float32]", y0: int, x0: int, shape: tuple[int, int], spacing: int
) -> "NDArray[np.float32]":
    """Return a window of fields (layer, y, x), interpolated linearly between nodes `spacing` px apart."""
    import numpy as np

    def along(values: "NDArray[np.float32]", start: int, size: int, axis: int) -> "NDArray[np.float32]":
        place = (np.arange(start, start + size) / spacing).astype(np.float32)
        low = place.astype(np.intp)
        share = np.expand_dims(place - low, tuple(i for i in range(3) if i != axis))
        between: NDArray[np.float32] = values.take(low, axis) * (1 - share) + values.take(low + 1, axis) * share
        return between

    return along(along(nodes, y0, shape[0], 1), x0, shape[1], 2)


def multiplied(region: Region) -> Region:
    """Return a region of 4 times the area, with copies of the scenes to the east, south and south-east."""
    from clairemap.artefacts.manifest import manifest_of
    from clairemap.raster.store import complete_store

    large = Region(region.folder.with_name(region.folder.name + "_large"), region.side_px, 2 * region.count)
    for row, col in large.places:
        target = large.store(row, col)
        if manifest_of(target).exists():
            continue
        store, source = empty_store(large, row, col), region.store(row % region.count, col % region.count)
        for array in ("probability", "optical_share"):
            shutil.copytree(
                source / array, store.path / array, copy_function=os.link, dirs_exist_ok=True, ignore=json_files
            )
        complete_store(store.path, target)
    return large


def json_files(_folder: str, names: list[str]) -> list[str]:
    """Return the metadata files of a folder."""
    return [name for name in names if name.endswith(".json")]


def different_outside_overlaps(region: Region, one: Path, other: Path) -> int:
    """Return the number of pixels of a single scene whose values differ between two maps."""
    import numpy as np
    import rasterio

    with rasterio.open(one) as mine, rasterio.open(other) as theirs:
        place = np.arange(mine.width)
        alone = (
            (place < region.step_px) | (place % region.step_px >= OVERLAP_PX) | (place >= mine.width - region.step_px)
        )
        count = 0
        for y0 in range(0, mine.height, 512):
            window = rasterio.windows.Window(0, y0, mine.width, min(512, mine.height - y0))
            apart = mine.read(1, window=window) != theirs.read(1, window=window)
            count += int((apart & alone & alone[y0 : y0 + window.height, None]).sum())
    return count


if __name__ == "__main__":
    main()
