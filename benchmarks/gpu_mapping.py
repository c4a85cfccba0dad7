"""Sections of gpu.py about mapping and explaining: equality with the CPU, speed, busy share, texts by Phi-3."""

import contextlib
import importlib
import shutil
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any

import gpu_made as made
import numpy as np
import torch
from gpu_bench import Bench, Figures, check, profiled

from clairemap.explain.language_model import LanguageModel
from clairemap.inference.predict import Prediction, predict_scene
from clairemap.inference.probabilities import OPTICAL_SHARE, PROBABILITY
from clairemap.nets import layers
from clairemap.nets.bundle import Bundle
from clairemap.raster.store import GridStore, open_store
from clairemap.settings import ExplainSettings, InferenceSettings, Precision

MEMORY_MB = 48_000
PRECISIONS: tuple[Precision, ...] = ("float32", "bfloat16")
TIMED = {
    "read": ("clairemap.inference.reading", "WindowReader.read"),
    "map": ("clairemap.inference.predict", "map_window"),
    "write": ("clairemap.inference.writing", "write_shard"),
}
"""Timed functions of inference on the host: module and name."""


def equal(bench: Bench, figures: Figures) -> None:
    """Map a scene on the CPU in float32 and on the device in both precisions; compare probabilities and classes.

    Tolerances: float32: mean 0.01/255, maximum 2/255 (rounding to integers may differ); bfloat16: mean 2/255, another
    class in 2 % of the pixels.
    """
    side = 256 if bench.quick else 1024
    pair = made.made_pair(bench.folder / "equal.zarr", side, seed=5)
    of_cpu = made.bundle("tiny" if bench.quick else "small", torch.device("cpu"))
    expected = stored(mapped(bench, pair, of_cpu, "float32", None, torch.device("cpu")))
    of_device = made.on(bench.device, of_cpu)
    figures |= {"side_px": side, "halo_px": of_cpu.card.halo_px}
    for precision in PRECISIONS:
        of = figures[precision] = {}
        found = stored(mapped(bench, pair, of_device, precision, None, bench.device))
        apart = np.abs(found[0].astype(int) - expected[0])
        other_class = float((found[0].argmax(0) != expected[0].argmax(0)).mean())
        if precision == "float32":
            check(of, "mean_difference_of_255", float(apart.mean()), 0.01)
            check(of, "max_difference_of_255", int(apart.max()), 2)
            check(of, "share_difference_percent", int(np.abs(found[1].astype(int) - expected[1]).max()), 1)
            of["other_class_share"] = other_class
        else:
            check(of, "mean_difference_of_255", float(apart.mean()), 2)
            check(of, "other_class_share", other_class, 0.02)
            of["max_difference_of_255"] = int(apart.max())


def speed(bench: Bench, figures: Figures) -> None:
    """Map a large scene in both precisions, and in one window with and without cuDNN: Mpx/s, time of each part."""
    side = 256 if bench.quick else 8192
    pair = made.made_pair(bench.folder / "large.zarr", side, seed=6)
    found = made.bundle("tiny" if bench.quick else "small", bench.device)
    figures |= {"side_px": side, "halo_px": found.card.halo_px, "bytes_per_px": found.card.core_bytes_per_px}
    figures["first_s"] = seconds_of(lambda: mapped(bench, pair, found, "bfloat16", None))

    def arm(name: str, precision: Precision, window_px: int | None) -> None:
        of = figures[name] = {}
        with host_times() as of_host:
            seconds = seconds_of(lambda: mapped(bench, pair, found, precision, window_px))
        of |= {"mpx_per_s": side**2 / 1e6 / seconds, "s": seconds, **of_host}
        of["window_px"] = predicting(found, precision, window_px, bench.device).window_px(pair)

    for precision in PRECISIONS:
        arm(precision, precision, None)
    arm("float32, one window", "float32", side)
    with plans_of_cudnn():
        arm("float32, one window, cuDNN", "float32", side)


@contextlib.contextmanager
def plans_of_cudnn() -> Iterator[None]:
    """Let mapping use cuDNN's convolutions while the context is open; their plans are made for each new shape."""
    before = layers.avoids_cudnn
    layers.avoids_cudnn = lambda x: False  # noqa: ARG005
    try:
        yield
    finally:
        layers.avoids_cudnn = before


