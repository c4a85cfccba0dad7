"""The verdict on a scene's radiometry as a file, ``radiometry_check.json``."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, ValidationError

from clairemap.errors import StoreError
from clairemap.provenance import write_text_whole
from clairemap.settings import Sensor
from clairemap.tiles.likeness import Likeness, Verdict

SEVERITY: tuple[Verdict, ...] = ("not compared", "match", "mild", "mismatch")


class SensorVerdict(BaseModel):
    """How one sensor compares with the training scenes; see `likeness.Likeness`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    verdict: Verdict
    reason: str
    bands: tuple[str, ...]
    distance_std: tuple[float, ...]
    beyond_share: tuple[float, ...]


class RadiometryCheck(BaseModel):
    """How a scene compares with the training scenes."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    scene: str
    sensors: dict[Sensor, SensorVerdict]

    @classmethod
    def of(cls, scene: str, likeness: Mapping[Sensor, Likeness]) -> Self:
        """Return the record of a comparison."""
        return cls(scene=scene, sensors={name: SensorVerdict(**asdict(found)) for name, found in likeness.items()})

    @property
    def verdict(self) -> Verdict:
        """The more serious verdict of the two sensors."""
        return max((found.verdict for found in self.sensors.values()), key=SEVERITY.index)

    def remarks(self, *verdicts: Verdict) -> tuple[str, ...]:
        """Return a sentence for each sensor with one of these verdicts."""
        return tuple(
            f"{'SAR' if name == 'sar' else name}: {found.reason}"
            for name, found in self.sensors.items()
            if found.verdict in verdicts
        )


def write_check(path: Path, check: RadiometryCheck) -> None:
    """Write the check as JSON, whole or not at all."""
    write_text_whole(path, check.model_dump_json(indent=1) + "\n")


def read_check(path: Path) -> RadiometryCheck:
    """Return a scene's check.

    Raises:
        StoreError: the file is missing or damaged.
    """
    try:
        return RadiometryCheck.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise StoreError(f"{path}: not a valid radiometry check ({error}); delete it and run again") from None
