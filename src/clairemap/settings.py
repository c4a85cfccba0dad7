"""The settings: one pydantic model of ``config.yaml``, the only reader of it."""

import unicodedata
from collections.abc import Mapping
from typing import Any, Literal, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from clairemap.classes import MOST_CODE, LandCoverClass, Legend
from clairemap.errors import SettingsError
from clairemap.setting_faults import faults_told
from clairemap.setting_kinds import ALIGN_PX as ALIGN_PX  # other parts take it from here
from clairemap.setting_kinds import AlignedPx, ClassText, InputPath, OutputFolder, Share

Sensor = Literal["optical", "sar"]
View = Literal["fused", "optical", "sar"]
"""What a prediction rests on: both sensors, or one of them with the other masked out."""

VIEWS: tuple[View, ...] = get_args(View)


class Section(BaseModel):
    """A part of the settings: unknown keys are errors, values can't be changed."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Return the settings that a stage is given as JSON.

        Raises:
            SettingsError: it is not valid JSON, or keys or values are missing or not allowed; the text lists them.
        """
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            remedy = "The whole command of each stage: snakemake --dry-run --forceall --printshellcmds"
            raise _settings_error(error, cls, f"--settings ({cls.__name__})", remedy) from None


class ClassName(Section):
    """One class, without its colour: what stages see that draw nothing."""

    code: int = Field(
        ge=0, le=MOST_CODE, description="value in label rasters and in the land-cover map (255 is nodata)"
    )
    name: ClassText = Field(min_length=1, description="name in the map's categories, tables and explanations")


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
    ignore: tuple[int, ...] = Field((0,), description="label codes that mean 'not labelled' (its nodata tag does too)")

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        codes = [c.code for c in self.classes]
        names = [unicodedata.normalize("NFC", c.name).strip() for c in self.classes]
        if len(set(codes)) < len(codes) or len(set(names)) < len(names):
            raise ValueError("two classes share a code or a name")
        if clash := sorted(set(codes) & set(self.ignore)):
            raise ValueError(f"codes {clash} are both classes and to be ignored")
        return self

    def legend(self) -> Legend:
        """Return the legend as the parts use it, without colours."""
        return Legend(tuple(LandCoverClass(c.code, c.name) for c in self.classes), self.ignore)


class LegendSettings(LegendNames):
    """The classes, in the order in which tables list them."""

    classes: tuple[ClassSettings, ...] = Field(
        DEMO_CLASSES, min_length=2, max_length=64, description="the classes to map"
    )

    def legend(self) -> Legend:
        """Return the legend as the parts use it."""
        return Legend(tuple(LandCoverClass(c.code, c.name, c.color) for c in self.classes), self.ignore)


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


class RegistrationSettings(Section):
    """Estimating the displacement between SAR and optical."""

    window_px: int = Field(128, ge=32, le=1024, description="side of the windows that are correlated, optical pixels")
    max_shift_px: int = Field(
        64, ge=1, le=512, description="how far around the georeferencing SAR is looked for, optical pixels"
    )
    max_windows: int = Field(400, ge=4, le=10000, description="windows spread over the scene at the most")
    model: Literal["auto", "translation", "similarity", "affine", "polynomial", "none"] = Field(
        "auto",
        description="auto: the simplest of the others that the tie points support (polynomial: of second order); "
        "none: SAR is taken to lie right as delivered, and nothing is estimated",
    )
    search_rotation: bool = Field(
        True,
        description="try any rotation, and scales from 1/2 to 2, where nothing is found around the georeferencing",
    )
    min_inliers: int = Field(6, ge=3, description="agreeing windows below which the verdict is 'rejected'")
    on_rejected: Literal["keep", "error"] = Field(
        "keep",
        description="keep: go on with the georeferencing as delivered and flag it; error: stop the scene",
    )


class TilingSettings(Section):
    """How a scene is laid out in its store."""

    tile_px: AlignedPx = Field(
        512, description="side of a tile, the store's chunk and the unit of the scores; a multiple of 128"
    )
    shard_tiles: int = Field(4, ge=1, le=32, description="tiles along the side of one file of the store")


class SplitsSettings(Section):
    """Which tiles train, validate and test."""

    method: Literal["scene", "block", "random"] = Field(
        "scene",
        description="scene: as the sample sheet says; block: blocks of its train scenes are held out as well; random: "
        "single tiles of them, which makes figures look better than the model is",
    )
    accept_leakage: bool = Field(False, description="insist on method random, which is refused otherwise")
    block_tiles: int = Field(4, ge=1, description="side of a block in tiles (method block)")
    val_share: Share = Field(0.2, description="share of the blocks or tiles that validate (methods block, random)")
    test_share: Share = Field(0.0, description="share of the blocks or tiles that test (methods block, random)")
    buffer_px: int = Field(256, ge=0, description="training tiles nearer than this to a held-out block are left out")

    @model_validator(mode="after")
    def _no_leakage_by_mistake(self) -> Self:
        if self.method == "random" and not self.accept_leakage:
            raise ValueError(
                "method random is refused: neighbouring tiles look alike, so that random tile splits overstate "
                "accuracy by up to 28 % (Kattenborn et al. 2022); take block or scene, or insist with accept_leakage: "
                "true"
            )
        return self


