"""From model to results: inference, mosaic, accuracy, explanations, report."""

from typing import Literal, Self

from pydantic import Field, model_validator

from clairemap.settings.kinds import AlignedPx, InputPath
from clairemap.settings.section import Section

Precision = Literal["float32", "bfloat16"]


class InferenceSettings(Section):
    """Sliding windows over a scene."""

    window_px: AlignedPx | None = Field(
        None, description="side of the network's windows, a multiple of 128 (null: as compute.mapping_memory_mb allows)"
    )
    halo_px: int | None = Field(
        None, ge=0, description="margin that is thrown away, pixels (null: measured on the network; less leaves seams)"
    )
    blend_px: int = Field(
        0,
        ge=0,
        description="pixels by which windows are blended into each other, for a halo_px too small to be exact",
    )
    precision: Precision = Field(
        "float32", description="bfloat16 is faster on GPUs, slower on CPUs; the windows then show in the last digits"
    )

    @model_validator(mode="after")
    def _blended_within_the_halo(self) -> Self:
        if self.halo_px is not None and self.blend_px > self.halo_px:
            raise ValueError(f"blend_px {self.blend_px} is more than halo_px {self.halo_px}; make it smaller")
        return self


class MosaicSettings(Section):
    """The deliverables' grid and encoding."""

    grid: Literal["region", "scene"] = Field(
        "region",
        description="region: one map for each region; scene: one for each scene (data without a CRS)",
    )
    crs: str | None = Field(None, description="the maps' CRS, such as EPSG:32633 (null: the one most pixels have)")
    resolution: float | None = Field(
        None,
        gt=0,
        description="pixel size in units of that CRS, at most 100 times the finest scene's and at least a hundredth "
        "of it (null: the finest scene's)",
    )
    compress: Literal["ZSTD", "DEFLATE"] = Field("DEFLATE", description="DEFLATE opens everywhere; ZSTD is smaller")


class MetricsSettings(Section):
    """Accuracy against the labels."""

    compare_sensors: bool = Field(True, description="also score each labelled test scene with one sensor masked out")


class ExplainSettings(Section):
    """Explanations in words."""

    model: InputPath | None = Field(
        None, description="folder or hub name of a Phi-3 model (null: sentences from a fixed template)"
    )
    batch_size: int = Field(8, ge=1, description="tiles that the model explains at once")
    max_new_tokens: int = Field(192, ge=16, le=2048, description="longest answer in tokens")
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = Field("auto", description="the model's number format")


class ReportSettings(Section):
    """The report page."""

    title: str | None = Field(None, description="headline (null: the region's name)")
    max_tiles: int = Field(24, ge=0, description="tiles shown with picture and explanation")