def busy(bench: Bench, figures: Figures) -> None:
    """Profile the mapping of the large scene: fraction of the time in which a kernel or copy runs on the device.

    Computed from the union of all spans in the profile; `driver_share` is the driver's sampled utilisation.
    """
    pair = open_store(bench.folder / "large.zarr")
    found = made.bundle("tiny" if bench.quick else "small", bench.device)
    for precision in PRECISIONS:
        of = figures[precision] = {}
        with sampled_utilisation(bench) as samples:
            of_run = profiled(bench, lambda: mapped(bench, pair, found, precision, None))  # noqa: B023
        of["busy_share"] = of_run.busy_s / of_run.wall_s if bench.is_cuda else None
        of["wall_s"] = of_run.wall_s
        of["driver_share"] = float(np.mean(samples)) if samples else None
        of["top_ms"] = of_run.top()


def predicting(found: Bundle, precision: Precision, window_px: int | None, device: torch.device) -> Prediction:
    """Return the prediction that maps a scene."""
    settings = InferenceSettings(precision=precision, window_px=window_px)
    return Prediction(found, "fused", settings, MEMORY_MB, (device,))


def mapped(
    bench: Bench,
    pair: GridStore,
    found: Bundle,
    precision: Precision,
    window_px: int | None,
    device: torch.device | None = None,
) -> GridStore:
    """Return the store of a mapped scene; the next call replaces it."""
    part = bench.folder / "mapped.zarr"
    shutil.rmtree(part, ignore_errors=True)
    predict_scene(pair, predicting(found, precision, window_px, device or bench.device), part, {})
    return open_store(part)


def stored(store: GridStore) -> tuple[np.ndarray, np.ndarray]:
    """Return the probabilities and the optical share of a store."""
    return np.asarray(store.array(PROBABILITY)[:]), np.asarray(store.array(OPTICAL_SHARE)[:])


def seconds_of(work: Callable[[], object]) -> float:
    """Return the wall time of a call, seconds."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


@contextlib.contextmanager
def host_times() -> Iterator[dict[str, float]]:
    """Yield the seconds spent in reading, mapping and writing within the context, summed over threads."""
    seconds: dict[str, float] = defaultdict(float)
    lock = threading.Lock()
    replaced = []
    for part, (module, name) in TIMED.items():
        owner: Any = importlib.import_module(module)
        *classes, last = name.split(".")
        for inner in classes:
            owner = getattr(owner, inner)
        function = getattr(owner, last)
        replaced.append((owner, last, function))

        def timed(*args: Any, function: Callable[..., Any] = function, part: str = part) -> Any:  # noqa: ANN401
            began = time.perf_counter()
            try:
                return function(*args)
            finally:
                with lock:
                    seconds[f"{part}_s"] += time.perf_counter() - began

        setattr(owner, last, timed)
    try:
        yield seconds
    finally:
        for owner, last, function in replaced:
            setattr(owner, last, function)


@contextlib.contextmanager
def sampled_utilisation(bench: Bench, every_s: float = 0.05) -> Iterator[list[float]]:
    """Yield a list of samples of the driver's utilisation, 0..1; it stays empty without nvidia-ml-py."""
    samples: list[float] = []
    ended = threading.Event()
    try:
        import pynvml

        pynvml.nvmlInit()
        card = pynvml.nvmlDeviceGetHandleByIndex(bench.device.index or 0)
    except Exception as error:  # any error leaves out only this figure
        if bench.is_cuda:
            print(f"  utilisation by the driver not measured: {error!r}")
        yield samples
        return

    def sample() -> None:
        while not ended.wait(every_s):
            samples.append(pynvml.nvmlDeviceGetUtilizationRates(card).gpu / 100)

    thread = threading.Thread(target=sample, daemon=True)
    thread.start()
    try:
        yield samples
    finally:
        ended.set()
        thread.join()


def phi(bench: Bench, figures: Figures) -> None:
    """Measure the texts/s of `LanguageModel` with a random Phi-3, by batch size."""
    folder = bench.folder / "phi"
    hidden, depth = (64, 2) if bench.quick else (1024, 16)
    figures["parameters"] = made.made_phi(folder, hidden, depth)
    for size in (1, 2) if bench.quick else (1, 8, 32):
        writer = LanguageModel(str(folder), ExplainSettings(batch_size=size), bench.device.type)
        list(writer.write(made.outlines(1)))  # loads the model, and its first kernels
        before, outlines = writer.passes, made.outlines(size)
        seconds = seconds_of(lambda: list(writer.write(outlines)))  # noqa: B023
        figures[f"batch_{size}"] = {"texts_per_s": size / seconds, "s": seconds, "passes": writer.passes - before}
