"""The report page of a region with many tiles and scenes, opened in headless Chromium.

A made region of 200 scenes with 50 tiles of 128 px each, side by side: maps, stores, explanations, registrations and
metrics.

- `open_s`: from the start of loading to the first picture of the map, least of five; `click_ms`: from a click on the
  map to the tile's text, median of 20 places; `size_mb`: size of the page.
- `render_s_per_1000_tiles`: CPU time of the stage; `peak_mb`: its peak memory, `peak_ratio`: over that for a quarter of
  the scenes.
- `console_errors`, `requests`: what the page wrote to the console, and what it asked for beyond itself.

Without Playwright or Chromium, the figures of the browser are null.
Prints a table, and as its last line one JSON object.

    python benchmarks/report.py [--quick] [--folder kept]
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from PIL import Image, PngImagePlugin
from scipy import ndimage

from clairemap.artefacts.audit import SplitAudit, write_audit
from clairemap.artefacts.explanations import ClassFacts, ExplainedTile, TileFacts, write_explanations
from clairemap.artefacts.history import write_history
from clairemap.artefacts.metrics import write_metrics
from clairemap.artefacts.model_card import BandScale, ModelCard, TrainedOn, write_model_card
from clairemap.artefacts.registration import (
    DisplacementModel,
    JudgedTie,
    MeanDisplacement,
    Quality,
    Registration,
    write_registration,
)
from clairemap.artefacts.statistics import BandStatistics, TrainingStatistics, write_statistics
from clairemap.artefacts.tiles import TileRow, write_tile_index
from clairemap.grid.tiles import tiles
from clairemap.metrics.calibration import Calibration
from clairemap.metrics.class_areas import ClassAreas
from clairemap.metrics.region_metrics import region_metrics
from clairemap.metrics.tally import Tally
from clairemap.outputs import ModelFolder, SceneFolder
from clairemap.raster.store import Layer, complete_store, create_store
from clairemap.settings import NetworkSettings, Settings, load_settings
from clairemap.stages import RenderReport, stage_json

PROJECT = Path(__file__).parents[1]
SCRIPT = PROJECT / "workflow" / "scripts" / "render_report.py"
TILE_PX, TILES_DOWN, TILES_ACROSS, PIXEL_M = 128, 5, 10, 10.0
ACROSS = 20
"""Scenes side by side."""

NOISE = np.random.default_rng(0)
RUNNER = """
import json, resource, subprocess, sys
if code := subprocess.run(json.loads(sys.argv[1])).returncode:
    sys.exit(code)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(json.dumps([used.ru_utime + used.ru_stime, used.ru_maxrss / 1024]))
