"""Dissolving in windows against an implementation that does each step on the whole array."""

from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage
from tests.made_rasters import UTM

from clairemap.delivery.dissolving import AreaUnits, Dissolver, _scattered
from clairemap.grid.tiles import tiles
from clairemap.grid.window import Window

CODES = np.array([10, 20, 50, 7], np.uint8)
NODATA = 255


@dataclass(frozen=True)
class ArrayMap:
    """A map in memory."""

    codes: NDArray[np.uint8]
    probabilities: NDArray[np.uint8]

    @property
    def shape(self) -> tuple[int, int]:
        return self.codes.shape

    def landcover(self, window: Window) -> NDArray[np.uint8]:
        return self.codes[window.slices]

    def probability(self, window: Window) -> NDArray[np.uint8]:
        return self.probabilities[:, *window.slices]


def random_map(seed: int, shape: tuple[int, int], blur: float = 0.0) -> ArrayMap:
    """Return a map of noise, smoother with a larger `blur`, with nodata, and probabilities that fit it roughly."""
    generator = np.random.default_rng(seed)
    scores = ndimage.gaussian_filter(generator.standard_normal((len(CODES), *shape)), (0, blur, blur))
    scores += 0.3 * scores.std() * generator.standard_normal(scores.shape)
    shares = np.exp(2 * scores / scores.std())
    probabilities = np.round(255 * shares / shares.sum(axis=0)).astype(np.uint8)
    codes = CODES[scores.argmax(axis=0)]
    codes[ndimage.gaussian_filter(generator.standard_normal(shape), 2) > 0.15] = NODATA
    return ArrayMap(codes, probabilities)


def in_windows(dissolver: Dissolver, side_px: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return the map after dissolving, and the probabilities of changed pixels, 0 elsewhere."""
    codes = dissolver.reader.landcover(Window.whole(dissolver.reader.shape)).copy()
    probability = np.zeros_like(codes)
    for tile in tiles(codes.shape, side_px):
        found = dissolver.dissolved(tile.window)
        rows, columns = np.divmod(found.pixels, tile.window.width)
        codes[tile.window.y0 + rows, tile.window.x0 + columns] = found.codes
        probability[tile.window.y0 + rows, tile.window.x0 + columns] = found.probability
    return codes, probability


def one_by_one(source: ArrayMap, pixel_area: NDArray[np.float64], min_area: float) -> NDArray[np.uint8]:
    """Return the map after dissolving the smallest patch of the whole map again and again."""
    codes, isolated = source.codes.copy(), set()
    rows, columns = np.indices(codes.shape)
    scattered = _scattered(rows, columns)
    ranks = np.zeros(codes.shape, np.uint64)
    for patch in _patches(codes):
        ranks[patch] = scattered[tuple(np.argwhere(patch)[0])]
    while True:
        small = [
            (round(pixel_area[patch].sum(), 6), ranks[patch].min(), patch)
            for patch in _patches(codes)
            if pixel_area[patch].sum() < min_area * (1 - 1e-6) and ranks[patch].min() not in isolated
        ]
        if not small:
            return codes
        _, rank, patch = min(small, key=lambda each: each[:2])
        borders = dict.fromkeys(CODES.tolist(), 0)
        for shift in ((0, 1), (0, -1), (1, 0), (-1, 0)):
            padded = np.pad(codes, 1, constant_values=NODATA)
            beside = np.roll(padded, shift, (0, 1))[1:-1, 1:-1]
            for code in borders:
                borders[code] += int((patch & ~(codes == beside) & (beside == code)).sum())
        candidates = {code: length for code, length in borders.items() if length}
        if not candidates:
            isolated.add(rank)
            continue
        index = CODES.tolist().index
        sums = {code: int(source.probabilities[index(code)][patch].sum()) for code in candidates}
        codes[patch] = max(candidates, key=lambda code: (sums[code], candidates[code], -index(code)))


def _patches(codes: NDArray[np.uint8]) -> list[NDArray[np.bool_]]:
    found = []
    for code in CODES:
        labels, count = ndimage.label(codes == code)
        found += [labels == number for number in range(1, count + 1)]
    return found


@pytest.mark.parametrize("blur", [0, 1])
@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("min_px", [2, 5, 12])
def test_windows_equal_dissolving_one_patch_at_a_time(seed: int, min_px: int, blur: float) -> None:
    source = random_map(seed, (25, 31), blur)
    dissolver = Dissolver(source, AreaUnits.of(UTM, min_px / 100), CODES, margin_px=2)
    expected = one_by_one(source, np.ones(source.shape), min_px)
    for side in (5, 8, 40):
        codes, _ = in_windows(dissolver, side)
        np.testing.assert_array_equal(codes, expected)
    assert (expected != source.codes).any()
