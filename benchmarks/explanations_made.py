"""Made tiles for explanations.py and the tests of texts: pixel counts, arrays, changes, and the facts that follow."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast

import explanations_reasons  # noqa: F401 - registers its checks
import numpy as np
from explanations_arrays import Arrays
from explanations_reading import Counts, faults
from numpy.typing import NDArray

from clairemap.artefacts.explanations import TileFacts
from clairemap.artefacts.model_card import BandScale, CalibrationFit, ConfidenceRecord, ModelCard, Signatures
from clairemap.artefacts.registration import Verdict
from clairemap.classes import LandCoverClass, Legend
from clairemap.explain.deviations import SensorValues
from clairemap.explain.reasons import MappedTile, tile_reasons
from clairemap.explain.tile_sums import TilePixels, TileSums, names_in_texts, tile_facts
from clairemap.settings import Sensor

__all__ = ["CHANGES", "LEGENDS", "Counts", "facts_of", "faults", "plain_tile", "random_counts"]

LEGENDS = (
    ("water", "forest", "grassland", "cropland", "village", "city", "road"),
    ("no data", "trees", "flooded vegetation", "crops", "built area", "bare ground", "snow/ice", "clouds", "rangeland"),
    ("permanent water", "flooded"),
    ("the only class",),
    (
        '"quoted" {name}',
        "{area_pct.x}",
        "<|end|>",
        "<b>bold</b> & more",
        "🌊 Wäßer",
        "a, b and c",
        "road. It is",
        "50 %",
    ),
    tuple(f"class {code}" for code in range(64)),
)

VERDICTS: tuple[Verdict, ...] = ("good", "weak", "rejected")
SENSORS: tuple[Sensor, ...] = ("optical", "sar")
BANDS = {"optical": ("red", "green", "blue", "nir"), "sar": ("vv", "vh")}
STEP = {"optical": 100.0, "sar": 2.0}
"""Standard deviation of the bands of a class in training; the means of classes differ by multiples of it."""

CALIBRATED_ON_ONE = {
    "ece_before": 0.1,
    "ece_after": 0.02,
    "nll_before": 0.9,
    "nll_after": 0.8,
    "pixels": 5000,
    "tiles": 4,
    "scenes": 1,
}
CALIBRATED_ON_FOUR = {
    **CALIBRATED_ON_ONE,
    "scenes": 4,
    "unseen": {"scenes": 3, "ece_before": 0.05, "ece_mean": 0.04, "ece_worst": 0.09},
}
CALIBRATED_ON_BLOCKS = {**CALIBRATED_ON_ONE, "scenes": 3}
"""Calibration of a model card."""


def random_counts(rng: np.random.Generator, names: tuple[str, ...]) -> Counts:
    """Return random pixel counts and arrays of a tile of 64 x 64 pixels."""
    pixels, classes = 64**2, len(names)
    mapped = [pixels, pixels, int(rng.integers(100, pixels)), int(rng.integers(1, 120))][rng.integers(4)]
    present = rng.permutation(classes)[: rng.integers(1, min(classes, 9) + 1)]
    weights = np.zeros(classes)
    weights[present] = rng.dirichlet(np.full(len(present), rng.choice([0.3, 1.0, 5.0])))
    px = rng.multinomial(mapped, weights)
    confidence = px.astype(float) * np.clip(rng.normal(rng.uniform(0.4, 0.98), 0.1, classes), 0.2, 1)
    optical, sar = [(pixels, pixels), (pixels, pixels), (pixels, pixels), (pixels, 0), (0, pixels)][rng.integers(5)]
    cloud = [0, 0, int(rng.integers(pixels // 2))][rng.integers(3)]
    unknown = [0, 0, pixels - cloud, int(rng.integers(pixels - cloud))][rng.integers(4)] if optical else 0
    share = 100.0 if not sar else 0.0 if not optical else float(rng.integers(101))
    found = Counts(
        names=names,
        px=px,
        confidence_sum=confidence,
        optical_pct_sum=share * mapped,
        pixels=pixels,
        optical=optical,
        sar=sar,
        cloud=cloud,
        cloud_unknown=unknown,
        confusion=_confusion(rng, px),
        registration=VERDICTS[rng.integers(3)] if optical and sar else "single_sensor",
        unseen=frozenset(np.flatnonzero(rng.random(classes) < 0.1).tolist()),
    )
    if classes == 1:  # a network has two at least
        return found
    arrays = _random_arrays(rng, found)
    return replace(found, arrays=arrays, optical_pct_sum=float(arrays.optical_share[arrays.index != 255].sum()))


def _random_arrays(rng: np.random.Generator, tile: Counts) -> Arrays:
    """Return random arrays; about half of the figures are nothing to mention."""
    classes = len(tile.names)
    own = rng.uniform(0.35, 0.99, classes)
    weight = rng.uniform(0, 100, classes) if rng.random() < 0.5 else np.full(classes, tile.optical_weight)
    if not tile.optical or not tile.sar:
        weight = np.full(classes, tile.optical_weight)
    px = rng.integers(0, 1000, (classes, 6))
    off = rng.choice([0.0, 0.0, 0.0, -2.4, 3.0, 12.0], (classes, 6))
    arrays = arrays_of(
        tile,
        own=own,
        rivals=tuple(rng.integers(1, classes, classes).tolist()),
        weight=weight,
        off=np.where(rng.random((classes, 1)) < 0.5, off, 0) if rng.random() < 0.7 else rng.choice([-3.0, 2.5]),
        spread=rng.choice([1.0, 1000.0]),
        record={"px": px.tolist(), "correct": (px * rng.uniform(0.3, 1, px.shape)).astype(int).tolist()},
        calibration=(None, CALIBRATED_ON_ONE, CALIBRATED_ON_FOUR, CALIBRATED_ON_BLOCKS)[rng.integers(4)],
        shuffled=rng if rng.random() < 0.5 else None,
    )
    if rng.random() < 0.5 or not tile.optical or not tile.sar:
        return arrays
    without: dict[str, NDArray[np.uint8]] = {sensor: _changed(rng, arrays.index, classes) for sensor in SENSORS}
    return replace(arrays, without=without)


def _changed(rng: np.random.Generator, index: NDArray[np.int64], classes: int) -> NDArray[np.uint8]:
    """Return mapped classes of which a random share has another class, or none."""
    other = np.array([*rng.integers(classes, size=2), 255])[rng.integers(3, size=index.shape)]
    return np.where(rng.random(index.shape) < rng.choice([0.0, 0.03, 0.3, 0.7]), other, index).astype(np.uint8)


def arrays_of(
    tile: Counts,
    *,
    own: Any = 0.9,  # noqa: ANN401 - a number or one per class
    rivals: tuple[int, ...] | None = None,
    weight: Any = 50,  # noqa: ANN401
    off: Any = 0.0,  # noqa: ANN401
    spread: float = 1000.0,
    record: Mapping[str, Any] | None = None,
    calibration: Mapping[str, Any] | None = None,
    without: Mapping[str, NDArray[np.uint8]] | None = None,
    shuffled: np.random.Generator | None = None,
) -> Arrays:
    """Return arrays that fit a tile's counts.

    Args:
        tile: its counts.
        own: probability of the mapped class, by class.
        rivals: class with the rest of the probability, as steps from the mapped class.
        weight: of the optical image, percent, by class.
        off: difference of the bands from training, standard deviations, by class and band (six).
        spread: standard deviation of the bands in all training pixels, in those of a class.
        record: `px` and `correct` of the model card's confidence record.
        calibration: that of the model card.
        without: classes mapped without each sensor.
        shuffled: what places the pixels, and some of the rest of the probability, at random; in order otherwise.
    """
    side, classes = int(tile.pixels**0.5), len(tile.names)
    index = np.full(tile.pixels, 255)
    index[: tile.mapped] = np.repeat(np.arange(classes), tile.px)
    if shuffled is not None:
        shuffled.shuffle(index)
    mapped, at = np.flatnonzero(index < 255), index[index < 255]
    p = np.zeros((classes, tile.pixels), np.uint8)
    largest = np.round(255 * np.broadcast_to(own, classes)).astype(int)
    steps = np.asarray(rivals or (1,) * classes)[at]
    if shuffled is not None:
        steps = np.where(shuffled.random(at.size) < 0.3, shuffled.integers(1, classes, at.size), steps)
    p[(at + steps) % classes, mapped] = np.minimum(255 - largest, largest - 1)[at]
    p[at, mapped] = largest[at]
    share = np.full(tile.pixels, 255, np.uint8)
    share[mapped] = np.round(np.broadcast_to(weight, classes))[at]
    offs = np.broadcast_to(off, (classes, 6))
    means = {"optical": 1000.0 + 300 * _grid(classes, 4), "sar": -20.0 + _grid(classes, 2)}
    values, px = {}, tile.px / tile.mapped
    for sensor, part in (("optical", offs[:, :4]), ("sar", offs[:, 4:])):
        bands = np.zeros((len(BANDS[sensor]), tile.pixels))
        bands[:, mapped] = (means[sensor] + STEP[sensor] * part)[at].T
        bands[:, index == 255] = (px @ means[sensor])[:, None]
        values[sensor] = bands.reshape(-1, side, side)
    usable = {"optical": np.arange(tile.pixels) < tile.optical, "sar": np.arange(tile.pixels) < tile.sar}
    return Arrays(
        p.reshape(classes, side, side),
        share.reshape(side, side),
        values,
        {sensor: mask.reshape(side, side) for sensor, mask in usable.items()},
        {**_card(means, px, spread, record), "calibration": calibration},
        without or {},
    )


def _grid(classes: int, bands: int) -> NDArray[np.float64]:
    """Return numbers that differ between classes and bands."""
    return np.asarray(np.arange(classes)[:, None] + np.arange(bands) / 2.0)


def _card(
    means: Mapping[str, NDArray[np.float64]],
    px: NDArray[np.float64],
    spread: float,
    record: Mapping[str, Any] | None,
) -> dict[str, Any]:
    """Return what a model card says of the training, as JSON; `px` is each class's share."""
    card: dict[str, Any] = {"signatures": {}, "confidence_record": None}
    for sensor, mean in means.items():
        names, step = BANDS[sensor], STEP[sensor]
        red, green, nir = mean[:, 0], mean[:, 1], mean[:, -1]
        if sensor == "optical":
            further = {"NDVI": (nir - red) / (nir + red), "NDWI": (green - nir) / (green + nir)}
        else:
            further = {"VV/VH": mean[:, 0] - mean[:, 1]}
        card[f"{sensor}_bands"] = {
            "names": names,
            "mean": (px @ mean).tolist(),
            "std": [step * spread] * len(names),
        }
        card["signatures"][sensor] = {
            "quantities": [*names, *further],
            "px": [5000] * len(mean),
            "mean": np.column_stack([mean, *further.values()]).tolist(),
            "std": [[step] * len(names) + [0.1 if sensor == "optical" else step] * len(further)] * len(mean),
        }
    if record:
        card["confidence_record"] = {"from_pct": [0, 50, 60, 70, 80, 90], **record}
    return card


