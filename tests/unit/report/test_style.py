from xml.etree import ElementTree

from clairemap.classes import LandCoverClass, Legend
from clairemap.report.style import qgis_style

LEGEND = Legend((LandCoverClass(40, 'a "b" <c>', "#FF8000"), LandCoverClass(1, "water", "#0010ff")))


def test_each_class_has_its_colour_and_label():
    text = qgis_style(LEGEND)
    assert text.startswith("<!DOCTYPE qgis")
    renderer = ElementTree.fromstring(text).find("pipe/rasterrenderer")
    assert renderer.get("type") == "paletted" and renderer.get("band") == "1"
    entries = [(e.get("value"), e.get("color"), e.get("label")) for e in renderer.find("colorPalette")]
    assert entries == [("40", "#ff8000", 'a "b" <c>'), ("1", "#0010ff", "water")]
