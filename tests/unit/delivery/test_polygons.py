"""Polygons of patches: equal to those of the whole array, whatever the windows."""

from dataclasses import dataclass

import numpy as np
import pytest
import shapely
from affine import Affine
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from rasterio import features
from tests.made_rasters import UTM
from tests.unit.delivery.test_dissolving import NODATA, random_map

from clairemap.delivery.areas import PixelAreas
from clairemap.delivery.polygons import Polygons, map_polygons
from clairemap.grid.window import Window

AREAS = PixelAreas.of(UTM)


@dataclass(frozen=True)
class ArrayMap:
    """A finished map in memory; empty windows are left out."""

    codes: NDArray[np.uint8]
    confidence: NDArray[np.uint8]
    optical_share: NDArray[np.uint8]

    @property
    def shape(self) -> tuple[int, int]:
        return self.codes.shape

    def layers(self, window: Window) -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]] | None:
        found = self.codes[window.slices], self.confidence[window.slices], self.optical_share[window.slices]
        return None if (found[0] == NODATA).all() else found


def made_map(seed: int, shape: tuple[int, int], blur: float) -> ArrayMap:
    codes = random_map(seed, shape, blur).codes
    values = np.random.default_rng(seed).integers(0, 101, (2, *shape)).astype(np.uint8)
    values[:, codes == NODATA] = NODATA
    return ArrayMap(codes, *values)


def polygons_of(source: ArrayMap, areas: PixelAreas = AREAS, **options: int) -> Polygons:
    return Polygons.joined(list(map_polygons(source, areas, **options)))


def sorted_wkb(geometry: NDArray[np.object_]) -> list[bytes]:
    return sorted(shapely.to_wkb(shapely.normalize(geometry)).tolist())


@pytest.mark.parametrize(("seed", "blur"), [(0, 0), (1, 1), (2, 3)])
def test_windows_give_the_polygons_of_the_whole_array(seed: int, blur: float):
    source = made_map(seed, (50, 61), blur)
    whole = features.shapes(source.codes, source.codes != NODATA, connectivity=4, transform=Affine.identity())
    expected = sorted_wkb(np.array([shapely.geometry.shape(outline) for outline, _ in whole]))
    for side in (7, 16, 40, 100):
        found = polygons_of(source, window_px=side)
        assert sorted_wkb(found.geometry) == expected
        assert shapely.is_valid(found.geometry).all()
        assert not found.is_cut.any()


@pytest.mark.parametrize("max_vertices", [10, 100_000])
def test_each_pixel_is_in_the_polygon_of_its_class(max_vertices: int):
    source = made_map(1, (50, 70), 2)
    found = polygons_of(source, window_px=16, max_vertices=max_vertices)
    burnt = features.rasterize(zip(found.geometry, range(1, len(found) + 1), strict=True), source.shape, dtype=np.int32)
    assert found.is_cut.any() == (max_vertices == 10)
    np.testing.assert_array_equal(np.append(NODATA, found.codes)[burnt], source.codes)
    for values, sums in (
        (np.ones(source.shape), found.pixels),
        (np.full(source.shape, 100), found.m2),
        (source.confidence, found.confidence),
        (source.optical_share, found.optical_share),
    ):
        expected = np.bincount(burnt.ravel(), values.ravel(), len(found) + 1)[1:]
        np.testing.assert_array_equal(sums, expected)


def test_only_large_patches_are_cut():
    codes = np.full((40, 40), 10, np.uint8)
    codes[1:-1:2, 1:-1:2] = 20  # holes: 361 of 5 vertices
    codes[:, -1] = 50
    source = ArrayMap(codes, codes, codes)
    whole = polygons_of(source, window_px=16)
    cut = polygons_of(source, window_px=16, max_vertices=1000)
    assert (whole.codes == 10).sum() == 1
    assert set(cut.codes[cut.is_cut]) == {10}
    assert (cut.codes == 10).sum() == 9
    assert shapely.get_num_interior_rings(whole.geometry[whole.codes == 10]).tolist() == [361]
    assert cut.pixels[cut.codes == 10].sum() == whole.pixels[whole.codes == 10].sum()


def test_areas_are_those_on_the_ellipsoid():
    source = made_map(0, (40, 50), 1)
    degrees = GeoBox(source.shape, Affine(0.1, 0, 10, 0, -0.1, 60), "EPSG:4326")
    areas = PixelAreas.of(degrees)
    one, other = polygons_of(source, areas, window_px=9), polygons_of(source, areas, window_px=40)
    assert one.m2.sum() == pytest.approx(areas.m2(Window.whole(source.shape))[source.codes != NODATA].sum())
    np.testing.assert_allclose(np.sort(one.m2), np.sort(other.m2))


def test_an_empty_map_has_no_polygons():
    empty = np.full((20, 20), NODATA, np.uint8)
    assert not list(map_polygons(ArrayMap(empty, empty, empty), AREAS, window_px=8))
