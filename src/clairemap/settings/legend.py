"""The classes to map and the label codes to ignore."""

from pydantic import Field

from clairemap.classes import ColoredClass, ColoredLegend
from clairemap.settings.section import Section

DEMO_CLASSES = (
    ColoredClass(code=1, name="water", color="#3b7dd8"),
    ColoredClass(code=2, name="forest", color="#1f6f3a"),
    ColoredClass(code=3, name="grassland", color="#9ccb5a"),
    ColoredClass(code=4, name="cropland", color="#e8c95a"),
    ColoredClass(code=5, name="village", color="#e08a6a"),
    ColoredClass(code=6, name="city", color="#c0392b"),
    ColoredClass(code=7, name="road", color="#5b5b66"),
)


class LegendSettings(ColoredLegend, Section):
    """The classes, in the order in which tables list them."""

    classes: tuple[ColoredClass, ...] = Field(
        DEMO_CLASSES, min_length=2, max_length=64, description="classes to map, in the order of legends and tables"
    )
    ignore: tuple[int, ...] = Field(
        (0,), description="label codes that mean 'not labelled', in addition to the raster's nodata value"
    )
