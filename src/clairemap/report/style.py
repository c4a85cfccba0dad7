"""The map's colours and labels as a QGIS style file (QML)."""

from xml.etree import ElementTree

from clairemap.classes import Legend

DOCTYPE = "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n"
OLDEST_QGIS = "3.10"


def qgis_style(legend: Legend) -> str:
    """Return the text of a ``.qml`` that draws each class in its colour and lists it by its name.

    QGIS applies it by itself where it has the GeoTIFF's name. Nodata stays transparent.
    """
    root = ElementTree.Element("qgis", version=OLDEST_QGIS, styleCategories="Symbology")
    pipe = ElementTree.SubElement(root, "pipe")
    renderer = ElementTree.SubElement(
        pipe, "rasterrenderer", type="paletted", band="1", opacity="1", alphaBand="-1", nodataColor=""
    )
    ElementTree.SubElement(renderer, "rasterTransparency")
    palette = ElementTree.SubElement(renderer, "colorPalette")
    for known in legend.classes:
        ElementTree.SubElement(
            palette, "paletteEntry", value=str(known.code), color=known.color.lower(), label=known.name, alpha="255"
        )
    ElementTree.SubElement(root, "blendMode").text = "0"
    ElementTree.indent(root)
    return DOCTYPE + ElementTree.tostring(root, encoding="unicode") + "\n"
