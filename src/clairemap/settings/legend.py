"""The classes to map and the label codes to ignore."""

from typing import Any

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer

from clairemap.classes import ColoredClass, ColoredLegend, SourceClass, SourceLegend
from clairemap.settings.section import Section


class LegendClass(SourceClass, ColoredClass):
    """One class with its colour in the map and its codes or names in label files."""

    @model_serializer(mode="wrap")
    def _without_empty_sources(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out an empty `from`, for config.yaml."""
        return {key: value for key, value in dump(self).items() if key != "from" or value}


DEMO_CLASSES = (
    LegendClass(code=1, name="water", color="#3b7dd8"),
    LegendClass(code=2, name="forest", color="#1f6f3a"),
    LegendClass(code=3, name="grassland", color="#9ccb5a"),
    LegendClass(code=4, name="cropland", color="#e8c95a"),
    LegendClass(code=5, name="village", color="#e08a6a"),
    LegendClass(code=6, name="city", color="#c0392b"),
    LegendClass(code=7, name="road", color="#5b5b66"),
)


class LegendSettings(ColoredLegend, SourceLegend, Section):
    """The classes, in the order in which tables list them."""

    classes: tuple[LegendClass, ...] = Field(
        DEMO_CLASSES, min_length=2, max_length=64, description="classes to map, in the order of legends and tables"
    )
    ignore: tuple[int, ...] = Field(
        (0,), description="label codes that mean 'not labelled', in addition to the raster's nodata value"
    )
