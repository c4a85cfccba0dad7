"""One training of the accuracy benchmark: places, network, loss and scoring.

`accuracy.py` starts a process of this file for each training and collects the JSON files that they write.
"""

import argparse
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
import yaml
from numpy.typing import NDArray

from clairemap.artefacts.tiles import TILE_ID, read_tile_index
from clairemap.classes import IGNORE_INDEX
from clairemap.grid.rounding import align_up
from clairemap.grid.window import Window
from clairemap.metrics.confusion import confusion_matrix
from clairemap.metrics.scores import scores
from clairemap.nets.claire import Claire
from clairemap.provenance import stage_code
from clairemap.raster.store import GridStore, open_store
from clairemap.scenes import Split
from clairemap.settings import Settings, load_settings
from clairemap.stages import TrainModel, stage_json
from clairemap.tiles.clouds import BandRange, paint_clouds
from clairemap.tiles.crops import Crop, pad, read_crop, read_masks
from clairemap.tiles.dataset import TrainingSample, as_sample, stack_samples
from clairemap.tiles.split_assignment import assign_splits
from clairemap.tiles.training_statistics import fit_statistics
from clairemap.training.distributed import Processes
from clairemap.training.job import TrainingJob
from clairemap.training.loop import train

PROJECT = Path(__file__).parents[1]
WINDOW_PX = 1024
COVERAGES = (0.25, 0.5, 0.75, 1.0)
CODE = stage_code(Path(__file__))
"""Hash of the code; results of other code are not reused."""

MADE = ("west_south", "west_north", "centre_south", "east_north")


@dataclass(frozen=True)
class Fold:
    """Training scenes, test scenes and seed; `prepared` is the folder of the run that tiled them."""

    name: str
    prepared: str
    train: tuple[str, ...]
    test: tuple[str, ...]
    seed: int


def _flood_fold(seed: int, train: str, test: str) -> Fold:
    of_train, of_test = (tuple(f"flood_{event}" for event in events) for events in (train, test))
    return Fold(f"floods {test}", "floods", of_train, of_test, seed)


QUICK_STEPS = 2

FOLDS: Mapping[str, tuple[Fold, ...]] = {
    "quick": (Fold("quick", "quick", MADE[:1], MADE[3:], 0),),
    "floods": (_flood_fold(0, "cdef", "ab"), _flood_fold(1, "abef", "cd"), _flood_fold(2, "abcd", "ef")),
    "made": tuple(Fold(f"made {seed}", f"made_{seed}", MADE[:3], MADE[3:], seed) for seed in range(3)),
    "gain": tuple(
        _flood_fold(seed, train, test)
        for seed, training in enumerate((("cd", "ef"), ("ab", "ef"), ("ab", "cd")))
        for train, test in (training, training[::-1])
    ),
}
"""Folds of each set of places. "floods": each event is held out once, two at a time. "made": one scene per region is
held out. "gain": two folds per fold of "floods", in that order, to choose its gain; each holds out half of its training
events. "quick": for test runs.
"""

GAINS = (0.0, 0.5, 1.0)
"""Candidates for the gain of the floods, whose images have individual contrast stretches."""

CROSS_ENTROPY = {"balance": 1.0, "focal_gamma": 0.0, "class_weights": "none"}
VARIANTS: Mapping[str, dict[str, dict[str, Any]]] = {
    "fused": {},
    "optical": {"network": {"sensors": "optical"}},
    "sar": {"network": {"sensors": "sar"}},
    "cross entropy": {"loss": CROSS_ENTROPY},
    "focal": {"loss": {"balance": 1.0, "class_weights": "none"}},
    "dice": {"loss": {"balance": 0.0, "tversky_alpha": 0.5, "tversky_beta": 0.5}},
    "sum": {"network": {"fusion": "sum"}},
    "early": {"network": {"fusion": "early"}},
}
"""Settings of each variant that differ from the defaults; `fused` is CLAIRE with RIFT, unchanged."""


class Condition(NamedTuple):
    """Fraction of a test scene under painted clouds, and whether the network gets their mask."""

    coverage: float
    mask_is_given: bool

    @property
    def name(self) -> str:
        """Key in the results."""
        return f"{self.coverage:g} {'masked' if self.mask_is_given else 'unmasked'}" if self.coverage else "clear"


