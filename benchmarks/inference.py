"""Mapping a scene: exactness, CPU time outside the network, memory.

- `identity_ok`: a network that returns its input reproduces scenes of all sizes near the window's, at all overlaps.
- `seam_sigma`, `class_changes`: windows compared with the whole scene at once; in standard deviations of the logits,
  and pixels of another class.
- `overhead_…`: CPU time with a network that costs nothing (it returns prepared logits), for 8192 px, 4 + 2 bands and
  8 classes, compared with terratorch's tiled inference (512 px windows, stride 384) and the common weighted sum of
  windows (`naive`), with the same stores on one thread.
- `total_over_forward`: CPU time of mapping, divided by that of the network on the same windows. `total_over_cells`: the
  same, but the network computes only the cells that the map needs, as mapping does.
- `rss_mb_8192`: peak memory with the network and 800 MB; `rss_mb_8192_loop`: without the network. `rss_ratio_4x`:
  8192 px over 4096 px. `seen_over_scene`: pixels computed, with overlap, over pixels of the scene.
- 800 and 3000 (the default): `mapping_memory_mb`.

Each method runs in its own process, in turns. Figures are medians of CPU time and the largest peak of memory.

terratorch's module is read from its wheel, which `make peers` downloads; without it its figure is null.
Prints tables, and as its last line one JSON object; figures of what the machine lacks are null.

    python benchmarks/inference.py [--model FOLDER_WITH_MODEL] [--turns 3] [--quick]
"""

import argparse
import importlib.util
import itertools
import json
import logging
import os
import platform
import subprocess
import sys
import tempfile
import time
import types
import zipfile
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from affine import Affine
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from torch import Tensor, nn
from torch.nn import functional

import clairemap
from clairemap.artefacts.model_card import BandScale, ModelCard, TrainedOn
from clairemap.classes import LandCoverClass
from clairemap.grid.cover import WindowCover
from clairemap.grid.rounding import align_up
from clairemap.grid.window import Window
from clairemap.inference.predict import Prediction, predict_scene
from clairemap.inference.probabilities import OPTICAL_SHARE, PROBABILITY, create_probabilities
from clairemap.inference.reading import WindowInput, WindowReader
from clairemap.nets.bundle import Bundle, load_bundle, save_bundle
from clairemap.nets.claire import CellOutput, Claire
from clairemap.nets.halo import measured_halo_px
from clairemap.nets.image import Image
from clairemap.nets.memory import working_memory
from clairemap.nets.normalisation import normalise
from clairemap.nets.probability import stored_probability
from clairemap.nets.stage_windows import cells_between
from clairemap.nets.strips import strip_rows
from clairemap.raster.store import GridStore, Layer, create_store, open_store
from clairemap.settings import ALIGN_PX, InferenceSettings, NetworkSettings, Sensor

OPTICAL, SAR = ("blue", "green", "red", "nir"), ("VV", "VH")
CLASSES = tuple(LandCoverClass(code=code, name=f"class {code}") for code in range(8))
BOTH: frozenset[Sensor] = frozenset({"optical", "sar"})
WINDOW, HALO = 384, 128
CROP, STRIDE = 512, 384
ENVIRONMENT = {
    "MALLOC_MMAP_THRESHOLD_": "1000000000",
    "MALLOC_TRIM_THRESHOLD_": "2000000000",
    "MALLOC_ARENA_MAX": "1",
    "OMP_WAIT_POLICY": "PASSIVE",
    "ZARR_THREADING__MAX_WORKERS": "1",
    "OMP_NUM_THREADS": "1",
}
SMALL_MB, DEFAULT_MB = 800, 3000
NETWORK_ARMS = ("network", "forward", "cells")


class Identity(nn.Module):
    """Network whose stored probabilities are the optical bands, if these add up to 255 in every pixel."""

    stride = 1

    def cells(self, optical: Image, sar: Image, core: Window) -> CellOutput:
        """Return the logarithm of the bands, and a share of one half, for the cells around the core."""
        del sar
        values, weight, _ = optical.rows(slice(None))
        window = cells_between(core, (weight.shape[-2], weight.shape[-1]), self.stride)
        return CellOutput(values[..., *window.slices].log(), weight[..., *window.slices] / 2, window)


