"""The model of ``config.yaml`` and the function that reads it."""

from collections.abc import Mapping
from typing import Any, Literal, Self

from pydantic import Field, ValidationError, model_validator

from clairemap.settings.accuracy import AccuracySettings
from clairemap.settings.delivery import DeliverSettings
from clairemap.settings.handover import BundleSettings
from clairemap.settings.kinds import InputPath, OutputFolder
from clairemap.settings.labels import LabelsSettings
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
    """Hardware, memory and time limits. Results do not depend on them; they are not among a stage's settings."""

    training_processes: int = Field(
        1, ge=1, le=1024, description="number of training processes on each node, one per GPU"
    )
    training_nodes: int = Field(1, ge=1, le=1024, description="number of nodes for training; more than 1 needs SLURM")
    device: Literal["auto", "cpu", "cuda"] = Field(
        "auto", description="auto: use a GPU if there is one; on a cluster choose cpu or cuda"
    )
    mapping_memory_mb: int = Field(
        3000,
        ge=1000,
        description="memory for mapping a scene, MB; with more memory, windows are larger and overlap less",
    )
    training_minutes: float | None = Field(
        None,
        gt=0,
        description="time after which training saves a checkpoint and stops, minutes; it resumes when run again, on "
        "SLURM by itself (null: no limit; a SLURM job requests 1440 minutes)",
    )
    tensorboard: bool = Field(
        False, description="also write training curves for TensorBoard, to tensorboard/ in work_dir"
    )


class Settings(Section):
    """All settings."""

    scenes: InputPath = Field(
        "config/scenes.csv", description="sample sheet (CSV); a relative path starts at the current folder"
    )
    data_dir: InputPath = Field(".", description="folder that relative paths in the sample sheet start from")
    work_dir: OutputFolder = Field(
        "work", description="intermediate files; can be recreated, so scratch storage is sufficient"
    )
    results_dir: OutputFolder = Field("results", description="deliverables: maps, accuracy, report")
    model: InputPath | None = Field(
        None,
        description="folder of a trained model (model.safetensors, model.json) to map with; nothing is trained, and "
        "the sample sheet has no train or val rows (null: train a model)",
    )
    seed: int = Field(0, ge=0, description="seed of all random numbers")
    legend: LegendSettings = Field(LegendSettings(), description="classes and label codes")
    labels: LabelsSettings = Field(LabelsSettings(), description="label files: polygons, and where labels come from")
    sensors: SensorsSettings = Field(SensorsSettings(), description="bands and units of the two sensors")
    registration: RegistrationSettings = Field(RegistrationSettings(), description="co-registration of SAR to optical")
    tiling: TilingSettings = Field(TilingSettings(), description="tile size and size of the intermediate files")
    splits: SplitsSettings = Field(
        SplitsSettings(), description="which tiles are used for training, validation and testing"
    )
    network: NetworkSettings = Field(NetworkSettings(), description="the CLAIRE network")
    loss: LossSettings = Field(
        LossSettings(), description="the RIFT loss: balance * focal term + (1 - balance) * Tversky term"
    )
    training: TrainingSettings = Field(TrainingSettings(), description="training loop")
    augmentation: AugmentationSettings = Field(
        AugmentationSettings(), description="random changes of training crops; 0 disables one"
    )
    inference: InferenceSettings = Field(InferenceSettings(), description="sliding windows over a scene")
    mosaic: MosaicSettings = Field(MosaicSettings(), description="grid and compression of the maps")
    deliver: DeliverSettings = Field(
        DeliverSettings(), description="post-processing of the finished maps: minimum mapping unit, polygons"
    )
    metrics: MetricsSettings = Field(MetricsSettings(), description="accuracy against the labels")
    accuracy: AccuracySettings = Field(
        AccuracySettings(), description="random sample of the map, interpreted by people, for accuracy and areas"
    )
    explain: ExplainSettings = Field(ExplainSettings(), description="explanations of the tiles in words")
    report: ReportSettings = Field(ReportSettings(), description="report page")
    bundle: BundleSettings = Field(BundleSettings(), description="folder to share the model (make bundle)")
    compute: ComputeSettings = Field(
        ComputeSettings(),
        description="hardware, memory and time limits; changes here do not affect results and trigger no recomputation",
    )

    @model_validator(mode="after")
    def _batch_is_shared_evenly(self) -> Self:
        compute, parts = self.compute, self.training.batch_parts
        shared = compute.training_processes * compute.training_nodes * parts
        nodes = f" x compute.training_nodes {compute.training_nodes}" if compute.training_nodes > 1 else ""
        if self.training.batch_size % shared:
            raise ValueError(
                f"training.batch_size is {self.training.batch_size}: it must be a multiple of {shared} "
                f"(compute.training_processes {compute.training_processes}{nodes} x training.batch_parts {parts})"
            )
        return self

    @model_validator(mode="after")
    def _sample_is_about_classes(self) -> Self:
        accuracy, known = self.accuracy, self.legend.names
        named = {
            "buffer.around": accuracy.buffer.around if accuracy.buffer else None,
            "half_width_class": accuracy.half_width_class,
        }
        for key, name in named.items():
            if name is not None and name not in known:
                raise ValueError(
                    f"accuracy.{key} {name!r} is not a class of legend.classes: use one of {', '.join(known)}"
                )
        return self

    @model_validator(mode="after")
    def _areas_are_of_one_map(self) -> Self:
        if self.accuracy.interpreted and self.mosaic.grid != "region":
            raise ValueError(
                f"accuracy.interpreted needs one map for each region, but mosaic.grid is {self.mosaic.grid!r}: set "
                "mosaic.grid to region, or accuracy.interpreted to null"
            )
        return self

    @model_validator(mode="after")
    def _trains_or_not(self) -> Self:
        if self.model is not None and self.training.start_from is not None:
            raise ValueError(
                "model and training.start_from are both set: set model to map with a model as it is, or "
                "training.start_from to fine-tune it"
            )
        return self

    @model_validator(mode="after")
    def _crop_fits_tile(self) -> Self:
        if self.training.crop_px > self.tiling.tile_px:
            raise ValueError(
                f"training.crop_px {self.training.crop_px} is larger than tiling.tile_px {self.tiling.tile_px}: reduce "
                "crop_px or increase tile_px"
            )
        return self


def load_settings(values: Mapping[str, Any], source: str = "config") -> Settings:
    """Return checked settings from a mapping, such as Snakemake's `config`; `source` names it in messages.

    Raises:
        SettingsError: keys or values are not allowed; the message lists all of them.
    """
    try:
        return Settings.model_validate(dict(values))
    except ValidationError as error:
        raise settings_error(error, Settings, source, "All settings: config/config.yaml") from None
