"""Memory and time that jobs request, from settings, the number of scenes and their sizes.

A job requests the measured peak of its stage (docs/hpc.md has the table) with a margin, and the memory of Snakemake, of
which two processes run in each cluster job.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

from clairemap.grid.rounding import align_up
from clairemap.inference.scene_windows import scene_windows
from clairemap.inference.window_memory import (
    FLAG_BYTES_PER_PX,
    LARGEST_PX,
    PROCESS_BYTES,
    WEIGHTS_FACTOR,
    WindowMemory,
    largest_window_px,
)
from clairemap.nets.memory import working_memory
from clairemap.nets.sizes import SizeName
from clairemap.settings import Settings
from clairemap.time_budget import job_minutes

SNAKEMAKE_MB = 240
"""Memory of Snakemake's two processes in a cluster job, MB."""

MARGIN = 1.15
"""Requested memory divided by the largest peak that was measured."""

CUDA_MB = 4000
"""Additional host memory of a process that uses a GPU, MB."""

MAPPING_MARGIN = 1.1
"""Mapping may exceed its planned memory by a tenth: measured with windows of 2048 px, 6 %."""

_TYPICAL_HALO_PX = 256
"""Halo to plan with for mapping single tiles; a larger one divides the tiles into smaller windows."""

LANGUAGE_MODEL_MB = 16_000

_PEAK_MB = {
    "simulate_scene": 220,
    "interpret_demo": 250,
    "resolve_scene": 180,
    "register_pair": 310,
    "picture_registration": 200,
    "burn_labels": 600,
    "fit_statistics": 250,
    "collect_radiometry": 60,
    "check_radiometry": 60,
    "audit_splits": 185,
    "audit_places": 185,
    "copy_model": 120,
    "pack_bundle": 185,
    "mosaic_region": 200,
    "dissolve_patches": 350,
    "vectorize_map": 450,
    "check_maps": 225,
    "score_tiles": 210,
    "score_region": 310,
    "draw_sample": 300,
    "estimate_areas": 295,
    "explain_tiles": 210,
    "summarize_region": 190,
    "render_report": 485,
}
"""Peaks that do not depend on the size of a scene (896 to 4096 px), MB: 6 bands, 7 classes, tiles of 512 px,
6 scenes."""

_KEPT_MB = 8
"""Memory of mosaic_region per class while it keeps probabilities: finished blocks of two threads, and writing, MB."""

SIZED_RULES = frozenset({"tile_scene", "predict_scene", "explain_tiles"})
"""Rules whose memory or time depends on the size of a scene."""

_MEASURED_VALUES = 13 * 512**2
"""Values of a tile in these measurements: bands and classes times pixels."""

_VALUE_BYTES = 12
"""Memory per additional value of a tile."""

_SCENE_MB = {
    "fit_statistics": 1,
    "audit_splits": 1,
    "audit_places": 1,
    "mosaic_region": 1,
    "check_maps": 1,
    "score_region": 1,
    "render_report": 5,
}
"""Memory per scene of a region beyond six, MB; an estimate."""

_TRAINING_MB: dict[SizeName, int] = {"tiny": 630, "small": 1110, "base": 1520}
"""A training process on a CPU without the crops of a step, MB."""

_UPDATE_MB: dict[SizeName, int] = {"tiny": 690, "small": 1330, "base": 2880}
"""A training process outside the steps' crops, MB: weights, gradients, optimiser, a checkpoint being written."""

_LAUNCHER_MB = 250
"""The launcher of several training processes, MB."""

_WEIGHTS_MB: dict[SizeName, int] = {"tiny": 6, "small": 84, "base": 260}
_CROP_BYTES_PER_PX: dict[SizeName, int] = {"tiny": 820, "small": 3400, "base": 13_000}
"""Activations and gradients of a training step on a CPU, per pixel of the crops."""

_MAPPING_MPX_PER_S: dict[SizeName, float] = {"tiny": 0.2, "small": 0.03, "base": 0.012}
"""Pixels mapped per second by one thread on a busy node, megapixels."""

_MAPPING_MB = 360
"""Python with its libraries while mapping, MB."""

_PIXEL_BYTES = 4
"""Largest size of a stored value of a band."""

Shape = tuple[int, int]


@dataclass(frozen=True)
class MappedScene:
    """What is known of a scene before it is mapped: (height, width), and the halo of the network, pixels."""

    shape: Shape
    halo_px: int


