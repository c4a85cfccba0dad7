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
from clairemap.tiles.augmentation import cloud_masked, holed_if_labels_stay, without, without_if_others_see
from clairemap.tiles.clouds import BandRange, painted
from clairemap.tiles.crops import AS_REGISTERED, Crop, Offset, Values
from clairemap.tiles.holes import holes

COVERAGES = (0.1, 1.5)
"""Coverages are drawn evenly between these; what is above 1, more than a third of them, is overcast."""

HOLED: tuple[tuple[Sensor, ...], ...] = (("optical", "sar"), ("optical", "sar"), ("optical",), ("sar",))
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
    sar_offset: Offset = AS_REGISTERED
    gain: float = 0.0
    holed: tuple[Sensor, ...] = ()

    @classmethod
    def drawn(cls, settings: AugmentationSettings, seed: tuple[int, int]) -> "Disturbance":
        """Return the disturbance of the crop with that seed (the run's, the crop's number)."""
        # Every number is drawn for every crop, so that one setting doesn't change what the others draw.
        cloudy, given, coverage, speckled, down, right, holey, which = cls(seed).random(Stream.CHOICE).random(8)
        low, high = COVERAGES
        cover = CloudCover(min(1.0, low + (high - low) * coverage), bool(given < settings.cloud_mask_known))
        return cls(
            seed,
            cover if cloudy < settings.clouds else None,
            settings.speckle_looks if speckled < settings.speckle else None,
            Offset(_displacement(down, settings.sar_jitter_px), _displacement(right, settings.sar_jitter_px)),
            settings.gain,
            HOLED[int(which * len(HOLED))] if holey < settings.holes else (),
        )

    def random(self, stream: Stream) -> np.random.Generator:
        """Return the crop's random numbers for one purpose, always from their start."""
        return np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=(stream,)))

    def of_optical(self) -> "Disturbance":
        """Return what of it concerns a crop of which SAR is not looked at."""
        return replace(self, speckle_looks=None, sar_offset=AS_REGISTERED, holed=self._holed_of("optical"))

    def of_sar(self) -> "Disturbance":
        """Return what of it concerns a crop of which optical is not looked at."""
        return replace(self, clouds=None, sar_offset=AS_REGISTERED, holed=self._holed_of("sar"))

    def _holed_of(self, sensor: Sensor) -> tuple[Sensor, ...]:
        return (sensor,) if sensor in self.holed else ()


def _displacement(chance: float, largest_px: int) -> int:
    """Return whole pixels, each of -`largest_px` to `largest_px` as likely as any other.

    Not fractions: resampling once more smooths speckle, and the network would train on another texture than it maps.
    """
    return int(chance * (2 * largest_px + 1)) - largest_px


def disturbed(
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
    if disturbance.holed:
        cut = holes(crop.target.shape, disturbance.random(Stream.HOLES))
        crop = holed_if_labels_stay(crop, disturbance.holed, cut)
    if disturbance.speckle_looks is not None:
        random = disturbance.random(Stream.SPECKLE)
        crop = speckled(crop, disturbance.speckle_looks, statistics, random)
    if disturbance.clouds is None:
        crop = without_if_others_see(crop, dropped)
    else:
        crop = clouded(crop, disturbance.clouds, dropped, scale, disturbance.random(Stream.CLOUDS))
    return regained(crop, disturbance.gain, statistics, disturbance.random(Stream.GAIN)) if disturbance.gain else crop


def clouded(
    crop: Crop, clouds: CloudCover, dropped: Sensor | None, scale: BandRange, random: np.random.Generator
) -> Crop:
    """Return the crop under clouds, and without SAR if that is dropped and gaps are left to learn from.

    Where the mask is given, optical weighs nothing under clouds and shadows, and what only it saw has nothing to
    learn. Where it is withheld, weights and target stay. If nobody would see labelled ground any more, which a
    withheld mask only conceals, SAR is not dropped; and if that doesn't help, no clouds are painted.
    """
    sky = painted(crop.optical, scale, clouds.coverage, random)
    concealed = replace(crop, optical=sky.optical)
    masked = cloud_masked(concealed, sky.mask)
    if not masked.has_labels:
        return without_if_others_see(crop, dropped)
    shown = masked if clouds.mask_is_given else concealed
    return without(shown, "sar") if dropped == "sar" and without(masked, "sar").has_labels else shown


def speckled(crop: Crop, looks: float, statistics: TrainingStatistics, random: np.random.Generator) -> Crop:
    """Return the crop with further speckle of so many looks on its SAR bands, independent from pixel to pixel.

    Digital numbers are taken for amplitude, and get no larger than the largest of their band in the crop or its 98th
    percentile: an 8-bit picture has no value beyond its white.
    """
    if statistics.sar_scale == "db":
        return replace(crop, sar=speckled_db(crop.sar, looks, random))
    seen = crop.sar_weight > 0
    largest = np.max(crop.sar, axis=(-2, -1), keepdims=True, where=seen, initial=-np.inf)
    white = np.maximum(largest, _per_band(statistics.sar.p98))
    return replace(crop, sar=np.minimum(speckled_amplitude(crop.sar, looks, random), white))


def regained(crop: Crop, gain: float, statistics: TrainingStatistics, random: np.random.Generator) -> Crop:
    """Return the crop with each band's contrast and brightness changed, by up to `gain` times itself and its deviation.

    For uncalibrated 8-bit pictures, which are stretched scene by scene. Not for reflectance and backscatter in dB: a
    brighter copy of those is other ground.
    """
    return replace(
        crop,
        optical=_stretched(crop.optical, gain, statistics.optical, random),
        sar=_stretched(crop.sar, gain, statistics.sar, random),
    )


def _stretched(values: Values, gain: float, statistics: BandStatistics, random: np.random.Generator) -> Values:
    mean, std = _per_band(statistics.mean), _per_band(statistics.std)
    contrast, brightness = random.uniform(-gain, gain, (2, len(values), 1, 1)).astype(np.float32)
    out: Values = (values - mean) * (1 + contrast) + (mean + brightness * std)
    return out


def _per_band(numbers: tuple[float, ...]) -> Values:
    return np.array(numbers, np.float32)[:, None, None]
