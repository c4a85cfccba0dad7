"""Section of gpu.py about reading: crops and windows from disk, by threads and by processes."""

import multiprocessing
import os
import time
from collections.abc import Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import gpu_made as made
from gpu_bench import Bench, Figures

from clairemap.grid.window import Window
from clairemap.raster.store import open_store
from clairemap.tiles.dataset import CropDataset
from clairemap.tiles.sampling import CropSampler

LAYERS = ("optical", "sar", "validity")


def reading(bench: Bench, figures: Figures) -> None:
    """Measure crops/s of the training data set, and Mpx/s of whole windows of a pair, without the device.

    Windows are read by threads of one process and by several processes, to show the limit of the store itself.
    """
    crop_px, scene_px, crops = (128, 512, 4) if bench.quick else (256, 2048, 192)
    counts = (1, 2) if bench.quick else (1, 2, 4, 8, min(16, os.cpu_count() or 1))
    settings = {"batch_size": crops, "crop_px": crop_px, "steps": 1}
    job = made.training_job(bench.folder, scene_px, "tiny", settings)
    chosen = job.settings.training
    sampler = CropSampler(job.training_tiles, chosen, job.settings.augmentation, job.settings.seed)
    data = CropDataset(job.source(), sampler, chosen, job.statistics)
    pair = bench.folder / f"train-{scene_px}.zarr"
    side = scene_px // 4
    windows = [Window(y, x, side, side) for y in range(0, scene_px, side) for x in range(0, scene_px, side)]
    for count in counts:
        of = figures[f"{count} threads"] = {}
        with ThreadPoolExecutor(count) as threads:
            began = time.perf_counter()
            list(threads.map(data.__getitem__, range(crops)))
            of["crops_per_s"] = crops / (time.perf_counter() - began)
            of["windows_mpx_per_s"] = window_rate(threads, pair, windows)
    if not bench.quick:
        spawned = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(counts[-1], mp_context=spawned) as processes:
            list(processes.map(_opened, [pair] * 4 * counts[-1]))  # until all have started
            figures["processes"] = {"count": counts[-1], "windows_mpx_per_s": window_rate(processes, pair, windows)}


def window_rate(executor: Executor, pair: Path, windows: Sequence[Window], repetitions: int = 4) -> float:
    """Return the rate of reading windows of all layers with the executor's workers, 10^6 px/s."""
    began = time.perf_counter()
    read = sum(executor.map(read_window, [pair] * len(windows) * repetitions, [*windows] * repetitions))
    return read / 1e6 / (time.perf_counter() - began)


def read_window(pair: Path, window: Window) -> int:
    """Read a window of all layers; return its number of pixels."""
    store = open_store(pair)
    for name in LAYERS:
        store.read(name, window)
    return window.height * window.width


def _opened(pair: Path) -> bool:
    time.sleep(0.05)
    return open_store(pair).exists
