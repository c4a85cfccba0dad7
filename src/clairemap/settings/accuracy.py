"""Sections of config.yaml on the sample for accuracy and areas."""

from typing import Literal

from pydantic import Field, model_validator

from clairemap.settings.kinds import InputPath
from clairemap.settings.section import Section

REGION = "{region}"
"""Stands for the region's name in the path of the interpreted sample."""


class BufferSettings(Section):
    """A stratum along the edges of a class."""

    around: str = Field(description="name of the class")
    px: int = Field(3, ge=1, le=100, description="width of the stratum around the class, pixels")
    share: float = Field(
        0, ge=0, lt=1, description="share of the sample in this stratum, if more than in proportion to its pixels"
    )


class AccuracySettings(Section):
    """Sample of pixels, from which accuracy and areas are estimated."""

    interpreted: InputPath | None = Field(
        None, description="file with the interpreted sample; {region} stands for the region's name (null: none yet)"
    )
    columns: dict[Literal["id", "reference", "second", "confidence", "remark"], str] = Field(
        {}, description="columns of this file with other names, such as {reference: Klasse}"
    )
    units: int | None = Field(None, ge=10, le=100_000, description="sample size (null: from half_width)")
    half_width: float = Field(
        0.03,
        gt=0,
        lt=0.5,
        description="wanted half-width of a 95 % interval, as a share: 0.03 is 3 points",
    )
    half_width_class: str | None = Field(
        None, description="class whose area half_width is about, as a share of the map (null: overall accuracy)"
    )
    expected_accuracy: float = Field(
        0.8, gt=0, lt=1, description="expected user's accuracy of classes without labelled test pixels, for half_width"
    )
    per_stratum: int = Field(50, ge=2, description="minimum number of sample units in each stratum")
    seed: int = Field(0, ge=0, description="seed of the sample; a larger sample with the same seed has the smaller one")
    distance_px: float = Field(0, ge=0, description="minimum distance between sample units of a stratum, pixels")
    buffer: BufferSettings | None = Field(
        None, description="stratum along the edges of a rare class, where its omission errors are (null: none)"
    )
    zones: InputPath | None = Field(
        None, description="vector file of zones, such as districts, for areas by zone (null: none)"
    )
    zone_field: str | None = Field(None, description="field of the zones file with the names of the zones")
    strata_by_zone: bool = Field(
        False, description="sample each class in each zone, for narrow intervals by zone; needs many more sample units"
    )

    @model_validator(mode="after")
    def _zones_have_names(self) -> "AccuracySettings":
        if self.zones and not self.zone_field:
            raise ValueError("zones needs zone_field: the field with the names of the zones")
        if self.strata_by_zone and not self.zones:
            raise ValueError("strata_by_zone needs zones: the vector file of the zones")
        return self

    @model_validator(mode="after")
    def _only_the_region_is_replaced(self) -> "AccuracySettings":
        if self.interpreted and set(self.interpreted.replace(REGION, "")) & set("{}"):
            raise ValueError(f"interpreted {self.interpreted!r} has braces other than {REGION}: correct it")
        return self

    def interpreted_of(self, region: str) -> str | None:
        """Return the path of a region's interpreted sample."""
        return self.interpreted.replace(REGION, region) if self.interpreted else None