class FreeNetwork(nn.Module):
    """Network without costs: returns slices of prepared logits."""

    stride = 4

    def __init__(self) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        smooth = torch.randn(1, len(CLASSES), 30, 30, generator=generator) * 8
        detail = torch.randn(1, len(CLASSES), 1024, 1024, generator=generator) / 2
        self.logits = functional.interpolate(smooth, size=(1024, 1024), mode="bilinear") + detail
        self.share = torch.rand(1, 1, 1024, 1024, generator=generator)

    def cells(self, optical: Image, sar: Image, core: Window) -> CellOutput:
        """Normalise the bands strip by strip, and return logits and share for cells of 4 px."""
        height, width = optical.weight.shape[-2:]
        for image in (optical, sar):
            rows = strip_rows(image.values.shape[1] * width, torch.device("cpu"))
            for start in range(0, height, rows):
                image.rows(slice(start, start + rows))
        window = cells_between(core, (height, width), self.stride)
        rows, columns = window.shape
        return CellOutput(self.logits[..., :rows, :columns], self.share[..., :rows, :columns], window)


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    fetched = next((Path(__file__).parents[1] / ".venv-peers" / "wheels").glob("terratorch-*.whl"), None)
    parser.add_argument("--terratorch", type=Path, default=fetched, help="terratorch's wheel")
    parser.add_argument("--model", type=Path, help="folder with model.safetensors and model.json; else random weights")
    parser.add_argument("--turns", type=int, default=3, help="runs of each arm")
    parser.add_argument("--quick", action="store_true", help="small scenes, one turn: a test run")
    parser.add_argument("--arm", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.arm:
        name, pair, memory_mb = options.arm
        print(json.dumps(ARMS[name](open_store(Path(pair)), int(memory_mb), options)))
        return
    options.weights = "trained" if options.model else "random"
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        if options.quick and options.model is None:
            options.model = saved(network(None), work / "model")  # measured once, not in each arm
        figures = {"identity_ok": identity(work, options.quick), **seam(work, options), **costs(work, options)}
    print(json.dumps({**figures, **machine()}))


def identity(work: Path, quick: bool) -> bool:
    """Return whether every scene is reproduced."""
    core = WINDOW - 2 * HALO
    sides = sorted({1, WINDOW - 1, WINDOW, WINDOW + 1, 2 * WINDOW + HALO, 127, 521, 1009})
    shapes = [(side, side) for side in sides] + list(itertools.pairwise(sides)) + [(1009, 1), (1, 521)]
    wrong = []
    for index, shape in enumerate(shapes[:3] if quick else shapes):
        pair = scene(work / f"identity{index}.zarr", shape, of_identity=True)
        expected = pair.read("optical", Window.whole(shape))
        for window, halo in ((WINDOW, 0), (WINDOW, HALO), (core, 0), (core + 2 * 256, 256)):
            store = mapped(pair, of_identity(), InferenceSettings(window_px=window, halo_px=halo), work)
            if not np.array_equal(store.read(PROBABILITY, Window.whole(shape)), expected):
                wrong.append((shape, window, halo))
    print(f"identity: {len(shapes)} sizes x 4 windows, wrong: {wrong or 'none'}")
    return not wrong


def seam(work: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Return the differences between windows and the whole scene: logits, and classes of the stored result."""
    side = 640 if options.quick else 2560
    pair = scene(work / "seam.zarr", (side, side - 131))
    bundle = network(options.model)
    shape, halo = pair.shape, bundle.card.halo_px
    with torch.inference_mode():
        (whole,) = (
            cells(bundle, pair, step) for step in steps(WindowCover(align_up(side, ALIGN_PX), 0, ALIGN_PX), shape)
        )
        largest = 0.0
        for step in steps(WindowCover(512, halo, ALIGN_PX), shape):
            found, rows, columns = cells(bundle, pair, step), *core_cells(step)
            y0, x0 = step.core.y0 // 4, step.core.x0 // 4
            place = whole[:, y0 : y0 + rows.stop - rows.start, x0 : x0 + columns.stop - columns.start]
            largest = max(largest, float((found[:, rows, columns] - place).abs().max()))
    at_once, tiled = (
        mapped(pair, bundle, InferenceSettings(window_px=window), work).read(PROBABILITY, Window.whole(shape))
        for window in (4096, 512 + 2 * halo)
    )
    changes = int((at_once.argmax(0) != tiled.argmax(0)).sum())
    apart = int(np.abs(at_once.astype(int) - tiled).max())
    sigma = largest / float(whole.std())
    print(f"seam: {sigma:.2g} sigma; {changes} pixels of {at_once[0].size} change class, values by {apart} of 255")
    return {"seam_sigma": sigma, "class_changes": changes, "halo_px": halo, "weights": options.weights}


def costs(work: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Run all arms in turns and return the figures."""
    side, turns = (512, 1) if options.quick else (8192, options.turns)
    pairs = {size: scene(work / f"{size}.zarr", (size, size)).path for size in (side // 2, side)}
    arms = [
        ("ours", side, DEFAULT_MB),
        ("ours", side, SMALL_MB),
        ("ours", side // 2, SMALL_MB),  # in both, windows have a full halo
        ("naive", side, 0),
        *([("terratorch", side, 0)] if options.terratorch else []),
    ]
    settings = ((side, SMALL_MB), (side // 2, DEFAULT_MB))
    real = [(name, *setting) for setting in settings for name in NETWORK_ARMS]
    runs: dict[tuple[str, int, int], list[dict[str, float]]] = {}
    for arm in [*arms, *real] * turns:
        runs.setdefault(arm, []).append(run_arm(*arm, pairs[arm[1]], options))
    print(f"{'arm':12s} {'side':>6s} {'memory':>7s} {'CPU ms/Mpx':>11s} {'peak MB':>8s}")
    for (name, size, memory), found in runs.items():
        print(f"{name:12s} {size:6d} {memory or '':>7} {cpu(found):11.0f} {peak(found):8.0f}")
    loops = {mb: cpu(runs["ours", side, mb]) for mb in (SMALL_MB, DEFAULT_MB)}
    naive, other = runs["naive", side, 0], runs.get(("terratorch", side, 0))
    covers = {mb: cover(open_store(pairs[size]), mb, options.model) for size, mb in settings}
    spent = {memory: {name: cpu(runs[name, size, memory]) for name in NETWORK_ARMS} for size, memory in settings}
    return {
        "overhead_vs_terratorch": loops[DEFAULT_MB] / cpu(other) if other else None,
        "overhead_vs_naive": loops[DEFAULT_MB] / cpu(naive),
        "overhead_ms_per_mpx": loops[DEFAULT_MB],
        "overhead_vs_terratorch_by_mb": {mb: loop / cpu(other) if other else None for mb, loop in loops.items()},
        "overhead_vs_naive_by_mb": {mb: loop / cpu(naive) for mb, loop in loops.items()},
        "overhead_ms_per_mpx_by_mb": loops,
        "total_over_forward": max(each["network"] / each["forward"] for each in spent.values()),
        "total_over_forward_by_mb": {mb: each["network"] / each["forward"] for mb, each in spent.items()},
        "total_over_cells_by_mb": {mb: each["network"] / each["cells"] for mb, each in spent.items()},
        "rss_mb_8192": peak(runs["network", side, SMALL_MB]),
        "rss_mb_8192_loop": {mb: peak(runs["ours", side, mb]) for mb in loops},
        "rss_mb_terratorch": peak(other) if other else None,
        "rss_mb_naive": peak(naive),
        "rss_ratio_4x": peak(runs["ours", side, SMALL_MB]) / peak(runs["ours", side // 2, SMALL_MB]),
        "s_per_mpx": {mb: each["network"] / 1e3 for mb, each in spent.items()},
        "window_px": {mb: each.outer_px for mb, each in covers.items()},
        "seen_over_scene": {mb: covers[mb].processed_px((size, size)) / size**2 for size, mb in settings},
        "side_px": side,
        "turns": turns,
        **gpu_figures(pairs[side], options),
    }


def gpu_figures(pair: Path, options: argparse.Namespace) -> dict[str, float | None]:
    """Return Mpx/s on a GPU, and the fraction of the time in which it computes."""
    if not torch.cuda.is_available():
        return {"gpu_mpx_per_s": None, "gpu_busy_share": None}
    found = run_arm("gpu", 0, DEFAULT_MB, pair, options)
    print(f"GPU: {found['mpx_per_s']:.1f} Mpx/s, computing {found['busy_share']:.0%} of the time")
    return {"gpu_mpx_per_s": found["mpx_per_s"], "gpu_busy_share": found["busy_share"]}


def cover(pair: GridStore, memory_mb: int, model: Path | None) -> WindowCover:
    """Return the windows of the real network."""
    return Prediction(network(model), "fused", InferenceSettings(), memory_mb).scene_windows(pair).cover


def run_arm(name: str, _side: int, memory_mb: int, pair: Path, options: argparse.Namespace) -> dict[str, float]:
    """Run an arm in its own process and return its figures."""
    chosen = ["--terratorch", options.terratorch] if options.terratorch else []
    chosen += ["--model", options.model] if options.model else []
    command = [sys.executable, __file__, *chosen, "--arm", name, pair, str(memory_mb)]
    done = subprocess.run(command, env={**os.environ, **ENVIRONMENT}, check=True, stdout=subprocess.PIPE, text=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def cpu(runs: list[dict[str, float]]) -> float:
    """Return the median CPU time, ms/Mpx."""
    return median(run["ms_per_mpx"] for run in runs)


def peak(runs: list[dict[str, float]]) -> float:
    """Return the largest peak memory, MB."""
    return max(run["rss_mb"] for run in runs)


def ours(pair: GridStore, memory_mb: int, options: argparse.Namespace) -> dict[str, float]:
    """Map with the free network, in the windows of the real one."""
    real = network(options.model)
    settings = InferenceSettings(window_px=Prediction(real, "fused", InferenceSettings(), memory_mb).window_px(pair))
    bundle = Bundle(FreeNetwork(), card(halo_px=real.card.halo_px, bytes_per_px=(1, 1)))  # type: ignore[arg-type]
    return timed(pair, lambda part: predict_scene(pair, Prediction(bundle, "fused", settings), part, {}))


def with_network(pair: GridStore, memory_mb: int, options: argparse.Namespace) -> dict[str, float]:
    """Map with the real network."""
    prediction = Prediction(network(options.model), "fused", InferenceSettings(), memory_mb)
    return timed(pair, lambda part: predict_scene(pair, prediction, part, {}))


def on_gpu(pair: GridStore, memory_mb: int, options: argparse.Namespace) -> dict[str, float]:
    """Map with the real network on a GPU; a second run measures the fraction of the time in which it computes."""
    bundle, gpu = network(options.model), torch.device("cuda")
    bundle.network.to(gpu)
    prediction = Prediction(bundle, "fused", InferenceSettings(), memory_mb, (gpu,))

    def seconds() -> float:
        with tempfile.TemporaryDirectory(dir=pair.path.parent) as folder:
            began = time.perf_counter()
            predict_scene(pair, prediction, Path(folder) / "probabilities.zarr", {})
            torch.cuda.synchronize()
            return time.perf_counter() - began

    seconds()  # warm-up: loads CUDA and its libraries
    wall = seconds()
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CUDA]) as profile:
        watched = seconds()
    kernels = (
        event
        for event in profile.profiler.kineto_results.events()
        if event.device_type() == torch.autograd.DeviceType.CUDA  # type: ignore[attr-defined]
        and "Mem" not in event.name()  # without copies
    )
    computing = covered_ns((kernel.start_ns(), kernel.start_ns() + kernel.duration_ns()) for kernel in kernels)
    return {"mpx_per_s": mpx(pair) / wall, "busy_share": computing / 1e9 / watched, "rss_mb": peak_mb()}


def covered_ns(spans: Iterable[tuple[int, int]]) -> int:
    """Return the length of the union of time spans."""
    covered = end = 0
    for start, stop in sorted(spans):
        covered += max(stop - max(start, end), 0)
        end = max(end, stop)
    return covered


def forward_alone(pair: GridStore, memory_mb: int, options: argparse.Namespace) -> dict[str, float]:
    """Normalise the same windows and run `forward` on them."""
    return alone(pair, memory_mb, options, lambda bundle, reading, _: bundle.network(*tensors(bundle, reading)))


def cells_alone(pair: GridStore, memory_mb: int, options: argparse.Namespace) -> dict[str, float]:
    """Run `cells`, the part of the network that mapping runs, on the same windows."""
    return alone(
        pair, memory_mb, options, lambda bundle, reading, core: bundle.network.cells(*images(bundle, reading), core)
    )


def alone(
    pair: GridStore, memory_mb: int, options: argparse.Namespace, run: Callable[[Bundle, WindowInput, Window], object]
) -> dict[str, float]:
    """Return the CPU time of a function of a scene's windows, without reading them."""
    prediction = Prediction(network(options.model), "fused", InferenceSettings(), memory_mb)
    spent = 0.0
    for step in steps(prediction.scene_windows(pair).cover, pair.shape):
        reading = WindowReader(pair, BOTH).read(step)
        assert reading is not None
        began = time.process_time()
        with torch.inference_mode():
            run(prediction.bundle, reading, step.core.relative_to(step.outer))
        spent += time.process_time() - began
    return {"ms_per_mpx": 1e3 * spent / mpx(pair), "rss_mb": peak_mb()}


def naive(pair: GridStore, memory_mb: int, options: argparse.Namespace) -> dict[str, float]:  # noqa: ARG001
    """Sum windows with Hann weights, with all classes of the scene in memory: the common method."""
    logits = pixel_logits(FreeNetwork())

    def work(part: Path) -> None:
        scene_px = whole_input(pair)
        height, width = pair.shape
        total, weights = torch.zeros(len(CLASSES), height, width), torch.zeros(height, width)
        ramp = torch.hann_window(CROP + 2, periodic=False)[1:-1]
        mask = ramp[:, None] * ramp
        starts = [sorted({*range(0, size - CROP, STRIDE), size - CROP}) for size in (height, width)]
        for batch in batched(list(itertools.product(*starts)), 8):
            torch.stack([scene_px[:, y : y + CROP, x : x + CROP] for y, x in batch])
            for y, x in batch:
                total[:, y : y + CROP, x : x + CROP] += logits * mask
                weights[y : y + CROP, x : x + CROP] += mask
        write(pair, total.div_(weights), part)

    return timed(pair, work)


def terratorch(pair: GridStore, memory_mb: int, options: argparse.Namespace) -> dict[str, float]:  # noqa: ARG001
    """Run terratorch's tiled inference."""
    module = from_wheel(options.terratorch)
    logits = pixel_logits(FreeNetwork())

    def work(part: Path) -> None:
        found = module.tiled_inference(
            lambda chips, **_: logits.expand(len(chips), -1, -1, -1),
            whole_input(pair)[None],
            crop=CROP,
            stride=STRIDE,
            delta=8,
            batch_size=8,
        )
        write(pair, found[0], part)

    return timed(pair, work)


ARMS = {
    "ours": ours,
    "naive": naive,
    "terratorch": terratorch,
    "network": with_network,
    "forward": forward_alone,
    "cells": cells_alone,
    "gpu": on_gpu,
}


def timed(pair: GridStore, work: Any) -> dict[str, float]:  # noqa: ANN401 - a function of a path
    """Return CPU time per Mpx of the scene, and the process's peak memory."""
    with tempfile.TemporaryDirectory(dir=pair.path.parent) as folder:
        began = time.process_time()
        work(Path(folder) / "probabilities.zarr")
        spent = time.process_time() - began
    return {"ms_per_mpx": 1e3 * spent / mpx(pair), "rss_mb": peak_mb()}


def peak_mb() -> float:
    """Return the process's own peak memory, MB; getrusage starts with that of the parent."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith("VmHWM"))


def mpx(pair: GridStore) -> float:
    """Return the scene's size, 10^6 px."""
    return pair.shape[0] * pair.shape[1] / 1e6


def whole_input(pair: GridStore) -> Tensor:
    """Return the normalised bands of the whole scene, (band, y, x), for the other tools."""
    scales, everything = card(halo_px=0, bytes_per_px=(1, 1)), Window.whole(pair.shape)
    optical = normalise(torch.from_numpy(pair.read("optical", everything)), scales.optical_bands)
    return torch.cat([optical, normalise(torch.from_numpy(pair.read("sar", everything)), scales.sar_bands)])


def pixel_logits(free: FreeNetwork) -> Tensor:
    """Return prepared logits of a window's pixels."""
    return functional.interpolate(free.logits[..., : CROP // 4, : CROP // 4], scale_factor=4, mode="bilinear")[0]


def write(pair: GridStore, logits: Tensor, part: Path) -> None:
    """Write the probabilities of a scene to a store of the same format as ours."""
    names = [entry.name for entry in CLASSES]
    store = create_probabilities(part, pair.geobox, names, tile_px=pair.tile_px, shard_tiles=4, attributes={})
    for shard in store.shards():
        store.write(PROBABILITY, shard, stored_probability(logits[:, *shard.slices]))
        store.write(OPTICAL_SHARE, shard, np.full(shard.shape, 50, np.uint8))


def from_wheel(wheel: Path) -> types.ModuleType:
    """Return terratorch's module of tiled inference alone; the rest needs torchvision."""
    folder = Path(tempfile.mkdtemp())
    with zipfile.ZipFile(wheel) as archive:
        source = archive.extract("terratorch/tasks/tiled_inference.py", folder)
    for name in ("terratorch", "terratorch.models", "terratorch.models.utils"):
        sys.modules[name] = types.ModuleType(name)
    sys.modules["terratorch.models.utils"].pad_images = None  # type: ignore[attr-defined] # for other callers
    specification = importlib.util.spec_from_file_location("tiled_inference", source)
    assert specification and specification.loader
    module = importlib.util.module_from_spec(specification)
    sys.modules["tiled_inference"] = module
    specification.loader.exec_module(module)
    return module


def scene(path: Path, shape: tuple[int, int], *, of_identity: bool = False) -> GridStore:
    """Write a pair of smooth fields with noise and some clouds, or of bands that add up to 255 in every pixel."""
    bands = [entry.name for entry in CLASSES] if of_identity else list(OPTICAL)
    layers = [
        Layer("optical", "uint8" if of_identity else "uint16", tuple(bands)),
        Layer("sar", "float32", SAR, fill=float("nan")),
        Layer("validity", "uint8"),
    ]
    grid = GeoBox(shape, Affine(10, 0, 500_000, 0, -10, 5_000_000), "EPSG:32633")
    facts = {"scene": "made", "sar_scale": "db", "registration": "good", "sources": {}, "georeferenced": True}
    store = create_store(path, grid, layers, tile_px=128 if of_identity else 512, shard_tiles=4, attributes=facts)
    random = np.random.default_rng(shape[0])
    for shard in store.shards():
        base = smooth(random, shard.shape)
        optical = adding_up(random, shard.shape) if of_identity else fields(random, base, 1500, 300, 60, len(OPTICAL))
        store.write("optical", shard, optical.astype(layers[0].dtype))
        store.write("sar", shard, fields(random, base, -12, 2, 1.5, len(SAR)).astype(np.float32))
        store.write("validity", shard, np.zeros(shard.shape, np.uint8) if of_identity else (base > 2) * np.uint8(4))
    return open_store(path)


def smooth(random: np.random.Generator, shape: tuple[int, int]) -> NDArray[np.float32]:
    """Return a smooth field of unit deviation, with nodes 64 px apart."""
    coarse = torch.from_numpy(random.normal(size=(1, 1, shape[0] // 64 + 2, shape[1] // 64 + 2)).astype(np.float32))
    return functional.interpolate(coarse, size=shape, mode="bilinear")[0, 0].numpy() * np.float32(1.5)


def fields(
    random: np.random.Generator, base: NDArray[np.float32], mean: float, spread: float, noise: float, bands: int
) -> NDArray[np.float32]:
    """Return bands (band, y, x) of one field with independent noise."""
    return mean + spread * base + noise * random.standard_normal((bands, *base.shape), np.float32)


def adding_up(random: np.random.Generator, shape: tuple[int, int]) -> NDArray[np.int64]:
    """Return integers (class, y, x) with sum 255 in every pixel."""
    edges = np.sort(random.integers(0, 256, (len(CLASSES) - 1, *shape)), axis=0)
    return np.diff(edges, axis=0, prepend=0, append=255)


def card(halo_px: int, bytes_per_px: tuple[float, float], *, of_identity: bool = False) -> ModelCard:
    """Return a model card for the synthetic scenes."""
    names = tuple(entry.name for entry in CLASSES) if of_identity else OPTICAL
    mean, deviation = (0, 1) if of_identity else (1500, 300)
    return ModelCard(
        stamp={},
        network=NetworkSettings(),
        classes=CLASSES,
        optical_bands=BandScale(names=names, mean=(mean,) * len(names), std=(deviation,) * len(names)),
        sar_bands=BandScale(names=SAR, mean=(-12, -12), std=(3, 3)),
        sar_scale="db",
        halo_px=halo_px,
        halo_sigma=0,
        core_bytes_per_px=bytes_per_px[0],
        halo_bytes_per_px=bytes_per_px[1],
        trained_on=TrainedOn(scenes=("made",), pixels=1),
        best_step=1,
    )


def of_identity() -> Bundle:
    """Return the bundle of the identity network."""
    return Bundle(Identity(), card(halo_px=0, bytes_per_px=(1, 1), of_identity=True))  # type: ignore[arg-type]


def network(model: Path | None) -> Bundle:
    """Return the given network (same bands and classes), or one with random weights."""
    if model:
        bundle = load_bundle(model / "model.safetensors", model / "model.json")
        found = bundle.card
        scales = card(halo_px=found.halo_px, bytes_per_px=(found.core_bytes_per_px, found.halo_bytes_per_px))
        kept = {"optical_bands": scales.optical_bands, "sar_bands": scales.sar_bands}
        return Bundle(bundle.network, bundle.card.model_copy(update=kept))
    torch.manual_seed(0)
    made = Claire(len(OPTICAL), len(SAR), len(CLASSES), NetworkSettings()).eval()
    halo, _ = measured_halo_px(made)
    return Bundle(made, card(halo_px=halo, bytes_per_px=working_memory("tiny", len(CLASSES))))


def saved(bundle: Bundle, folder: Path) -> Path:
    """Write a model and return its folder."""
    folder.mkdir()
    save_bundle(bundle.network, bundle.card, folder / "model.safetensors", folder / "model.json")
    return folder


def mapped(pair: GridStore, bundle: Bundle, settings: InferenceSettings, work: Path) -> GridStore:
    """Map a scene and return the store of the result."""
    part = Path(tempfile.mkdtemp(dir=work)) / "out.zarr"
    predict_scene(pair, Prediction(bundle, "fused", settings), part, {})
    return open_store(part)


def steps(cover: WindowCover, shape: tuple[int, int]) -> Iterator[Any]:
    """Yield the windows of a whole scene."""
    return cover.steps(Window.whole(shape), shape)


def images(bundle: Bundle, reading: WindowInput) -> tuple[Image, Image]:
    """Return a window's images, the arguments of the network's `cells`."""
    optical, sar = (torch.from_numpy(values)[None] for values in (reading.optical, reading.sar))
    weights = (torch.from_numpy(mask)[None, None] for mask in (reading.optical_usable, reading.sar_usable))
    return (
        Image(optical, next(weights), partial(normalise, scale=bundle.card.optical_bands)),
        Image(sar, next(weights), partial(normalise, scale=bundle.card.sar_bands)),
    )


def tensors(bundle: Bundle, reading: WindowInput) -> tuple[Tensor, ...]:
    """Return a window's normalised tensors, the arguments of the network's `forward`."""
    scaled = [image.rows(slice(None)) for image in images(bundle, reading)]
    return *(image.values for image in scaled), *(image.weight for image in scaled)


def cells(bundle: Bundle, pair: GridStore, step: Any) -> Tensor:  # noqa: ANN401 - a step of the cover
    """Return the logits of a window's cells."""
    reading = WindowReader(pair, BOTH).read(step)
    assert reading is not None
    return bundle.network.cells(*images(bundle, reading)).logits[0]


def core_cells(step: Any) -> tuple[slice, slice]:  # noqa: ANN401 - a step of the cover
    """Return the cells of a window's core that are completely in the scene."""
    core = step.core.relative_to(step.outer)
    return slice(core.y0 // 4, core.y1 // 4), slice(core.x0 // 4, core.x1 // 4)


def batched(places: list[tuple[int, ...]], size: int) -> Iterator[list[tuple[int, ...]]]:
    """Yield the places in groups of `size`."""
    return (places[start : start + size] for start in range(0, len(places), size))


def machine() -> dict[str, Any]:
    """Return the machine and the versions used."""
    return {
        "cpus": os.cpu_count(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "clairemap": clairemap.__version__,
        "gpu": torch.cuda.get_device_name(0) if torch.cuda.is_available() else None,
    }


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING)
    main()
