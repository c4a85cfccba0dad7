"""What is done to training crops: holes of nodata, clouds and shadows, speckle, displaced SAR, gain.

All is drawn beforehand, crop by crop, and each thing from random numbers of its own: switching one on or off leaves
the others as they were. Validation and mapping see the stores' values as they are.
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

COVERAGES = (0.1, 1.5)
"""Coverages are drawn evenly between these; what is above 1, more than a third of them, is overcast."""

HOLE_SENSORS: tuple[tuple[Sensor, ...], ...] = (("optical", "sar"), ("optical", "sar"), ("optical",), ("sar",))
"""The sensors in which a crop has holes, each of these as likely as any other: at the same pixels if in both."""


class Stream(IntEnum):
    """The independent sequences of random numbers that a crop has besides that of its place."""

    CHOICE = 1
    CLOUDS = 2
    SPECKLE = 3
    GAIN = 4
    HOLES = 5


@dataclass(frozen=True)
class CloudCover:
    """Clouds to paint: their coverage (0..1], and whether the network is given their mask or has to see them."""

    coverage: float
    mask_is_given: bool


@dataclass(frozen=True)
class Disturbance:
    """What is done to one crop's values, as drawn; the details follow from `seed`, the run's and the crop's number."""

    seed: tuple[int, int]
    clouds: CloudCover | None = None
    speckle_looks: float | None = None
    sar_offset: SarOffset = NO_OFFSET
    gain: float = 0.0
    holes_in: tuple[Sensor, ...] = ()

    @classmethod
    def sample(cls, settings: AugmentationSettings, seed: tuple[int, int]) -> "Disturbance":
        """Return the disturbance of the crop with that seed (the run's, the crop's number)."""
        # Every number is drawn for every crop, so that one setting doesn't change what the others draw.
        cloudy, given, coverage, speckled, down, right, holey, which = cls(seed).random(Stream.CHOICE).random(8)
        low, high = COVERAGES
        cover = CloudCover(min(1.0, low + (high - low) * coverage), bool(given < settings.cloud_mask_known))
        return cls(
            seed,
            cover if cloudy < settings.clouds else None,
            settings.speckle_looks if speckled < settings.speckle else None,
            SarOffset(_displacement(down, settings.sar_jitter_px), _displacement(right, settings.sar_jitter_px)),
            settings.gain,
            HOLE_SENSORS[int(which * len(HOLE_SENSORS))] if holey < settings.holes else (),
        )

    def random(self, stream: Stream) -> np.random.Generator:
        """Return the crop's random numbers for one purpose, always from their start."""
        return np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=(stream,)))

    def optical_only(self) -> "Disturbance":
        """Return what of it concerns a crop of which SAR is not looked at."""
        return replace(self, speckle_looks=None, sar_offset=NO_OFFSET, holes_in=self._holes_of("optical"))

    def sar_only(self) -> "Disturbance":
        """Return what of it concerns a crop of which optical is not looked at."""
        return replace(self, clouds=None, sar_offset=NO_OFFSET, holes_in=self._holes_of("sar"))

    def _holes_of(self, sensor: Sensor) -> tuple[Sensor, ...]:
        return (sensor,) if sensor in self.holes_in else ()


def _displacement(chance: float, largest_px: int) -> int:
    """Return whole pixels, each of -`largest_px` to `largest_px` as likely as any other.

    Not fractions: resampling once more smooths speckle, and the network would train on another texture than it maps.
    """
    return int(chance * (2 * largest_px + 1)) - largest_px


