from xml.etree import ElementTree

from clairemap.classes import ColoredClass, ColoredLegend
from clairemap.report.style import confidence_style, optical_share_style, qgis_style, source_count_style

LEGEND = ColoredLegend(
    classes=(
        ColoredClass(code=40, name='a "b" <c>', color="#FF8000"),
        ColoredClass(code=1, name="water", color="#0010ff"),
    )
)


def test_each_class_has_its_colour_and_label():
    text = qgis_style(LEGEND)
    assert text.startswith("<!DOCTYPE qgis")
    renderer = ElementTree.fromstring(text).find("pipe/rasterrenderer")
    assert renderer.get("type") == "paletted" and renderer.get("band") == "1"
    entries = [(e.get("value"), e.get("color"), e.get("label")) for e in renderer.find("colorPalette")]
    assert entries == [("40", "#ff8000", 'a "b" <c>'), ("1", "#0010ff", "water")]


def shader(text: str):
    renderer = ElementTree.fromstring(text).find("pipe/rasterrenderer")
    assert renderer.get("type") == "singlebandpseudocolor" and renderer.get("band") == "1"
    ramp = renderer.find("rastershader/colorrampshader")
    items = [(int(e.get("value")), e.get("color"), e.get("label")) for e in ramp]
    assert [value for value, _, _ in items] == sorted({value for value, _, _ in items})
    assert (ramp.get("minimumValue"), ramp.get("maximumValue")) == (str(items[0][0]), str(items[-1][0]))
    assert len({color for _, color, _ in items}) == len(items)
    return ramp.get("colorRampType"), items


def test_percent_maps_have_a_ramp_from_0_to_100():
    for text in (confidence_style(), optical_share_style()):
        kind, items = shader(text)
        assert kind == "INTERPOLATED" and (items[0][0], items[-1][0]) == (0, 100)
    assert [label for _, _, label in shader(optical_share_style())[1]][::4] == [
        "0 % (SAR only)",
        "100 % (optical only)",
    ]


def test_each_number_of_scenes_has_its_colour():
    kind, items = shader(source_count_style())
    assert kind == "DISCRETE"
    assert [(value, label) for value, _, label in items] == [
        (1, "1 scene"),
        (2, "2 scenes"),
        (3, "3 scenes"),
        (254, "4 scenes or more"),
    ]
