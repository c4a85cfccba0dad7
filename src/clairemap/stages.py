"""What each stage sees of the settings: its own sections and nothing else, so that a change elsewhere reruns nothing.

`stage_json` writes it as one canonical JSON string, ``Stage.from_json`` in the stage's script reads it.
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
    """What register_pair needs."""

    sensors: SensorBands
    registration: RegistrationSettings


class PictureRegistration(Section):
    """What picture_registration needs."""

    sensors: SensorBands


class TileScene(Section):
    """What tile_scene needs."""

    legend: Legend
    sensors: TiledSensors
    tiling: TilingSettings


class CheckRadiometry(Section):
    """What check_radiometry needs."""

    sensors: SensorsGate


class FitStatistics(Section):
    """What fit_statistics and audit_splits need."""

    seed: int
    legend: Legend
    splits: SplitsSettings


class TrainModel(Section):
    """What train_model needs."""

    seed: int
    legend: Legend
    network: NetworkSettings
    loss: LossSettings
    training: TrainingSettings
    augmentation: AugmentationSettings


class PredictScene(Section):
    """What predict_scene needs."""

    inference: InferenceSettings


class MosaicRegion(Section):
    """What mosaic_region needs."""

    legend: LegendSettings
    mosaic: MosaicSettings


class ScoreTiles(Section):
    """What score_tiles and score_region need."""

    legend: Legend


class ExplainTiles(Section):
    """What explain_tiles needs."""

    legend: Legend
    explain: ExplainSettings


class RenderReport(Section):
    """What render_report needs."""

    legend: LegendSettings
    sensors: SensorsSettings
    report: ReportSettings


def stage_json(settings: Settings, stage: type[Section]) -> str:
    """Return just what a stage's model names, as canonical JSON (equal settings, equal string).

    The model of a stage holds narrower sections where it needs less: a class's new colour reruns no training.
    """
    narrowed = stage.model_validate(settings.model_dump(), extra="ignore")
    return json.dumps(narrowed.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
