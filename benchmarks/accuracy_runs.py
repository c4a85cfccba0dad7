"""One training of the accuracy benchmark: places, network, loss and scoring.

`accuracy.py` starts a process of this file for each training and collects the files that they write.
"""

import argparse
import hashlib
import json
import logging
import resource
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
import yaml
from accuracy_conditions import CLEAR, CONDITIONS, SENSORS, Condition, Scale, changed
from accuracy_counts import BLOCK_PX, COMBINED, Counts, block_matrices, confidences
from accuracy_places import Changes, Fold, merged
from numpy.typing import NDArray

from clairemap.artefacts.tiles import TILE_ID, read_tile_index
from clairemap.classes import IGNORE_INDEX
from clairemap.grid.window import Window
from clairemap.nets.claire import Claire
from clairemap.outputs import FUSED
from clairemap.provenance import json_digest, stage_code
from clairemap.raster.store import GridStore, open_store
from clairemap.scenes import Split
from clairemap.settings import VIEWS, Sensor, Settings, View, load_settings
from clairemap.stages import TrainModel, stage_json
from clairemap.tiles.clouds import BandRange
from clairemap.tiles.crops import Crop, pad, read_masks
from clairemap.tiles.dataset import TileSource, TrainingSample, as_sample, stack_samples
from clairemap.tiles.split_assignment import assign_splits
from clairemap.tiles.training_statistics import fit_statistics
from clairemap.training.distributed import Processes
from clairemap.training.job import TrainingJob
from clairemap.training.loop import train
from clairemap.validity import optical_usable, sar_usable

PROJECT = Path(__file__).parents[1]
WINDOW_PX = 512
MARGIN_PX = 8
"""SAR is also read this far around a window, so that displaced SAR fills it."""

CELL_PX = 4
"""Side of a cell of the shares."""

TRAINING_CODE = stage_code(PROJECT / "workflow" / "scripts" / "train_model.py")
_SCORING = ("accuracy_runs", "accuracy_counts", "accuracy_conditions")
CODE = json_digest([TRAINING_CODE, *(stage_code(Path(__file__).with_name(f"{name}.py")) for name in _SCORING)])
"""Hash of the code; results of other code are not reused. Trainings are repeated only if TRAINING_CODE changes."""


@dataclass(frozen=True)
class Task:
    """A training and its scoring, from settings and names only, so that other tasks do not change its name.

    `windows`: maximum number of scored windows of each test scene; `conditions`: by name, besides `clear`;
    `condition_windows`: maximum number of windows of each scene that are scored under conditions.
    """

    fold: Fold
    seed: int
    steps: int
    changes: Changes = field(default_factory=dict)
    windows: int = 12
    conditions: tuple[str, ...] = ()
    condition_windows: int = 4

    @property
    def digest(self) -> str:
        """Hash of all that decides the result besides code and data."""
        return json_digest(asdict(self))

    @classmethod
    def of(cls, text: str) -> "Task":
        """Return the task in a JSON text."""
        values = json.loads(text)
        fold = values["fold"]
        scenes = {split: tuple(fold[split]) for split in ("train", "test")}
        values |= {"fold": Fold(fold["name"], fold["prepared"], **scenes), "conditions": tuple(values["conditions"])}
        return cls(**values)


