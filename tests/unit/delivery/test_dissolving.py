"""Dissolving in windows against an implementation that does each step on the whole array."""

from dataclasses import dataclass

import numpy as np
import pytest
from affine import Affine
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from scipy import ndimage
from tests.made_rasters import PIXELS, UTM

from clairemap.delivery.areas import PixelAreas
from clairemap.delivery.dissolving import AreaUnits, Dissolver, _scattered
from clairemap.errors import GridError
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
    ranks, is_large = np.zeros(codes.shape, np.uint64), np.zeros(codes.shape, bool)
    for patch in _patches(codes):
        ranks[patch] = scattered[tuple(np.argwhere(patch)[0])]
        is_large |= patch & (pixel_area[patch].sum() >= min_area * (1 - 1e-6))
    while True:
        small = [
            (round(float(pixel_area[patch].sum()), 6), ranks[patch].min(), patch)
            for patch in _patches(codes)
            if pixel_area[patch].sum() < min_area * (1 - 1e-6) and ranks[patch].min() not in isolated
        ]
        if not small:
            return codes
        _, rank, patch = min(small, key=lambda each: each[:2])
        candidates = _borders(patch, np.where(is_large, codes, NODATA)) or _borders(patch, codes)
        if not candidates:
            isolated.add(rank)
            continue
        index = CODES.tolist().index
        sums = {code: int(source.probabilities[index(code)][patch].sum()) for code in candidates}
        codes[patch] = max(candidates, key=lambda code: (sums[code], candidates[code], -index(code)))


def _borders(patch: NDArray[np.bool_], codes: NDArray[np.uint8]) -> dict[int, int]:
    """Return the length of a patch's border with each class around it."""
    found = dict.fromkeys(CODES.tolist(), 0)
    padded = np.pad(np.where(patch, NODATA, codes), 1, constant_values=NODATA)
    for shift in ((0, 1), (0, -1), (1, 0), (-1, 0)):
        beside = np.roll(padded, shift, (0, 1))[1:-1, 1:-1]
        for code in found:
            found[code] += int((patch & (beside == code)).sum())
    return {code: length for code, length in found.items() if length}


def _patches(codes: NDArray[np.uint8]) -> list[NDArray[np.bool_]]:
    found = []
    for code in CODES:
        labels, count = ndimage.label(codes == code)
        found += [labels == number for number in range(1, count + 1)]
    return found


@pytest.mark.parametrize(("seed", "min_px", "blur"), [(0, 2, 0), (1, 5, 0), (2, 12, 0), (3, 5, 1), (4, 12, 1)])
def test_windows_equal_dissolving_one_patch_at_a_time(seed: int, min_px: int, blur: float):
    source = random_map(seed, (21, 27), blur)
    dissolver = Dissolver(source, AreaUnits.of(UTM, min_px / 100), CODES, margin_px=2)
    expected = one_by_one(source, np.ones(source.shape), min_px)
    assert (expected != source.codes).any()
    for side in (5, 8, 40):
        codes, probability = in_windows(dissolver, side)
        np.testing.assert_array_equal(codes, expected)
        changed = np.argwhere(codes != source.codes)
        of_class = [source.probabilities[CODES.tolist().index(codes[y, x]), y, x] for y, x in changed]
        np.testing.assert_array_equal(probability[tuple(changed.T)], of_class)


def test_areas_of_geographic_grids_depend_on_latitude():
    source = random_map(5, (22, 20), 0.5)
    degrees = GeoBox(source.shape, Affine(0.5, 0, 10, 0, -3, 70), "EPSG:4326")
    m2 = PixelAreas.of(degrees).m2(Window.whole(source.shape))
    min_ha = float(np.median(m2)) * 6 / 10_000
    dissolver = Dissolver(source, AreaUnits.of(degrees, min_ha), CODES, margin_px=2)
    expected = one_by_one(source, m2 / np.median(m2), 6)
    np.testing.assert_array_equal(in_windows(dissolver, 7)[0], expected)
    assert (expected != one_by_one(source, np.ones(source.shape), 6)).any()


def test_a_patch_of_exactly_the_minimum_area_stays():
    codes = np.full((9, 9), 10, np.uint8)
    codes[1, 1:6], codes[4, 1:5] = 20, 20
    source = ArrayMap(codes, np.full((4, 9, 9), 60, np.uint8))
    found, _ = in_windows(Dissolver(source, AreaUnits.of(UTM, 0.05), CODES), 9)
    assert (found[1, 1:6] == 20).all() and (found[4] == 10).all()


def test_the_most_probable_neighbour_is_chosen_not_the_largest():
    codes = np.full((12, 12), 10, np.uint8)
    codes[:, 8:], codes[5:7, 6:8] = 20, 50
    probabilities = np.zeros((4, 12, 12), np.uint8)
    probabilities[0], probabilities[1, 6, 6:8] = 30, 90
    for pixels, code in ((90, 20), (20, 10)):  # sums of 180 and 40 against 120 of the class along the longer border
        probabilities[1, 6, 6:8] = pixels
        found, _ = in_windows(Dissolver(ArrayMap(codes, probabilities), AreaUnits.of(UTM, 0.1), CODES), 12)
        assert (found[5:7, 6:8] == code).all()


def test_an_island_in_nodata_stays():
    codes = np.full((9, 9), NODATA, np.uint8)
    codes[4, 4] = 10
    found, _ = in_windows(Dissolver(ArrayMap(codes, np.zeros((4, 9, 9), np.uint8)), AreaUnits.of(UTM, 1), CODES), 4)
    np.testing.assert_array_equal(found, codes)


def test_a_pixel_may_be_as_large_as_the_minimum_area():
    assert AreaUnits.of(UTM, 0.01).is_pixel_enough and not AreaUnits.of(UTM, 0.011).is_pixel_enough


def test_areas_without_a_crs_are_an_error():
    with pytest.raises(GridError, match=r"min_area_ha is 0\.5, .* no coordinate reference system; set it to null"):
        AreaUnits.of(PIXELS, 0.5)
