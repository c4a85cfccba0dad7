import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from clairemap.classes import IGNORE_INDEX
from clairemap.metrics.boundary import LABEL_MATCHED_PX, LABEL_PX, MAP_MATCHED_PX, MAP_PX, boundary_counts, boundary_f1


def halves(edge: int, side: int = 20) -> NDArray[np.uint8]:
    """Class 0 left of a column, class 1 from it on."""
    return np.repeat((np.arange(side) >= edge)[None].astype(np.uint8), side, 0)


def test_equal_boundaries_match_and_have_two_pixels_across():
    counts = boundary_counts(halves(10), halves(10), 3, 0)
    assert counts[:, :2].tolist() == [[18, 18]] * 4  # rows 1 to 18: those at the edge of the tile are not judged
    assert not counts[:, 2].any()
    np.testing.assert_array_equal(boundary_f1(counts), [1, 1, np.nan])


@pytest.mark.parametrize(("shift", "tolerance", "matched"), [(2, 2, True), (2, 1, False), (3, 2, False)])
def test_a_shifted_boundary_matches_up_to_the_tolerance(shift: int, tolerance: int, matched: bool):
    f1 = boundary_f1(boundary_counts(halves(10), halves(10 + shift), 2, tolerance))
    assert f1.tolist() == [float(matched)] * 2


def test_distance_is_euclidean():
    truth, mapped = (np.zeros((21, 21), np.uint8) for _ in range(2))
    truth[10, 10] = 1
    mapped[12, 12] = 1
    assert boundary_counts(truth, mapped, 2, 2)[LABEL_MATCHED_PX, 1] == 0  # 2.83 px apart
    assert boundary_counts(truth, mapped, 2, 3)[LABEL_MATCHED_PX, 1] == 1


def test_a_boundary_in_only_one_of_both_scores_zero():
    counts = boundary_counts(halves(0), halves(10), 2, 1)
    assert counts[LABEL_PX].tolist() == [0, 0] and counts[MAP_PX].tolist() == [16, 16]
    assert boundary_f1(counts).tolist() == [0, 0]
    assert np.isnan(boundary_f1(boundary_counts(halves(0), halves(0), 2, 1))).all()


def test_boundaries_near_unscored_pixels_are_not_judged():
    truth, mapped = halves(10), halves(11)
    truth[:8, :] = IGNORE_INDEX  # rows from 8 on are labelled; with a tolerance of 1, those from 10 on are judged
    mapped[15, 10] = IGNORE_INDEX
    counts = boundary_counts(truth, mapped, 2, 1)
    # Rows 10 to 17 but those up to 2 px from row 15, where the boundary is near the unmapped pixel.
    assert counts[LABEL_PX].tolist() == counts[MAP_PX].tolist() == [3, 3]
    assert (boundary_f1(counts) == 1).all()


@pytest.mark.parametrize("classes", [3, 9, 70])
def test_equals_distances_to_the_boundaries_of_each_class(classes: int):
    rng = np.random.default_rng(classes)
    truth = np.kron(rng.integers(0, classes, (9, 9)), np.ones((5, 5), int)).astype(np.uint8)
    mapped = np.roll(truth, 3, 1)
    truth[20:23, 7] = IGNORE_INDEX
    tolerance = 2
    scored = np.pad((truth != IGNORE_INDEX) & (mapped != IGNORE_INDEX), 3)
    judged = np.ones(truth.shape, bool)
    for dy in range(7):
        for dx in range(7):
            judged &= scored[dy : dy + 45, dx : dx + 45]
    slow = np.zeros((4, classes), np.int64)
    for c in range(classes):
        edges = []
        for raster in (truth, mapped):
            here = np.zeros(truth.shape, bool)
            for axis, step in ((0, 1), (0, -1), (1, 1), (1, -1)):
                moved = np.roll(raster, step, axis)
                here |= moved != raster  # what wraps around the tile is not judged
            edges.append(here & (raster == c))
        for row, (one, other) in ((LABEL_PX, edges), (MAP_PX, edges[::-1])):
            near = distance_transform_edt(~other) <= tolerance if other.any() else np.zeros(one.shape, bool)
            slow[row, c] = (one & judged).sum()
            slow[row + 1, c] = (one & judged & near).sum()
    found = boundary_counts(truth, mapped, classes, tolerance)
    np.testing.assert_array_equal(found, slow)
    assert 0 < found[MAP_MATCHED_PX].sum() < found[MAP_PX].sum()
