"""The verdict on a scene's values as a file, ``radiometry_check.json``; `tiles.radiometry_comparison` comes to it."""

from pathlib import Path
from typing import Literal, get_args

from pydantic import BaseModel, ConfigDict

from clairemap.provenance import read_document, write_text_whole
from clairemap.settings import Sensor

RadiometryVerdict = Literal["not compared", "match", "mild", "mismatch"]
"""match: like the training scenes; mild: unlike them, as other landscapes are; mismatch: the values are wrong."""

SEVERITY: tuple[RadiometryVerdict, ...] = get_args(RadiometryVerdict)


class SensorVerdict(BaseModel):
    """How one sensor of a scene compares with the training scenes.

    `distance_std` is the distance of each band's mean from training's, in training deviations; `beyond_share` the
    share of the pixels outside training's 0.1 to 99.9 % range. `reason` is a sentence, empty for a match.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    verdict: RadiometryVerdict
    reason: str
    bands: tuple[str, ...] = ()
    distance_std: tuple[float, ...] = ()
    beyond_share: tuple[float, ...] = ()


class RadiometryCheck(BaseModel):
    """How a scene compares with the training scenes."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    scene: str
    sensors: dict[Sensor, SensorVerdict]

    @property
    def verdict(self) -> RadiometryVerdict:
        """The more serious verdict of the two sensors."""
        return max((found.verdict for found in self.sensors.values()), key=SEVERITY.index)

    def remarks(self, *verdicts: RadiometryVerdict) -> tuple[str, ...]:
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
    return read_document(path, RadiometryCheck, "radiometry check", "check_radiometry")