class NetworkSettings(Section):
    """The CLAIRE network."""

    size: Literal["tiny", "small", "base"] = Field("tiny", description="1.4, 21 or 65 million parameters")
    fusion: Literal["window", "conv", "gate", "sum", "early"] = Field(
        "window",
        description="window: cross-modality attention (CMAF); the others are for comparison "
        "(early: the bands of both sensors stacked, one encoder)",
    )
    sensors: View = Field("fused", description="train on both sensors, or on one with the other masked out")


class LossSettings(Section):
    """RIFT: balance · weighted focal + (1 - balance) · Tversky."""

    balance: Share = Field(0.5, description="weight of the focal part")
    focal_gamma: float = Field(2.0, ge=0, le=10, description="focusing exponent of the focal part")
    tversky_alpha: float = Field(0.3, ge=0, description="weight of false positives")
    tversky_beta: float = Field(0.7, ge=0, description="weight of false negatives")
    tversky_kappa: float = Field(1.0, gt=0, le=5, description="exponent of the Tversky part")
    smooth: float = Field(1.0, ge=0, description="pixels added to both sides of the Tversky ratio")
    class_weights: Literal["inverse_sqrt", "none"] = Field(
        "inverse_sqrt",
        description="weights of the focal part: inverse square root of frequency, or all equal",
    )
    tversky_class_weights: Literal["inverse_sqrt", "none"] = Field(
        "none", description="the same for the mean of the Tversky part, which counts all classes alike by itself"
    )


class TrainingSettings(Section):
    """The training loop. `batch_size` is the sum over all processes."""

    steps: int = Field(600, ge=1, description="optimiser steps")
    batch_size: int = Field(8, ge=1, description="crops for each step, all processes together")
    crop_px: AlignedPx = Field(128, description="side of a crop, at most a tile; a multiple of 128")
    batch_parts: int = Field(
        1,
        ge=1,
        description="parts a batch is computed in to save memory; same loss and gradient in 4/3 of the time or more",
    )
    schedule: Literal["one_cycle", "cosine"] = Field(
        "one_cycle", description="one_cycle: the learning rate rises, then falls along a cosine; cosine: it only falls"
    )
    learning_rate: float = Field(2e-3, gt=0, description="peak of the schedule")
    weight_decay: float = Field(0.05, ge=0, description="AdamW's decoupled weight decay")
    warmup_share: Share = Field(0.1, description="share of the steps until the peak (one_cycle)")
    clip_norm: float = Field(1.0, gt=0, description="largest norm of the gradient")
    sensor_dropout: Share = Field(0.2, description="share of the crops of which one sensor is masked out")
    rare_class_share: Share = Field(0.5, description="share of the crops centred on a class drawn evenly, not a place")
    ema_decay: float | None = Field(
        None,
        gt=0,
        lt=1,
        description="validate and keep a moving average of the weights with this decay (null: the weights themselves)",
    )
    patience: int | None = Field(
        None, ge=1, description="validations without a better one after which training stops (null: never)"
    )
    calibrate: bool = Field(True, description="fit a temperature to the validation tiles after training")
    initial_optical: InputPath | None = Field(
        None,
        description="file with a ConvNeXt-T's ImageNet weights for the optical encoder of size base (null: random)",
    )
    initial_sar: InputPath | None = Field(None, description="the same for the SAR encoder")
    validate_every: int = Field(100, ge=1, description="steps between validations")
    checkpoint_every: int = Field(50, ge=1, description="steps between checkpoints")
    max_validation_tiles: int = Field(32, ge=1, description="validation tiles at the most, spread evenly")


class AugmentationSettings(Section):
    """What is done to training crops besides quarter turns and mirror images. Shares of 0 switch a thing off."""

    clouds: Share = Field(0.5, description="share of the crops onto which clouds and their shadows are painted")
    cloud_mask_known: Share = Field(
        0.5, description="share of those crops whose mask is given; else the network has to see the clouds"
    )
    speckle: Share = Field(0.3, description="share of the crops whose SAR bands get further speckle")
    speckle_looks: float = Field(8.0, gt=0, description="equivalent number of looks of that speckle")
    sar_jitter_px: int = Field(1, ge=0, le=2, description="largest displacement of a crop's SAR on each axis, pixels")
    holes: Share = Field(0.3, description="share of the crops into which nodata is cut, in one sensor or in both")
    gain: float = Field(
        0.0, ge=0, le=1, description="largest change of a band's brightness and contrast, in its deviations"
    )


