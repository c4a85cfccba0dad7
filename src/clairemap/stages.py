"""The settings of each stage: only the sections that it uses, so that changes of other sections do not rerun it.

`stage_json` writes them as JSON; the stage's script reads them with ``from_json``. `relevant_json` leaves out those
that do not change the stage's results (`UNTRACKED`): paths of files that are compared by content, and how often a state
is saved. Class names are texts: only stages that write them into their results have them.
"""

import json
from typing import Any, ClassVar, TypeVar

from clairemap.classes import ColoredLegend, Legend, SourceLegend
from clairemap.settings import (
    AccuracySettings,
    AugmentationSettings,
    BundleSettings,
    DeliverSettings,
    ExplainSettings,
    IgnoredNames,
    InferenceSettings,
    LabelOrigin,
    LegendSettings,
    LossSettings,
    MetricsSettings,
    MosaicSettings,
    NetworkSettings,
    PolygonSettings,
    RegistrationSettings,
    ReportSettings,
    ResolvedSensors,
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

Narrowed = TypeVar("Narrowed", bound=Section)
Exclude = dict[str, Any]

CLASS_NAMES: Exclude = {"classes": {"__all__": {"name"}}}
WHAT_TO_SCORE: Exclude = {"metrics": {"compare_sensors"}}


class StageSettings(Section):
    """Base of the settings of a stage."""

    UNTRACKED: ClassVar[Exclude] = {}
    """Fields that change no result of the stage, in pydantic's form of ``exclude``."""

    def relevant(self) -> dict[str, Any]:
        """Return the settings that can change results."""
        return self.model_dump(mode="json", exclude=self.UNTRACKED)


class ResolveScene(StageSettings):
    """Settings of resolve_scene."""

    sensors: ResolvedSensors


class RegisterPair(StageSettings):
    """Settings of register_pair."""

    sensors: SensorBands
    registration: RegistrationSettings


class PictureRegistration(StageSettings):
    """Settings of picture_registration."""

    sensors: SensorBands


class BurnLabels(StageSettings):
    """Settings of burn_labels."""

    legend: SourceLegend
    labels: PolygonSettings


class TileScene(StageSettings):
    """Settings of tile_scene."""

    UNTRACKED = {"legend": CLASS_NAMES}

    legend: SourceLegend
    labels: IgnoredNames
    sensors: TiledSensors
    tiling: TilingSettings


class CheckRadiometry(StageSettings):
    """Settings of check_radiometry."""

    sensors: SensorsGate


class FitStatistics(StageSettings):
    """Settings of fit_statistics and audit_splits."""

    UNTRACKED = {"legend": CLASS_NAMES, "splits": {"accept_leakage"}}

    seed: int
    legend: Legend
    splits: SplitsSettings


class TrainModel(StageSettings):
    """Settings of train_model.

    Files of initial weights are compared by content.
    """

    UNTRACKED = {
        "legend": CLASS_NAMES,
        "training": {"checkpoint_every", "initial_optical", "initial_sar", "start_from"},
    }

    seed: int
    legend: Legend
    network: NetworkSettings
    loss: LossSettings
    training: TrainingSettings
    augmentation: AugmentationSettings

    def relevant(self) -> dict[str, Any]:
        """Return the settings that can change results: with another model to start from, also the class names."""
        found = super().relevant()
        if self.training.start_from is None:
            del found["training"]["statistics_from"]
            return found
        return {**found, "legend": self.legend.model_dump(mode="json")}


class PredictScene(StageSettings):
    """Settings of predict_scene."""

    inference: InferenceSettings


class MosaicRegion(StageSettings):
    """Settings of mosaic_region."""

    legend: ColoredLegend
    labels: LabelOrigin
    mosaic: MosaicSettings
    deliver: DeliverSettings

    def relevant(self) -> dict[str, Any]:
        """Return the settings that can change results.

        With a minimum mapping unit, of whatever size, probabilities are kept for dissolve_patches. Without one, the
        item of this stage lists the polygons.
        """
        found = super().relevant()
        deliver = found.pop("deliver")
        if deliver["min_area_ha"] is not None:
            return {**found, "deliver": "dissolved"}
        return {**found, "deliver": "polygons"} if deliver["vector"] else found


class DissolvePatches(StageSettings):
    """Settings of dissolve_patches."""

    UNTRACKED = {"mosaic": set(MosaicSettings.model_fields) - {"compress"}}

    legend: ColoredLegend
    mosaic: MosaicSettings
    deliver: DeliverSettings


class VectorizeMap(StageSettings):
    """Settings of vectorize_map."""

    legend: ColoredLegend


class ScoreTiles(StageSettings):
    """Settings of score_tiles."""

    UNTRACKED = {"legend": CLASS_NAMES, **WHAT_TO_SCORE}

    legend: Legend
    metrics: MetricsSettings


class ScoreRegion(StageSettings):
    """Settings of score_region."""

    UNTRACKED = WHAT_TO_SCORE

    legend: Legend
    labels: LabelOrigin
    metrics: MetricsSettings


class DrawSample(StageSettings):
    """Settings of draw_sample."""

    UNTRACKED = {"accuracy": {"interpreted", "columns"}}

    legend: Legend
    accuracy: AccuracySettings

    def relevant(self) -> dict[str, Any]:
        """Return the settings that can change results: zones do only if they are strata."""
        found = super().relevant()
        if not self.accuracy.strata_by_zone:
            found["accuracy"] |= {"zones": None, "zone_field": None}
        return found


class EstimateAreas(StageSettings):
    """Settings of estimate_areas.

    The interpreted file is compared by content; what drew the sample is in its design.
    """

    UNTRACKED = {"accuracy": set(AccuracySettings.model_fields) - {"columns", "zones", "zone_field"}}

    legend: Legend
    accuracy: AccuracySettings


class ExplainTiles(StageSettings):
    """Settings of explain_tiles."""

    legend: Legend
    explain: ExplainSettings

    def relevant(self) -> dict[str, Any]:
        """Return the settings that can change results: without a language model, those of the model do not."""
        found = super().relevant()
        return found if self.explain.model else {**found, "explain": {"sensor_tiles": self.explain.sensor_tiles}}


class SummarizeRegion(StageSettings):
    """Settings of summarize_region."""

    UNTRACKED = {"explain": {"tiles", "max_tiles", "sensor_tiles", "batch_size"}}

    explain: ExplainSettings


class RenderReport(StageSettings):
    """Settings of render_report.

    How files are found and read reaches the report through the scene's ``sources.json``.
    """

    UNTRACKED = {
        "sensors": {"optical": {"files", "resampling", "offset", "scene_offsets"}, "sar": {"files", "resampling"}},
        "accuracy": set(AccuracySettings.model_fields),  # other columns run estimate_areas again, whose result is read
    }

    legend: ColoredLegend
    sensors: SensorsSettings
    accuracy: AccuracySettings
    report: ReportSettings


class PackBundle(StageSettings):
    """Settings of pack_bundle."""

    legend: LegendSettings
    sensors: SensorsSettings
    registration: RegistrationSettings
    tiling: TilingSettings
    splits: SplitsSettings
    inference: InferenceSettings
    labels: LabelOrigin
    bundle: BundleSettings


def stage_json(settings: Settings, stage: type[Section]) -> str:
    """Return the settings of a stage as canonical JSON, for its script: equal settings give equal strings.

    Fields that a stage does not use are left out: a new class colour does not rerun training.
    """
    return _canonical(_narrowed(settings, stage).model_dump(mode="json"))


def relevant_json(settings: Settings, stage: type["StageSettings"]) -> str:
    """Return those settings of a stage that can change its results, as canonical JSON, for comparison with a run."""
    return _canonical(_narrowed(settings, stage).relevant())


def _narrowed(settings: Settings, stage: type[Narrowed]) -> Narrowed:
    return stage.model_validate(settings.model_dump(), extra="ignore")


def _canonical(values: dict[str, Any]) -> str:
    return json.dumps(values, sort_keys=True, separators=(",", ":"))