def with_disturbance(
    crop: Crop, disturbance: Disturbance, dropped: Sensor | None, statistics: TrainingStatistics, scale: BandRange
) -> Crop:
    """Return the crop with its values changed, nodata cut in and the sensor dropped, as long as ground is still seen.

    SAR is displaced already, where the crop was read. Holes come first: what hides the rest of the ground is left out.
    Speckle and clouds come before the gain, which is the sensor's.

    Args:
        crop: with the store's values, of the sensors that are looked at.
        disturbance: as drawn, limited to those sensors.
        dropped: the sensor to mask out; with clouds, it is SAR or none.
        statistics: of the training tiles.
        scale: of the optical bands as stored.
    """
    if disturbance.holes_in:
        cut = sample_holes(crop.target.shape, disturbance.random(Stream.HOLES))
        crop = mask_holes_if_labelled(crop, disturbance.holes_in, cut)
    if disturbance.speckle_looks is not None:
        random = disturbance.random(Stream.SPECKLE)
        crop = with_speckle(crop, disturbance.speckle_looks, statistics, random)
    if disturbance.clouds is None:
        crop = drop_sensor_if_labelled(crop, dropped)
    else:
        crop = with_clouds(crop, disturbance.clouds, dropped, scale, disturbance.random(Stream.CLOUDS))
    if disturbance.gain:
        crop = with_gain_jitter(crop, disturbance.gain, statistics, disturbance.random(Stream.GAIN))
    return crop


def with_clouds(
    crop: Crop, clouds: CloudCover, dropped: Sensor | None, scale: BandRange, random: np.random.Generator
) -> Crop:
    """Return the crop under clouds, and without SAR if that is dropped and gaps are left to learn from.

    Where the mask is given, optical weighs nothing under clouds and shadows, and what only it saw has nothing to
    learn. Where it is withheld, weights and target stay. If nobody would see labelled ground any more, which a
    withheld mask only conceals, SAR is not dropped; and if that doesn't help, no clouds are painted.
    """
    sky = paint_clouds(crop.optical, scale, clouds.coverage, random)
    concealed = replace(crop, optical=sky.optical)
    masked = mask_clouds(concealed, sky.mask)
    if not masked.has_labels:
        return drop_sensor_if_labelled(crop, dropped)
    shown = masked if clouds.mask_is_given else concealed
    return drop_sensor(shown, "sar") if dropped == "sar" and drop_sensor(masked, "sar").has_labels else shown


def with_speckle(crop: Crop, looks: float, statistics: TrainingStatistics, random: np.random.Generator) -> Crop:
    """Return the crop with further speckle of so many looks on its SAR bands, independent from pixel to pixel.

    Digital numbers are taken for amplitude, and get no larger than the largest of their band in the crop or its 98th
    percentile: an 8-bit picture has no value beyond its white.
    """
    if statistics.sar_scale == "db":
        return replace(crop, sar=speckled_db(crop.sar, looks, random))
    seen = crop.sar_weight > 0
    largest = np.max(crop.sar, axis=(-2, -1), keepdims=True, where=seen, initial=-np.inf)
    white = np.maximum(largest, _band_column(statistics.sar.p98))
    return replace(crop, sar=np.minimum(speckled_amplitude(crop.sar, looks, random), white))


def with_gain_jitter(crop: Crop, gain: float, statistics: TrainingStatistics, random: np.random.Generator) -> Crop:
    """Return the crop with each band's contrast and brightness changed, by up to `gain` times itself and its deviation.

    For uncalibrated 8-bit pictures, which are stretched scene by scene. Not for reflectance and backscatter in dB: a
    brighter copy of those is other ground.
    """
    return replace(
        crop,
        optical=_with_contrast_and_brightness(crop.optical, gain, statistics.optical, random),
        sar=_with_contrast_and_brightness(crop.sar, gain, statistics.sar, random),
    )


def _with_contrast_and_brightness(
    values: Values, gain: float, statistics: BandStatistics, random: np.random.Generator
) -> Values:
    mean, std = _band_column(statistics.mean), _band_column(statistics.std)
    contrast, brightness = random.uniform(-gain, gain, (2, len(values), 1, 1)).astype(np.float32)
    out: Values = (values - mean) * (1 + contrast) + (mean + brightness * std)
    return out


def _band_column(numbers: tuple[float, ...]) -> Values:
    return np.array(numbers, np.float32)[:, None, None]