CLEAR = Condition(0, mask_is_given=False)
UNMASKED = tuple(Condition(coverage, mask_is_given=False) for coverage in COVERAGES)
MASKED = tuple(Condition(coverage, mask_is_given=True) for coverage in COVERAGES)
CONDITIONS = {"fused": (CLEAR, *UNMASKED, *MASKED), "optical": (CLEAR, *UNMASKED)}
"""Conditions of each variant; the others are scored without clouds, which SAR does not see."""


def settings_of(fold: Fold, work: Path, variant: str, steps: int, gain: float) -> Settings:
    """Return the settings of a training: those of the prepared run with variant, number of steps and gain."""
    values = yaml.safe_load((work / fold.prepared / "config.yaml").read_text())
    training = {"steps": steps, "checkpoint_every": max(steps // 4, 1), "validate_every": steps}
    if fold.name == "quick":
        training |= {"batch_size": 2, "crop_px": 128}
    chosen: dict[str, dict[str, Any]] = {"training": training, "augmentation": {"gain": gain}, **VARIANTS[variant]}
    for section, changed in chosen.items():
        values[section] = {**values.get(section, {}), **changed}
    return load_settings({**values, "seed": fold.seed})


def job_of(fold: Fold, settings: Settings, work: Path) -> TrainingJob:
    """Return the training of a fold. It keeps the last step's weights: no places are held out for validation."""
    scenes = work / fold.prepared / "work" / "scenes"
    roles: dict[str, Split] = {**dict.fromkeys(fold.train, "train"), **dict.fromkeys(fold.test, "test")}
    stores = {scene: scenes / scene / "pair.zarr" for scene in roles}
    index = pd.concat([read_tile_index(scenes / scene / "tiles.parquet") for scene in roles], ignore_index=True)
    table = assign_splits(index, roles, settings.splits, fold.seed)
    training = index.merge(table.loc[table["split"] == "train", list(TILE_ID)])
    statistics = fit_statistics(stores, training, settings.legend.names)
    chosen = TrainModel.model_validate_json(stage_json(settings, TrainModel))
    return TrainingJob(stores, statistics, table, chosen, work / "checkpoints", CODE)


class SceneUnderClouds:
    """A test scene under any condition, in windows of at most WINDOW_PX; labels only where both sensors are usable."""

    def __init__(self, store: GridStore, job: TrainingJob, seed: int) -> None:
        self._job = job
        self._seed = seed
        height, width = store.geobox.shape
        whole = Window(0, 0, height, width)
        crop = read_crop(store, read_masks(store, whole), whole)
        seen_by_both = (crop.optical_weight * crop.sar_weight)[0] > 0
        self._crop = replace(crop, target=np.where(seen_by_both, crop.target, np.uint8(IGNORE_INDEX)))
        self._range = BandRange.of(job.statistics.optical, store.array("optical").dtype)

    def batches(self, condition: Condition) -> Iterator[TrainingSample]:
        """Yield the scene's windows as normalised batches of one; clouds depend on seed and coverage only."""
        crop = self._under(condition)
        height, width = crop.target.shape
        for top in range(0, height, WINDOW_PX):
            for left in range(0, width, WINDOW_PX):
                part = _cut(crop, top, left)
                if part.has_labels:
                    rows, cols = (align_up(side, 128) for side in part.target.shape)
                    yield self._job.scales.normalise(stack_samples([as_sample(pad(part, rows, cols))]))

    def _under(self, condition: Condition) -> Crop:
        if not condition.coverage:
            return self._crop
        random = np.random.default_rng((self._seed, round(100 * condition.coverage), 7))
        sky = paint_clouds(self._crop.optical, self._range, condition.coverage, random)
        weight = self._crop.optical_weight
        if condition.mask_is_given:
            weight = weight * ~sky.mask
        return replace(self._crop, optical=sky.optical, optical_weight=weight)


def _cut(crop: Crop, top: int, left: int) -> Crop:
    place = (..., slice(top, top + WINDOW_PX), slice(left, left + WINDOW_PX))
    return Crop(**{name: np.ascontiguousarray(layer[place]) for name, layer in vars(crop).items()})


@torch.inference_mode()
def confusion(network: Claire, scene: SceneUnderClouds, condition: Condition) -> NDArray[np.int64]:
    """Return truth against map over all labelled pixels, also those without a usable sensor under the condition."""
    matrix = np.zeros((network.classes, network.classes), np.int64)
    for batch in scene.batches(condition):
        logits = network(batch.optical, batch.sar, batch.optical_weight, batch.sar_weight).logits
        matrix += confusion_matrix(_indices(batch.target), _indices(logits.argmax(1)), network.classes)
    return matrix


@torch.inference_mode()
def distance_from_sar_path(network: Claire, scene: SceneUnderClouds) -> float:
    """Return the largest difference in a logit between full cloud with its mask, and SAR alone."""
    worst = 0.0
    for batch in scene.batches(Condition(1.0, mask_is_given=True)):
        under = network(batch.optical, batch.sar, batch.optical_weight, batch.sar_weight).logits
        nothing = torch.zeros_like(batch.optical)
        alone = network(nothing, batch.sar, torch.zeros_like(batch.optical_weight), batch.sar_weight).logits
        seen = (batch.sar_weight > 0).expand_as(alone)
        worst = max(worst, float((under - alone)[seen].abs().max()) if seen.any() else 0.0)
    return worst


def _indices(classes: torch.Tensor) -> NDArray[np.uint8]:
    return classes.to(torch.uint8).cpu().numpy()


@dataclass
class Result:
    """Result of a training; `confusion` has the matrix over the fold's test scenes, by condition."""

    variant: str
    fold: str
    classes: tuple[str, ...]
    class_px: tuple[int, ...]
    parameters: int
    seconds: float
    confusion: dict[str, list[list[int]]] = field(default_factory=dict)
    from_sar_path: float | None = None

    def miou(self, condition: str = "clear") -> float:
        """Return the mean IoU over the classes that occur in truth or map."""
        return scores(np.array(self.confusion[condition])).miou

    def rarest(self) -> tuple[str, float]:
        """Return the class with the fewest training pixels, but at least one, and its IoU without clouds."""
        rare = min((px, index) for index, px in enumerate(self.class_px) if px)[1]
        return self.classes[rare], scores(np.array(self.confusion["clear"])).per_class[rare].iou


def trained_and_scored(fold: Fold, variant: str, steps: int, gain: float, work: Path) -> Result:
    """Train one network and score it on the fold's test scenes."""
    job = job_of(fold, settings_of(fold, work, variant, steps, gain), work)
    trained = train(job, Processes(0, 1, torch.device("cpu")), {})
    assert trained is not None, "there is only the first process"
    seconds = sum(row.seconds for row in trained.history)
    classes = tuple(each.name for each in job.settings.legend.classes)
    network = trained.network.eval()
    parameters = sum(weights.numel() for weights in network.parameters())
    result = Result(variant, fold.name, classes, tuple(job.statistics.class_px), parameters, seconds)
    scenes = [SceneUnderClouds(open_store(job.stores[scene]), job, fold.seed) for scene in fold.test]
    for condition in CONDITIONS.get(variant, (CLEAR,)):
        matrices = [confusion(network, scene, condition) for scene in scenes]
        result.confusion[condition.name] = np.sum(matrices, axis=0).tolist()
    if variant == "fused":
        result.from_sar_path = max(distance_from_sar_path(network, scene) for scene in scenes)
    return result


def main() -> None:
    """Run one training and write its result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", choices=list(FOLDS), required=True)
    parser.add_argument("--fold", type=int, required=True)
    parser.add_argument("--variant", choices=list(VARIANTS), required=True)
    parser.add_argument("--steps", type=int, required=True)
    parser.add_argument("--gain", type=float, required=True)
    parser.add_argument("--work", type=Path, required=True, help="folder of the prepared runs")
    parser.add_argument("--result", type=Path, required=True, help="JSON file to write")
    options = parser.parse_args()
    torch.set_num_threads(1)  # several trainings run in parallel
    fold = FOLDS[options.data][options.fold]
    result = trained_and_scored(fold, options.variant, options.steps, options.gain, options.work)
    part = options.result.with_suffix(f".{os.getpid()}.part")
    part.write_text(json.dumps(vars(result)))
    part.rename(options.result)


if __name__ == "__main__":
    main()
