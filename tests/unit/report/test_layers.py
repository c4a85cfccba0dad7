from clairemap.classes import ColoredClass, ColoredLegend
from clairemap.report.layers import confidence_layer, landcover_layer, optical_share_layer, source_count_layer

STAMP = {"clairemap_version": "1"}


def test_classes_are_coloured_and_named_and_shrunk_by_their_mode():
    layer = landcover_layer(ColoredLegend(classes=(ColoredClass(code=40, name="town", color="#ff8000"),)), STAMP)
    assert layer.palette == {40: (255, 128, 0)} and layer.band_tags == {"class_40": "town"}
    assert layer.overviews == "mode" and layer.tags == STAMP


def test_percent_maps_have_no_colours_and_are_averaged():
    for layer in (confidence_layer(STAMP), optical_share_layer(STAMP)):
        assert not layer.palette and layer.overviews == "average" and layer.tags == STAMP
        assert layer.band_tags["unit"] == "%"


def test_counts_of_scenes_are_shrunk_to_counts_that_exist():
    layer = source_count_layer(STAMP)
    assert layer.overviews == "first" and not layer.palette and layer.tags == STAMP
