"""The settings of each stage: only the sections that it uses, so that changes of other sections do not rerun it.

`stage_json` writes them as JSON; the stage's script reads them with ``from_json``.
"""

import json

from clairemap.classes import Legend
from clairemap.settings import (
    AugmentationSettings,
    ExplainSettings,
    InferenceSettings,
    LegendSettings,
    LossSettings,
    MosaicSettings,
    NetworkSettings,
    RegistrationSettings,
    ReportSettings,
    Section,
    SensorBands,
    SensorsGate,
    SensorsSettings,
    Settings,
    SplitsSettings,
    TiledSensors,
    TilingSettings,
    TrainingSettings,
)


class RegisterPair(Section):
    """Settings of register_pair."""

    sensors: SensorBands
    registration: RegistrationSettings


class PictureRegistration(Section):
    """Settings of picture_registration."""

    sensors: SensorBands


class TileScene(Section):
    """Settings of tile_scene."""

    legend: Legend
    sensors: TiledSensors
    tiling: TilingSettings


class CheckRadiometry(Section):
    """Settings of check_radiometry."""

    sensors: SensorsGate


class FitStatistics(Section):
    """Settings of fit_statistics and audit_splits."""

    seed: int
    legend: Legend
    splits: SplitsSettings


class TrainModel(Section):
    """Settings of train_model."""

    seed: int
    legend: Legend
    network: NetworkSettings
    loss: LossSettings
    training: TrainingSettings
    augmentation: AugmentationSettings


class PredictScene(Section):
    """Settings of predict_scene."""

    inference: InferenceSettings


class MosaicRegion(Section):
    """Settings of mosaic_region."""

    legend: LegendSettings
    mosaic: MosaicSettings


class ScoreTiles(Section):
    """Settings of score_tiles and score_region."""

    legend: Legend


class ExplainTiles(Section):
    """Settings of explain_tiles."""

    legend: Legend
    explain: ExplainSettings


class RenderReport(Section):
    """Settings of render_report."""

    legend: LegendSettings
    sensors: SensorsSettings
    report: ReportSettings


def stage_json(settings: Settings, stage: type[Section]) -> str:
    """Return the settings of a stage as canonical JSON: equal settings give equal strings.

    Fields that a stage does not use are left out: a new class colour does not rerun training.
    """
    narrowed = stage.model_validate(settings.model_dump(), extra="ignore")
    return json.dumps(narrowed.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
