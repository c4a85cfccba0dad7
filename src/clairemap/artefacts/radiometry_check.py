"""Comparison of a scene's values with the training scenes: ``radiometry_check.json``."""

from pathlib import Path
from typing import Literal, get_args

from clairemap.artefacts.document import DocumentModel, read_document, write_document
from clairemap.settings import Sensor

RadiometryVerdict = Literal["not compared", "match", "mild", "mismatch"]
"""match: like the training scenes; mild: different, as in another landscape; mismatch: wrong values."""

SEVERITY: tuple[RadiometryVerdict, ...] = get_args(RadiometryVerdict)


class SensorVerdict(DocumentModel):
    """Comparison of one sensor of a scene with the training scenes.

    `distance_std` is the difference of each band's mean from the training mean, in training standard deviations;
    `beyond_share` is the share (0..1) of pixels outside the 0.1 to 99.9 % range of the training values. `reason` is
    empty for a match.
    """

    verdict: RadiometryVerdict
    reason: str
    bands: tuple[str, ...] = ()
    distance_std: tuple[float, ...] = ()
    beyond_share: tuple[float, ...] = ()


class RadiometryCheck(DocumentModel):
    """Comparison of a scene with the training scenes."""

    scene: str
    sensors: dict[Sensor, SensorVerdict]

    @property
    def verdict(self) -> RadiometryVerdict:
        """The more serious verdict of the two sensors."""
        return max((found.verdict for found in self.sensors.values()), key=SEVERITY.index)

    def remarks(self, *verdicts: RadiometryVerdict) -> tuple[str, ...]:
        """Return sensor and reason for each sensor with one of these verdicts."""
        return tuple(
            f"{'SAR' if name == 'sar' else name}: {found.reason}"
            for name, found in self.sensors.items()
            if found.verdict in verdicts
        )


def write_radiometry_check(path: Path, check: RadiometryCheck) -> None:
    """Write the check as JSON, atomically."""
    write_document(path, check)


def read_radiometry_check(path: Path) -> RadiometryCheck:
    """Return the radiometry check of a scene.

    Raises:
        StoreError: the file is missing or damaged.
    """
    return read_document(path, RadiometryCheck, "radiometry check", "check_radiometry")
