import numpy as np
import pyproj
import pytest
from affine import Affine
from odc.geo.geobox import GeoBox

from clairemap.report.degrees_grid import EARTH_M, MAX_ERROR_M, NODES, degrees_grid
from clairemap.report.map_frame import MapFrame


def frame(crs: str | None, x: float, y: float, px: int, metres: float) -> MapFrame:
    return MapFrame.of(GeoBox((px, px), Affine(metres, 0, x, 0, -metres, y), crs))


def vectors(crs: str, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return unit vectors of longitude and latitude, (point, 3)."""
    longitude, latitude = np.radians(pyproj.Transformer.from_crs(crs, "EPSG:4326", always_xy=True).transform(x, y))
    across = np.cos(latitude)
    return np.stack([across * np.cos(longitude), across * np.sin(longitude), np.sin(latitude)], axis=-1)


def weights(positions: np.ndarray, nodes: int) -> np.ndarray:
    """Return the weight of each node, (point, node), from polynomials through the unit vectors of four nodes."""
    found = np.zeros((len(positions), nodes))
    for row, position in zip(found, positions, strict=True):
        first = min(max(int(position) - 1, 0), nodes - 4)
        row[first : first + 4] = [np.polyval(np.polyfit(range(4), unit, 3), position - first) for unit in np.eye(4)]
    return found


@pytest.mark.parametrize(
    ("crs", "x", "y", "px", "metres", "nodes"),
    [
        ("EPSG:32632", 700_000, 5_300_000, 3000, 10, NODES[0]),  # a usual map
        ("EPSG:3035", 3_000_000, 4_000_000, 200_000, 10, NODES[1]),  # 2000 km
        ("EPSG:3035", 3_000_000, 4_000_000, 168_000, 10, NODES[1]),  # with 5 nodes, too large only beside the middle
        ("EPSG:3031", -200_000, 300_000, 4000, 100, NODES[0]),  # contains the pole
        ("EPSG:32601", 100_000, 100_000, 20_000, 10, NODES[0]),  # crosses 180 degrees
        ("EPSG:3857", 1_000_000, 9_000_000, 30_000, 10, NODES[0]),
    ],
)
def test_places_between_the_nodes_are_right_to_a_metre(
    crs: str, x: float, y: float, px: int, metres: float, nodes: int
):
    found = degrees_grid(frame(crs, x, y, px, metres))
    assert found is not None and len(found) == nodes
    down, across = np.random.default_rng(7).random((2, 400))
    expected = vectors(crs, x + across * px * metres, y - down * px * metres)
    rows, columns = (weights(share * (nodes - 1), nodes) for share in (down, across))
    directions = np.einsum("pi,pj,ijk->pk", rows, columns, np.array(found))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    assert EARTH_M * np.linalg.norm(directions - expected, axis=1).max() < max(MAX_ERROR_M, 0.1 * metres)


def test_nodes_are_the_directions_of_longitude_and_latitude():
    found = degrees_grid(frame("EPSG:32632", 700_000, 5_300_000, 100, 10))
    assert found is not None
    longitude, latitude = np.radians(
        pyproj.Transformer.from_crs("EPSG:32632", "EPSG:4326", always_xy=True).transform(701_000, 5_300_000)
    )
    x, y, z = found[0][-1]  # the upper right corner
    assert (np.arctan2(y, x), np.arcsin(z)) == pytest.approx((longitude, latitude), abs=2e-9)


def test_maps_without_a_crs_with_a_geographic_one_or_beyond_the_earth_have_none():
    assert degrees_grid(frame(None, 0, 0, 100, 1)) is None
    assert degrees_grid(frame("EPSG:4326", 10, 50, 100, 0.001)) is None
    assert (
        degrees_grid(frame("ESRI:54009", -18_000_000, 9_000_000, 360, 100_000)) is None
    )  # corners outside the ellipse


def test_a_map_of_a_continent_with_small_pixels_is_too_large():
    assert degrees_grid(frame("EPSG:3035", 900_000, 9_500_000, 8_000_000, 1)) is None
