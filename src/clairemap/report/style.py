"""The maps' colours and labels as QGIS style files (QML)."""

from xml.etree import ElementTree

from clairemap.classes import MAP_NODATA, ColoredLegend

DOCTYPE = "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n"
MIN_QGIS_VERSION = "3.10"

CONFIDENCE_RAMP = {0: "#f7fbff", 50: "#9ecae1", 75: "#4292c6", 90: "#2171b5", 100: "#08306b"}
SHARE_RAMP = {0: "#2d004b", 25: "#9990bf", 50: "#f7f7f6", 75: "#ee9b39", 100: "#7f3b08"}  # as in the report
COUNT_KEY = (  # for 1, 2, … scenes; the last is for all higher numbers
    ("#fee8c8", "1 scene"),
    ("#fdbb84", "2 scenes"),
    ("#ef6548", "3 scenes"),
    ("#b30000", "4 scenes or more"),
)


def qgis_style(legend: ColoredLegend) -> str:
    """Return the ``.qml`` text for the land-cover map: colour and name of each class; nodata is transparent.

    QGIS applies the file automatically if it has the GeoTIFF's name.
    """
    root, renderer = _style("paletted")
    palette = ElementTree.SubElement(renderer, "colorPalette")
    for c in legend.classes:
        ElementTree.SubElement(
            palette, "paletteEntry", value=str(c.code), color=c.color.lower(), label=c.name, alpha="255"
        )
    return _text(root)


def polygon_style(legend: ColoredLegend) -> str:
    """Return the style of the map's polygons: fill of each class by the column ``code``, without outlines."""
    root = ElementTree.Element("qgis", version=MIN_QGIS_VERSION, styleCategories="Symbology")
    renderer = ElementTree.SubElement(root, "renderer-v2", type="categorizedSymbol", attr="code")
    categories = ElementTree.SubElement(renderer, "categories")
    symbols = ElementTree.SubElement(renderer, "symbols")
    for index, c in enumerate(legend.classes):
        name = str(index)
        ElementTree.SubElement(categories, "category", value=str(c.code), symbol=name, label=c.name, render="true")
        symbol = ElementTree.SubElement(symbols, "symbol", type="fill", name=name, alpha="1")
        fill = ElementTree.SubElement(symbol, "layer", {"class": "SimpleFill", "enabled": "1", "pass": "0"})
        color = ",".join(map(str, (*c.rgb, 255)))
        for key, value in (("color", color), ("style", "solid"), ("outline_style", "no")):
            ElementTree.SubElement(fill, "prop", k=key, v=value)
    return _text(root)


def confidence_style() -> str:
    """Return the ``.qml`` text for the confidence map: pale is low, dark is high."""
    return _ramp_style({value: (color, f"{value} %") for value, color in CONFIDENCE_RAMP.items()}, "INTERPOLATED")


def optical_share_style() -> str:
    """Return the ``.qml`` text for the optical share: one colour for SAR, one for optical, white for both."""
    names = {0: "0 % (SAR only)", 100: "100 % (optical only)"}
    ramp = {value: (color, names.get(value, f"{value} %")) for value, color in SHARE_RAMP.items()}
    return _ramp_style(ramp, "INTERPOLATED")


def source_count_style() -> str:
    """Return the ``.qml`` text for the source count: one colour per number, the last for all higher numbers."""
    return _ramp_style({**dict(enumerate(COUNT_KEY[:-1], 1)), MAP_NODATA - 1: COUNT_KEY[-1]}, "DISCRETE")


def _ramp_style(items: dict[int, tuple[str, str]], kind: str) -> str:
    """Return a style from values with colour and label; `kind` is QGIS's ramp type, INTERPOLATED or DISCRETE."""
    root, renderer = _style("singlebandpseudocolor")
    low, high = str(min(items)), str(max(items))
    renderer.set("classificationMin", low)
    renderer.set("classificationMax", high)
    shader = ElementTree.SubElement(ElementTree.SubElement(renderer, "rastershader"), "colorrampshader")
    shader.attrib |= {"colorRampType": kind, "classificationMode": "1", "clip": "0", "minimumValue": low}
    shader.set("maximumValue", high)
    for value, (color, label) in items.items():
        ElementTree.SubElement(shader, "item", value=str(value), color=color, label=label, alpha="255")
    return _text(root)


def _style(renderer: str) -> tuple[ElementTree.Element, ElementTree.Element]:
    """Return an empty style and its renderer element."""
    root = ElementTree.Element("qgis", version=MIN_QGIS_VERSION, styleCategories="Symbology")
    drawn = ElementTree.SubElement(
        ElementTree.SubElement(root, "pipe"),
        "rasterrenderer",
        type=renderer,
        band="1",
        opacity="1",
        alphaBand="-1",
        nodataColor="",
    )
    ElementTree.SubElement(drawn, "rasterTransparency")
    ElementTree.SubElement(root, "blendMode").text = "0"
    return root, drawn


def _text(root: ElementTree.Element) -> str:
    ElementTree.indent(root)
    return DOCTYPE + ElementTree.tostring(root, encoding="unicode") + "\n"
