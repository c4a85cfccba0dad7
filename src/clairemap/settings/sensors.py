"""Settings of the sensors: bands, scales, cloud masks, speckle filter, radiometry check."""

from typing import Literal, Self, get_args

from pydantic import Field, field_validator, model_validator

from clairemap.settings.section import Section

Sensor = Literal["optical", "sar"]

View = Literal["fused", "optical", "sar"]
"""The sensors that a prediction uses: both (`outputs.FUSED`), or one with the other masked out."""

VIEWS: tuple[View, ...] = get_args(View)


class _BandSettings(Section):
    bands: tuple[str, ...]
    indexes: tuple[int, ...] | None = Field(
        None, description="1-based band numbers in the file, one per band name (null: all bands, in file order)"
    )
    nodata: float | None = Field(
        None,
        allow_inf_nan=True,
        description="additional nodata value, as stored in the file (null: none)",
    )
    apply_scale: bool = Field(True, description="apply the scale and offset tags of the file, if it has any")

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the bands."""
        raise NotImplementedError

    @model_validator(mode="after")
    def _one_index_each(self) -> Self:
        if self.indexes is not None and len(self.indexes) != len(self.names):
            raise ValueError(f"{len(self.names)} band names but {len(self.indexes)} indexes: give one index per name")
        if self.indexes is not None and min(self.indexes, default=1) < 1:
            raise ValueError(f"band numbers are 1-based, but indexes is {list(self.indexes)}")
        if len(set(self.names)) < len(self.names):
            raise ValueError(f"band names are repeated in {list(self.names)}: give each band its own name")
        return self


class _DeliveredSettings(_BandSettings):
    """How band files and products are found and read; only resolve_scene uses it."""

    files: dict[str, str] | None = Field(
        None,
        description="pattern of the file of each band, by band name, as in {blue: '*_B02_*.jp2'}: for cells of the "
        "sample sheet that name a folder, a pattern or several files (null: by the bands' names in the file names)",
    )
    resampling: Literal["nearest", "bilinear", "cubic"] = Field(
        "bilinear",
        description="how band files and products with bands of different pixel size are brought to the smallest one",
    )

    @model_validator(mode="after")
    def _files_of_bands(self) -> Self:
        if unknown := sorted(set(self.files or ()) - set(self.names)):
            raise ValueError(f"files has patterns of {unknown}, but the bands are {list(self.names)}")
        return self


class OpticalBands(_BandSettings):
    """Bands of the optical scenes."""

    bands: tuple[str, ...] = Field(
        ("red", "green", "blue", "nir"), min_length=1, description="names of the bands to read, in order"
    )

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the bands."""
        return self.bands


class TiledOptical(OpticalBands):
    """Bands of the optical scenes and the coding of their cloud masks."""

    cloud_mask: Literal["binary", "nonzero", "scl", "qa_pixel"] = Field(
        "binary",
        description="coding of the cloud masks. binary: 0 is clear, one other value is cloud or shadow; nonzero: 0 "
        "is clear, all other values are cloud or shadow; scl: Sentinel-2 scene classification (3, 8, 9, "
        "10: cloud or shadow; 0: unknown); qa_pixel: Landsat Collection 2 QA_PIXEL (dilated cloud, cirrus, cloud, "
        "cloud shadow)",
    )
    cloud_classes: tuple[int, ...] = Field(
        (3, 8, 9, 10),
        min_length=1,
        description="codes of Sentinel-2's scene classification (SCL) that count as cloud: 3 cloud shadow, 8 and 9 "
        "cloud of medium and high probability, 10 thin cirrus",
    )

    @field_validator("cloud_classes")
    @classmethod
    def _scl_codes(cls, codes: tuple[int, ...]) -> tuple[int, ...]:
        if wrong := [code for code in codes if not 1 <= code <= 11]:
            raise ValueError(f"SCL has the codes 1 to 11 (and 0: no data), not {wrong[0]}")
        return codes


