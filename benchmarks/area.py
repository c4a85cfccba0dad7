"""Intervals and bias of areas and accuracies that are estimated from simulated samples of a made map.

A made truth and map with 80 % overall accuracy and classes of 62, 31.5, 5, 1 and .5 % of the area. Samples are drawn
and estimated with the package's functions, 2,000 times.

- `coverage_area`, `coverage_oa`, `coverage_ua`: share of the 95 % intervals that contain the truth: areas (by class),
  overall accuracy, user's accuracies (by class).
- `coverage_rare`: the same for the area of the rarest class, by the size of the sample. `coverage_normal`: that
  of intervals of +-1.96 standard errors (areas by class).
- `coverage_rare_buffer`: for the rarest class, with a buffer stratum along its edges, and `width_rare_buffer`, the mean
  width of its intervals relative to those without.
- `bias_vs_counting`: mean error of the estimated areas divided by the error of counted pixels, mean of the absolute
  values over classes.
- `draw_s_per_gpx`, `draw_mb`: CPU seconds per Gpx and peak memory for a sample of a made map of 60,000 x 60,000 px.

Prints its figures, and as its last line one JSON object.

    python benchmarks/area.py [--quick]
"""

import argparse
import json
import platform
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.transform import from_origin
from scipy.ndimage import gaussian_filter, maximum_filter

import clairemap
from clairemap.accuracy.assessment import Assessment, InterpretedSample, assess
from clairemap.accuracy.estimators import Z_95, Estimate, Strata
from clairemap.accuracy.sampling import SampleSize, sample_of
from clairemap.accuracy.sizes import allocated
from clairemap.accuracy.strata import Stratification
from clairemap.classes import LandCoverClass, Legend

SHARES = np.array([0.62, 0.315, 0.05, 0.01, 0.005])
CONFUSED_WITH = np.array([0.3, 0.3, 0.3, 0.098, 0.002])
"""Probability of each class where the map is wrong."""

RARE = len(SHARES) - 1
OVERALL = 0.8
SIDE_PX, QUICK_SIDE_PX = 1000, 400
DRAWS, QUICK_DRAWS = 2000, 100
UNITS, MORE_UNITS, PER_STRATUM = 600, (1200, 2400), 50
BUFFER_PX = 3
LARGE_PX, QUICK_LARGE_PX = 60_000, 4_000
BLOCK_PX = 1024

Grid = NDArray[np.intp]


