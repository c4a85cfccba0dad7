"""Clouds and their shadows, painted onto optical bands at a wanted coverage: to train with, and to test with.

A fractal field is cut at the level that leaves the coverage; what rises above it is optical thickness, so that edges
are thin and hearts are dense. Light falls in from one side: it models the tops, and throws the clouds' shadows on the
ground on the other. Brightness is told in terms of the bands' own range, whatever their unit.
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
"""Opacity at which the mask begins; the veil beyond is fainter."""

OVERCAST_THICKNESS = 3.0
"""Least optical thickness of a sky without gaps: it hides 95 % of the ground's contrast."""

BRIGHTEST_CLOUD_SHARE = 0.92
"""Brightest cloud as a share of the largest value possible: its tops aren't cut flat."""

BAND_BRIGHTNESS_STD = 0.012
"""Deviation of the clouds' brightness from band to band, as a share of it."""

RELIEF_PX = 4
"""Distance over which the clouds' tops are modelled by light."""


@dataclass(frozen=True)
class BandRange:
    """Dark ground, bright ground and the largest value possible, band by band, in the bands' own unit."""

    dark: tuple[float, ...]
    bright: tuple[float, ...]
    ceiling: float

    @classmethod
    def of(cls, statistics: BandStatistics, dtype: DTypeLike) -> "BandRange":
        """Return the range of bands of those statistics, as stored with that type: integers end where the type does."""
        spans = (
            max(high - low, std) for low, high, std in zip(statistics.p02, statistics.p98, statistics.std, strict=True)
        )
        bright = tuple(low + span for low, span in zip(statistics.p02, spans, strict=True))
        stored = np.dtype(dtype)
        return cls(statistics.p02, bright, float(np.iinfo(stored).max) if stored.kind in "iu" else math.inf)


@dataclass(frozen=True)
class CloudyBands:
    """Optical bands (band, y, x) under clouds, and the mask (y, x) of the pixels under cloud or in its shadow."""

    optical: Values
    mask: Mask


@dataclass(frozen=True)
class _Sky:
    """One kind of clouds and one light.

    `grain_px` is the spacing of the coarsest noise, `roughness` how much of it each finer octave has, `density` the
    optical thickness for each deviation of the field above its level, `whiteness` the clouds' brightness in terms of
    bright ground above dark ground, `relief` the modelling of their tops, `shade` the light that shadows take away,
    `shadow_px` (down, right) where they fall.
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
    """What lies above each pixel (y, x): the clouds' opacity, light taken away by shadows, light on the tops."""

    clouds: Field
    shade: Field
    light: Field


def paint_clouds(optical: Values, scale: BandRange, coverage: float, random: np.random.Generator) -> CloudyBands:
    """Return the bands under clouds, which with their shadows cover a share of the pixels.

    The share is met to a pixel but for ties; 1 is an overcast sky without a gap, 0 leaves the bands as they are. Off
    the mask, clouds stop less than `RIM_OPACITY` of the light from the ground, and shadows less than that of the light
    on it. A pixel that is NaN stays so, and no other becomes it. Equal generators paint equal clouds, whatever the
    bands. Memory: the bands again and about eight more.

    Args:
        optical: bands (band, y, x), any unit.
        scale: of those bands.
        coverage: share of the pixels under clouds and shadows, 0..1.
        random: draws kind, size, place and light of the clouds.

    Raises:
        ValueError: the coverage is no share, or bands and scale are not of one number.
    """
    if not 0 <= coverage <= 1:
        raise ValueError(f"a coverage of {coverage} is no share; give one of 0..1")
    if len(optical) != len(scale.dark):
        raise ValueError(f"{len(optical)} bands, but the scale is of {len(scale.dark)}")
    height, width = optical.shape[-2:]
    if coverage == 0 or not height * width:
        return CloudyBands(optical, np.zeros((height, width), np.bool_))
    sky = _Sky.sample(random)
    above, casting, crest = _fields((height, width), sky, random)
    mask, level = _threshold(np.maximum(above, casting), coverage)
    clouds = _opacity(above - level, sky.density)
    if coverage == 1:  # where shadows alone would close the gaps
        np.maximum(clouds, np.float32(1 - math.exp(-OVERCAST_THICKNESS)), out=clouds)
    shade = _opacity(casting - level, sky.density) * np.float32(sky.shade)
    air = _Air(clouds, shade, 1 + np.float32(sky.relief) * crest)
    whites = sky.whiteness * random.normal(1, BAND_BRIGHTNESS_STD, len(optical))
    out = np.empty(optical.shape, np.float32)
    for index, white in enumerate(whites):
        out[index] = _clouded_band(optical[index], air, scale, index, float(white))
    return CloudyBands(out, mask)


def _fields(shape: tuple[int, int], sky: _Sky, random: np.random.Generator) -> tuple[Field, Field, Field]:
    """Return the field above each pixel, that between it and the sun, and the crests' rise towards the sun.

    The first two have unit deviation, the third has one of about 1.
    """
    down, right = sky.shadow_px
    distance = math.hypot(down, right)
    crest = round(RELIEF_PX * down / distance), round(RELIEF_PX * right / distance)
    reach = tuple(abs(shadow) + abs(step) for shadow, step in zip(sky.shadow_px, crest, strict=True))
    field = _fractal((shape[0] + reach[0], shape[1] + reach[1]), sky, random)

    def seen(offset: tuple[int, int]) -> Field:
        """Return the window of the field that lies `offset` (down, right) from the pixels."""
        top, left = (
            (room if way > 0 else 0) + step for room, way, step in zip(reach, sky.shadow_px, offset, strict=True)
        )
        return field[top : top + shape[0], left : left + shape[1]]

    above = seen((0, 0))
    spread = np.float32(1 / max(float(above.std()), 1e-6))
    rise = seen((-crest[0], -crest[1])) - above
    rise *= np.float32(-1 / max(float(rise.std()), 1e-6))
    return above * spread, seen((-down, -right)) * spread, np.clip(rise, -2, 2)


def _fractal(shape: tuple[int, int], sky: _Sky, random: np.random.Generator) -> Field:
    """Return noise (y, x) with detail from `grain_px` down to 2 px.

    Each octave doubles the sampling by Chaikin's subdivision, whose limit is a quadratic B-spline: smooth without
    the lattice showing, at the cost of four additions for a pixel.
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
    """Return the field sampled twice as densely along y, cut off after `rows`."""
    near, far = field[:-1], field[1:]
    step = (far - near) * np.float32(0.25)
    out = np.empty((2 * len(near), field.shape[1]), np.float32)
    np.add(near, step, out=out[0::2])
    np.subtract(far, step, out=out[1::2])
    return out[:rows]


def _threshold(field: Field, coverage: float) -> tuple[Mask, np.float32]:
    """Return the highest share of the pixels, and the level above which they lie."""
    rank = min(round((1 - coverage) * field.size), field.size - 1)
    level = np.partition(field, rank, axis=None)[rank]
    return field >= level, level


def _opacity(height: Field, density: float) -> Field:
    """Return the share of light that is stopped (Beer and Lambert); RIM_OPACITY at height 0, none well below."""
    thickness: Field = height * np.float32(density)
    thickness -= np.float32(math.log(1 - RIM_OPACITY))
    np.maximum(thickness, 0, out=thickness)
    np.negative(thickness, out=thickness)
    np.expm1(thickness, out=thickness)
    np.negative(thickness, out=thickness)
    return thickness


def _clouded_band(ground: Field, air: _Air, scale: BandRange, band: int, white: float) -> Field:
    """Return one band of the ground, darkened towards dark ground by shadows, under clouds of that whiteness."""
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
