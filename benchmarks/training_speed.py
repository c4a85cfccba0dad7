"""Training: waiting for data, reading crops compared with chips, RIFT compared with its naive form.

- `data_wait_share`: share of the steps' wall time spent waiting, for a simulated scene and default settings, including
  the first step (`…_128`, `…_256`: by crop size).
- `loader_vs_chips`: time to read a crop of 256 px for training, over reading a whole 512 px GeoTIFF (DEFLATE; `plain`:
  uncompressed) and cutting the same crop; files cached, one thread, no augmentation.
- `rift_vs_naive_…`: forward and backward of 8 x 7 x 256 x 256 logits, over the textbook form with one-hot labels and
  autograd; `rift_gradient_off_by`: largest relative difference of the gradients.

Ratios are of medians of CPU time, measured in turns.

Prints tables, and as its last line one JSON object. GPUs are measured by gpu.py.

    python benchmarks/training_speed.py [--quick]
"""

import argparse
import functools
import json
import logging
import platform
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, fields
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pandas as pd
import rasterio
import torch
from affine import Affine
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from torch import Tensor, nn
from torch.nn import functional

import clairemap
from clairemap.artefacts.statistics import TrainingStatistics
from clairemap.classes import IGNORE_INDEX
from clairemap.grid.tiles import tiles
from clairemap.grid.window import Window
from clairemap.nets.rift import Rift
from clairemap.raster.pair_block import PairBlock
from clairemap.raster.store import Layer, complete_store, create_store
from clairemap.settings import AugmentationSettings, LossSettings, Settings, load_settings
from clairemap.simulate import optics, radar
from clairemap.simulate.landscape import survey
from clairemap.simulate.noise import Positions
from clairemap.stages import TrainModel, stage_json
from clairemap.tiles.augmentation import flip_and_rotate
from clairemap.tiles.crops import Crop, pad
from clairemap.tiles.dataset import CropDataset, TrainingSample
from clairemap.tiles.index import tile_row
from clairemap.tiles.sampling import CropPlan, CropSampler, crop_window
from clairemap.tiles.split_assignment import assign_splits
from clairemap.tiles.training_statistics import fit_statistics
from clairemap.training.distributed import Processes
from clairemap.training.job import TrainingJob
from clairemap.training.loop import train
from clairemap.validity import mappable, optical_usable, sar_usable

SCENE, SEED = "made", 21
TILE_PX, SHARD_TILES, PIXEL_M = 512, 4, 10.0
CPU = torch.device("cpu")
CLASS_PX = (34_640, 4_700, 5_850, 14_280, 37_850, 960, 1_720)  # of WHU-OPT-SAR, in proportion
CHIP_KINDS = {"deflate": {"compress": "deflate"}, "plain": {}}
NO_AUGMENTATION = AugmentationSettings(clouds=0, speckle=0, sar_jitter_px=0, holes=0)
Figures = dict[str, float | None]
Clock = Callable[[], float]


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="small scene, few steps and repetitions")
    quick = parser.parse_args().quick
    logging.getLogger("clairemap").setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory() as folder:
        data = MadeData(Path(folder), side_px=1024 if quick else 2048)
        steps = {128: 8} if quick else {128: 60, 256: 40}
        figures = waiting(data, steps) | reading(data, crops=24 if quick else 150)
    figures |= rift_figures(repetitions=5 if quick else 25)
    machine = {"python": platform.python_version(), "torch": torch.__version__, "clairemap": clairemap.__version__}
    print(json.dumps({**figures, **machine}))