def memory_mb(
    rule: str, settings: Settings, *, scenes: int = 1, shape: Shape | None = None, on_gpus: bool = False
) -> int:
    """Return the memory that a job requests, MB.

    Args:
        rule: name of the rule; not predict_scene, see `mapping_mb`.
        settings: all settings.
        scenes: number of scenes that the job reads.
        shape: (height, width) of the job's scene, if it is known.
        on_gpus: whether the network and the language model run on GPUs.
    """
    if rule == "train_model":
        return training_mb(settings, on_gpus=on_gpus)
    if rule == "tile_scene":
        return _requested(_tiling_peak_mb(settings, shape))
    peak = _PEAK_MB[rule] + _SCENE_MB.get(rule, 0) * max(scenes - 6, 0) + _values_mb(settings)
    if rule == "mosaic_region" and settings.deliver.min_area_ha is not None:
        peak += _KEPT_MB * len(settings.legend.classes)
    if rule == "explain_tiles":
        peak = max(peak, sensor_tiles_mb(settings) if settings.explain.sensor_tiles else 0)
    if rule in ("explain_tiles", "summarize_region"):
        peak += LANGUAGE_MODEL_MB + (CUDA_MB if on_gpus else 0) if settings.explain.model else 0
    return _requested(peak)


def _requested(peak_mb: float) -> int:
    return math.ceil(MARGIN * peak_mb) + SNAKEMAKE_MB


def _bands(settings: Settings) -> int:
    return len(settings.sensors.optical.bands) + len(settings.sensors.sar.bands)


def _values_mb(settings: Settings) -> float:
    """Return the memory for larger tiles, more bands or more classes than measured, MB."""
    values = (_bands(settings) + len(settings.legend.classes)) * settings.tiling.tile_px**2
    return _VALUE_BYTES * max(values - _MEASURED_VALUES, 0) / 1e6


def _tiling_peak_mb(settings: Settings, shape: Shape | None) -> float:
    """Return the peak of tile_scene, MB, which holds a shard in memory; more if a scene has several shards."""
    shard_px = settings.tiling.tile_px * settings.tiling.shard_tiles
    is_whole = shape is not None and max(shape) <= shard_px
    pixels = shape[0] * shape[1] if shape is not None and is_whole else shard_px**2
    more_bands = 6 * (_bands(settings) - 6)
    return 330 + pixels * (55 + more_bands) / 1e6 if is_whole else 390 + pixels * (70 + more_bands) / 1e6


def training_mb(settings: Settings, *, on_gpus: bool) -> int:
    """Return the memory that training requests on one node, MB."""
    size, training, processes = settings.network.size, settings.training, settings.compute.training_processes
    average = _WEIGHTS_MB[size] if training.ema_decay is not None else 0
    if on_gpus:
        each: float = _UPDATE_MB[size] + average + CUDA_MB
    else:
        in_all = processes * settings.compute.training_nodes
        crops = math.ceil(training.batch_size / in_all / training.batch_parts)
        step = crops * training.crop_px**2 * _CROP_BYTES_PER_PX[size]
        validation = 2 * settings.tiling.tile_px**2 * working_memory(size, len(settings.legend.classes)).core
        each = average + max(_UPDATE_MB[size], _TRAINING_MB[size] + max(step, validation) / 1e6)
    return _requested(processes * each + (_LAUNCHER_MB if processes > 1 else 0))


def mapping_mb(settings: Settings, scene: MappedScene | None, *, on_gpus: bool) -> int:
    """Return the memory that mapping a scene requests, MB.

    This is at most that of `compute.mapping_memory_mb`, which windows of the largest size use; less for a small scene.
    """
    planned_mb = settings.compute.mapping_memory_mb
    most = round(MAPPING_MARGIN * planned_mb) + SNAKEMAKE_MB + (CUDA_MB if on_gpus else 0)
    if scene is None or on_gpus:
        return most
    windows = _window_memory(settings)
    weights = WEIGHTS_FACTOR * 1e6 * _WEIGHTS_MB[settings.network.size]

    def fits(side: int, kept: int) -> bool:
        return PROCESS_BYTES + weights + windows.on_cpu(side, kept) <= 1e6 * planned_mb

    window_px = settings.inference.window_px or largest_window_px(scene.shape, scene.halo_px, LARGEST_PX, fits)
    if window_px is None:
        return most
    cover = scene_windows(scene.shape, window_px, scene.halo_px, windows.tile_px).cover
    used = weights + windows.on_cpu(cover.outer_px, cover.core_px)
    needed = math.ceil(used / 1e6) + _MAPPING_MB + SNAKEMAKE_MB
    return needed if settings.inference.window_px else min(needed, most)