def main() -> None:
    """Measure and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="few draws, small maps")
    quick = parser.parse_args().quick
    figures: dict[str, Any] = {"python": platform.python_version(), "clairemap": clairemap.__version__}
    figures |= of_drawing(QUICK_LARGE_PX if quick else LARGE_PX)
    figures |= of_samples(QUICK_SIDE_PX if quick else SIDE_PX, QUICK_DRAWS if quick else DRAWS)
    for name, value in figures.items():
        print(f"{name:<22} {value}")
    print(json.dumps(figures))


def made_truth(side_px: int, rng: np.random.Generator) -> Grid:
    """Return classes in patches, (y, x), with the given shares."""
    field = gaussian_filter(rng.standard_normal((side_px, side_px)), 6)
    limits = np.quantile(field, np.cumsum(SHARES)[:-1])
    return np.asarray(np.searchsorted(limits, field), np.intp)


def made_map(truth: Grid, rng: np.random.Generator) -> Grid:
    """Return a map of the truth, with errors in patches, and nearly half of the rarest class missed."""
    field = gaussian_filter(rng.standard_normal(truth.shape), 2)
    wrong = field > np.quantile(field, OVERALL)
    wrong |= (truth == RARE) & (rng.random(truth.shape) < 0.3)
    others = rng.choice(len(SHARES), truth.shape, p=CONFUSED_WITH)
    return np.asarray(np.where(wrong, np.where(others == truth, (truth + 1) % RARE, others), truth), np.intp)


class Sampler:
    """Draws samples of a map with strata, and assesses them."""

    def __init__(self, truth: Grid, mapped: Grid, strata: Grid, rng: np.random.Generator) -> None:
        self.truth, self.mapped, self.rng = truth.ravel(), mapped.ravel(), rng
        self.members = [np.flatnonzero(strata.ravel() == each) for each in range(strata.max() + 1)]
        self.pixels = np.array([len(each) for each in self.members], np.float64)

    def assessed(self, units: int) -> Assessment:
        """Return the assessment of one random sample."""
        counts = allocated(units, self.pixels, PER_STRATUM)
        of_units = np.repeat(np.arange(len(counts)), counts)
        drawn = np.concatenate(
            [
                members[self.rng.choice(len(members), count, replace=False, shuffle=False)]
                for members, count in zip(self.members, counts, strict=True)
            ]
        )
        strata = Strata(of_units, self.pixels, self.pixels, np.ones(len(drawn)))
        return assess(InterpretedSample(self.mapped[drawn], self.truth[drawn], strata, len(SHARES)))


def of_samples(side_px: int, draws: int) -> dict[str, Any]:
    """Return coverage, bias and the effect of a buffer, from many samples of a made map."""
    rng = np.random.default_rng(0)
    truth = made_truth(side_px, rng)
    mapped = made_map(truth, rng)
    near = maximum_filter(mapped == RARE, size=2 * BUFFER_PX + 1) & (mapped != RARE)
    sampler = Sampler(truth, mapped, mapped, rng)
    buffered = Sampler(truth, mapped, np.where(near, RARE + 1, mapped), rng)
    areas = np.bincount(truth.ravel(), minlength=len(SHARES)).astype(np.float64)
    plain = [sampler.assessed(UNITS) for _ in range(draws)]
    with_buffer = [buffered.assessed(UNITS) for _ in range(draws)]
    more = {units: [sampler.assessed(units) for _ in range(draws)] for units in MORE_UNITS}
    right = truth == mapped
    users = [float(right[mapped == each].mean()) for each in range(len(SHARES))]
    estimated = np.mean([[each.value for each in one.areas] for one in plain], axis=0)
    return {
        "overall": round(float(right.mean()), 4),
        "draws": draws,
        "units": int(allocated(UNITS, sampler.pixels, PER_STRATUM).sum()),
        "coverage_area": [_share(_contains(one.areas[c], areas[c]) for one in plain) for c in range(len(SHARES))],
        "coverage_oa": _share(_contains(one.overall, right.mean()) for one in plain),
        "coverage_ua": [_share(_contains(one.users[c], users[c]) for one in plain) for c in range(len(SHARES))],
        "coverage_rare": {
            str(units): _share(_contains(one.areas[RARE], areas[RARE]) for one in found)
            for units, found in {UNITS: plain, **more}.items()
        },
        "coverage_normal": [
            _share(abs(one.areas[c].value - areas[c]) <= Z_95 * one.areas[c].standard_error for one in plain)
            for c in range(len(SHARES))
        ],
        "coverage_rare_buffer": _share(_contains(one.areas[RARE], areas[RARE]) for one in with_buffer),
        "width_rare_buffer": round(_mean_width(with_buffer) / _mean_width(plain), 3),
        "bias_vs_counting": round(float(np.abs(estimated - areas).mean() / np.abs(sampler.pixels - areas).mean()), 4),
    }


def _contains(estimate: Estimate, truth: float) -> bool:
    return bool(estimate.low <= truth <= estimate.high)


def _share(hits: Any) -> float:  # noqa: ANN401 - an iterator of numpy's booleans
    return round(float(np.mean(list(hits))), 4)


def _mean_width(found: list[Assessment]) -> float:
    return float(np.mean([one.areas[RARE].high - one.areas[RARE].low for one in found]))


def of_drawing(side_px: int) -> dict[str, float]:
    """Return time and memory of drawing a sample from a large map."""
    legend = Legend(classes=tuple(LandCoverClass(code=each + 1, name=f"c{each}") for each in range(len(SHARES))))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "large.landcover.tif"
        _write_large(path, side_px)
        started = time.process_time()
        sample_of(
            path,
            Stratification(legend),
            SampleSize(UNITS, 0.03, np.full(len(SHARES), 0.8), PER_STRATUM),
            seed=0,
            distance_px=0,
            stamp={},
        )
        seconds = time.process_time() - started
    return {
        "draw_gpx": side_px**2 / 1e9,
        "draw_s_per_gpx": round(seconds / (side_px**2 / 1e9), 1),
        "draw_mb": round(peak_mb()),
    }


def peak_mb() -> float:
    """Return the process's own peak memory, MB; getrusage starts with that of the parent."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith("VmHWM"))


def _write_large(path: Path, side_px: int) -> None:
    """Write a map of repeated blocks."""
    rng = np.random.default_rng(1)
    block = made_map(made_truth(BLOCK_PX, rng), rng).astype(np.uint8) + 1
    profile = {"driver": "GTiff", "count": 1, "dtype": "uint8", "nodata": 255, "compress": "DEFLATE", "tiled": True}
    with rasterio.open(
        path,
        "w",
        crs="EPSG:32633",
        transform=from_origin(300_000, 9_000_000, 10, 10),
        width=side_px,
        height=side_px,
        blockxsize=512,
        blockysize=512,
        **profile,
    ) as file:
        for y0 in range(0, side_px, BLOCK_PX):
            for x0 in range(0, side_px, BLOCK_PX):
                height, width = min(BLOCK_PX, side_px - y0), min(BLOCK_PX, side_px - x0)
                file.write(block[:height, :width], 1, window=rasterio.windows.Window(x0, y0, width, height))


if __name__ == "__main__":
    main()
