"""Whether a scene's values look like those of the training scenes, as a file: ``radiometry_check.json``."""

from pathlib import Path
from typing import Literal, get_args

from clairemap.artefacts.document import Part, read_document, write_document
from clairemap.settings import Sensor

RadiometryVerdict = Literal["not compared", "match", "mild", "mismatch"]
"""match: like the training scenes; mild: different, as of another landscape; mismatch: the values are wrong."""

SEVERITY: tuple[RadiometryVerdict, ...] = get_args(RadiometryVerdict)


class SensorVerdict(Part):
    """How one sensor of a scene compares with the training scenes.

    `distance_std` is the distance of each band's mean from training's, in training deviations; `beyond_share` the
    share of the pixels outside training's 0.1 to 99.9 % range. `reason` is a sentence, empty for a match.
    """

    verdict: RadiometryVerdict
    reason: str
    bands: tuple[str, ...] = ()
    distance_std: tuple[float, ...] = ()
    beyond_share: tuple[float, ...] = ()


class RadiometryCheck(Part):
    """How a scene compares with the training scenes."""

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


def write_radiometry_check(path: Path, check: RadiometryCheck) -> None:
    """Write the check as JSON, whole or not at all."""
    write_document(path, check)


def read_radiometry_check(path: Path) -> RadiometryCheck:
    """Return a scene's radiometry check.

    Raises:
        StoreError: the file is missing or damaged.
    """
    return read_document(path, RadiometryCheck, "radiometry check", "check_radiometry")
