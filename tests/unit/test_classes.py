import numpy as np
import pytest
from pydantic import ValidationError

from clairemap.classes import IGNORE_INDEX, ColoredClass, ColoredLegend, SourceLegend
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
    indices = LEGEND.code_table.indices(codes, "label.tif")
    assert indices.dtype == np.uint8
    assert indices.tolist() == [[1, 0], [IGNORE_INDEX, IGNORE_INDEX], [0, 1]]
    labelled = indices != IGNORE_INDEX
    np.testing.assert_array_equal(LEGEND.codes[indices[labelled]], codes[labelled])


def test_negative_codes_can_be_ignored():
    legend = ColoredLegend(classes=LEGEND.classes, ignore=(-1,))
    assert legend.code_table.indices(np.array([-1, 40], np.int16), "label.tif").tolist() == [IGNORE_INDEX, 0]


def test_unknown_codes_are_listed_with_source_and_remedy():
    with pytest.raises(
        LabelError,
        match=r"label\.tif: label codes \[7 \(1 px\), 20 \(2 px\)\] belong to no class \(codes of the classes: "
        r"\[10, 40\]\) and are not in legend\.ignore \[0, 99\]",
    ):
        LEGEND.code_table.indices(np.array([[20, 40, 7, 20]]), "label.tif")


def test_an_empty_raster_has_no_indices():
    assert LEGEND.code_table.indices(np.zeros((0, 5), np.uint8), "label.tif").shape == (0, 5)


def test_codes_above_the_maximum_are_to_be_mapped_to_classes():
    with pytest.raises(LabelError, match=r"(?s)311 \(1 px\), 523 \(2 px\).*`from` of a class .*from: \[523\]"):
        LEGEND.code_table.indices(np.array([523, 311, 40, 523]), "label.tif")


@pytest.mark.parametrize("code", [-9999, -1, 255, 65535, 4294967295])
def test_common_nodata_codes_are_to_be_ignored_not_replaced(code: int):
    with pytest.raises(LabelError, match=rf"\[{code} \(1 px\)\].*legend\.ignore"):
        LEGEND.code_table.indices(np.array([40, code]), "label.tif")
    legend = ColoredLegend(classes=LEGEND.classes, ignore=(code,))
    assert legend.code_table.indices(np.array([code]), "label.tif").tolist() == [IGNORE_INDEX]


def test_long_lists_of_codes_are_shortened():
    with pytest.raises(LabelError, match=r"and 940 more"):
        LEGEND.code_table.indices(np.arange(1000, 2000), "label.tif")


def test_the_codes_of_the_whole_file_are_listed():
    in_file = {10: 5, 40: 1, 0: 9, 111: 2, 777: 4_000_000}
    with pytest.raises(LabelError, match=r"label\.tif, rows 0-3: label codes \[111 \(2 px\), 777 \(4,000,000 px\)\]"):
        LEGEND.code_table.indices(np.array([777]), "label.tif", "rows 0-3", lambda: in_file)


def of_sources(*sources: tuple[int | str, ...], ignore: tuple[int, ...] = (0,)) -> SourceLegend:
    """Return a legend of classes 1, 2, ... with these codes and names in label files."""
    classes = [{"code": code, "name": f"c{code}", "from": found} for code, found in enumerate(sources, start=1)]
    return SourceLegend.model_validate({"classes": classes, "ignore": ignore})


def test_codes_of_32_bits_and_several_per_class_become_indices():
    table = of_sources((10, 70_000), (4_000_000_000, -5)).code_table_of("label.tif", {})
    codes = np.array([[10, 70_000, 0], [4_000_000_000, -5, 10]])
    assert table.indices(codes, "label.tif").tolist() == [[0, 0, IGNORE_INDEX], [1, 1, 0]]


def test_a_class_with_sources_does_not_have_its_own_code():
    table = of_sources((10,), ()).code_table_of("label.tif", {})
    assert table.indices(np.array([10, 2]), "label.tif").tolist() == [0, 1]
    with pytest.raises(LabelError, match=r"label codes \[1 \(1 px\)\]"):
        table.indices(np.array([1]), "label.tif")


def test_names_are_looked_up_in_the_tables_of_the_file():
    names = {"Tree cover": (10,), "Urban": (50, 51), "#aabbcc": (7,), "no data": (255,), "Water": (80,)}
    legend = of_sources(("Tree cover", 95), (" Urban", "#aabbcc", "12"))
    table = legend.code_table_of("label.tif", names, ["no data"])
    expected = {0: IGNORE_INDEX, 10: 0, 95: 0, 50: 1, 51: 1, 7: 1, 12: 1, 255: IGNORE_INDEX}
    assert dict(table.index_of_code) == expected
    with pytest.raises(LabelError, match=r"80 'Water' \(1 px\)"):
        table.indices(np.array([80]), "label.tif")


@pytest.mark.parametrize(
    ("sources", "names", "ignored", "message"),
    [
        ((("Trees",), ()), {}, (), r"label.tif: has no names of codes .*class 'c1' has names only \(Trees\)"),
        ((("Trees",), (10,)), {"Trees": (10,)}, (), r"code 10 belongs to 'c1' and to 'c2'"),
        (((10,),), {"Trees": (10,)}, ("Trees",), r"code 10 belongs to 'c1' and to 'ignored codes'"),
        ((("Trees",),), {"Trees": (0,)}, (), r"code 0 belongs to 'ignored codes' and to 'c1'"),
    ],
)
def test_names_that_do_not_decide_are_errors(
    sources: tuple[tuple[int | str, ...], ...],
    names: dict[str, tuple[int, ...]],
    ignored: tuple[str, ...],
    message: str,
):
    with pytest.raises(LabelError, match=message):
        of_sources(*sources).code_table_of("label.tif", names, ignored)


@pytest.mark.parametrize(
    ("sources", "message"),
    [
        (((10,), (10,)), "'10' belongs to the classes 'c1' and 'c2'"),
        (((2,), ()), "'2' belongs to the classes 'c1' and 'c2'"),
        ((("112",), (112,)), "'112' belongs to the classes 'c1' and 'c2'"),
        (((0,), ()), r"\[0\] are both in `from` of a class and in ignore"),
    ],
)
def test_a_code_or_name_belongs_to_one_class(sources: tuple[tuple[int | str, ...], ...], message: str):
    with pytest.raises(ValidationError, match=message):
        of_sources(*sources)


def test_rasters_of_polygons_have_the_codes_of_the_map():
    table = of_sources((10,), (20,)).as_mapped.code_table
    assert table.indices(np.array([1, 2]), "label.tif").tolist() == [0, 1]
