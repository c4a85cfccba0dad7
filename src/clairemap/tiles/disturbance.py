"""Augmentation of training crops' values: nodata holes, clouds and shadows, speckle, displaced SAR, gains.

Everything is drawn per crop, with independent random numbers for each kind: switching one kind on or off does not
change the others. Validation and mapping use the store's values unchanged.
"""

from dataclasses import dataclass, replace
from enum import IntEnum

import numpy as np

from clairemap.artefacts.statistics import BandStatistics, TrainingStatistics
from clairemap.sar.speckle import speckled_amplitude, speckled_db
from clairemap.settings import AugmentationSettings, Sensor
from clairemap.tiles.augmentation import drop_sensor, drop_sensor_if_labelled, mask_clouds, mask_holes_if_labelled
from clairemap.tiles.clouds import BandRange, paint_clouds
from clairemap.tiles.crops import NO_OFFSET, Crop, SarOffset, Values
from clairemap.tiles.holes import sample_holes
from clairemap.tiles.matching import SceneMatch
from clairemap.tiles.misleading import mislead, with_misleading
from clairemap.tiles.stretch import band_column, stretched

COVERAGES = (0.1, 1.5)
"""Range of the uniform draw of cloud coverage; values above 1, more than a third, are overcast."""

HOLE_SENSORS: tuple[tuple[Sensor, ...], ...] = (("optical", "sar"), ("optical", "sar"), ("optical",), ("sar",))
"""Sensors with holes in a crop, drawn uniformly; with both, the holes are at the same pixels."""


BAND_SHARE = 0.2
"""Change of contrast and brightness of a single band, relative to that of all bands of its sensor."""


class Stream(IntEnum):
    """Independent random streams of a crop, in addition to that of its position."""

    CHOICE = 1
    CLOUDS = 2
    SPECKLE = 3
    OPTICAL_GAIN = 4
    HOLES = 5
    SAR_GAIN = 6
    MISLEADING = 7


@dataclass(frozen=True)
class CloudCover:
    """Clouds to paint: coverage (0..1], and whether their mask is given to the network."""

    coverage: float
    mask_is_given: bool


@dataclass(frozen=True)
class Disturbance:
    """Disturbance of one crop as drawn; the details follow from `seed` (seed of the run, number of the crop)."""

    seed: tuple[int, int]
    clouds: CloudCover | None = None
    speckle_looks: float | None = None
    sar_offset: SarOffset = NO_OFFSET
    optical_gain: float = 0.0
    sar_gain: float = 0.0
    holes_in: tuple[Sensor, ...] = ()
    misleading: Sensor | None = None

    @classmethod
    def sample(cls, settings: AugmentationSettings, seed: tuple[int, int]) -> "Disturbance":
        """Return the disturbance of the crop with that seed."""
        # Every number is drawn for every crop, so that settings do not change each other's draws.
        draws = cls(seed).random(Stream.CHOICE).random(10)
        cloudy, given, coverage, speckled, down, right, holey, which, misleading, of_sensor = draws
        misled: Sensor = "optical" if of_sensor < 0.5 else "sar"
        low, high = COVERAGES
        cover = CloudCover(min(1.0, low + (high - low) * coverage), bool(given < settings.cloud_mask_known))
        return cls(
            seed,
            cover if cloudy < settings.clouds else None,
            settings.speckle_looks if speckled < settings.speckle else None,
            SarOffset(_displacement(down, settings.sar_jitter_px), _displacement(right, settings.sar_jitter_px)),
            settings.optical_gain,
            settings.sar_gain,
            HOLE_SENSORS[int(which * len(HOLE_SENSORS))] if holey < settings.holes else (),
            misled if misleading < settings.misleading else None,
        )

    def random(self, stream: Stream) -> np.random.Generator:
        """Return a new generator for one stream of the crop."""
        return np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=(stream,)))

    def optical_only(self) -> "Disturbance":
        """Return the disturbance without its SAR part."""
        holes_in = self._holes_of("optical")
        calm = replace(self, speckle_looks=None, sar_offset=NO_OFFSET, sar_gain=0.0, misleading=None)
        return replace(calm, holes_in=holes_in)

    def sar_only(self) -> "Disturbance":
        """Return the disturbance without its optical part."""
        holes_in = self._holes_of("sar")
        calm = replace(self, clouds=None, sar_offset=NO_OFFSET, optical_gain=0.0, misleading=None)
        return replace(calm, holes_in=holes_in)

    def _holes_of(self, sensor: Sensor) -> tuple[Sensor, ...]:
        return (sensor,) if sensor in self.holes_in else ()


def _displacement(chance: float, largest_px: int) -> int:
    """Return a whole number of pixels, uniform in -`largest_px`..`largest_px`.

    Fractions would need resampling, which smooths speckle: the network would train on another texture than it maps.
    """
    return int(chance * (2 * largest_px + 1)) - largest_px


