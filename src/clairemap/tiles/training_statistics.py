"""Statistics of the training tiles: normalisation of the bands, and pixels per class.

Batches of tiles are mapped and reduced in order by dask: on threads, or on the workers of an active
``dask.distributed`` client. The same tiles give the same figures on any of them.
"""

import functools
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from dask import config
from dask.base import compute
from dask.delayed import delayed
from numpy.typing import NDArray

from clairemap.artefacts.statistics import BandStatistics, ClassSignatures, TrainingStatistics
from clairemap.artefacts.store_attributes import PairAttributes, StoredSarScale
from clairemap.classes import IGNORE_INDEX
from clairemap.errors import NoTrainingDataError, StoreError
from clairemap.grid.rounding import ceil_div
from clairemap.grid.window import Window
from clairemap.raster.store import GridStore, open_store
from clairemap.settings import Sensor
from clairemap.tiles.crops import Labels
from clairemap.tiles.quantities import quantities, quantity_names
from clairemap.validity import Flags, Mask, optical_usable, sar_usable

log = logging.getLogger(__name__)

STATISTICS_SAMPLE_PX = 1_000_000
"""Number of evenly spaced usable pixels of a sensor for percentiles."""

BATCH_TILES = 16


@dataclass(frozen=True)
class Moments:
    """Pixel count, and each band's mean and summed squared deviations (float64)."""

    count: int
    mean: NDArray[np.float64]
    squares: NDArray[np.float64]

    @classmethod
    def of(cls, values: NDArray[Any]) -> "Moments":
        """Return the moments of values (band, pixel)."""
        exact = values.astype(np.float64)
        if not exact.shape[1]:
            return cls(0, np.zeros(len(exact)), np.zeros(len(exact)))
        mean = exact.mean(axis=1)
        return cls(exact.shape[1], mean, np.square(exact - mean[:, None]).sum(axis=1))

    def __add__(self, other: "Moments") -> "Moments":
        """Return the moments of both sets of pixels together (Chan, Golub, LeVeque 1979)."""
        count = self.count + other.count
        if not count:
            return self
        step = other.mean - self.mean
        return Moments(
            count,
            self.mean + step * (other.count / count),
            self.squares + other.squares + np.square(step) * (self.count * other.count / count),
        )


@dataclass(frozen=True)
class _Summary:
    """Contribution of a batch of tiles for one sensor.

    Attributes:
        moments: of the bands.
        sample: some pixels, (band, pixel).
        by_class: moments of the quantities of each labelled class, by class index.
    """

    moments: Moments
    sample: NDArray[Any]
    by_class: dict[int, Moments]


@dataclass(frozen=True)
class _Sampling:
    """Sampling step of usable pixels per sensor."""

    optical: int
    sar: int


def fit_statistics(
    stores: Mapping[str, Path],
    training: pd.DataFrame,
    classes: tuple[str, ...],
    threads: int = 1,
) -> TrainingStatistics:
    """Return the statistics of the training tiles.

    Mean and standard deviation are exact. Percentiles use about STATISTICS_SAMPLE_PX usable pixels, every n-th of each
    tile. Optical pixels under cloud are excluded. Memory: one tile per thread, and the sample.

    Args:
        stores: pair store of each scene.
        training: tile index rows of the training tiles.
        classes: class names, for messages.
        threads: number of threads; a cluster's workers have their own number.

    Raises:
        NoTrainingDataError: no tile has a labelled pixel.
        StoreError: stores differ in bands or SAR scale, are incomplete or damaged.
    """
    class_px = _class_pixels(training, classes)
    bands, sar_scale = _common_bands(stores[scene] for scene in sorted(set(training["scene"])))
    every = _Sampling(*(_stride(int(training[column].sum())) for column in ("optical_px", "sar_px")))
    batches = [
        (stores[str(scene)], [Window(*map(int, row)) for row in rows])
        for scene, tiles in training.groupby("scene", sort=True)
        for rows in _batches(tiles[["y0", "x0", "height", "width"]].to_numpy())
    ]
    with config.set(num_workers=threads):
        summaries = compute(  # type: ignore[no-untyped-call]
            *(delayed(_summarise)(path, windows, every) for path, windows in batches)
        )
    optical, sar = (_merge_summaries([summary[place] for summary in summaries]) for place in (0, 1))
    return TrainingStatistics(
        optical=_band_statistics(optical, bands["optical"], "optical"),
        sar=_band_statistics(sar, bands["sar"], "sar"),
        class_px=class_px,
        pixels=int(training["valid_px"].sum()),
        scenes=tuple(sorted(set(training["scene"]))),
        sar_scale=sar_scale,
        optical_unit=_common_unit(stores[scene] for scene in sorted(set(training["scene"]))),
        optical_signatures=_signatures(optical, quantity_names("optical", bands["optical"], sar_scale), classes),
        sar_signatures=_signatures(sar, quantity_names("sar", bands["sar"], sar_scale), classes),
    )


