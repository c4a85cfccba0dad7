"""Edge effects of nodata: additional pixels of a class within 4 px of a hole, compared with the map without the hole.

Test scenes are mapped unchanged and with holes cut into both sensors, optical alone or SAR alone: detector gaps,
missing blocks, ragged patches. The pixels within 4 px of a hole that both sensors see are compared with the same
pixels of the map without holes. *Made*: four scenes of two simulated regions each. *Floods*: two real events each.
Scenes are normalised by their own moments. Each scene is cropped to the square of 1024 px with the most labels. Each
training is done without holes in its crops (`without`) and with the default share (`with`); figures are means over the
trainings.

- `excess_points`: largest increase of a class, in percent of the pixels near holes; `share_without_holes`,
  `share_inland`: percentage of that class among the same pixels of the map without holes, and among the pixels more
  than 32 px from holes.
- `accuracy_lost_points`: decrease of the overall accuracy near holes, percentage points.
- `rim_excess_points`: `excess_points` of the worse set with holes in both sensors and default settings; `…_without`:
  without holes in the crops.
- `miou`: mean IoU of the unchanged scenes; `miou_change`: `with` minus `without`.

Prints a table, and as its last line one JSON object. Finished trainings of the same code are not repeated.

    python benchmarks/rims.py --data FOLDER_WITH_FLOOD_SCENES
    python benchmarks/rims.py --quick
"""

import argparse
import json
import multiprocessing
import platform
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from statistics import mean
from typing import Any, NamedTuple

import numpy as np
import torch
from accuracy import common_parser, prepared_options
from accuracy_places import FOLDS, Fold
from accuracy_runs import TRAINING_CODE, job_of, settings_of
from numpy.typing import NDArray
from scipy import ndimage

import clairemap
from clairemap.classes import IGNORE_INDEX
from clairemap.console import progress
from clairemap.grid.rounding import align_up
from clairemap.grid.window import Window
from clairemap.metrics.confusion import confusion_matrix
from clairemap.metrics.scores import scores
from clairemap.nets.claire import Claire
from clairemap.outputs import FUSED
from clairemap.raster.store import GridStore, open_store
from clairemap.settings import Sensor, Settings
from clairemap.tiles.augmentation import mask_holes
from clairemap.tiles.crops import Crop, pad, read_masks
from clairemap.tiles.dataset import TileSource, as_sample, stack_samples
from clairemap.training.distributed import Processes
from clairemap.training.job import TrainingJob
from clairemap.training.loop import train

RIM_PX, INLAND_PX, SIDE_PX = 4, 32, 1024
HOLED: Mapping[str, tuple[Sensor, ...]] = {"both": ("optical", "sar"), "optical": ("optical",), "sar": ("sar",)}
ARMS = ("without", "with")
PLACES = ("made", "floods")

Mask = NDArray[np.bool_]
Classes = NDArray[np.uint8]


class Task(NamedTuple):
    """One training: set of places, fold, its number, arm (crops with or without holes), steps, folder."""

    places: str
    fold: Fold
    number: int
    arm: str
    steps: int
    work: Path


@dataclass
class Rim:
    """Pixel counts of each class: on rims with and without holes, and inland with holes; and correct labels there."""

    holed: NDArray[np.int64]
    intact: NDArray[np.int64]
    inland: NDArray[np.int64]
    right_holed: int = 0
    right_intact: int = 0
    labelled: int = 0

    @classmethod
    def empty(cls, classes: int) -> "Rim":
        """Return zero counts."""
        return cls(np.zeros(classes, np.int64), np.zeros(classes, np.int64), np.zeros(classes, np.int64))

    def add(self, with_holes: Classes, without: Classes, truth: Classes, zones: tuple[Mask, Mask]) -> None:
        """Count two maps (y, x) of a scene on its rims and inland."""
        rim, inland = zones
        for counts, pixels in (
            (self.holed, with_holes[rim]),
            (self.intact, without[rim]),
            (self.inland, with_holes[inland]),
        ):
            counts += np.bincount(pixels, minlength=len(counts))
        known = rim & (truth != IGNORE_INDEX)
        self.right_holed += int((with_holes == truth)[known].sum())
        self.right_intact += int((without == truth)[known].sum())
        self.labelled += int(known.sum())

    def figures(self) -> dict[str, float]:
        """Return the excess and the loss of accuracy in points, and that class's shares on rims and elsewhere."""
        here, same, inland = (100 * counts / max(counts.sum(), 1) for counts in (self.holed, self.intact, self.inland))
        gain = here - same
        most = int(gain.argmax())
        lost = 100 * (self.right_intact - self.right_holed) / max(self.labelled, 1)
        return {
            "excess_points": float(gain[most]),
            "share": float(here[most]),
            "share_without_holes": float(same[most]),
            "share_inland": float(inland[most]),
            "accuracy_lost_points": lost,
        }


