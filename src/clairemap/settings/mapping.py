"""Settings of inference, mosaic, accuracy, explanations and report."""

from typing import Literal

from pydantic import Field, field_validator, model_validator

from clairemap.settings.kinds import AlignedPx, InputPath
from clairemap.settings.section import Section

Precision = Literal["float32", "bfloat16"]


class InferenceSettings(Section):
    """Sliding windows over a scene."""

    window_px: AlignedPx | None = Field(
        None,
        description="window size, pixels; a multiple of 128 (null: the largest that fits compute.mapping_memory_mb)",
    )
    halo_px: int | None = Field(
        None,
        ge=0,
        description="margin to discard around each window, pixels (null: determined from the network; smaller values "
        "cause visible seams)",
    )
    precision: Precision = Field(
        "float32",
        description="bfloat16 needs less GPU memory, is slower on CPUs, and may leave tiny seams between windows",
    )


class MosaicSettings(Section):
    """Grid and compression of the maps."""

    grid: Literal["region", "scene"] = Field(
        "region",
        description="region: one map per region; scene: one map per scene (for data without a CRS)",
    )
    crs: str | None = Field(
        None, description="CRS of the maps, such as EPSG:32633 (null: the CRS that most pixels have)"
    )
    resolution: float | None = Field(
        None,
        gt=0,
        description="pixel size in CRS units, 1/100 to 100 times that of the finest scene (null: that of the finest "
        "scene)",
    )
    compress: Literal["ZSTD", "DEFLATE"] = Field(
        "DEFLATE", description="DEFLATE can be read everywhere; ZSTD files are smaller"
    )

    @field_validator("crs")
    @classmethod
    def _known_crs(cls, crs: str | None) -> str | None:
        if crs is None:
            return None
        import pyproj  # noqa: PLC0415 - only if needed: planning must be fast

        try:
            pyproj.CRS.from_user_input(crs)
        except pyproj.exceptions.CRSError:
            raise ValueError(f"{crs!r} is not a valid CRS: use a code such as EPSG:32633") from None
        return crs


class MetricsSettings(Section):
    """Accuracy against the labels."""

    compare_sensors: bool = Field(True, description="also score each labelled test scene with one sensor masked out")
    boundary_tolerance_px: int = Field(
        2, ge=0, le=16, description="distance up to which boundaries of map and labels match, pixels (boundary F1)"
    )


class ExplainSettings(Section):
    """Explanations of the tiles in words."""

    model: InputPath | None = Field(
        None,
        description="folder or Hugging Face name of a chat model, for example microsoft/Phi-3-mini-4k-instruct, which "
        "chooses the sentences (null: a template chooses them)",
    )
    tiles: Literal["all", "uncertain", "worst", "sample"] = Field(
        "all",
        description="tiles of each scene whose text the model writes; uncertain: lowest confidence; worst: least "
        "accurate class; sample: evenly spaced; the others get the template's text",
    )
    max_tiles: int | None = Field(
        None, ge=1, description="number of these tiles per scene, unless tiles is all (null: all)"
    )
    sensor_tiles: int = Field(
        4,
        ge=0,
        description="number of tiles per scene, the least confident ones, whose text says what the map would show "
        "without one sensor; each is mapped twice more",
    )
    batch_size: int = Field(8, ge=1, description="tiles per batch of the language model")
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = Field(
        "auto",
        description="number format of the language model (auto: bfloat16 on a GPU and on CPUs with AMX, else float32)",
    )

    @model_validator(mode="after")
    def _number_fits_rule(self) -> "ExplainSettings":
        if (self.tiles == "all") != (self.max_tiles is None):
            raise ValueError(
                f"tiles is {self.tiles} and max_tiles is {'null' if self.max_tiles is None else self.max_tiles}: set "
                "tiles to uncertain, worst or sample together with max_tiles, or neither"
            )
        return self


class ReportSettings(Section):
    """The report page."""

    title: str | None = Field(None, description="page title (null: the region's name)")
    max_tiles: int = Field(24, ge=0, description="number of tiles with pictures and explanation on the page itself")
    compare_with: InputPath | None = Field(
        None,
        description="results folder of an earlier run: the page shows where its maps differ (null: no comparison)",
    )
    max_mb: float = Field(
        30, ge=3, le=500, description="size of the page in MB; pictures of maps and tiles are reduced to fit"
    )