def check_statistics(statistics: TrainingStatistics, stores: Iterable[GridStore]) -> None:
    """Check that pairs have the bands and the SAR scale of the statistics.

    Raises:
        StoreError: a pair differs; the message lists all differences.
    """
    for store in stores:
        sides = (
            ("optical bands", statistics.optical.bands, store.bands("optical")),
            ("SAR bands", statistics.sar.bands, store.bands("sar")),
            ("SAR scale", statistics.sar_scale, store.attributes_as(PairAttributes).sar_scale),
        )
        faults = [
            f"{what}: statistics have {known}, the pair has {seen}" for what, known, seen in sides if known != seen
        ]
        if faults:
            raise StoreError(
                f"{store.path}: does not match the statistics ({'; '.join(faults)}); delete statistics.json and run "
                "fit_statistics again, or tile the scene with the settings of the other scenes"
            )


def _class_pixels(training: pd.DataFrame, classes: tuple[str, ...]) -> tuple[int, ...]:
    counts = sum((np.asarray(row, np.int64) for row in training["class_px"]), np.zeros(len(classes), np.int64))
    if not counts.any():
        raise NoTrainingDataError(
            f"none of the {len(training)} training tile(s) has a labelled pixel that is usable in a sensor; check the "
            "labels of the training scenes and legend.ignore, or lower splits.val_share or splits.buffer_px"
        )
    if absent := [name for name, count in zip(classes, counts, strict=True) if not count]:
        log.warning("classes without training pixels cannot be learnt: %s", ", ".join(absent))
    return tuple(int(count) for count in counts)


def _common_bands(paths: Iterable[Path]) -> tuple[dict[Sensor, tuple[str, ...]], StoredSarScale]:
    seen: dict[tuple[tuple[str, ...], tuple[str, ...], StoredSarScale], Path] = {}
    for path in paths:
        store = open_store(path)
        seen[(store.bands("optical"), store.bands("sar"), store.attributes_as(PairAttributes).sar_scale)] = path
    if len(seen) > 1:
        found = "; ".join(f"{path}: optical {o}, SAR {s} in {scale}" for (o, s, scale), path in seen.items())
        raise StoreError(f"the pairs differ in bands or SAR scale ({found}); delete the older ones and run again")
    optical, sar, scale = next(iter(seen))
    return {"optical": optical, "sar": sar}, scale


def _common_unit(paths: Iterable[Path]) -> str | None:
    """Return the unit of the optical values of all pairs that have some; None if it is unknown or differs."""
    known = [open_store(path).attributes_as(PairAttributes) for path in paths]
    units = {attributes.optical_unit for attributes in known if "optical" in attributes.sources}
    if len(units) > 1:
        log.warning(
            "the optical values of the training scenes have different units: %s; check that they are comparable",
            ", ".join(sorted(unit or "unknown" for unit in units)),
        )
    return units.pop() if len(units) == 1 else None