def main() -> None:
    """Run the benchmark."""
    parser = common_parser(__doc__, PLACES, PLACES)
    parser.add_argument("--folds", type=int, choices=[1, 2, 3], default=2, help="trainings of each set and arm")
    options = prepared_options(parser, quick_set="made")
    folds = {places: FOLDS["quick"] if options.quick else FOLDS[places][: options.folds] for places in options.sets}
    figures = {places: report(places, measured(places, folds[places], options)) for places in options.sets}
    worst = max(each["with"]["both"]["excess_points"] for each in figures.values())
    before = max(each["without"]["both"]["excess_points"] for each in figures.values())
    print(
        json.dumps(
            {
                "rim_excess_points": worst,
                "rim_excess_points_without": before,
                "miou_change": {places: miou(each, "with") - miou(each, "without") for places, each in figures.items()},
                "sets": figures,
                "steps": options.steps,
                **machine(),
            }
        )
    )


def measured(places: str, folds: Sequence[Fold], options: argparse.Namespace) -> Mapping[str, list[dict[str, Any]]]:
    """Return the results of each training by arm; trainings run in parallel."""
    tasks = [
        Task(places, fold, number, arm, options.steps, options.work)
        for arm, (number, fold) in product(ARMS, enumerate(folds))
    ]
    found: dict[str, list[dict[str, Any]]] = {arm: [] for arm in ARMS}
    with ProcessPoolExecutor(min(options.jobs, len(tasks)), multiprocessing.get_context("spawn")) as pool:
        results = pool.map(trained_and_mapped, tasks)
        for task, result in progress(zip(tasks, results, strict=True), f"trainings, {places}", len(tasks)):
            found[task.arm].append(result)
    return found


def trained_and_mapped(task: Task) -> dict[str, Any]:
    """Return a training's figures on rims, by the sensors with holes, and its mean IoU without holes."""
    torch.set_num_threads(1)
    job = job_of(task.fold, settings_of_task(task), task.work)
    trained = train(job, Processes(0, 1, torch.device("cpu")), {})
    assert trained is not None, "there is only the first process"
    network = trained.network.eval()
    rims = {name: Rim.empty(network.classes) for name in HOLED}
    matrix = np.zeros((network.classes, network.classes), np.int64)
    for number, name in enumerate(task.fold.test):
        crop = best_square(name, open_store(job.stores[name]), job)
        without = mapped(network, job, crop)
        both = (crop.optical_weight * crop.sar_weight)[0] > 0
        truth = np.where(both, crop.target, np.uint8(IGNORE_INDEX))
        matrix += confusion_matrix(truth, without, network.classes)
        gaps = holes(crop.target.shape, np.random.default_rng((task.number, number)))
        distance_px = ndimage.distance_transform_edt(~gaps)
        zones = both & (distance_px > 0) & (distance_px <= RIM_PX), both & (distance_px > INLAND_PX)
        for sensors, rim in rims.items():
            rim.add(mapped(network, job, mask_holes(crop, HOLED[sensors], gaps)), without, truth, zones)
    return {"miou": scores(matrix).miou, **{sensors: rim.figures() for sensors, rim in rims.items()}}


def settings_of_task(task: Task) -> Settings:
    """Return the settings of a training: the defaults with its steps, normalisation and holes."""
    settings = settings_of(task.fold, task.work, {"training": {"normalisation": "scene"}}, task.steps, task.number)
    if task.arm == "with":
        return settings
    plain = settings.augmentation.model_copy(update={"holes": 0.0})
    return settings.model_copy(update={"augmentation": plain})


