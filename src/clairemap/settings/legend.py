"""The classes to map and the label codes to ignore."""

import unicodedata
from typing import Self

from pydantic import Field, model_validator

from clairemap.classes import MOST_CODE, LandCoverClass, Legend
from clairemap.settings.kinds import ClassText
from clairemap.settings.section import Section


class ClassName(Section):
    """One class without its colour, for stages that draw nothing."""

    code: int = Field(
        ge=0, le=MOST_CODE, description="value in label rasters and in the land-cover map (255 is nodata)"
    )
    name: ClassText = Field(min_length=1, description="name in map categories, tables and explanations")


class ClassSettings(ClassName):
    """One class of the legend."""

    color: str = Field(pattern=r"^#[0-9a-fA-F]{6}$", description="colour in the map, #rrggbb")


DEMO_CLASSES = (
    ClassSettings(code=1, name="water", color="#3b7dd8"),
    ClassSettings(code=2, name="forest", color="#1f6f3a"),
    ClassSettings(code=3, name="grassland", color="#9ccb5a"),
    ClassSettings(code=4, name="cropland", color="#e8c95a"),
    ClassSettings(code=5, name="village", color="#e08a6a"),
    ClassSettings(code=6, name="city", color="#c0392b"),
    ClassSettings(code=7, name="road", color="#5b5b66"),
)


class LegendNames(Section):
    """The classes without their colours, and the label codes to ignore."""

    classes: tuple[ClassName, ...]
    ignore: tuple[int, ...] = Field(
        (0,), description="label codes that mean 'not labelled', in addition to the raster's nodata value"
    )

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        codes = [c.code for c in self.classes]
        names = [unicodedata.normalize("NFC", c.name).strip() for c in self.classes]
        if len(set(codes)) < len(codes) or len(set(names)) < len(names):
            raise ValueError("two classes share a code or a name: give each its own")
        if clash := sorted(set(codes) & set(self.ignore)):
            raise ValueError(f"codes {clash} are listed both as classes and under ignore: remove them from one")
        return self

    def legend(self) -> Legend:
        """Return the legend without colours."""
        return Legend(tuple(LandCoverClass(c.code, c.name) for c in self.classes), self.ignore)


class LegendSettings(LegendNames):
    """The classes, in the order in which tables list them."""

    classes: tuple[ClassSettings, ...] = Field(
        DEMO_CLASSES, min_length=2, max_length=64, description="classes to map, in table order"
    )

    def legend(self) -> Legend:
        """Return the legend."""
        return Legend(tuple(LandCoverClass(c.code, c.name, c.color) for c in self.classes), self.ignore)
