"""Bands and scales of the two sensors, cloud masks, the speckle filter, the radiometry check."""

from typing import Literal, Self, get_args

from pydantic import Field, model_validator

from clairemap.settings.section import Section

Sensor = Literal["optical", "sar"]

View = Literal["fused", "optical", "sar"]
"""What a prediction rests on: both sensors, or one of them with the other masked out."""

VIEWS: tuple[View, ...] = get_args(View)


class _BandSettings(Section):
    indexes: tuple[int, ...] | None = Field(
        None, description="which bands of the file these are, counted from 1 (null: all of them, in order)"
    )
    nodata: float | None = Field(
        None,
        allow_inf_nan=True,
        description="a further stored value that means nodata, besides what the files say (null: none)",
    )
    apply_scale: bool = Field(
        True, description="values are stored numbers times the files' scale plus their offset, if they have such tags"
    )

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the bands."""
        raise NotImplementedError

    @model_validator(mode="after")
    def _one_index_each(self) -> Self:
        if self.indexes is not None and len(self.indexes) != len(self.names):
            raise ValueError(f"{len(self.names)} band names but {len(self.indexes)} indexes")
        if self.indexes is not None and min(self.indexes, default=1) < 1:
            raise ValueError("band indexes are counted from 1")
        if len(set(self.names)) < len(self.names):
            raise ValueError(f"a band name stands twice in {list(self.names)}")
        return self


class OpticalBands(_BandSettings):
    """Bands of the optical scenes."""

    bands: tuple[str, ...] = Field(("red", "green", "blue", "nir"), min_length=1, description="names of the bands")

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the bands."""
        return self.bands


class TiledOptical(OpticalBands):
    """Bands of the optical scenes, and what their cloud masks hold."""

    cloud_mask: Literal["binary", "nonzero", "scl"] = Field(
        "binary",
        description="codes of the cloud masks. binary: 0 clear, one other value for cloud and shadow; nonzero: 0 "
        "clear, all others cloud or shadow; scl: Sentinel-2's scene classification (cloud: 3, 8, 9, 10; unknown: 0)",
    )


class OpticalSettings(TiledOptical):
    """The optical scenes."""

    display: tuple[str, ...] | None = Field(
        None,
        min_length=1,
        max_length=3,
        description="bands shown as red, green, blue (null: the first three)",
    )

    @model_validator(mode="after")
    def _display_known(self) -> Self:
        if unknown := sorted(set(self.display or ()) - set(self.bands)):
            raise ValueError(f"display names bands {unknown} that are not among {list(self.bands)}")
        return self

    @property
    def display_positions(self) -> tuple[int, ...]:
        """Where the bands to show as red, green, blue stand in `bands`; one position for a grey picture."""
        shown = self.display or (self.bands[:3] if len(self.bands) >= 3 else self.bands[:1])
        return tuple(self.bands.index(name) for name in shown)


class SarBands(_BandSettings):
    """Bands and scale of the SAR scenes."""

    bands: tuple[str, ...] = Field(("VV", "VH"), min_length=1, description="names of the polarisations")
    scale: Literal["linear_power", "linear_amplitude", "db", "digital"] = Field(
        "linear_power",
        description="what the values are: linear scales are turned into dB; 'digital' (8-bit pictures) stays as it is",
    )

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the polarisations."""
        return self.bands


class SarSettings(SarBands):
    """The SAR scenes."""

    speckle_filter: Literal["none", "lee"] = Field("lee", description="filter on the SAR's own grid, before warping")
    speckle_window_px: int = Field(5, ge=3, le=31, description="side of the filter's window, odd")
    looks: float = Field(4.0, gt=0, description="equivalent number of looks, for the filter")

    @model_validator(mode="after")
    def _odd_window(self) -> Self:
        if self.speckle_window_px % 2 == 0:
            raise ValueError(f"speckle_window_px is {self.speckle_window_px}, but must be odd")
        return self


class SensorsGate(Section):
    """What happens to a scene whose values don't look like those of the training scenes."""

    on_mismatch: Literal["error", "warn"] = Field(
        "error",
        description="what happens to a scene whose values don't match the training scenes' (unit, offset, order of "
        "bands): it is stopped (error), or mapped and reported (warn)",
    )


class SensorsSettings(SensorsGate):
    """Bands and scales of the two sensors."""

    optical: OpticalSettings = Field(OpticalSettings(), description="the optical scenes")
    sar: SarSettings = Field(SarSettings(), description="the SAR scenes")


class SensorBands(Section):
    """Bands of the two sensors: what registration sees."""

    optical: OpticalBands
    sar: SarBands


class TiledSensors(Section):
    """Bands of the two sensors, cloud masks and how SAR is filtered: what tiling sees."""

    optical: TiledOptical
    sar: SarSettings