class MadeData:
    """A simulated scene as a pair store, and the same tiles as chips."""

    def __init__(self, folder: Path, side_px: int) -> None:
        """Write the store and the chips."""
        self.folder = folder
        self.settings = load_settings({})
        self.pair = folder / "pair.zarr"
        self.index = self._write(side_px)
        classes = tuple(chosen.name for chosen in self.settings.legend.classes)
        self.statistics: TrainingStatistics = fit_statistics({SCENE: self.pair}, self.index, classes)
        self.splits = assign_splits(self.index, {SCENE: "train"}, self.settings.splits, SEED)

    def job(self, settings: Settings, checkpoints: str) -> TrainingJob:
        """Return a training job on the scene."""
        chosen = TrainModel.model_validate_json(stage_json(settings, TrainModel))
        stores = {SCENE: self.pair}
        return TrainingJob(stores, self.statistics, self.splits, chosen, self.folder / checkpoints, "benchmark")

    def chip(self, kind: str, tile: Window, layer: str) -> Path:
        """Return the path of the GeoTIFF of a tile's layer."""
        return self.folder / kind / layer / f"{tile.y0}_{tile.x0}.tif"

    def _write(self, side_px: int) -> pd.DataFrame:
        sensors = self.settings.sensors
        store = create_store(
            self.folder / "part.zarr",
            GeoBox((side_px, side_px), Affine(PIXEL_M, 0, 500_000, 0, -PIXEL_M, 5_000_000), "EPSG:32633"),
            [
                Layer("optical", "uint16", sensors.optical.names),
                Layer("sar", "float32", sensors.sar.names, fill=float("nan")),
                Layer("label", "uint8", fill=IGNORE_INDEX),
                Layer("validity", "uint8"),
            ],
            tile_px=TILE_PX,
            shard_tiles=SHARD_TILES,
            attributes={
                "scene": SCENE,
                "sar_scale": "db",
                "registration": "good",
                "sources": {},
                "georeferenced": True,
            },
        )
        arrays = {field.name: store.array(field.name) for field in fields(PairBlock)}
        whole = {name: np.zeros(array.shape, array.dtype) for name, array in arrays.items()}
        rows = []
        for tile in tiles((side_px, side_px), TILE_PX):
            block = simulated(tile.window)
            rows.append(tile_row(SCENE, tile, block, len(CLASS_PX)))
            for name, values in block.layers.items():
                whole[name][..., *tile.window.slices] = values
                for kind, options in CHIP_KINDS.items():
                    write_chip(self.chip(kind, tile.window, name), values, options)
        for shard in store.shards():
            for name, values in whole.items():
                store.write(name, shard, values[..., *shard.slices])
        complete_store(store.path, self.pair)
        return pd.DataFrame([asdict(row) for row in rows])


def simulated(window: Window) -> PairBlock:
    """Return a window of the scene: land cover, optical in uint16 and SAR in dB, with an edge of SAR nodata."""
    outer = window.grown(max(optics.BLUR_MARGIN_PX, radar.SPECKLE_MARGIN_PX))
    x, y = np.meshgrid(np.arange(outer.x0, outer.x1) * PIXEL_M, np.arange(outer.y0, outer.y1) * -PIXEL_M)
    at = Positions(4_400_000 + x, 2_800_000 + y)
    ground = survey(at, SEED)
    inner = window.relative_to(outer).slices
    sky = optics.Sky(cloud_level=10.0, haze=0.4, brightness=1.0, seed=SEED)
    optical = optics.digital_numbers(optics.reflectance(ground, at, sky, SEED)[:, *inner], window, SEED)
    power = radar.simulated_backscatter(ground, at, SEED)[:, *inner] * radar.speckle(window, 2, SEED)
    validity = np.zeros(window.shape, np.uint8)
    validity[:, : max(0, 40 - window.x0)] = 2  # SAR nodata
    label = (ground.cover[inner] - 1).astype(np.uint8)
    return PairBlock(optical=optical, sar=(10 * np.log10(power)).astype(np.float32), label=label, validity=validity)


def write_chip(path: Path, values: NDArray[Any], options: Mapping[str, str]) -> None:
    """Write a chip as a GeoTIFF, like the tools that cut scenes into files."""
    path.parent.mkdir(parents=True, exist_ok=True)
    bands = values.reshape(-1, *values.shape[-2:])
    profile = {"driver": "GTiff", "count": len(bands), "height": bands.shape[1], "width": bands.shape[2]}
    with rasterio.open(path, "w", dtype=bands.dtype, **profile, **options) as chip:
        chip.write(bands)