def best_square(scene: str, store: GridStore, job: TrainingJob) -> Crop:
    """Return the scene's square of `SIDE_PX` with the most labelled pixels that are valid in both sensors."""
    height, width = store.geobox.shape
    whole = Window(0, 0, height, width)
    source = TileSource({scene: store}, FUSED, job.matches({scene: store}))
    crop = source.read(scene, read_masks(store, whole), whole)
    counted = (crop.optical_weight * crop.sar_weight)[0] * (crop.target != IGNORE_INDEX)

    def labels(place: tuple[slice, slice]) -> float:
        return float(counted[place].sum())

    rows, columns = max(_places(height, width), key=labels)
    square = Crop(**{name: np.ascontiguousarray(layer[..., rows, columns]) for name, layer in vars(crop).items()})
    return pad(square, *(align_up(side, 128) for side in square.target.shape))


def _places(height: int, width: int) -> Iterator[tuple[slice, slice]]:
    for top in range(0, max(height - SIDE_PX, 0) + 1, 128):
        for left in range(0, max(width - SIDE_PX, 0) + 1, 128):
            yield slice(top, top + SIDE_PX), slice(left, left + SIDE_PX)


@torch.inference_mode()
def mapped(network: Claire, job: TrainingJob, crop: Crop) -> Classes:
    """Return the class of each pixel (y, x)."""
    batch = job.scales.normalise(stack_samples([as_sample(crop)]))
    logits = network(batch.optical, batch.sar, batch.optical_weight, batch.sar_weight).logits
    classes: Classes = logits.argmax(1)[0].to(torch.uint8).numpy()
    return classes


def holes(shape: tuple[int, int], random: np.random.Generator) -> Mask:
    """Return where nodata is cut in: stripes of 1 to 8 px, blocks of 12 to 120 px, irregular patches.

    They differ from the holes of training, so that training cannot have learnt exactly these.
    """
    height, width = shape
    coarse, fine = (ndimage.gaussian_filter(random.normal(size=shape), sigma) for sigma in (12, 1.5))
    gaps: Mask = coarse / coarse.std() + 0.25 * fine / fine.std() > 1.9
    for _ in range(height * width // 40_000):
        tall, wide = random.integers(12, 120, 2)
        top, left = random.integers(height), random.integers(width)
        gaps[top : top + tall, left : left + wide] = True
    y, x = np.mgrid[:height, :width]
    for _ in range(2):
        angle, period_px, wide_px = random.uniform(0, np.pi), random.uniform(120, 220), random.uniform(1, 8)
        gaps |= (y * np.sin(angle) + x * np.cos(angle) + random.uniform(0, period_px)) % period_px < wide_px
    return gaps


def report(places: str, found: Mapping[str, list[dict[str, Any]]]) -> dict[str, dict[str, Any]]:
    """Print the table of a set of places and return its figures, means over the trainings."""
    print(f"\n{places}: within {RIM_PX} px of holes, {len(found['with'])} trainings")
    print(f"{'crops':<10}{'holes in':<10}{'excess, points':>16}{'% here / same / inland':>26}{'accuracy lost':>16}")
    figures: dict[str, dict[str, Any]] = {}
    for arm, runs in found.items():
        reached = [run["miou"] for run in runs]
        figures[arm] = {"miou": mean(reached), "miou_by_training": [round(each, 4) for each in reached]}
        for sensors in HOLED:
            each = {key: mean(run[sensors][key] for run in runs) for key in runs[0][sensors]}
            by_training = [round(run[sensors]["excess_points"], 3) for run in runs]
            figures[arm][sensors] = {**each, "excess_by_training": by_training}
            shares = " / ".join(f"{each[key]:.1f}" for key in ("share", "share_without_holes", "share_inland"))
            lost = each["accuracy_lost_points"]
            print(f"{arm:<10}{sensors:<10}{each['excess_points']:>16.2f}{shares:>26}{lost:>16.2f}")
        print(f"{arm:<10}mean IoU without holes {mean(reached):.4f}")
    return figures


def miou(figures: Mapping[str, Mapping[str, Any]], arm: str) -> float:
    """Return the mean IoU of an arm over the scenes without holes."""
    return float(figures[arm]["miou"])


def machine() -> dict[str, str]:
    """Return the versions used."""
    versions = {"python": platform.python_version(), "torch": torch.__version__}
    return {**versions, "clairemap": clairemap.__version__, "code": TRAINING_CODE[:12]}


if __name__ == "__main__":
    main()
