import numpy as np
import pytest

from clairemap.classes import IGNORE_INDEX, ColoredClass, ColoredLegend
from clairemap.errors import LabelError

LEGEND = ColoredLegend(
    classes=(
        ColoredClass(code=40, name="water", color="#0102ff"),
        ColoredClass(code=10, name="farmland", color="#00ff00"),
    ),
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
    legend = ColoredLegend(classes=LEGEND.classes, ignore=(-1,))
    assert legend.indices(np.array([-1, 40], np.int16), "label.tif").tolist() == [IGNORE_INDEX, 0]


def test_unknown_codes_are_listed_with_source_and_remedy():
    with pytest.raises(
        LabelError,
        match=r"label\.tif: label codes \[7, 20\] are neither in legend\.classes \[10, 40\] nor in .* \[0, 99\]",
    ):
        LEGEND.indices(np.array([[20, 40, 7, 20]]), "label.tif")


def test_an_empty_raster_has_no_indices():
    assert LEGEND.indices(np.zeros((0, 5), np.uint8), "label.tif").shape == (0, 5)


def test_codes_above_the_maximum_get_a_command_that_replaces_them():
    with pytest.raises(LabelError, match="highest class code is 254") as raised:
        LEGEND.indices(np.array([523, 311, 40, 523]), "label.tif")
    formula = str(raised.value).split('--calc="')[1].split('"')[0]
    codes = eval(formula, {"A": np.array([311, 523, 40])}).tolist()
    assert len(set(codes)) == 3 and codes[2] == 40
    assert not {*codes[:2]} & {c.code for c in LEGEND.classes}  # followed blindly, no code becomes another class


@pytest.mark.parametrize("code", [-9999, -1, 255, 65535, 4294967295])
def test_common_nodata_codes_are_to_be_ignored_not_replaced(code: int):
    with pytest.raises(LabelError, match=rf"\[{code}\].*legend\.ignore") as raised:
        LEGEND.indices(np.array([40, code]), "label.tif")
    assert "gdal_calc" not in str(raised.value)
    assert ColoredLegend(classes=LEGEND.classes, ignore=(code,)).indices(np.array([code]), "label.tif").tolist() == [
        IGNORE_INDEX
    ]


def test_long_lists_of_codes_are_shortened():
    with pytest.raises(LabelError, match=r"and 988 more"):
        LEGEND.indices(np.arange(1000, 2000), "label.tif")


def test_the_command_for_high_codes_has_a_term_for_each_code_of_the_file():
    in_file = {10, 40, 0, 111, 222, 333, 777}
    with pytest.raises(LabelError, match="codes without a term become 0, not labelled") as raised:
        LEGEND.indices(np.array([777]), "in folder/label.tif", "rows 0-3, columns 0-3", lambda: in_file)
    text = str(raised.value)
    assert text.startswith("in folder/label.tif, rows 0-3, columns 0-3: label codes [777] are neither in")
    assert "gdal_calc.py -A 'in folder/label.tif' --calc" in text
    codes = np.array(sorted(in_file))
    new = eval(text.split('--calc="')[1].split('"')[0], {"A": codes})
    assert dict(zip(codes.tolist(), new.tolist(), strict=True)) == {
        0: 0, 10: 10, 40: 40, 111: 111, 222: 222, 333: 1, 777: 2
    }  # fmt: skip


def test_class_0_gets_another_code_as_0_means_not_labelled_in_the_new_file():
    legend = ColoredLegend(classes=(ColoredClass(code=0, name="water", color="#0102ff"),))
    with pytest.raises(LabelError, match=r"1\*\(A==0\) \+ 2\*\(A==300\)"):
        legend.indices(np.array([0, 300]), "label.tif")
