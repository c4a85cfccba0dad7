import numpy as np
import pytest
import shapely
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from clairemap.labels.scanlines import Rings, spans_inside


def rings_of(polygons: list[shapely.Polygon]) -> Rings:
    """Return the rings of polygons whose coordinates (x, y) are pixels."""
    polygons = shapely.orient_polygons(np.array(polygons, object), exterior_cw=False)
    polygons = shapely.reverse(polygons)  # y runs downwards
    rings, polygon = shapely.get_rings(np.array(polygons, object), return_index=True)
    points, ring = shapely.get_coordinates(rings, return_index=True)
    return Rings(points[:, 1], points[:, 0], ring, polygon[ring])


def painted(polygons: list[shapely.Polygon], shape: tuple[int, int]) -> np.ndarray:
    """Return how many polygons each pixel is in."""
    counts = np.zeros(shape, np.int64)
    spans = spans_inside(rings_of(polygons), shape)
    for row, start, stop in zip(spans.row, spans.start, spans.stop, strict=True):
        counts[row, start:stop] += 1
    return counts


def centres_in(geometry: shapely.Geometry, shape: tuple[int, int]) -> np.ndarray:
    y, x = np.indices(shape) + 0.5
    return shapely.contains_xy(geometry, x, y)


coordinates = st.floats(-3, 15, allow_nan=False).map(lambda value: round(value, 2))
points = st.lists(st.tuples(coordinates, coordinates), min_size=3, max_size=9, unique=True)


@settings(max_examples=150, deadline=None)
@given(points)
def test_the_even_odd_rule_is_what_repair_makes_of_an_outline(outline: list[tuple[float, float]]):
    polygon = shapely.Polygon(outline)
    # Without edges that cover each other: there the even-odd rule ignores what ST_MakeValid counts once.
    assume(abs(shapely.node(polygon.exterior).length - polygon.exterior.length) < 1e-9)
    repaired = shapely.make_valid(polygon)
    y, x = np.indices((12, 11)) + 0.5
    clear = shapely.distance(polygon.exterior, shapely.points(x, y)) > 1e-6  # centres on the outline are ties
    assert np.array_equal((painted([polygon], (12, 11)) > 0)[clear], centres_in(repaired, (12, 11))[clear])


def test_holes_and_islands_in_them():
    lake = shapely.box(0, 0, 10, 10).difference(shapely.box(2, 2, 8, 8))
    island = shapely.box(4, 4, 6, 6)
    expected = np.ones((10, 10), np.int64)
    expected[2:8, 2:8] = 0
    expected[4:6, 4:6] = 1
    assert np.array_equal(painted([lake, island], (10, 10)), expected)


@pytest.mark.parametrize("shift", [0, 0.5, 0.25])
def test_neighbours_share_no_pixel_and_leave_none_out(shift: float):
    """Also with outlines that run exactly through pixel centres."""
    rng = np.random.default_rng(3)
    points = rng.integers(0, 40, (60, 2)) / 2 + shift
    triangles = shapely.delaunay_triangles(shapely.MultiPoint(points)).geoms
    hull = shapely.MultiPoint(points).convex_hull
    counts = painted(list(triangles), (20, 20))
    assert counts.max() == 1
    assert (counts[centres_in(hull.buffer(-1e-9), (20, 20))] == 1).all()


def test_a_centre_on_an_outline_belongs_to_the_left_and_the_lower_polygon():
    left, right = shapely.box(0, 0, 1.5, 3), shapely.box(1.5, 0, 3, 3)
    assert painted([left], (3, 3)).sum(1).tolist() == [2, 2, 2]
    assert painted([right], (3, 3)).sum(1).tolist() == [1, 1, 1]
    above, below = shapely.box(0, 0, 3, 1.5), shapely.box(0, 1.5, 3, 3)
    assert painted([above], (3, 3)).sum(0).tolist() == [1, 1, 1]
    assert painted([below], (3, 3)).sum(0).tolist() == [2, 2, 2]


def test_polygons_beyond_the_grid_are_clipped():
    assert painted([shapely.box(-100, -100, 200, 200)], (4, 7)).all()
    assert not painted([shapely.box(-100, -100, -1, 200), shapely.box(0, 9, 5, 11)], (4, 7)).any()
    assert painted([shapely.box(-5, 1, 3, 2)], (4, 7)).tolist()[1] == [1, 1, 1, 0, 0, 0, 0]