"""


@dataclass(frozen=True)
class Made:
    """A made region in a folder."""

    folder: Path
    scenes: int
    settings: Settings

    @property
    def names(self) -> list[str]:
        """Names of the scenes."""
        return [f"scene_{number:03}" for number in range(self.scenes)]

    @property
    def scene_shape(self) -> tuple[int, int]:
        """Height and width of a scene."""
        return TILES_DOWN * TILE_PX, TILES_ACROSS * TILE_PX

    def place(self, number: int) -> tuple[int, int]:
        """Return the map's row and column of a scene's first pixel."""
        height, width = self.scene_shape
        return number // ACROSS * height, number % ACROSS * width

    def command(self) -> list[str]:
        """Return the command of the stage."""
        scenes = [part for name in self.names for part in ("--scene", str(self.folder / name))]
        return [
            sys.executable, str(SCRIPT), "--region", "made", "--maps", str(self.folder / "made"),
            "--metrics", str(self.folder / "metrics.json"), "--model", str(self.folder / "model"),
            "--report", str(self.folder / "report.html"), "--project", str(self.folder / "made.qgs"),
            "--settings", stage_json(self.settings, RenderReport), *scenes,
        ]  # fmt: skip


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="4 scenes and 3 MB, to test the benchmark")
    parser.add_argument("--folder", type=Path, help="keep the region here")
    arguments = parser.parse_args()
    scenes, max_mb = (4, 3.0) if arguments.quick else (200, 30.0)
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.folder or Path(temporary)
        _, small_mb = rendered(make(folder / "small", scenes // 4, max_mb))
        whole = make(folder / "whole", scenes, max_mb)
        seconds, peak_mb = rendered(whole)
        page = whole.folder / "report.html"
        found: dict[str, Any] = {
            "scenes": scenes,
            "tiles": scenes * TILES_DOWN * TILES_ACROSS,
            "size_mb": round(page.stat().st_size / 1e6, 2),
            "render_s_per_1000_tiles": round(1000 * seconds / (scenes * TILES_DOWN * TILES_ACROSS), 2),
            "peak_mb": round(peak_mb),
            "peak_ratio": round(peak_mb / small_mb, 3),
            **browser_figures(page),
        }
    for name, value in found.items():
        print(f"{name:28} {value}")
    print(json.dumps(found))


def rendered(region: Made) -> tuple[float, float]:
    """Run the stage; return CPU seconds and peak memory, MiB."""
    command = [sys.executable, "-c", RUNNER, json.dumps(region.command())]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    seconds, peak_mb = json.loads(output.splitlines()[-1])
    return float(seconds), float(peak_mb)


def browser_figures(page: Path, clicks: int = 20) -> dict[str, Any]:
    """Return what the browser measures; null without Playwright or Chromium."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        chromium = None
    if chromium is None:
        return dict.fromkeys(("open_s", "click_ms", "console_errors", "requests"))
    messages: list[str] = []
    requests: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        opened = browser.new_page(viewport={"width": 1280, "height": 900})
        opened.on("console", lambda message: messages.append(message.text))
        opened.on("pageerror", lambda error: messages.append(str(error)))
        opened.on("request", lambda request: requests.append(request.url))
        opens_s = []
        for _ in range(5):
            requests.clear()
            opened.goto("about:blank")
            opened.goto(page.as_uri())
            opened.wait_for_selector("#view canvas.pixels")
            opens_s.append(opened.evaluate("performance.getEntriesByName('first-picture')[0].startTime / 1000"))
        times = [opened.evaluate(CLICK, place / clicks) for place in range(clicks)]
        browser.close()
    return {
        "open_s": round(min(opens_s), 2),
        "click_ms": round(median(times), 1),
        "console_errors": len(messages),
        "requests": len([address for address in requests if address not in ("about:blank", page.as_uri())]),
    }


CLICK = """(share) => {
  const view = document.getElementById("view"), box = view.getBoundingClientRect(), all = report.tiles.all;
  const [x0, y0, , , x1, y1] = all[Math.floor(share * all.length)].quad;
  const place = report.viewer.map.latLngToContainerPoint([(y0 + y1) / 2, (x0 + x1) / 2]);
  const at = { bubbles: true, clientX: box.x + place.x, clientY: box.y + place.y };
  const started = performance.now();
  for (const kind of ["mousedown", "mouseup", "click"]) view.dispatchEvent(new MouseEvent(kind, at));
  document.getElementById("tile").getBoundingClientRect();
  const took = performance.now() - started;
  if (!document.getElementById("tile-text").textContent) throw new Error("no text");
  document.getElementById("close").click();
  return took;
}"""
"""Clicks on the map; returns the milliseconds until the tile's panel has its layout."""


def make(folder: Path, scenes: int, max_mb: float) -> Made:
    """Make a region, unless it is there already; the page has at most `max_mb`."""
    settings = load_settings({"report": {"max_mb": max_mb}})
    region = Made(folder, scenes, settings)
    if (folder / "metrics.json").exists():
        return region
    folder.mkdir(parents=True, exist_ok=True)
    classes = patches(region.scene_shape, len(settings.legend))
    write_maps(region, classes)
    for number, name in enumerate(region.names):
        write_scene(region, number, name, classes)
    write_model(region)
    counts = Tally(np.eye(len(settings.legend), dtype=np.int64) * 900 + 40, Calibration.empty(), 0, 2)
    areas = ClassAreas(np.full(len(settings.legend), 9), np.full(len(settings.legend), 900.0), "in the projection")
    sums = {(name, "test"): counts for name in region.names}
    write_metrics(folder / "metrics.json", region_metrics("made", sums, {}, areas, settings.legend, {}))
    return region


def patches(shape: tuple[int, int], classes: int) -> NDArray[np.uint8]:
    """Return patches of classes, (y, x)."""
    smooth = ndimage.gaussian_filter(NOISE.normal(size=(classes, *shape)), (0, 6, 6))
    return np.asarray(np.argmax(smooth, axis=0), np.uint8)