def _stride(usable_px: int) -> int:
    return max(1, ceil_div(int(usable_px), STATISTICS_SAMPLE_PX))


def _batches(rows: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    return [rows[start : start + BATCH_TILES] for start in range(0, len(rows), BATCH_TILES)]


def _summarise(path: Path, windows: Sequence[Window], every: _Sampling) -> tuple[_Summary, _Summary]:
    store = open_store(path)
    optical, sar = [], []
    for window in windows:
        flags: Flags = store.read("validity", window)
        labels: Labels = store.read("label", window)
        optical.append(_tile_summary(store, "optical", window, optical_usable(flags), labels, every.optical))
        sar.append(_tile_summary(store, "sar", window, sar_usable(flags), labels, every.sar))
    return _merge_summaries(optical), _merge_summaries(sar)


def _tile_summary(
    store: GridStore, sensor: Sensor, window: Window, usable: Mask, labels: Labels, every: int
) -> _Summary:
    values = store.read(sensor, window)[:, usable]
    scale = store.attributes_as(PairAttributes).sar_scale
    return _Summary(
        Moments.of(values),
        values[:, ::every].copy(),
        _class_moments(quantities(sensor, store.bands(sensor), scale, values), labels[usable]),
    )


def _class_moments(found: NDArray[np.float64], labels: Labels) -> dict[int, Moments]:
    """Return the moments of the quantities (quantity, pixel) of each class in `labels` (pixel,)."""
    order = np.argsort(labels, kind="stable")
    classes, starts = np.unique(labels[order], return_index=True)
    parts = np.split(found[:, order], starts[1:], axis=1)
    pairs = zip(classes.tolist(), parts, strict=True) if len(classes) else ()
    return {index: Moments.of(part) for index, part in pairs if index != IGNORE_INDEX}


def _merge_summaries(summaries: Sequence[_Summary]) -> _Summary:
    moments = functools.reduce(Moments.__add__, (summary.moments for summary in summaries))
    by_class: dict[int, Moments] = {}
    for summary in summaries:
        for index, found in summary.by_class.items():
            by_class[index] = by_class[index] + found if index in by_class else found
    return _Summary(moments, np.concatenate([summary.sample for summary in summaries], axis=1), by_class)


def _signatures(whole: _Summary, names: tuple[str, ...], classes: Sequence[str]) -> ClassSignatures:
    nothing = Moments(0, np.zeros(len(names)), np.zeros(len(names)))
    found = [whole.by_class.get(index, nothing) for index in range(len(classes))]
    return ClassSignatures(
        names,
        tuple(moments.count for moments in found),
        tuple(_floats(moments.mean) for moments in found),
        tuple(_floats(np.sqrt(moments.squares / max(moments.count, 1))) for moments in found),
    )


def _band_statistics(whole: _Summary, bands: tuple[str, ...], sensor: Sensor) -> BandStatistics:
    if not whole.moments.count:
        log.warning("no training pixel is usable in %s: its bands are not normalised (mean 0, std 1)", sensor)
    std = np.sqrt(whole.moments.squares / max(whole.moments.count, 1))
    flat = std <= np.finfo(np.float32).eps * np.abs(whole.moments.mean)
    for band in np.flatnonzero(flat) if whole.moments.count else ():
        log.warning("%s band %r has one value in all training pixels; its std is set to 1", sensor, bands[band])
    percentiles = np.percentile(whole.sample, (2, 98), axis=1) if whole.sample.size else np.array([[0.0], [1.0]])
    low, high = np.broadcast_to(percentiles, (2, len(bands)))
    return BandStatistics(
        bands, _floats(whole.moments.mean), _floats(np.where(flat, 1.0, std)), _floats(low), _floats(high)
    )


def _floats(values: NDArray[Any]) -> tuple[float, ...]:
    return tuple(float(value) for value in values)