Precision = Literal["float32", "bfloat16"]


class InferenceSettings(Section):
    """Sliding windows over a scene."""

    window_px: AlignedPx | None = Field(
        None, description="side of the network's windows, a multiple of 128 (null: as compute.mapping_memory_mb allows)"
    )
    halo_px: int | None = Field(
        None, ge=0, description="margin that is thrown away, pixels (null: measured on the network; less leaves seams)"
    )
    precision: Precision = Field(
        "float32", description="bfloat16 is faster on GPUs, slower on CPUs; the windows then show in the last digits"
    )


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


class ComputeSettings(Section):
    """Where work runs. Never part of a stage's settings: results don't depend on it."""

    training_processes: int = Field(1, ge=1, le=1024, description="processes of torchrun, one for each GPU")
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="auto: a GPU if there is one")
    mapping_memory_mb: int = Field(
        3000, ge=1000, description="memory of a job that maps a scene; more makes larger windows, which overlap less"
    )
    training_minutes: float | None = Field(
        None, gt=0, description="minutes until training stops and saves; the retried job goes on (null: no limit)"
    )
    tensorboard: bool = Field(False, description="write training's curves for TensorBoard under the work folder too")


class Settings(Section):
    """Everything in config.yaml."""

    scenes: InputPath = Field(
        "config/scenes.csv", description="the sample sheet; relative paths start at the folder you run in"
    )
    data_dir: InputPath = Field(".", description="folder from which relative paths in the sample sheet start")
    work_dir: OutputFolder = Field("work", description="what can be made again; may be scratch storage")
    results_dir: OutputFolder = Field("results", description="what you take away")
    seed: int = Field(0, ge=0, description="all random numbers are derived from it")
    legend: LegendSettings = Field(LegendSettings(), description="the classes")
    sensors: SensorsSettings = Field(SensorsSettings(), description="bands and scales of the two sensors")
    registration: RegistrationSettings = Field(
        RegistrationSettings(), description="displacement between SAR and optical"
    )
    tiling: TilingSettings = Field(TilingSettings(), description="how a scene is laid out in its store")
    splits: SplitsSettings = Field(SplitsSettings(), description="which tiles train, validate and test")
    network: NetworkSettings = Field(NetworkSettings(), description="the CLAIRE network")
    loss: LossSettings = Field(LossSettings(), description="the RIFT loss")
    training: TrainingSettings = Field(TrainingSettings(), description="the training loop")
    augmentation: AugmentationSettings = Field(AugmentationSettings(), description="what is done to training crops")
    inference: InferenceSettings = Field(InferenceSettings(), description="sliding windows over a scene")
    mosaic: MosaicSettings = Field(MosaicSettings(), description="the deliverables' grid and encoding")
    metrics: MetricsSettings = Field(MetricsSettings(), description="accuracy against the labels")
    explain: ExplainSettings = Field(ExplainSettings(), description="explanations in words")
    report: ReportSettings = Field(ReportSettings(), description="the report page")
    compute: ComputeSettings = Field(ComputeSettings(), description="where work runs; changes rerun nothing")

    @model_validator(mode="after")
    def _batch_is_shared_evenly(self) -> Self:
        shared = self.compute.training_processes * self.training.batch_parts
        if self.training.batch_size % shared:
            raise ValueError(
                f"training.batch_size {self.training.batch_size} can't be shared evenly by compute.training_processes "
                f"{self.compute.training_processes}, each computing its share in training.batch_parts "
                f"{self.training.batch_parts}; make it a multiple of {shared}"
            )
        return self

    @model_validator(mode="after")
    def _crop_fits_tile(self) -> Self:
        if self.training.crop_px > self.tiling.tile_px:
            raise ValueError(
                f"training.crop_px {self.training.crop_px} is larger than tiling.tile_px {self.tiling.tile_px}"
            )
        return self


def load_settings(values: Mapping[str, Any], source: str = "config") -> Settings:
    """Return checked settings from the mapping that Snakemake or a YAML file holds.

    Raises:
        SettingsError: keys or values are not allowed; the text lists every one of them.
    """
    try:
        return Settings.model_validate(dict(values))
    except ValidationError as error:
        raise _settings_error(error, Settings, source, "Allowed keys: see config/config.yaml") from None


def _settings_error(error: ValidationError, model: type[BaseModel], source: str, remedy: str) -> SettingsError:
    faults = [f"  {fault}" for fault in faults_told(error, model)]
    return SettingsError(f"{source}: {len(faults)} fault(s)\n" + "\n".join(faults) + f"\n{remedy}")
