"""Synthetic clouds and shadows on optical bands at a given coverage, for training and tests.

A fractal field is thresholded at the coverage. The height above the threshold is optical thickness, so clouds are
thin at the edges and dense in the centre. Light from one side shades the cloud tops and casts shadows on the ground.
Brightness is relative to the bands' range, in any unit.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import DTypeLike, NDArray

from clairemap.artefacts.statistics import BandStatistics
from clairemap.grid.rounding import ceil_div
from clairemap.tiles.crops import Values
from clairemap.validity import Mask

Field = NDArray[np.float32]

RIM_OPACITY = 0.1
"""Opacity at the edge of the mask; clouds outside the mask are thinner."""

OVERCAST_THICKNESS = 3.0
"""Minimum optical thickness of an overcast sky: it hides 95 % of the ground's contrast."""

BRIGHTEST_CLOUD_SHARE = 0.92
"""Maximum cloud brightness, as a share of the largest possible value: avoids saturated tops."""

BAND_BRIGHTNESS_STD = 0.012
"""Relative standard deviation of cloud brightness between bands."""

RELIEF_PX = 4
"""Distance for the slope of cloud tops in the shading."""


@dataclass(frozen=True)
class BandRange:
    """Dark ground and bright ground of each band and the largest possible value, in the bands' unit."""

    dark: tuple[float, ...]
    bright: tuple[float, ...]
    ceiling: float

    @classmethod
    def of(cls, statistics: BandStatistics, dtype: DTypeLike) -> "BandRange":
        """Return the range of bands from their statistics and stored type; an integer type's maximum is the ceiling."""
        spans = (
            max(high - low, std) for low, high, std in zip(statistics.p02, statistics.p98, statistics.std, strict=True)
        )
        bright = tuple(low + span for low, span in zip(statistics.p02, spans, strict=True))
        stored = np.dtype(dtype)
        return cls(statistics.p02, bright, float(np.iinfo(stored).max) if stored.kind in "iu" else math.inf)


@dataclass(frozen=True)
class CloudyBands:
    """Optical bands (band, y, x) with clouds, and the mask (y, x) of pixels under cloud or in shadow."""

    optical: Values
    mask: Mask


@dataclass(frozen=True)
class _Sky:
    """Parameters of the clouds and the light.

    `grain_px`: spacing of the coarsest noise; `roughness`: amplitude ratio of successive octaves; `density`: optical
    thickness per standard deviation of the field; `whiteness`: cloud brightness relative to bright minus dark ground;
    `relief`: contrast of the cloud tops; `shade`: share of light removed by shadows; `shadow_px`: offset of shadows
    (down, right).
    """

    grain_px: float
    roughness: float
    density: float
    whiteness: float
    relief: float
    shade: float
    shadow_px: tuple[int, int]

    @classmethod
    def sample(cls, random: np.random.Generator) -> "_Sky":
        """Return a random sky."""
        grain_px = 2 ** random.uniform(3.5, 6)
        away_px = grain_px * random.uniform(0.4, 1.2)
        azimuth = random.uniform(0, 2 * math.pi)
        return cls(
            grain_px=grain_px,
            roughness=random.uniform(0.4, 0.52),
            density=2 ** random.uniform(0, 1.8),
            whiteness=random.uniform(1.2, 2.4),
            relief=random.uniform(0.03, 0.09),
            shade=random.uniform(0.45, 0.8),
            shadow_px=(round(away_px * math.sin(azimuth)), round(away_px * math.cos(azimuth))),
        )


@dataclass(frozen=True)
class _Air:
    """Opacity of clouds, share of light removed by shadows, and light on the cloud tops, for each pixel (y, x)."""

    clouds: Field
    shade: Field
    light: Field


def paint_clouds(optical: Values, scale: BandRange, coverage: float, random: np.random.Generator) -> CloudyBands:
    """Return the bands with clouds; clouds and shadows cover the given share of the pixels.

    The share is exact to one pixel except for ties. 1 is an overcast sky without gaps, 0 leaves the bands unchanged.
    Outside the mask, clouds and shadows each remove less than `RIM_OPACITY` of the light. NaN pixels stay NaN, and no
    others become NaN. Equal generators give equal clouds for any bands. Memory: a copy of the bands, and about eight
    more bands.

    Args:
        optical: bands (band, y, x), any unit.
        scale: range of the bands.
        coverage: share of the pixels under clouds and shadows, 0..1.
        random: generator for type, size, position and light of the clouds.

    Raises:
        ValueError: the coverage is outside 0..1, or `scale` has another number of bands.
    """
    if not 0 <= coverage <= 1:
        raise ValueError(f"coverage {coverage} is outside 0..1")
    if len(optical) != len(scale.dark):
        raise ValueError(f"{len(optical)} bands, but scale has {len(scale.dark)}")
    height, width = optical.shape[-2:]
    if coverage == 0 or not height * width:
        return CloudyBands(optical, np.zeros((height, width), np.bool_))
    sky = _Sky.sample(random)
    above, casting, crest = _fields((height, width), sky, random)
    mask, level = _threshold(np.maximum(above, casting), coverage)
    clouds = _opacity(above - level, sky.density)
    if coverage == 1:  # also cover gaps that only shadows fill
        np.maximum(clouds, np.float32(1 - math.exp(-OVERCAST_THICKNESS)), out=clouds)
    shade = _opacity(casting - level, sky.density) * np.float32(sky.shade)
    air = _Air(clouds, shade, 1 + np.float32(sky.relief) * crest)
    whites = sky.whiteness * random.normal(1, BAND_BRIGHTNESS_STD, len(optical))
    out = np.empty(optical.shape, np.float32)
    for index, white in enumerate(whites):
        out[index] = _clouded_band(optical[index], air, scale, index, float(white))
    return CloudyBands(out, mask)


