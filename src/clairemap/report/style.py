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
    root, categories, symbols = _categorized("code")
    for index, c in enumerate(legend.classes):
        _category(categories, str(c.code), str(index), c.name)
        _fill(symbols, str(index), (*c.rgb, 255))
    return _text(root)


def sample_style(legend: ColoredLegend) -> str:
    """Return the style of a sample's pixels: a circle in the colour of the reference class, its name or code."""
    root, categories, symbols = _categorized("reference")
    for index, c in enumerate(legend.classes):
        category = _category(categories, c.name, str(index), c.name)
        for value in (c.name, str(c.code)):
            ElementTree.SubElement(category, "val", type="QString", value=value)
        category.set("type", "List")
        _circle(symbols, str(index), (*c.rgb, 255))
    _category(categories, "", str(len(legend)), "no reference class in this file")
    _circle(symbols, str(len(legend)), (255, 255, 255, 255))
    return _text(root)


def _categorized(column: str) -> tuple[ElementTree.Element, ElementTree.Element, ElementTree.Element]:
    """Return an empty style by the values of a column, its categories and their symbols."""
    root = ElementTree.Element("qgis", version=MIN_QGIS_VERSION, styleCategories="Symbology")
    renderer = ElementTree.SubElement(root, "renderer-v2", type="categorizedSymbol", attr=column)
    return root, ElementTree.SubElement(renderer, "categories"), ElementTree.SubElement(renderer, "symbols")


def _category(categories: ElementTree.Element, value: str, symbol: str, label: str) -> ElementTree.Element:
    return ElementTree.SubElement(categories, "category", value=value, symbol=symbol, label=label, render="true")


def _fill(symbols: ElementTree.Element, name: str, color: tuple[int, ...]) -> None:
    symbol = ElementTree.SubElement(symbols, "symbol", type="fill", name=name, alpha="1")
    _symbol_layer(symbol, "SimpleFill", color=_color(color), style="solid", outline_style="no")


def _circle(symbols: ElementTree.Element, name: str, color: tuple[int, ...]) -> None:
    """Add a circle at the centre of a polygon, of the same size at all scales."""
    symbol = ElementTree.SubElement(symbols, "symbol", type="fill", name=name, alpha="1")
    centre = _symbol_layer(symbol, "CentroidFill", point_on_surface="0")
    marker = ElementTree.SubElement(centre, "symbol", type="marker", name=f"@{name}@0", alpha="1")
    _symbol_layer(marker, "SimpleMarker", name="circle", color=_color(color), outline_color="31,36,48,255", size="2.4")


def _symbol_layer(symbol: ElementTree.Element, kind: str, **properties: str) -> ElementTree.Element:
    layer = ElementTree.SubElement(symbol, "layer", {"class": kind, "enabled": "1", "pass": "0"})
    for key, value in properties.items():
        ElementTree.SubElement(layer, "prop", k=key, v=value)
    return layer


def _color(color: tuple[int, ...]) -> str:
    return ",".join(map(str, color))


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
