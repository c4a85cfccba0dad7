"""The map's categories for GDAL and QGIS: ``.aux.xml`` next to the GeoTIFF (GDAL's PAM format)."""

from collections.abc import Mapping
from xml.etree import ElementTree

from clairemap.classes import ColoredLegend

# Column name, GDAL's field type (0 integer, 1 real, 2 string) and usage (gdal.h, GDALRATFieldUsage).
# Counts are real numbers because GDAL's integer fields are limited to 2^31.
TABLE_COLUMNS = (
    ("Value", 0, 5),
    ("Class", 2, 2),
    ("Count", 1, 1),
    ("Red", 0, 6),
    ("Green", 0, 7),
    ("Blue", 0, 8),
)
TYPE_NAMES = {0: "Integer", 1: "Real", 2: "String"}
USAGE_NAMES = {1: "PixelCount", 2: "Name", 5: "MinMax", 6: "Red", 7: "Green", 8: "Blue"}


def categories_xml(legend: ColoredLegend, pixels: Mapping[int, int]) -> str:
    """Return the ``.aux.xml`` text: category names by code and a raster attribute table.

    Args:
        legend: the classes; one row each, ordered by code.
        pixels: pixel count of each code in the map; codes without pixels may be missing.
    """
    dataset = ElementTree.Element("PAMDataset")
    band = ElementTree.SubElement(dataset, "PAMRasterBand", band="1")
    names = {c.code: c.name for c in legend.classes}
    categories = ElementTree.SubElement(band, "CategoryNames")
    for code in range(max(names) + 1):  # position is the code: unused codes get empty names
        ElementTree.SubElement(categories, "Category").text = names.get(code, "")
    band.append(_attribute_table(legend, pixels))
    ElementTree.indent(dataset)
    return ElementTree.tostring(dataset, encoding="unicode") + "\n"


def _attribute_table(legend: ColoredLegend, pixels: Mapping[int, int]) -> ElementTree.Element:
    table = ElementTree.Element("GDALRasterAttributeTable", tableType="thematic")
    for index, (name, kind, usage) in enumerate(TABLE_COLUMNS):
        definition = ElementTree.SubElement(table, "FieldDefn", index=str(index))
        ElementTree.SubElement(definition, "Name").text = name
        ElementTree.SubElement(definition, "Type", typeAsString=TYPE_NAMES[kind]).text = str(kind)
        ElementTree.SubElement(definition, "Usage", typeAsString=USAGE_NAMES[usage]).text = str(usage)
    for index, c in enumerate(sorted(legend.classes, key=lambda c: c.code)):
        row = ElementTree.SubElement(table, "Row", index=str(index))
        for value in (c.code, c.name, pixels.get(c.code, 0), *c.rgb):
            ElementTree.SubElement(row, "F").text = str(value)
    return table
