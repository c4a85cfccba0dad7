"""Made tiles for explanations.py and the tests of texts: pixel counts, changes, and the facts that follow."""

from dataclasses import replace
from typing import Any, cast

import numpy as np
from explanations_reading import Counts, faults
from numpy.typing import NDArray

from clairemap.artefacts.explanations import TileFacts
from clairemap.artefacts.registration import Verdict
from clairemap.classes import LandCoverClass, Legend
from clairemap.explain.tile_sums import TilePixels, TileSums, tile_facts

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


def random_counts(rng: np.random.Generator, names: tuple[str, ...]) -> Counts:
    """Return random pixel counts of a tile of 128 x 128 pixels."""
    pixels, classes = 128**2, len(names)
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
    return Counts(
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
    return tile_facts(sums, pixels, cast(Verdict, tile.registration), legend, tile.confusion, tile.unseen)


def plain_tile(**changed: Any) -> Counts:  # noqa: ANN401 - fields of Counts
    """Return a tile of three classes without anything to warn of, with changed fields."""
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
    return replace(tile, **changed)


def labels_with_road(wrong: int) -> NDArray[np.int64]:
    """Return the confusion matrix of the plain tile with `wrong` of 500 pixels of road mapped as water."""
    matrix = np.diag([3000, 2000, 500])
    matrix[2] = wrong, 0, 500 - wrong
    return matrix


CHANGES: dict[str, tuple[dict[str, Any], str]] = {
    "areas": ({"px": np.array([5384, 9000, 2000])}, "forest"),
    "confidence": ({"confidence_sum": np.array([9000, 5384, 2000]) * 0.5}, "confidence"),
    "confidence of a class": ({"confidence_sum": np.array([8100, 4845, 1000.0])}, "road"),
    "sensor": ({"sar": 0, "optical_pct_sum": 100.0 * 16384, "registration": "single_sensor"}, "SAR"),
    "clouds": ({"cloud": 8000, "optical": 8384}, "49 %"),
    "cloud mask": ({"cloud_unknown": 16384}, "Whether clouds affect this tile is unknown"),
    "registration": ({"registration": "weak"}, "alignment is uncertain"),
    "accuracy of a class": ({"confusion": labels_with_road(490)}, "IoU"),
    "no labels": ({"confusion": np.zeros((3, 3), np.int64)}, "labels"),
    "unseen class": ({"unseen": frozenset({2})}, "road: the network had no training pixels"),
}
"""Changes of the plain tile, and what its template text then contains."""