class ResolvedOptical(OpticalBands, _DeliveredSettings):
    """Bands of the optical scenes and how their files are found and read, for resolve_scene."""

    offset: float | None = Field(
        None,
        description="number to add to the stored numbers of band files and products whose metadata do not state it "
        "clearly (null: such a scene is an error). -1000: Sentinel-2 as delivered since processing baseline 04.00; 0: "
        "older, or already removed",
    )
    scene_offsets: dict[str, float] | None = Field(
        None, description="the same by scene, as in {west: 0}, even if the metadata state another offset (null: none)"
    )


class OpticalSettings(TiledOptical, ResolvedOptical):
    """The optical scenes."""

    display: tuple[str, ...] | None = Field(
        None,
        min_length=1,
        max_length=3,
        description="bands displayed as red, green and blue, or one band in grey (null: the first three)",
    )

    @model_validator(mode="after")
    def _display_known(self) -> Self:
        if unknown := sorted(set(self.display or ()) - set(self.bands)):
            raise ValueError(f"display contains bands {unknown}, which are not in {list(self.bands)}")
        return self

    @property
    def display_positions(self) -> tuple[int, ...]:
        """Positions in `bands` of the bands displayed as red, green and blue, or of the band displayed in grey."""
        shown = self.display or (self.bands[:3] if len(self.bands) >= 3 else self.bands[:1])
        return tuple(self.bands.index(name) for name in shown)


class SarBands(_BandSettings):
    """Bands and scale of the SAR scenes."""

    bands: tuple[str, ...] = Field(
        ("VV", "VH"), min_length=1, description="names of the polarisations to read, in order"
    )
    scale: Literal["linear_power", "linear_amplitude", "db", "digital"] = Field(
        "linear_power",
        description="unit of the values. linear_power, linear_amplitude: converted to dB; db and digital (8-bit "
        "images): used as they are",
    )

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the polarisations."""
        return self.bands


class TiledSar(SarBands):
    """Bands and scale of the SAR scenes and the speckle filter."""

    speckle_filter: Literal["none", "lee"] = Field(
        "lee", description="speckle filter, applied on the SAR grid before resampling"
    )
    speckle_window_px: int = Field(
        5, ge=3, le=31, description="window size of the speckle filter, SAR pixels; an odd number"
    )
    looks: float = Field(4.0, gt=0, description="equivalent number of looks, for the speckle filter")

    @model_validator(mode="after")
    def _odd_window(self) -> Self:
        if self.speckle_window_px % 2 == 0:
            raise ValueError(f"speckle_window_px is {self.speckle_window_px}: it must be odd")
        return self


class ResolvedSar(SarBands, _DeliveredSettings):
    """Bands of the SAR scenes and how their files are found and read, for resolve_scene."""


class SarSettings(TiledSar, ResolvedSar):
    """The SAR scenes."""


class SensorsGate(Section):
    """What to do with a scene whose values do not match those of the training scenes."""

    on_mismatch: Literal["error", "warn"] = Field(
        "error",
        description="what to do with a scene whose values do not match those of the training scenes (unit, offset, "
        "band order). error: stop the scene; warn: map it and report a warning",
    )


class SensorsSettings(SensorsGate):
    """Bands and scales of the two sensors."""

    optical: OpticalSettings = Field(OpticalSettings(), description="optical scenes")
    sar: SarSettings = Field(SarSettings(), description="SAR scenes")


class SensorBands(Section):
    """Bands of the two sensors, for registration."""

    optical: OpticalBands
    sar: SarBands


class TiledSensors(Section):
    """Bands of the two sensors, cloud masks and the speckle filter, for tiling."""

    optical: TiledOptical
    sar: TiledSar


class ResolvedSensors(Section):
    """Bands of the two sensors and how their files are found and read, for resolve_scene."""

    optical: ResolvedOptical
    sar: ResolvedSar
