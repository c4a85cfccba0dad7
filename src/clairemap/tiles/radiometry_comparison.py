"""Comparison of a scene's values with those of the training scenes, with the likely cause of a mismatch.

A scene in another unit, with an offset, or with its bands in another order is mapped without an error, and wrongly.
Distance alone cannot find such scenes, because content differs between correct scenes too. A wrong unit fits well
once the conversion is undone; other content does not.

The misfit is the Bhattacharyya distance (Bhattacharyya 1943) of two Gaussians with the bands' means and covariances,
per band: 0 if both are equal, about 0.1 for another scene of the same sensor and region.
"""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from clairemap.artefacts.radiometry import LEVELS_PCT, Radiometry, SensorRadiometry, TrainingRadiometry
from clairemap.artefacts.radiometry_check import SEVERITY, RadiometryVerdict, SensorVerdict
from clairemap.settings import Sensor
from clairemap.tiles.sensor_radiometry import FloatArray, pool, standard_deviations

# Thresholds chosen with benchmarks/radiometry.py, where no real scene exceeds them.
FACTOR_CERTAIN = 20.0  # ratio of the brightest values that no content explains
FACTOR_NEAR = 3.0  # maximum ratio to a known factor
FACTOR_POSSIBLE = 5.0  # minimum ratio for trying factors
EXPLAINED = 0.75  # maximum misfit after undoing a factor or offset, relative to the original misfit
ORDER_MISFIT, ORDER_EXPLAINED = 0.12, 0.35  # minimum misfit for trying band orders, maximum relative misfit after
FLOOR_TOLERANCE = 0.4  # maximum deviation of the darkest values from an offset, relative to it
DECIBEL_MISFIT, DECIBEL_EXPLAINED = 0.12, 0.4  # as for band orders, for factors of decibels
UNLIKE_STD = 10.0  # mean distance in training standard deviations that is a mismatch without a known cause
MILD_STD, MILD_SHARE = 2.0, 0.2  # distance and share of pixels outside training's range that are reported
REFLECTANCE_TOP, LEAST_DIGITAL_TOP = 2.0, 100.0  # brightest values of reflectances and of digital numbers
FILLED_PCT = 1.0  # percentage of pixels at 0 or the largest number in all bands that is reported
ALL_ORDERS_UP_TO = 4  # number of bands up to which all orders are tried; then swaps, reversal and rotations

SATURATION_VALUES, NEAR_TOP = (255, 65535), 0.9
"""Largest numbers of unsigned types, and the share of them from which a value is near them."""


FACTORS = (*(10.0**power for power in (-4, -3, -2, -1, 1, 2, 3, 4)), 1 / 65535, 1 / 255, 1 / 16, 16, 255, 257, 65535)
"""Ratios of common units of reflectance and images."""

DECIBEL_FACTORS = {
    2.0: "twice those of the training scenes: perhaps power read as amplitude",
    0.5: "half those of the training scenes: perhaps amplitude read as power",
    10.0: "ten times those of the training scenes: perhaps scaled to whole numbers",
    100.0: "a hundred times those of the training scenes: perhaps scaled to whole numbers",
    -1.0: "those of the training scenes with the opposite sign",
}
"""Ratios of common encodings of decibels."""

REGULARISATION = 0.02
"""Variance added to each band, in training variances, so that identical bands do not make the covariance singular."""


@dataclass(frozen=True)
class Conversion:
    """Possible error in the bands: value = factor · correct value + offset, then another order of bands."""

    factor: float = 1.0
    offset: float = 0.0
    order: tuple[int, ...] | None = None

    def undone(self, delivered: "Gaussian") -> "Gaussian":
        """Return the bands' distribution with the conversion undone."""
        mean, covariance = (delivered.mean - self.offset) / self.factor, delivered.covariance / self.factor**2
        if self.order is None:
            return Gaussian(mean, covariance)
        order = list(self.order)
        return Gaussian(mean[order], covariance[np.ix_(order, order)])


@dataclass(frozen=True)
class Gaussian:
    """Mean (band,) and covariance (band, band) of the bands' values."""

    mean: FloatArray
    covariance: FloatArray

    @classmethod
    def of(cls, radiometry: SensorRadiometry) -> "Gaussian":
        """Return the Gaussian with a sensor's moments."""
        return cls(np.array(radiometry.mean), np.array(radiometry.covariance))