def settings_of(fold: Fold, work: Path, changes: Changes, steps: int, seed: int) -> Settings:
    """Return the settings of a training: those of the prepared run with steps, seed and changes."""
    values = yaml.safe_load((work / fold.prepared / "config.yaml").read_text())
    training: dict[str, Any] = {"steps": steps, "checkpoint_every": max(steps // 4, 1), "validate_every": steps}
    if fold.name == "quick":
        training |= {"batch_size": 2, "crop_px": 128}
    for section, changed_values in merged({"training": training}, changes).items():
        if section != "validation":
            values[section] = {**values.get(section, {}), **changed_values}
    return load_settings({**values, "seed": seed})


def job_of(fold: Fold, settings: Settings, work: Path, validation: int = 0) -> TrainingJob:
    """Return the training of a fold.

    It keeps the last step's weights, or the best ones on `validation` of the training scenes, which are then not
    trained on.
    """
    scenes = work / fold.prepared / "work" / "scenes"
    held_back = fold.train[len(fold.train) - validation :]
    roles: dict[str, Split] = {**dict.fromkeys(fold.train, "train"), **dict.fromkeys(fold.test, "test")}
    roles |= dict.fromkeys(held_back, "val")
    stores = {scene: scenes / scene / "pair.zarr" for scene in roles}
    index = pd.concat([read_tile_index(scenes / scene / "tiles.parquet") for scene in roles], ignore_index=True)
    table = assign_splits(index, roles, settings.splits, settings.seed)
    training = index.merge(table.loc[table["split"] == "train", list(TILE_ID)])
    statistics = fit_statistics(stores, training, settings.legend.names)
    chosen = TrainModel.model_validate_json(stage_json(settings, TrainModel))
    return TrainingJob(stores, statistics, table, chosen, work / "checkpoints", TRAINING_CODE)


class TestScene:
    """Windows of a test scene under any condition; labels only where both sensors are usable."""

    def __init__(self, name: str, store: GridStore, job: TrainingJob) -> None:
        self.name = name
        self._store = store
        self._source = TileSource({name: store}, FUSED, job.matches({name: store}))
        self._job = job
        stored: dict[Sensor, np.dtype[Any]] = {sensor: store.array(sensor).dtype for sensor in SENSORS}
        if self._source.matches:  # matched values have no limits
            stored = dict.fromkeys(SENSORS, np.dtype(np.float32))
        self._scale = Scale(job.statistics, BandRange.of(job.statistics.optical, stored["optical"]), stored)

    def windows(self, most: int) -> tuple[Window, ...]:
        """Return windows with labels, at most `most`, spread evenly."""
        height, width = self._store.geobox.shape
        places = [(top, left) for top in range(0, height, WINDOW_PX) for left in range(0, width, WINDOW_PX)]
        all_windows = (
            Window(top, left, min(WINDOW_PX, height - top), min(WINDOW_PX, width - left)) for top, left in places
        )
        return spread([window for window in all_windows if self._has_labels(window)], most)

    def _has_labels(self, window: Window) -> bool:
        masks = read_masks(self._store, window)
        seen = optical_usable(masks.flags) & sar_usable(masks.flags)
        return bool((masks.target[seen] != IGNORE_INDEX).any())

    def batch(self, window: Window, number: int, condition: Condition) -> TrainingSample:
        """Return a window under a condition as a normalised batch of one, padded to whole blocks.

        The change depends on scene, number of the window and condition only.
        """
        seed = hashlib.sha256(f"{self.name} {number} {condition.name}".encode()).digest()[:8]
        random = np.random.default_rng(int.from_bytes(seed))
        crop = changed(self._crop(window, condition, number), condition, self._scale, random)
        crop = pad(crop, *(-(-side // BLOCK_PX) * BLOCK_PX for side in crop.target.shape))
        return self._job.scales.normalise(stack_samples([as_sample(crop)]))

    def _crop(self, window: Window, condition: Condition, number: int) -> Crop:
        height, width = self._store.geobox.shape
        masks = read_masks(self._store, window.grown(MARGIN_PX).clipped((height, width)))
        still = self._source.read(self.name, masks, window)
        seen = (still.optical_weight * still.sar_weight)[0] > 0
        if not condition.displaced_px:
            return replace(still, target=np.where(seen, still.target, np.uint8(IGNORE_INDEX)))
        crop = self._source.read(self.name, masks, window, condition.sar_offset(number))
        return replace(crop, target=np.where(seen, still.target, np.uint8(IGNORE_INDEX)))


def spread(windows: list[Window], most: int) -> tuple[Window, ...]:
    """Return at most `most` of the windows, spread evenly."""
    chosen = np.unique(np.linspace(0, len(windows) - 1, min(most, len(windows))).round().astype(int))
    return tuple(windows[number] for number in chosen)


@dataclass
class Scored:
    """Counts of one window, by name as in `Counts`, (row, column, …)."""

    window: Window
    arrays: dict[str, NDArray[Any]]


@torch.inference_mode()
def scored(network: Claire, scene: TestScene, task: Task, temperature: float) -> list[Scored]:
    """Return the counts of a scene's windows under all conditions of the task."""
    windows = scene.windows(task.windows)
    under = set(spread(list(windows), task.condition_windows))
    found = []
    for number, window in enumerate(windows):
        arrays: dict[str, NDArray[Any]] = {}
        for condition in (CLEAR, *(CONDITIONS[name] for name in task.conditions if window in under)):
            batch = scene.batch(window, number, condition)
            outputs = outputs_under(network, batch, condition)
            arrays |= confusions(outputs, batch, condition, network.classes)
            if FUSED in outputs and network.settings.fusion != "early":
                arrays[f"share {condition.name}"] = block_shares(batch, outputs[FUSED].optical_share)
            if condition is CLEAR:
                arrays |= of_confidences(outputs, batch, temperature)
        found.append(Scored(window, arrays))
    return found


Outputs = Mapping[View, Any]
"""Output of the network in each view, ClaireOutput; the first is its main one."""


def outputs_under(network: Claire, batch: TrainingSample, condition: Condition) -> Outputs:
    """Return the outputs of the views that the condition changes: of all views of a network, or of its only sensor."""
    views: tuple[View, ...] = VIEWS if network.settings.sensors == FUSED else (network.settings.sensors,)
    return {view: output_of(network, batch, view) for view in views if view in condition.seen_by}


def confusions(outputs: Outputs, batch: TrainingSample, condition: Condition, number: int) -> dict[str, NDArray[Any]]:
    """Return the confusion matrices of each view of a window, and those of its combined views if nothing is changed.

    Scored are all labelled pixels, also those without a usable sensor under the condition. `number` is that of classes.
    """
    classes: dict[str, torch.Tensor] = {view: output.logits.argmax(1) for view, output in outputs.items()}
    if FUSED in outputs and condition is CLEAR:
        classes[COMBINED] = combined_classes(outputs, batch)
    truth = indices(batch.target)
    return {
        f"confusion {condition.name} {view}": block_matrices(truth, indices(each), number)
        for view, each in classes.items()
    }


def combined_classes(outputs: Outputs, batch: TrainingSample) -> torch.Tensor:
    """Return the classes (1, y, x) of the views' probabilities, weighted by confidence where the sensor is usable."""
    usable = {"optical": batch.optical_weight > 0, "sar": batch.sar_weight > 0}
    total = torch.zeros_like(outputs[FUSED].logits)
    for view, output in outputs.items():
        probabilities = output.logits.softmax(1)
        total += probabilities * probabilities.amax(1, keepdim=True) * usable.get(view, 1)
    return total.argmax(1)


def output_of(network: Claire, batch: TrainingSample, view: View) -> Any:  # noqa: ANN401 - ClaireOutput
    """Return the network's output with one sensor masked out, or with both."""
    optical, sar = batch.optical_weight, batch.sar_weight
    optical = torch.zeros_like(optical) if view == "sar" else optical
    sar = torch.zeros_like(sar) if view == "optical" else sar
    return network(batch.optical, batch.sar, optical, sar)


def block_shares(batch: TrainingSample, share: torch.Tensor) -> NDArray[np.float64]:
    """Return the mean share of optical where both sensors are usable in each block, (row, column); NaN without."""
    middle = (..., slice(CELL_PX // 2, None, CELL_PX), slice(CELL_PX // 2, None, CELL_PX))
    both = ((batch.optical_weight * batch.sar_weight)[middle][0, 0] > 0).numpy()
    values = np.where(both, share[0, 0].float().numpy(), 0)
    cells = BLOCK_PX // CELL_PX
    shape = values.shape[0] // cells, cells, values.shape[1] // cells, cells
    sums, counts = values.reshape(shape).sum((1, 3)), both.reshape(shape).sum((1, 3))
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)


def of_confidences(outputs: Outputs, batch: TrainingSample, temperature: float) -> dict[str, NDArray[Any]]:
    """Return the confidences of each block, see `Counts`; the block axes come first."""
    logits = next(iter(outputs.values())).logits[0].float().numpy()
    truth = indices(batch.target)
    rows, cols = (side // BLOCK_PX for side in truth.shape)
    found: dict[str, list[NDArray[Any]]] = {}
    for row in range(rows):
        for col in range(cols):
            place = np.s_[row * BLOCK_PX : (row + 1) * BLOCK_PX, col * BLOCK_PX : (col + 1) * BLOCK_PX]
            for name, values in confidences(logits[:, *place], truth[place], temperature).items():
                found.setdefault(name, []).append(values)
    return {name: np.stack(values).reshape(rows, cols, *values[0].shape) for name, values in found.items()}


def indices(classes: torch.Tensor) -> NDArray[np.uint8]:
    """Return the class indices (y, x) of a batch of one."""
    return classes[0].to(torch.uint8).numpy()


def gathered(scenes: dict[str, list[Scored]]) -> tuple[list[tuple[str, int, int]], dict[str, NDArray[Any]]]:
    """Return the labelled blocks of all windows and their counts, zero where a window was not scored."""
    blocks: list[tuple[str, int, int]] = []
    rows: dict[str, list[NDArray[Any]]] = {}
    windows = [(scene, each) for scene, found in scenes.items() for each in found]
    template = {name: values for _, each in windows for name, values in each.arrays.items()}
    for scene, each in windows:
        labelled = each.arrays[next(name for name in each.arrays if name.startswith("confusion clear"))].any((-2, -1))
        for row, col in np.argwhere(labelled).tolist():
            blocks.append((scene, each.window.y0 // BLOCK_PX + row, each.window.x0 // BLOCK_PX + col))
            for name, values in template.items():
                missing = np.full(values.shape[2:], np.nan if name.startswith("share") else 0)
                rows.setdefault(name, []).append(each.arrays[name][row, col] if name in each.arrays else missing)
    arrays = {name: np.stack(values) for name, values in rows.items()}
    arrays |= {name: values.astype(np.int32) for name, values in arrays.items() if name.startswith("confusion")}
    return blocks, arrays


def trained_and_scored(task: Task, work: Path) -> Counts:
    """Train one network and score it on the fold's test scenes."""
    fold = task.fold
    settings = settings_of(fold, work, task.changes, task.steps, task.seed)
    job = job_of(fold, settings, work, task.changes.get("validation", {}).get("scenes", 0))
    trained = train(job, Processes(0, 1, torch.device("cpu")), {})
    assert trained is not None, "there is only the first process"
    started = time.process_time()
    network, temperature = trained.network.eval(), trained.card.temperature
    scenes = {scene: scored(network, TestScene(scene, open_store(job.stores[scene]), job), task, temperature)
              for scene in fold.test}  # fmt: skip
    blocks, arrays = gathered(scenes)
    about = {
        "fold": fold.name,
        "view": network.settings.sensors,
        "classes": [each.name for each in job.settings.legend.classes],
        "class_px": list(job.statistics.class_px),
        "parameters": sum(weights.numel() for weights in network.parameters()),
        "temperature": temperature,
        "training_s": sum(row.seconds for row in trained.history),
        "step_s": float(np.median([row.seconds for row in trained.history])),
        "scoring_s": time.process_time() - started,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }
    return Counts(about, tuple(blocks), arrays)


def main() -> None:
    """Run one training and write its result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--task", type=Task.of, required=True, help="the task, JSON")
    parser.add_argument("--work", type=Path, required=True, help="folder of the prepared runs")
    parser.add_argument("--result", type=Path, required=True, help="file to write")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO)
    torch.set_num_threads(1)  # several trainings run in parallel
    trained_and_scored(options.task, options.work).write(options.result)


if __name__ == "__main__":
    main()
