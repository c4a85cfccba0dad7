"""Estimated run time of jobs: from the benchmarks of earlier jobs, else from the demo.

A job takes a constant time for Python and its libraries, plus a time per megapixel of its scenes. Training takes a
time per megapixel of crops.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Literal

from clairemap.artefacts.history import read_history
from clairemap.artefacts.model_card import read_model_card
from clairemap.errors import ClairemapError, SampleSheetError
from clairemap.model_folder import model_folder_of
from clairemap.operations.planned import PlannedJob
from clairemap.operations.scene_sizes import scene_sizes
from clairemap.plan import Plan
from clairemap.settings import NetworkSettings, TrainingSettings

Source = Literal["recorded", "demo", "gpu", "unknown"]

DEMO_MPX = 1.0
"""Size of a scene of the demo, megapixels; used for scenes whose size is unknown."""


@dataclass(frozen=True)
class Rate:
    """Time of a job: seconds to start, and seconds per megapixel; and where they were measured."""

    start_s: float
    mpx_s: float
    source: Source = "demo"

    def seconds(self, mpx: float) -> float:
        """Return the time of a job with that many megapixels."""
        return self.start_s + self.mpx_s * mpx


DEMO: Mapping[str, Rate] = {
    "simulate_scene": Rate(0.8, 6.9),
    "interpret_demo": Rate(1.0, 0.3),
    "resolve_scene": Rate(0.7, 0.0),
    "register_pair": Rate(0.7, 2.4),
    "picture_registration": Rate(0.7, 0.4),
    "burn_labels": Rate(0.9, 0.1),
    "tile_scene": Rate(0.8, 0.9),
    "fit_statistics": Rate(0.8, 0.14),
    "collect_radiometry": Rate(0.25, 0.0),
    "check_radiometry": Rate(0.25, 0.0),
    "audit_splits": Rate(0.7, 0.03),
    "audit_places": Rate(0.7, 0.01),
    "copy_model": Rate(0.6, 0.0),
    "pack_bundle": Rate(0.9, 0.0),
    "train_model": Rate(2.0, 2.2),
    "predict_scene": Rate(0.9, 1.2),
    "mosaic_region": Rate(0.8, 0.22),
    "dissolve_patches": Rate(1.0, 0.2),
    "vectorize_map": Rate(1.2, 0.2),
    "check_maps": Rate(0.7, 0.08),
    "score_tiles": Rate(0.7, 0.2),
    "score_region": Rate(0.8, 0.03),
    "draw_sample": Rate(1.0, 0.1),
    "estimate_areas": Rate(1.0, 0.1),
    "explain_tiles": Rate(4.0, 0.5),
    "summarize_region": Rate(1.5, 0.0),
    "render_report": Rate(4.0, 0.7),
}
"""Rates measured on the demo with two cores (network size tiny, explanations without a language model)."""

ON_GPU: Mapping[str, Rate] = {"train_model": Rate(10.0, 0.04, "gpu"), "predict_scene": Rate(6.0, 0.05, "gpu")}
"""Rates measured on one H200 (docs/benchmarks.md), network size tiny."""

NETWORK_RULES = ("train_model", "predict_scene")
REGION_RULES = (
    *("audit_splits", "audit_places", "mosaic_region", "dissolve_patches", "vectorize_map", "check_maps"),
    *("score_region", "draw_sample", "estimate_areas", "summarize_region", "render_report"),
)
"""Rules whose benchmarks have the names of regions and maps; those of the others have the names of scenes."""
OPERATIONS = {"tiny": 2.2, "small": 26.2, "base": 81.5}
"""Gflop of a training step per crop of 256 px, by network size (docs/benchmarks.md)."""
GPU_SLOWDOWN = {"tiny": 1.0, "small": 1.2, "base": 1.5}
"""Time of a training step on one H200 relative to size tiny (docs/benchmarks.md)."""
MOST_BENCHMARKS = 200
"""Maximum number of benchmark files that are read for each rule."""


@dataclass(frozen=True)
class Costs:
    """Estimates for the jobs of a plan; `benchmarks` is the folder with the benchmarks of earlier jobs."""

    plan: Plan
    benchmarks: Path
    _rates: dict[tuple[str, bool], Rate | None] = field(default_factory=dict, compare=False)

    @classmethod
    def of(cls, plan: Plan) -> "Costs":
        """Return the estimates for a plan, from its work folder."""
        return cls(plan, Path(plan.settings.work_dir) / "benchmarks")

    def seconds(self, job: PlannedJob) -> float | None:
        """Return the estimated time of a job; None if unknown."""
        rate = self.rate(job.rule, job.gpus > 0)
        return None if rate is None else rate.seconds(self._mpx(job))

    def source(self, job: PlannedJob) -> Source:
        """Return what the estimate of a job is based on."""
        rate = self.rate(job.rule, job.gpus > 0)
        return "unknown" if rate is None else rate.source

    def rate(self, rule: str, on_gpu: bool) -> Rate | None:
        """Return the rate of a rule; None if it is unknown."""
        key = rule, on_gpu
        if key not in self._rates:
            self._rates[key] = self._recorded(rule) or self._default(rule, on_gpu)
        return self._rates[key]

    @cached_property
    def _sizes(self) -> Mapping[str, float]:
        return scene_sizes(self.plan.sheet)

    def _mpx(self, job: PlannedJob) -> float:
        """Return the megapixels that a job computes."""
        if job.rule == "train_model":
            return _trained_mpx(self.plan.settings.training, self.plan.settings.training.steps)
        scenes = self.plan.scenes_read(job.rule, scene=job.scene, region=job.region, map_name=job.map)
        return self._mpx_of(scenes)

    def _mpx_of(self, scenes: Iterable[str]) -> float:
        return sum(self._sizes.get(name, DEMO_MPX) for name in scenes)

    def _default(self, rule: str, on_gpu: bool) -> Rate | None:
        if rule in ("explain_tiles", "summarize_region") and self.plan.settings.explain.model:
            return None
        rate = ON_GPU.get(rule) if on_gpu else DEMO.get(rule)
        if rate is None or rule not in NETWORK_RULES:
            return rate
        factors = GPU_SLOWDOWN if on_gpu else {size: flop / OPERATIONS["tiny"] for size, flop in OPERATIONS.items()}
        return Rate(rate.start_s, rate.mpx_s * factors[self.plan.settings.network.size], rate.source)

    def _recorded(self, rule: str) -> Rate | None:
        if rule == "train_model":
            return self._recorded_training()
        measured = [
            (seconds, mpx)
            for path in self._benchmark_files(rule)
            if (seconds := benchmark_seconds(path)) is not None and (mpx := self._benchmark_mpx(path, rule)) is not None
        ]
        if not measured:
            return None
        start_s = min(DEMO[rule].start_s if rule in DEMO else 0.0, min(seconds for seconds, _ in measured))
        total_mpx = sum(mpx for _, mpx in measured)
        above_s = sum(seconds - start_s for seconds, _ in measured)
        return Rate(start_s, self._network_factor(rule) * above_s / total_mpx if total_mpx else 0.0, "recorded")

    def _benchmark_files(self, rule: str) -> list[Path]:
        alone = self.benchmarks / f"{rule}.tsv"
        if alone.is_file():
            return [alone]
        files = sorted((self.benchmarks / rule).glob("*.tsv"))
        return files[:: max(1, -(-len(files) // MOST_BENCHMARKS))]

    def _benchmark_mpx(self, path: Path, rule: str) -> float | None:
        """Return the megapixels of the job that a benchmark is of; None if its region or map is gone."""
        if path.parent == self.benchmarks:
            return self._mpx_of(self.plan.train_and_val)
        first, *rest = path.stem.split(".")
        if rule in REGION_RULES:
            try:
                return self._mpx_of(self.plan.scenes_read(rule, region=first, map_name=rest[0] if rest else None))
            except SampleSheetError:
                return None
        return self._sizes.get(first, DEMO_MPX)

    @cached_property
    def _last_training(self) -> tuple[Rate, NetworkSettings] | None:
        """Rate and network of the finished training; None if there is none."""
        files = model_folder_of(self.plan.settings)
        try:
            card, history = read_model_card(files.card), read_history(files.history)
            settings = TrainingSettings.model_validate(card.settings["training"])
        except (ClairemapError, KeyError, ValueError):
            return None
        if not history:
            return None
        # The benchmark includes validation, but after an interruption only the last attempt.
        start_s = DEMO["train_model"].start_s
        alone_s = (benchmark_seconds(self.benchmarks / "train_model.tsv") or 0.0) - start_s
        seconds = max(sum(step.seconds for step in history), alone_s)
        return Rate(start_s, seconds / _trained_mpx(settings, len(history)), "recorded"), card.network

    def _recorded_training(self) -> Rate | None:
        if self._last_training is None:
            return None
        rate, _ = self._last_training
        return Rate(rate.start_s, self._network_factor("train_model") * rate.mpx_s, rate.source)

    def _network_factor(self, rule: str) -> float:
        """Return how much slower the network of the settings is than the trained one."""
        if rule not in NETWORK_RULES or self._last_training is None:
            return 1.0
        return OPERATIONS[self.plan.settings.network.size] / OPERATIONS[self._last_training[1].size]


def _trained_mpx(settings: TrainingSettings, steps: int) -> float:
    """Return the megapixels of all crops of a training."""
    return steps * settings.batch_size * settings.crop_px**2 / 1e6


def benchmark_seconds(path: Path) -> float | None:
    """Return the wall time in a benchmark file of Snakemake; None if it has none."""
    try:
        names, *rows = [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines()]
        return float(rows[-1][names.index("s")])
    except (OSError, ValueError, IndexError):
        return None
