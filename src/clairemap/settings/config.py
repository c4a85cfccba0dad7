"""Everything in ``config.yaml``, and the only way to read it."""

from collections.abc import Mapping
from typing import Any, Literal, Self

from pydantic import Field, ValidationError, model_validator

from clairemap.settings.kinds import InputPath, OutputFolder
from clairemap.settings.legend import LegendSettings
from clairemap.settings.mapping import (
    ExplainSettings,
    InferenceSettings,
    MetricsSettings,
    MosaicSettings,
    ReportSettings,
)
from clairemap.settings.preparation import RegistrationSettings, SplitsSettings, TilingSettings
from clairemap.settings.section import Section, settings_error
from clairemap.settings.sensors import SensorsSettings
from clairemap.settings.training import AugmentationSettings, LossSettings, NetworkSettings, TrainingSettings


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
        raise settings_error(error, Settings, source, "Allowed keys: see config/config.yaml") from None