def misfit(scene: Gaussian, training: Gaussian) -> float:
    """Return the Bhattacharyya distance per band, at least 0."""
    bands = len(training.mean)
    std = np.sqrt(np.diag(training.covariance))
    scale, ridge = np.outer(std, std), REGULARISATION * np.eye(bands)
    ours, theirs = scene.covariance / scale + ridge, training.covariance / scale + ridge
    both, step = (ours + theirs) / 2, (scene.mean - training.mean) / std
    shape = _log_determinant(both) - (_log_determinant(ours) + _log_determinant(theirs)) / 2
    return float(step @ np.linalg.solve(both, step) / 8 + shape / 2) / bands


def _log_determinant(matrix: FloatArray) -> float:
    return float(np.linalg.slogdet(matrix)[1])


def compare(scene: Radiometry, training: TrainingRadiometry) -> dict[Sensor, SensorVerdict]:
    """Return the verdict of each sensor of a scene against the training scenes, without the scene itself."""
    others = training.without(scene.scene)
    sensors: tuple[Sensor, ...] = ("optical", "sar")
    return {sensor: _compare_sensor(scene, others, sensor) for sensor in sensors}


def _compare_sensor(scene: Radiometry, training: Sequence[Radiometry], sensor: Sensor) -> SensorVerdict:
    ours = scene.of_sensor(sensor)
    theirs = [known for other in training if (known := other.of_sensor(sensor)) is not None]
    if ours is None:
        return SensorVerdict(verdict="not compared", reason=f"too few usable pixels in {sensor}")
    if not theirs:
        return SensorVerdict(verdict="not compared", reason=f"no other training scene has {sensor}")
    decibels = sensor == "sar" and scene.sar_scale == "db"
    return compare_bands(ours, theirs, decibels=decibels)


def compare_bands(
    scene: SensorRadiometry, training: Sequence[SensorRadiometry], *, decibels: bool = False
) -> SensorVerdict:
    """Return the verdict of a scene's bands against those of at least one training scene.

    Args:
        scene: the scene's figures.
        training: figures of each training scene; same bands, same units.
        decibels: whether the values are logarithmic; then factors and offsets of reflectance are not tried.
    """
    together = pool(training)
    distance, beyond = _distance_std(scene, together), _beyond_share(scene, together)
    reason = _mismatch_cause(scene, together, training, decibels)
    verdict: RadiometryVerdict = "mismatch" if reason else "match"
    if not reason and (max(distance) > MILD_STD or max(beyond) > MILD_SHARE):
        verdict, reason = "mild", _deviation_text(scene.bands, distance, beyond)
    if not decibels and (filled := _untagged_nodata(scene, training)):
        verdict, reason = max(verdict, "mild", key=SEVERITY.index), "; ".join(filter(None, (filled, reason)))
    return SensorVerdict(verdict=verdict, reason=reason, bands=scene.bands, distance_std=distance, beyond_share=beyond)


def _untagged_nodata(scene: SensorRadiometry, training: Sequence[SensorRadiometry]) -> str:
    """Return a text if many pixels are 0 or the largest number in all bands, unlike in training; otherwise empty."""
    levels = np.array(LEVELS_PCT)
    ours, theirs = np.array(scene.quantiles), np.array([known.quantiles for known in training])
    least, most = levels == FILLED_PCT, levels == 100 - FILLED_PCT
    zero, top = (ours == 0).all(axis=0), (ours == max(scene.ceiling)).all(axis=0)
    if min(scene.floor) == 0 and zero[least] and (theirs[..., least] > 0).all():
        return f"at least {levels[zero].max():.0f} % of the pixels are 0 in all bands, perhaps untagged nodata"
    if (
        max(scene.ceiling) in SATURATION_VALUES
        and top[most]
        and (theirs[..., most] < NEAR_TOP * max(scene.ceiling)).all()
    ):
        share, value = 100 - levels[top].min(), max(scene.ceiling)
        return f"at least {share:.0f} % of the pixels are {value:g} in all bands, saturated or untagged nodata"
    return ""


def _distance_std(scene: SensorRadiometry, training: SensorRadiometry) -> tuple[float, ...]:
    std = _band_std(training)
    return tuple(round(float(step), 3) for step in np.abs(np.subtract(scene.mean, training.mean)) / std)


def _band_std(training: SensorRadiometry) -> FloatArray:
    """Return the bands' standard deviations; 1 for constant bands, as in the network's normalisation."""
    return np.where(standard_deviations(training) > 0, standard_deviations(training), 1.0)