def write_maps(region: Made, classes: NDArray[np.uint8]) -> None:
    """Write the four maps: the same scene at all places, with noise in the percentages."""
    height, width = region.scene_shape
    shape = -(-region.scenes // ACROSS) * height, min(region.scenes, ACROSS) * width
    codes = region.settings.legend.codes[classes]
    values: dict[str, NDArray[Any]] = {
        "landcover": codes,
        "confidence": NOISE.integers(55, 100, codes.shape),
        "optical_share": NOISE.integers(30, 70, codes.shape),
        "source_count": np.ones_like(codes),
    }
    for name, scene in values.items():
        path = region.folder / f"made.{name}.tif"
        with rasterio.open(
            path, "w", driver="GTiff", height=shape[0], width=shape[1], count=1, dtype="uint8", nodata=255, tiled=True,
            compress="deflate", crs="EPSG:32632", transform=Affine(PIXEL_M, 0, 4e5, 0, -PIXEL_M, 5.4e6),
        ) as raster:  # fmt: skip
            for number in range(region.scenes):
                y0, x0 = region.place(number)
                raster.write(scene.astype(np.uint8), 1, window=rasterio.windows.Window(x0, y0, width, height))
        with rasterio.open(path, "r+") as raster:
            raster.build_overviews([2, 4, 8, 16], rasterio.enums.Resampling.nearest)


def write_scene(region: Made, number: int, name: str, classes: NDArray[np.uint8]) -> None:
    """Write stores, tile index, explanations and registration of a scene."""
    files = SceneFolder(region.folder / name)
    files.probabilities.parent.mkdir(parents=True)
    write_stores(region, number, name, files, classes)
    px = TILE_PX**2
    legend = region.settings.legend
    placed = list(tiles(region.scene_shape, TILE_PX))
    counted = tuple([px] + [0] * (len(legend) - 1))
    write_tile_index(
        files.tiles,
        [
            TileRow(name, t.row, t.col, t.window.y0, t.window.x0, TILE_PX, TILE_PX, px, px, px, 0, 0, px, counted)
            for t in placed
        ],
        {},
    )
    write_explanations(files.explanations, [explained(name, t.row, t.col, legend.names) for t in placed])
    write_registration(files.registration, registration(name), {})
    text = PngImagePlugin.PngInfo()
    text.add_text("scene", name)
    Image.fromarray(NOISE.integers(0, 255, (300, 600)).astype(np.uint8)).save(files.registration_picture, pnginfo=text)


def write_stores(region: Made, number: int, name: str, files: SceneFolder, classes: NDArray[np.uint8]) -> None:
    """Write a scene's pair and probabilities; the pixels are those of the first scene."""
    y0, x0 = region.place(number)
    grid = GeoBox(
        region.scene_shape,
        Affine(PIXEL_M, 0, 4e5 + PIXEL_M * x0, 0, -PIXEL_M, 5.4e6 - PIXEL_M * y0),
        "EPSG:32632",
    )
    sensors, legend = region.settings.sensors, region.settings.legend
    shape = region.scene_shape
    optical = classes.astype(np.int64) * 90 + NOISE.integers(0, 60, (len(sensors.optical.names), *shape))
    sar = -6.0 - classes + NOISE.normal(0, 2, (len(sensors.sar.names), *shape))
    likely = np.where(np.arange(len(legend))[:, None, None] == classes, 204, 8)
    pair: dict[str, NDArray[Any]] = {
        "optical": optical.astype(np.uint16),
        "sar": sar.astype(np.float32),
        "label": np.roll(classes, 2, axis=0),
    }
    layers = [
        Layer("optical", "uint16", sensors.optical.names), Layer("sar", "float32", sensors.sar.names),
        Layer("label", "uint8"), Layer("validity", "uint8"),
    ]  # fmt: skip
    probability = [Layer("probability", "uint8", legend.names)]
    of_pair = {"sar_scale": "db", "registration": "good", "georeferenced": True, "sources": {"optical": "o.tif"}}
    for target, content, arrays, attributes in (
        (files.pair, layers, pair, of_pair),
        (files.probabilities, probability, {"probability": likely.astype(np.uint8)}, {}),
    ):
        part = target.with_suffix(".part")
        store = create_store(
            part, grid, content, tile_px=TILE_PX, shard_tiles=4, attributes={"scene": name} | attributes
        )
        first = region.folder / f"first_{target.name}"
        if not first.exists():
            for shard in store.shards():
                for array, values in arrays.items():
                    store.write(array, shard, values[..., *shard.slices])
            shutil.copytree(part, first)
        for array in arrays:
            shutil.copytree(first / array, part / array, dirs_exist_ok=True)
        complete_store(part, target)


def explained(scene: str, row: int, col: int, names: tuple[str, ...]) -> ExplainedTile:
    """Return a tile with figures at random and a text of usual length."""
    shares = np.sort(NOISE.dirichlet(np.ones(len(names))) * 100)[::-1].round(1)
    facts = TileFacts(
        classes=tuple(
            ClassFacts(
                name=name, area_pct=float(share), mapped_px=900, confidence_pct=80, iou=round(float(NOISE.random()), 2)
            )
            for name, share in zip(names, shares, strict=True)
        ),
        confidence_pct=int(NOISE.integers(50, 99)),
        sensor="both",
        optical_share_pct=50,
        cloud_pct=int(NOISE.integers(0, 40)),
        mapped_pct=100,
        mapped_px=TILE_PX**2,
        registration="good",
        oa_pct=int(NOISE.integers(40, 99)),
        labelled_px=TILE_PX**2,
    )
    text = (
        f"This tile is mixed: {names[0]} has the largest share, {shares[0]} % of the mapped area. " + "More text. " * 25
    )
    return ExplainedTile(scene=scene, row=row, col=col, facts=facts, text=text, source="template")


def registration(scene: str) -> Registration:
    """Return a registration with 80 tie points."""
    ties = tuple(
        JudgedTie(float(y), float(x), -1.2 + float(dy), 3.5, 0.7, residual_px=abs(float(dy)), inlier=True)
        for y, x, dy in zip(NOISE.uniform(0, 300, 80), NOISE.uniform(0, 600, 80), NOISE.normal(0, 0.3, 80), strict=True)
    )
    return Registration(
        scene=scene, verdict="good", reason="80 of 80 tie points agree", search="near", applied=True,
        displacement_px=MeanDisplacement(-1.2, 3.5), model=DisplacementModel("translation", (-1.2,), (3.5,)),
        quality=Quality(ties=80, inliers=80, inlier_share=1.0, rmse_px=0.3, coverage=0.8), optical_res_m=PIXEL_M,
        ties=ties,
    )  # fmt: skip


def write_model(region: Made) -> None:
    """Write what the page reads about the model."""
    model = ModelFolder(region.folder / "model")
    model.folder.mkdir()
    optical, sar = region.settings.sensors.optical.names, region.settings.sensors.sar.names
    legend, several = region.settings.legend, (len(optical), len(sar))
    card = ModelCard(
        stamp={}, network=NetworkSettings(), classes=legend.as_mapped.classes,
        optical_bands=BandScale(names=optical, mean=(400.0,) * several[0], std=(200.0,) * several[0]),
        sar_bands=BandScale(names=sar, mean=(-9.0,) * several[1], std=(3.0,) * several[1]), sar_scale="db",
        halo_px=384, halo_sigma=3e-6, core_bytes_per_px=69, halo_bytes_per_px=36,
        trained_on=TrainedOn(scenes=("elsewhere",), pixels=9, class_px=(9,) * len(legend)), best_step=1,
    )  # fmt: skip
    write_model_card(model.card, card)
    bands = [
        BandStatistics(names, (0.0,) * len(names), (1.0,) * len(names), (low,) * len(names), (high,) * len(names))
        for names, low, high in ((optical, 0.0, 800.0), (sar, -16.0, -3.0))
    ]
    write_statistics(
        model.statistics, TrainingStatistics(bands[0], bands[1], (9,) * len(legend), 100, ("elsewhere",), "db")
    )
    audit = SplitAudit("scene", {"train": 5, "val": 0, "test": 2, "buffer": 0}, {}, ())
    write_audit(model.audit_of("made"), audit)
    write_history(model.history, [])


if __name__ == "__main__":
    main()