def with_disturbance(
    crop: Crop,
    disturbance: Disturbance,
    dropped: Sensor | None,
    statistics: TrainingStatistics,
    scale: BandRange,
    match: SceneMatch | None = None,
) -> Crop:
    """Return the crop with the disturbance and without the dropped sensor.

    Holes, clouds and dropping are skipped where no label would remain. Displacement of SAR is already done in
    `read_crop`. Holes come first. Speckle comes before the match, since it depends on the stored values. Speckle and
    clouds come before gain, which models the sensor. No sensor misleads if the other is dropped.

    Args:
        crop: the store's values of the sensors in use.
        disturbance: as drawn, limited to those sensors.
        dropped: the sensor to mask out; with clouds, SAR or None.
        statistics: statistics of the training tiles.
        scale: range of the optical bands as stored.
        match: match of the scene to the training tiles, if it is normalised by its own moments.
    """
    if disturbance.holes_in:
        cut = sample_holes(crop.target.shape, disturbance.random(Stream.HOLES))
        crop = mask_holes_if_labelled(crop, disturbance.holes_in, cut)
    if disturbance.speckle_looks is not None:
        random = disturbance.random(Stream.SPECKLE)
        crop = with_speckle(crop, disturbance.speckle_looks, statistics, random)
    if match is not None:
        crop = match(crop)
    if disturbance.clouds is None:
        crop = drop_sensor_if_labelled(crop, dropped)
    else:
        crop = with_clouds(crop, disturbance.clouds, dropped, scale, disturbance.random(Stream.CLOUDS))
    if disturbance.optical_gain:
        random = disturbance.random(Stream.OPTICAL_GAIN)
        crop = replace(crop, optical=with_gain(crop.optical, disturbance.optical_gain, statistics.optical, random))
    if disturbance.sar_gain:
        random = disturbance.random(Stream.SAR_GAIN)
        crop = replace(crop, sar=with_gain(crop.sar, disturbance.sar_gain, statistics.sar, random))
    if disturbance.misleading is not None and dropped is None:
        crop = with_misleading(crop, disturbance.misleading, statistics, disturbance.random(Stream.MISLEADING))
    return crop


def with_clouds(
    crop: Crop, clouds: CloudCover, dropped: Sensor | None, scale: BandRange, random: np.random.Generator
) -> Crop:
    """Return the crop with clouds, and without SAR if it is dropped and labels remain.

    With a given mask, optical has weight 0 under clouds and shadows, and pixels that only optical sees lose their
    target. Otherwise weights and target do not change, and optical misleads there. If no labelled pixel outside the
    clouds would remain, SAR is not dropped; if none remains even with SAR, no clouds are painted.
    """
    sky = paint_clouds(crop.optical, scale, clouds.coverage, random)
    concealed = replace(crop, optical=sky.optical)
    masked = mask_clouds(concealed, sky.mask)
    if not masked.has_labels:
        return drop_sensor_if_labelled(crop, dropped)
    shown = masked if clouds.mask_is_given else mislead(concealed, "optical", sky.mask)
    return drop_sensor(shown, "sar") if dropped == "sar" and drop_sensor(masked, "sar").has_labels else shown


def with_speckle(crop: Crop, looks: float, statistics: TrainingStatistics, random: np.random.Generator) -> Crop:
    """Return the crop with additional speckle of `looks` looks on its SAR bands, independent per pixel.

    Digital numbers are treated as amplitude and clipped to the larger of the band's maximum in the crop and its 98th
    percentile: an 8-bit image has no values above its white.
    """
    if statistics.sar_scale == "db":
        return replace(crop, sar=speckled_db(crop.sar, looks, random))
    usable = crop.sar_weight > 0
    largest = np.max(crop.sar, axis=(-2, -1), keepdims=True, where=usable, initial=-np.inf)
    white = np.maximum(largest, band_column(statistics.sar.p98))
    return replace(crop, sar=np.minimum(speckled_amplitude(crop.sar, looks, random), white))


def with_gain(values: Values, gain: float, statistics: BandStatistics, random: np.random.Generator) -> Values:
    """Return a sensor's bands with random contrast and brightness, as after another stretch of the whole image.

    Contrast is multiplied by e^u, brightness changes by v standard deviations, with u and v uniform in ±`gain`. Each
    band deviates from that by `BAND_SHARE` of such a draw of its own, so ratios of bands change little. For
    uncalibrated images, which are stretched per scene. Not for reflectance or backscatter in dB, where brightness
    identifies the ground.
    """
    common, own = random.uniform(-gain, gain, 2), BAND_SHARE * random.uniform(-gain, gain, (2, len(values)))
    contrast, brightness = (common[:, None] + own).astype(np.float32)[..., None, None]
    return stretched(values, np.exp(contrast), brightness, statistics)
