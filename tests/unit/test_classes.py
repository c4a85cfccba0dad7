import numpy as np
import pytest

from clairemap.classes import IGNORE_INDEX, LandCoverClass, Legend
from clairemap.errors import LabelError

LEGEND = Legend(
    (LandCoverClass(40, "water", "#0102ff"), LandCoverClass(10, "farmland", "#00ff00")),
    ignore=(0, 99),
)


def test_codes_names_and_colours_are_in_index_order():
    assert len(LEGEND) == 2
    assert LEGEND.names == ("water", "farmland")
    assert LEGEND.codes.tolist() == [40, 10]
    assert LEGEND.palette == {40: (1, 2, 255), 10: (0, 255, 0)}


def test_codes_become_indices_and_back():
    codes = np.array([[10, 40], [0, 99], [40, 10]], np.int16)
    indices = LEGEND.indices(codes, "label.tif")
    assert indices.dtype == np.uint8
    assert indices.tolist() == [[1, 0], [IGNORE_INDEX, IGNORE_INDEX], [0, 1]]
    labelled = indices != IGNORE_INDEX
    np.testing.assert_array_equal(LEGEND.codes[indices[labelled]], codes[labelled])


def test_negative_codes_can_be_ignored():
    legend = Legend(LEGEND.classes, ignore=(-1,))
    assert legend.indices(np.array([-1, 40], np.int16), "label.tif").tolist() == [IGNORE_INDEX, 0]


def test_foreign_codes_are_listed_with_source_and_remedy():
    with pytest.raises(LabelError, match=r"label\.tif: label codes \[7, 20\] are not in the legend .* legend\.ignore"):
        LEGEND.indices(np.array([[20, 40, 7, 20]]), "label.tif")


def test_an_empty_raster_has_no_indices():
    assert LEGEND.indices(np.zeros((0, 5), np.uint8), "label.tif").shape == (0, 5)