def sensor_tiles_mb(settings: Settings) -> int:
    """Return the memory in which single tiles are mapped without one sensor (`explain.sensor_tiles`), MB."""
    windows, weights = _window_memory(settings), WEIGHTS_FACTOR * 1e6 * _WEIGHTS_MB[settings.network.size]
    side = settings.tiling.tile_px + 2 * _TYPICAL_HALO_PX
    return math.ceil((PROCESS_BYTES + weights + windows.on_cpu(side, settings.tiling.tile_px)) / 1e6)


def _window_memory(settings: Settings) -> WindowMemory:
    classes = len(settings.legend.classes)
    core, halo = working_memory(settings.network.size, classes)
    pixel = _PIXEL_BYTES * _bands(settings) + FLAG_BYTES_PER_PX
    return WindowMemory(core, halo, classes, pixel, settings.tiling.tile_px)


_MINUTES: dict[str, Callable[[int], float]] = {
    "simulate_scene": lambda _: 10,
    "interpret_demo": lambda _: 10,
    "resolve_scene": lambda _: 15,
    "register_pair": lambda _: 30,
    "picture_registration": lambda _: 15,
    "burn_labels": lambda _: 60,
    "collect_radiometry": lambda _: 10,
    "check_radiometry": lambda _: 10,
    "fit_statistics": lambda scenes: 20 + scenes,
    "audit_splits": lambda scenes: 20 + 0.5 * scenes,
    "audit_places": lambda scenes: 20 + 0.5 * scenes,
    "copy_model": lambda _: 10,
    "pack_bundle": lambda _: 10,
    "mosaic_region": lambda scenes: 30 + 2 * scenes,
    "dissolve_patches": lambda scenes: 30 + 4 * scenes,
    "vectorize_map": lambda scenes: 30 + 4 * scenes,
    "check_maps": lambda scenes: 20 + 0.5 * scenes,
    "score_tiles": lambda _: 30,
    "score_region": lambda scenes: 20 + 0.5 * scenes,
    "draw_sample": lambda scenes: 30 + scenes,
    "estimate_areas": lambda scenes: 20 + 0.5 * scenes,
    "summarize_region": lambda scenes: 30 + 0.5 * scenes,
    "render_report": lambda scenes: 20 + 2 * scenes,
}
"""Time limits by number of scenes, minutes: several times what was measured with scenes of 4096 px."""

UNKNOWN_SHAPE = (10_980, 10_980)
"""A Sentinel-2 tile: assumed while the size of a scene is not known."""


def minutes(
    rule: str, settings: Settings, *, scenes: int = 1, shape: Shape | None = None, on_gpus: bool = False
) -> int:
    """Return the time limit that a job requests, minutes; arguments as for `memory_mb`."""
    mpx = math.prod(shape or UNKNOWN_SHAPE) / 1e6
    if rule == "train_model":
        limit = settings.compute.training_minutes
        return 1440 if limit is None else job_minutes(limit)
    if rule == "predict_scene":
        return 30 + math.ceil(mpx / 10 if on_gpus else mpx / _MAPPING_MPX_PER_S[settings.network.size] / 60)
    if rule == "tile_scene":
        return 15 + math.ceil(mpx / 10)
    if rule == "explain_tiles":
        tiles = math.prod(align_up(side, settings.tiling.tile_px) for side in shape or UNKNOWN_SHAPE)
        tiles //= settings.tiling.tile_px**2
        compared = 2 * min(settings.explain.sensor_tiles, tiles)
        mpx = compared * (settings.tiling.tile_px + 2 * _TYPICAL_HALO_PX) ** 2 / 1e6
        mapping = math.ceil(mpx / _MAPPING_MPX_PER_S[settings.network.size] / 60)
        written = min(tiles, settings.explain.max_tiles or tiles) if settings.explain.model else 0
        return 30 + mapping + written
    return math.ceil(_MINUTES[rule](scenes))
