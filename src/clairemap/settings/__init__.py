"""Settings by section: pydantic models of ``config.yaml``. Module `config` has the whole file."""

from clairemap.settings.accuracy import AccuracySettings
from clairemap.settings.changed import changed_settings
from clairemap.settings.config import ComputeSettings, Settings, load_settings
from clairemap.settings.delivery import DeliverSettings
from clairemap.settings.handover import BundleSettings
from clairemap.settings.kinds import ALIGN_PX
from clairemap.settings.labels import IgnoredNames, LabelOrigin, LabelsSettings, PolygonSettings
from clairemap.settings.legend import DEMO_CLASSES, LegendSettings
from clairemap.settings.mapping import (
    ExplainSettings,
    InferenceSettings,
    MetricsSettings,
    MosaicSettings,
    Precision,
    ReportSettings,
)
from clairemap.settings.preparation import RegistrationSettings, SplitsSettings, TilingSettings
from clairemap.settings.section import Section
from clairemap.settings.sensors import (
    VIEWS,
    OpticalBands,
    OpticalSettings,
    ResolvedOptical,
    ResolvedSar,
    ResolvedSensors,
    SarBands,
    SarSettings,
    Sensor,
    SensorBands,
    SensorsGate,
    SensorsSettings,
    TiledOptical,
    TiledSar,
    TiledSensors,
    View,
)
from clairemap.settings.training import AugmentationSettings, LossSettings, NetworkSettings, TrainingSettings

__all__ = [
    "ALIGN_PX",
    "AccuracySettings",
    "AugmentationSettings",
    "BundleSettings",
    "DeliverSettings",
    "ComputeSettings",
    "DEMO_CLASSES",
    "ExplainSettings",
    "IgnoredNames",
    "InferenceSettings",
    "LabelOrigin",
    "LabelsSettings",
    "LegendSettings",
    "LossSettings",
    "MetricsSettings",
    "MosaicSettings",
    "NetworkSettings",
    "OpticalBands",
    "OpticalSettings",
    "PolygonSettings",
    "Precision",
    "RegistrationSettings",
    "ReportSettings",
    "ResolvedOptical",
    "ResolvedSar",
    "ResolvedSensors",
    "SarBands",
    "SarSettings",
    "Section",
    "Sensor",
    "SensorBands",
    "SensorsGate",
    "SensorsSettings",
    "Settings",
    "SplitsSettings",
    "TiledOptical",
    "TiledSar",
    "TiledSensors",
    "TilingSettings",
    "TrainingSettings",
    "VIEWS",
    "View",
    "load_settings",
    "changed_settings",
]