def _beyond_share(scene: SensorRadiometry, training: SensorRadiometry) -> tuple[float, ...]:
    shares = []
    for ours, theirs in zip(scene.quantiles, training.quantiles, strict=True):
        below = np.interp(theirs[0], ours, LEVELS_PCT, left=0.0, right=100.0)
        above = 100.0 - np.interp(theirs[-1], ours, LEVELS_PCT, left=0.0, right=100.0)
        shares.append(round(float(below + above) / 100, 3))
    return tuple(shares)


def _deviation_text(bands: Sequence[str], distance: Sequence[float], beyond: Sequence[float]) -> str:
    worst = int(np.argmax(distance))
    return (
        f"the mean of {bands[worst]} is {distance[worst]:.1f} training standard deviations from the training scenes' "
        f"mean, and {100 * max(beyond):.0f} % of the pixels of {bands[int(np.argmax(beyond))]} are outside their "
        "range: other land cover, season or processing than in training"
    )


def _mismatch_cause(
    scene: SensorRadiometry, training: SensorRadiometry, each: Sequence[SensorRadiometry], decibels: bool
) -> str:
    """Return a text with the likely cause of a mismatch; empty if the values match."""
    if cause := _constant_band(scene, training) or ("" if decibels else _mixed_units(scene, training)):
        return cause
    units = _decibel_faults(scene, training) if decibels else _unit_faults(scene, training, each)
    found = [*units, *_order_faults(scene, training)]
    return min(found, key=lambda explanation: explanation.left).text if found else _distance_cause(scene, training)


@dataclass(frozen=True)
class _Explanation:
    """Possible cause, and the misfit left after undoing it."""

    left: float
    text: str


def _constant_band(scene: SensorRadiometry, training: SensorRadiometry) -> str:
    for band, low, high, std in zip(
        scene.bands, scene.floor, scene.ceiling, standard_deviations(training), strict=True
    ):
        if low == high and std > 0:
            return f"{band} has the value {low:g} in all pixels, but varies in the training scenes"
    return ""


def _mixed_units(scene: SensorRadiometry, training: SensorRadiometry) -> str:
    ours, theirs = _top(scene), _top(training)
    for band, top, known, ceiling in zip(scene.bands, ours, theirs, scene.ceiling, strict=True):
        is_reflectance = top < REFLECTANCE_TOP and ceiling != round(ceiling)
        if is_reflectance and min(known, np.median(ours)) > LEAST_DIGITAL_TOP:
            return (
                f"the maximum of {band} is only {ceiling:.3g}, but the other bands are digital numbers as in the "
                "training scenes: perhaps only some bands have a scale tag"
            )
    return ""


def _unit_faults(
    scene: SensorRadiometry, training: SensorRadiometry, each: Sequence[SensorRadiometry]
) -> Iterator[_Explanation]:
    delivered = misfit(Gaussian.of(scene), _regularised(training))
    for factor in _factors(scene, training):
        left = _remaining_misfit(Conversion(factor=factor), scene, training)
        if max(factor, 1 / factor) >= FACTOR_CERTAIN or left <= EXPLAINED * delivered:
            yield _Explanation(left, _factor_text(factor))
    for offset, reference in _offsets(scene, training, each):
        left = _remaining_misfit(Conversion(offset=offset), scene, training)
        if left <= EXPLAINED * delivered:
            yield _Explanation(left, _offset_text(offset, _darkest(scene), reference))


def _factors(scene: SensorRadiometry, training: SensorRadiometry) -> tuple[float, ...]:
    """Return the known factors near the ratio of the brightest values; empty if the ratio is near 1."""
    ratio = float(np.median(_top(scene) / _top(training)))
    if FACTOR_POSSIBLE > ratio > 1 / FACTOR_POSSIBLE:
        return ()
    near = tuple(known for known in FACTORS if 1 / FACTOR_NEAR < known / ratio < FACTOR_NEAR)
    return near or (ratio,)


def _top(radiometry: SensorRadiometry) -> FloatArray:
    """Return each band's brightest values: the larger absolute value of its 1 % and 99 % quantiles, above 0."""
    ends = [LEVELS_PCT.index(1.0), LEVELS_PCT.index(99.0)]
    top: FloatArray = np.maximum(np.abs(np.array(radiometry.quantiles)[:, ends]).max(axis=1), 1e-12)
    return top