def waiting(data: MadeData, steps_of: Mapping[int, int]) -> Figures:
    """Return the fraction of the steps' time spent waiting for crops, by crop size; the largest is the main figure."""
    shares = {}
    print(f"{'crop px':>8}{'steps':>7}{'ms/step':>9}{'waiting':>9}")
    for crop_px, steps in steps_of.items():
        training = data.settings.training.model_copy(update={"crop_px": crop_px, "steps": steps})
        job = data.job(data.settings.model_copy(update={"training": training}), f"checkpoints-{crop_px}")
        trained = train(job, Processes(0, 1, CPU), {})
        assert trained is not None, "there is only the first process"
        history = trained.history
        seconds = sum(row.seconds for row in history)
        shares[crop_px] = sum(row.wait_seconds for row in history) / seconds
        print(f"{crop_px:>8}{steps:>7}{1e3 * seconds / steps:>9.0f}{shares[crop_px]:>9.2%}")
    return {"data_wait_share": max(shares.values()), **{f"data_wait_share_{px}": s for px, s in shares.items()}}


def reading(data: MadeData, crops: int) -> Figures:
    """Return the time to read a crop from the store, relative to chips, read alternately."""
    training = data.settings.training.model_copy(update={"crop_px": 256, "sensor_dropout": 0.0})
    job = data.job(data.settings.model_copy(update={"training": training}), "checkpoints")
    sampler = CropSampler(job.training_tiles, training, NO_AUGMENTATION, SEED)
    store = CropDataset(job.source(), sampler, training, data.statistics)
    readers: dict[str, Callable[[int], TrainingSample]] = {"zarr": store.__getitem__}
    for kind in CHIP_KINDS:
        readers[kind] = functools.partial(planned_from_chips, data, kind, sampler)
    for number in range(len(data.index)):
        for kind in CHIP_KINDS:  # also warms the cache
            for ours, theirs in zip(readers["zarr"](number), readers[kind](number), strict=True):
                torch.testing.assert_close(ours, theirs, rtol=0, atol=0, equal_nan=True)
    cpu, wall = in_turns({name: [functools.partial(read, n) for n in range(crops)] for name, read in readers.items()})
    print(f"\n{'crops from':<12}{'ms CPU':>8}{'ms wall':>9}{'per wall s':>12}")
    for name in readers:
        print(f"{name:<12}{1e3 * cpu[name]:>8.2f}{1e3 * wall[name]:>9.2f}{1 / wall[name]:>12.0f}")
    return {
        "loader_vs_chips": cpu["zarr"] / cpu["deflate"],
        "loader_vs_plain_chips": cpu["zarr"] / cpu["plain"],
        "loader_crops_per_s": 1 / wall["zarr"],
    }


def planned_from_chips(data: MadeData, kind: str, sampler: CropSampler, number: int) -> TrainingSample:
    """Return the crop with a given number, from chips."""
    return from_chips(data, kind, sampler.plan(number), 256)


def from_chips(data: MadeData, kind: str, plan: CropPlan, side_px: int) -> TrainingSample:
    """Return a crop cut from whole chips and rotated as planned; equal to the sample of the training data set."""

    def chip(layer: str) -> NDArray[Any]:
        with rasterio.open(data.chip(kind, plan.tile.window, layer)) as file:
            values: NDArray[Any] = file.read()
        return values

    flags, label = chip("validity")[0], chip("label")[0]
    target = np.where(mappable(flags), label, np.uint8(IGNORE_INDEX))
    inside = crop_window(plan, target, side_px).relative_to(plan.tile.window).slices
    usable = [seen(flags[inside])[None].astype(np.float32) for seen in (optical_usable, sar_usable)]
    optical, sar = (chip(name)[:, *inside].astype(np.float32) for name in ("optical", "sar"))
    misleading = np.zeros((2, *target[inside].shape), np.bool_)
    crop = Crop(optical, sar, usable[0], usable[1], target[inside], misleading)
    crop = flip_and_rotate(pad(crop, side_px, side_px), plan.turn)
    return TrainingSample(*(torch.from_numpy(layer) for layer in vars(crop).values()))._replace(
        target=torch.from_numpy(crop.target.astype("int64"))
    )


