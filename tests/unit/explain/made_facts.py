"""Made tiles: pixel counts, and the facts that follow from them."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import numpy as np

from clairemap.artefacts.explanations import TileFacts
from clairemap.classes import LandCoverClass, Legend
from clairemap.explain.tile_sums import TilePixels, TileSums, tile_facts

ROOT = Path(__file__).parents[3]


def _reading() -> ModuleType:
    spec = importlib.util.spec_from_file_location("reading", ROOT / "benchmarks" / "explanations_reading.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


reading = _reading()
Counts = reading.Counts

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
HOSTILE = LEGENDS[4]


def random_counts(rng: np.random.Generator, names: tuple[str, ...]) -> object:
    """Return random pixel counts of a tile of 128 x 128 pixels."""
    pixels, classes = 128**2, len(names)
    mapped = int(rng.choice([pixels, pixels, int(rng.integers(100, pixels)), int(rng.integers(1, 120))]))
    present = rng.permutation(classes)[: rng.integers(1, min(classes, 9) + 1)]
    weights = np.zeros(classes)
    weights[present] = rng.dirichlet(np.full(len(present), rng.choice([0.3, 1.0, 5.0])))
    px = rng.multinomial(mapped, weights)
    confidence = px * np.clip(rng.normal(rng.uniform(0.4, 0.98), 0.1, classes), 0.2, 1)
    optical, sar = [(pixels, pixels), (pixels, pixels), (pixels, pixels), (pixels, 0), (0, pixels)][rng.integers(5)]
    cloud = int(rng.choice([0, 0, rng.integers(pixels // 2)]))
    unknown = int(rng.choice([0, 0, pixels - cloud, rng.integers(pixels - cloud)])) if optical else 0
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
        registration=str(rng.choice(["good", "weak", "rejected"])) if optical and sar else "single_sensor",
        unseen=frozenset(np.flatnonzero(rng.random(classes) < 0.1).tolist()),
    )


def _confusion(rng: np.random.Generator, px: np.ndarray) -> np.ndarray:
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


def facts_of(tile: object) -> TileFacts:
    """Return the facts of a tile from its counts."""
    assert isinstance(tile, Counts)
    legend = Legend(classes=tuple(LandCoverClass(code=code, name=name) for code, name in enumerate(tile.names)))
    pixels = TilePixels(tile.pixels, tile.optical, tile.sar, tile.cloud, tile.cloud_unknown)
    sums = TileSums(tile.px, tile.confidence_sum, tile.optical_pct_sum)
    return tile_facts(sums, pixels, tile.registration, legend, tile.confusion, tile.unseen)
