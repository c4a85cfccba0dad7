"""IEEE GRSS Data Fusion Contest 2020 (Schmitt et al. 2020): Sentinel-1/2 chips of 256 px, ten classes of IGBP."""

from pathlib import Path

from clairemap.datasets.samples import Role, Sample, train_or_val
from clairemap.errors import MissingFileError
from clairemap.scenes import Split

CHIP_PX = 256
SENSORS: dict[Role, str] = {"optical": "s2", "sar": "s1", "label": "dfc"}
TEST_FOLDER = "ROIs0000_test"
VAL_SHARE = 0.2


def dfc2020(folder: Path) -> list[Sample]:
    """Return all chips: those of ``ROIs0000_test`` test, of the others a fixed fifth validates and the rest trains.

    Layout: ``ROIs0000_PART/{s1,s2,dfc}_FOLDER/ROIs0000_PART_{s1,s2,dfc}_0_pNUMBER.tif``; FOLDER is ``validation`` in
    the part validation and ``0`` in the part test. The contest itself trained on SEN12MS, which is another data set.

    Raises:
        MissingFileError: there is no chip of Sentinel-2.
    """
    chips = sorted(folder.glob("ROIs0000_*/s2_*/*_s2_*.tif"))
    if not chips:
        raise MissingFileError(
            f"{folder}: no ROIs0000_PART/s2_FOLDER/*_s2_*.tif in it; lay --folder out as docs/datasets.md shows"
        )
    return [_sample(chip) for chip in chips]


def _sample(optical: Path) -> Sample:
    place, part = optical.parent.name.removeprefix("s2_"), optical.parents[1]
    files = {
        role: part / f"{sensor}_{place}" / optical.name.replace("_s2_", f"_{sensor}_")
        for role, sensor in SENSORS.items()
    }
    name = optical.stem.replace("_s2_", "_")
    split: Split = "test" if part.name == TEST_FOLDER else train_or_val(name, VAL_SHARE)
    return Sample(name, "dfc2020", split, files)