def _fields(shape: tuple[int, int], sky: _Sky, random: np.random.Generator) -> tuple[Field, Field, Field]:
    """Return the field above each pixel, the field that shadows it, and the slope of the tops towards the sun.

    The first two have a standard deviation of 1, the third of about 1.
    """
    down, right = sky.shadow_px
    distance = math.hypot(down, right)
    crest = round(RELIEF_PX * down / distance), round(RELIEF_PX * right / distance)
    reach = tuple(abs(shadow) + abs(step) for shadow, step in zip(sky.shadow_px, crest, strict=True))
    field = _fractal((shape[0] + reach[0], shape[1] + reach[1]), sky, random)

    def seen(offset: tuple[int, int]) -> Field:
        """Return the window of the field at `offset` (down, right) from the pixels."""
        top, left = (
            (margin if shadow > 0 else 0) + step
            for margin, shadow, step in zip(reach, sky.shadow_px, offset, strict=True)
        )
        return field[top : top + shape[0], left : left + shape[1]]

    above = seen((0, 0))
    spread = np.float32(1 / max(float(above.std()), 1e-6))
    rise = seen((-crest[0], -crest[1])) - above
    rise *= np.float32(-1 / max(float(rise.std()), 1e-6))
    return above * spread, seen((-down, -right)) * spread, np.clip(rise, -2, 2)


def _fractal(shape: tuple[int, int], sky: _Sky, random: np.random.Generator) -> Field:
    """Return noise (y, x) with detail from `grain_px` down to 2 px.

    Each octave doubles the resolution by Chaikin's subdivision, which converges to a quadratic B-spline: smooth and
    without visible lattice, at four additions per pixel.
    """
    octaves = max(1, round(math.log2(sky.grain_px)))
    sizes = [shape]
    for _ in range(octaves):
        sizes.append((ceil_div(sizes[-1][0], 2) + 1, ceil_div(sizes[-1][1], 2) + 1))
    field = random.standard_normal(sizes[-1], np.float32)
    weight = 1.0
    for rows, columns in sizes[-2::-1]:
        field = _upsampled_rows(_upsampled_rows(field, rows).T, columns).T
        weight *= sky.roughness
        if (rows, columns) != shape:
            field += np.float32(weight) * random.standard_normal((rows, columns), np.float32)
    return field


def _upsampled_rows(field: Field, rows: int) -> Field:
    """Return the field at twice the resolution along y, cropped to `rows`."""
    near, far = field[:-1], field[1:]
    step = (far - near) * np.float32(0.25)
    out = np.empty((2 * len(near), field.shape[1]), np.float32)
    np.add(near, step, out=out[0::2])
    np.subtract(far, step, out=out[1::2])
    return out[:rows]


def _threshold(field: Field, coverage: float) -> tuple[Mask, np.float32]:
    """Return the mask of the highest `coverage` of the pixels, and its threshold."""
    rank = min(round((1 - coverage) * field.size), field.size - 1)
    level = np.partition(field, rank, axis=None)[rank]
    return field >= level, level


def _opacity(height: Field, density: float) -> Field:
    """Return the share of light removed (Beer-Lambert law); RIM_OPACITY at height 0, 0 well below."""
    thickness: Field = height * np.float32(density)
    thickness -= np.float32(math.log(1 - RIM_OPACITY))
    np.maximum(thickness, 0, out=thickness)
    np.negative(thickness, out=thickness)
    np.expm1(thickness, out=thickness)
    np.negative(thickness, out=thickness)
    return thickness


def _clouded_band(ground: Field, air: _Air, scale: BandRange, band: int, white: float) -> Field:
    """Return one band with shadows, which darken the ground towards dark ground, and clouds of the given whiteness."""
    dark = np.float32(scale.dark[band])
    span = scale.bright[band] - scale.dark[band]
    lit = np.float32(min(white * span, BRIGHTEST_CLOUD_SHARE * scale.ceiling - scale.dark[band]))
    shaded: Field = np.maximum(ground - dark, 0)
    shaded *= air.shade
    np.subtract(ground, shaded, out=shaded)
    tops = air.light * lit
    tops += dark
    np.minimum(tops, np.float32(scale.ceiling), out=tops)
    tops -= shaded
    tops *= air.clouds
    shaded += tops
    return shaded