def in_turns(work: Mapping[str, list[Callable[[], object]]]) -> tuple[dict[str, float], dict[str, float]]:
    """Return the median CPU and wall time of each, seconds; calls alternate: the first of each, the second, ..."""
    cpu: dict[str, list[float]] = {name: [] for name in work}
    wall: dict[str, list[float]] = {name: [] for name in work}
    for turn in zip(*work.values(), strict=True):
        for name, call in zip(work, turn, strict=True):
            start = time.process_time(), time.perf_counter()
            call()
            cpu[name].append(time.process_time() - start[0])
            wall[name].append(time.perf_counter() - start[1])
    return ({name: median(times) for name, times in kind.items()} for kind in (cpu, wall))  # type: ignore[return-value]


class NaiveRift(nn.Module):
    """Textbook RIFT: one-hot labels, the definition term by term, autograd; one process only."""

    def __init__(self, settings: LossSettings, weights: Tensor) -> None:
        super().__init__()
        self.settings, self.weights = settings, weights

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """Return the loss of logits (B, K, H, W) and class indices (B, H, W)."""
        s = self.settings
        valid = target != IGNORE_INDEX
        one_hot = functional.one_hot(torch.where(valid, target, 0), logits.shape[1]).movedim(-1, 1).float()
        g = one_hot * valid[:, None]
        p, log_p = logits.softmax(1), logits.log_softmax(1)
        focal = (self.weights[:, None, None] * g * (1 - p) ** s.focal_gamma * -log_p).sum() / valid.sum()
        p = p * valid[:, None]
        tp, fp, fn = (part.sum((0, 2, 3)) for part in (p * g, p * (1 - g), (1 - p) * g))
        index = (tp + s.smooth) / (tp + s.tversky_alpha * fp + s.tversky_beta * fn + s.smooth)
        tversky = ((1 - index) ** s.tversky_kappa)[g.sum((0, 2, 3)) > 0].mean()
        return s.balance * focal + (1 - s.balance) * tversky


def rift_figures(repetitions: int) -> Figures:
    """Return RIFT's time relative to the naive form on one thread; also print times on two threads."""
    generator = torch.Generator().manual_seed(1)
    logits = 2 * torch.randn(8, len(CLASS_PX), 256, 256, generator=generator)
    target = torch.randint(0, len(CLASS_PX), (8, 256, 256), generator=generator)
    target[torch.rand(8, 256, 256, generator=generator) < 0.1] = IGNORE_INDEX
    ours = Rift(LossSettings(), CLASS_PX)
    forms: dict[str, Any] = {"naive": NaiveRift(LossSettings(), ours.weights), "RIFT": ours}
    gradients = {name: gradient(form, logits, target) for name, form in forms.items()}
    largest = gradients["naive"].abs().max()
    apart = {name: ((found - gradients["naive"]).abs().max() / largest).item() for name, found in gradients.items()}
    runs: dict[str, list[Callable[[], object]]] = {
        name: [functools.partial(gradient, form, logits, target)] * repetitions for name, form in forms.items()
    }
    print(f"\n{'RIFT, 8 x 256²':<16}{'threads':>8}{'ms CPU':>8}{'ms wall':>9}{'of naive':>10}{'gradient off by':>17}")
    threads, ratios = torch.get_num_threads(), {}
    for count in (2, 1):
        torch.set_num_threads(count)
        cpu, wall = in_turns(runs)
        for name in forms:
            ratios[name] = cpu[name] / cpu["naive"]
            times = f"{1e3 * cpu[name]:>8.1f}{1e3 * wall[name]:>9.1f}"
            print(f"{name:<16}{count:>8}{times}{ratios[name]:>10.3f}{apart[name]:>17.1e}")
    torch.set_num_threads(threads)
    return {
        "rift_vs_naive_eager": ratios["RIFT"],
        "rift_gradient_off_by": max(apart.values()),
    }


def gradient(form: nn.Module, logits: Tensor, target: Tensor) -> Tensor:
    """Return the gradient of a loss."""
    leaf = logits.detach().requires_grad_()
    leaf.grad = None
    found = form(leaf, target)
    (found if isinstance(found, Tensor) else found.total).backward()
    assert leaf.grad is not None
    return leaf.grad


if __name__ == "__main__":
    main()
