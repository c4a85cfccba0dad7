"""Label files: polygons, ignored names, origin."""

from typing import Self

from pydantic import Field, model_validator

from clairemap.classes import ClassText, SourceValue
from clairemap.settings.section import Section


class IgnoredNames(Section):
    """Names in label files that mean "not labelled"."""

    ignore: tuple[ClassText, ...] = Field(
        (), description="texts in label files that mean 'not labelled'; legend.ignore has the codes"
    )


class PolygonSettings(IgnoredNames):
    """What is read of vector label files."""

    layer: str | None = Field(
        None, min_length=1, description="layer of vector label files (null: their only layer with polygons)"
    )
    field: str | None = Field(
        None, min_length=1, description="column of vector label files with the codes or names of the classes"
    )
    polygon_class: SourceValue | None = Field(
        None, description="code or name of the class of all polygons, for vector label files without such a column"
    )

    @model_validator(mode="after")
    def _field_or_class(self) -> Self:
        if self.field is not None and self.polygon_class is not None:
            raise ValueError(
                f"field is {self.field!r} and polygon_class is {self.polygon_class!r}: set one of them to null"
            )
        return self


class LabelOrigin(Section):
    """Where the labels come from."""

    product: str | None = Field(
        None,
        min_length=1,
        description="land-cover product that all labels come from, for example ESA WorldCover 2021; report, metrics "
        "and STAC item then state that accuracy is agreement with this product (null: labels are ground truth)",
    )


class LabelsSettings(PolygonSettings, LabelOrigin):
    """Label files: polygons, ignored names, origin."""