def _factor_text(factor: float) -> str:
    times = f"{factor:,.0f} times larger" if factor > 1 else f"{1 / factor:,.0f} times smaller"
    return (
        f"the values are about {times} than in the training scenes: perhaps another unit (digital numbers or "
        "reflectance), or only some files have scale tags"
    )


def _offsets(
    scene: SensorRadiometry, training: SensorRadiometry, each: Sequence[SensorRadiometry]
) -> Iterator[tuple[float, float]]:
    """Yield Sentinel-2's offset if the darkest values differ by it, with the training scenes' darkest value.

    With the offset, no band has pixels near 0, even in shadow and water.
    """
    top = float(np.median(_top(training)))
    size = 1000.0 if 300 < top < 30_000 else 0.1 if 0.03 < top < 3 else None  # digital numbers, reflectance
    if size is None:
        return
    theirs = [_darkest(known) for known in each]
    for offset, reference in ((size, max(theirs)), (-size, min(theirs))):
        if abs(_darkest(scene) - reference - offset) <= FLOOR_TOLERANCE * size:
            yield offset, reference


def _darkest(radiometry: SensorRadiometry) -> float:
    return min(values[0] for values in radiometry.quantiles)


def _offset_text(offset: float, darkest: float, reference: float) -> str:
    more, whose = ("higher", "the scene's") if offset > 0 else ("lower", "the training scenes'")
    return (
        f"the values are about {abs(offset):,g} {more} than in the training scenes (darkest {darkest:,.4g}, there "
        f"{reference:,.4g}): perhaps {whose} Sentinel-2 offset (processing baseline 04.00 and later) was not removed"
    )


def _decibel_faults(scene: SensorRadiometry, training: SensorRadiometry) -> Iterator[_Explanation]:
    if min(scene.floor) >= 0 and max(training.mean) < 0:
        lowest = min(scene.floor)
        yield _Explanation(
            0.0, f"no value is below 0 dB (minimum {lowest:g}): perhaps linear backscatter read as decibels"
        )
    delivered = misfit(Gaussian.of(scene), _regularised(training))
    for factor, words in DECIBEL_FACTORS.items():
        left = _remaining_misfit(Conversion(factor=factor), scene, training)
        if delivered >= DECIBEL_MISFIT and left <= DECIBEL_EXPLAINED * delivered:
            yield _Explanation(left, f"the decibels are {words}")


def _order_faults(scene: SensorRadiometry, training: SensorRadiometry) -> Iterator[_Explanation]:
    delivered = misfit(Gaussian.of(scene), _regularised(training))
    if delivered < ORDER_MISFIT:
        return
    for order in _orders(len(scene.bands)):
        left = _remaining_misfit(Conversion(order=order), scene, training)
        if left <= ORDER_EXPLAINED * delivered:
            yield _Explanation(left, _order_text(scene.bands, order))


def _order_text(bands: Sequence[str], order: tuple[int, ...]) -> str:
    found = [bands[order.index(position)] for position in range(len(bands))]
    return f"the bands are {', '.join(bands)}, but their values match {', '.join(found)}: perhaps another order"


def _orders(bands: int) -> Iterator[tuple[int, ...]]:
    given = tuple(range(bands))
    if bands <= ALL_ORDERS_UP_TO:
        yield from (order for order in itertools.permutations(given) if order != given)
        return
    yield given[::-1]
    yield given[1:] + given[:1]
    yield given[-1:] + given[:-1]
    for first, second in itertools.combinations(given, 2):
        swapped = list(given)
        swapped[first], swapped[second] = second, first
        yield tuple(swapped)


def _distance_cause(scene: SensorRadiometry, training: SensorRadiometry) -> str:
    steps = np.abs(np.subtract(scene.quantiles, training.quantiles)).mean(axis=1) / _band_std(training)
    if steps.mean() < UNLIKE_STD:
        return ""
    return (
        f"the values are on average {steps.mean():.0f} training standard deviations from those of the training "
        "scenes: perhaps another unit, sensor or processing"
    )


def _remaining_misfit(conversion: Conversion, scene: SensorRadiometry, training: SensorRadiometry) -> float:
    return misfit(conversion.undone(Gaussian.of(scene)), _regularised(training))


def _regularised(training: SensorRadiometry) -> Gaussian:
    """Return training's Gaussian with nonzero variance in every band."""
    gaussian = Gaussian.of(training)
    spread = np.diag(gaussian.covariance)
    return Gaussian(gaussian.mean, gaussian.covariance + np.diag(np.where(spread > 0, 0.0, 1.0)))