def _confusion(rng: np.random.Generator, px: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return a confusion matrix whose mapped pixels fit the map: none, few, or most are labelled."""
    classes = len(px)
    labelled = (px * rng.choice([0.0, 0.003, 0.9])).astype(int)
    wrong = rng.choice([0.02, 0.2, 0.6])
    confusion = np.zeros((classes, classes), np.int64)
    for mapped in np.flatnonzero(labelled):
        share = np.zeros(classes)
        share[rng.integers(classes, size=2)] += wrong / 2
        share[mapped] += 1 - wrong
        confusion[:, mapped] = rng.multinomial(labelled[mapped], share)
    return confusion


def facts_of(tile: Counts) -> TileFacts:
    """Return the facts of a tile from its counts."""
    legend = Legend(classes=tuple(LandCoverClass(code=code, name=name) for code, name in enumerate(tile.names)))
    pixels = TilePixels(tile.pixels, tile.optical, tile.sar, tile.cloud, tile.cloud_unknown)
    sums = TileSums(tile.px, tile.confidence_sum, tile.optical_pct_sum)
    facts = tile_facts(sums, pixels, cast(Verdict, tile.registration), legend, tile.confusion, tile.unseen)
    if tile.arrays is None:
        return facts
    names = names_in_texts(legend)
    return facts.model_copy(
        update={"reasons": tile_reasons(_mapped_tile(tile.arrays), _model_card(tile.arrays), names)}
    )


def _mapped_tile(arrays: Arrays) -> MappedTile:
    sensors = (SensorValues(s, BANDS[s], "db", arrays.values[s], arrays.usable[s]) for s in SENSORS)
    without = {sensor: arrays.without[sensor] for sensor in SENSORS if sensor in arrays.without}
    return MappedTile(arrays.probability, arrays.optical_share, tuple(sensors), without)


def _model_card(arrays: Arrays) -> ModelCard:
    record, fit = arrays.card["confidence_record"], arrays.card["calibration"]
    part: Any = ModelCard  # only the fields that reasons need
    made: ModelCard = part.model_construct(
        optical_bands=BandScale.model_validate(arrays.card["optical_bands"]),
        sar_bands=BandScale.model_validate(arrays.card["sar_bands"]),
        signatures=Signatures.model_validate(arrays.card["signatures"]),
        confidence_record=None if record is None else ConfidenceRecord.model_validate(record),
        calibration=None if fit is None else CalibrationFit.model_validate(fit),
    )
    return made


def plain_tile(*, arrays: Mapping[str, Any] | None = None, **changed: Any) -> Counts:  # noqa: ANN401 - fields of Counts
    """Return a tile of three classes without anything to warn of, with changed fields or arguments of `arrays_of`."""
    px = np.array([9000, 5384, 2000])
    tile = Counts(
        names=("water", "forest", "road"),
        px=px,
        confidence_sum=px * 0.9,
        optical_pct_sum=50.0 * 16384,
        pixels=16384,
        optical=16384,
        sar=16384,
        cloud=0,
        cloud_unknown=0,
        confusion=np.diag([3000, 2000, 500]),
    )
    tile = replace(tile, **changed)
    return tile if arrays is None else replace(tile, arrays=arrays_of(tile, **arrays))


def labels_with_road(wrong: int) -> NDArray[np.int64]:
    """Return the confusion matrix of the plain tile with `wrong` of 500 pixels of road mapped as water."""
    matrix = np.diag([3000, 2000, 500])
    matrix[2] = wrong, 0, 500 - wrong
    return matrix


def without_sar(share: float) -> dict[str, Any]:
    """Return arguments of `arrays_of`: without SAR, a share of road would be mapped as water."""
    index = np.repeat(np.arange(3, dtype=np.uint8), (9000, 5384, 2000)).reshape(128, 128)
    changed = index.copy().reshape(-1)
    changed[16384 - 2000 : 16384 - round(2000 * (1 - share))] = 0
    return {"without": {"optical": index, "sar": changed.reshape(128, 128)}}


def records(right: int) -> dict[str, Any]:
    """Return arguments of `arrays_of`: the share of validation pixels of road at 90 % and more that were right."""
    px = np.zeros((3, 6), int)
    px[2, 5] = 1000
    return {"record": {"px": px.tolist(), "correct": (px * right // 100).tolist()}}


def shifted(off: float, spread: float = 1.0) -> dict[str, Any]:
    """Return arguments of `arrays_of`: near infrared off training, in standard deviations."""
    return {"off": np.array([0, 0, 0, off, 0, 0]), "spread": spread}


UNLABELLED = {"confusion": np.zeros((3, 3), np.int64)}
CHANGES: dict[str, tuple[dict[str, Any], str]] = {
    "areas": ({"px": np.array([5384, 9000, 2000])}, "forest"),
    "confidence": ({"confidence_sum": np.array([9000, 5384, 2000]) * 0.5}, "confidence"),
    "confidence of a class": ({"confidence_sum": np.array([8100, 4845, 1000.0])}, "road"),
    "sensor": ({"sar": 0, "optical_pct_sum": 100.0 * 16384, "registration": "single_sensor"}, "SAR"),
    "clouds": ({"cloud": 8000, "optical": 8384}, "49 %"),
    "cloud mask": ({"cloud_unknown": 16384}, "Whether clouds affect this tile is unknown"),
    "registration": ({"registration": "weak"}, "alignment is uncertain"),
    "accuracy of a class": (
        {"confusion": labels_with_road(490)},
        "poorly for road: it finds 2 % of the pixels labelled road",
    ),
    "no labels": ({"confusion": np.zeros((3, 3), np.int64)}, "labels"),
    "unseen class": ({"unseen": frozenset({2})}, "road: the network had no training pixels"),
    "without a sensor": ({"arrays": without_sar(0.4)}, "Without SAR, 40 % of the area mapped as road"),
    "runner-up": ({"arrays": {"own": np.array([0.9, 0.9, 0.55])}}, "mapped as road are in fact water"),
    "track record": ({"arrays": records(58)}, "only 58 % of the pixels mapped as road"),
    "confidence elsewhere": (
        {**UNLABELLED, "arrays": {"calibration": CALIBRATED_ON_FOUR}},
        "off by 4 points on average",
    ),
    "blocks of scenes": (
        {**UNLABELLED, "arrays": {"calibration": CALIBRATED_ON_BLOCKS}},
        "off in other scenes is not known",
    ),
    "one scene": ({**UNLABELLED, "arrays": {"calibration": CALIBRATED_ON_ONE}}, "calibrated on a single scene"),
    "shifted bands": ({"arrays": shifted(4.0)}, "nir values are 4.0 standard deviations above"),
    "unusual class": ({"arrays": shifted(-3.0, spread=100.0)}, "nir is 3.0 standard deviations below"),
    "may be missed": (
        {"px": np.array([10500, 5884, 0]), "confusion": np.diag([3000, 2000, 0]), "arrays": {"rivals": (2, 1, 1)}},
        "more road than the map shows",
    ),
}
"""Changes of the plain tile, and what its template text then contains."""
