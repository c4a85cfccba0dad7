"""IEEE GRSS Data Fusion Contest 2020 (Schmitt et al. 2020): Sentinel-1/2 chips of 256 px, ten IGBP classes."""

from pathlib import Path

from clairemap.datasets.samples import Role, Sample, train_or_val
from clairemap.errors import MissingFileError
from clairemap.scenes import Split

CHIP_PX = 256
SENSORS: dict[Role, str] = {"optical": "s2", "sar": "s1", "label": "dfc"}
TEST_FOLDER = "ROIs0000_test"
VAL_SHARE = 0.2


def dfc2020(folder: Path) -> list[Sample]:
    """Return all chips. Split: ``ROIs0000_test`` is test, a fixed fifth of the others is val, the rest is train.

    Layout: ``ROIs0000_PART/{s1,s2,dfc}_FOLDER/ROIs0000_PART_{s1,s2,dfc}_0_pNUMBER.tif``. FOLDER is ``validation`` if
    PART is validation, and ``0`` if it is test. The contest itself trained on another data set, SEN12MS.

    Raises:
        MissingFileError: the folder contains no Sentinel-2 chip.
    """
    chips = sorted(folder.glob("ROIs0000_*/s2_*/*_s2_*.tif"))
    if not chips:
        raise MissingFileError(
            f"{folder}: contains no ROIs0000_PART/s2_FOLDER/*_s2_*.tif; arrange --folder as in docs/datasets.md"
        )
    return [_sample(chip) for chip in chips]


def _sample(optical: Path) -> Sample:
    subfolder, folder = optical.parent.name.removeprefix("s2_"), optical.parents[1]
    files = {
        role: folder / f"{sensor}_{subfolder}" / optical.name.replace("_s2_", f"_{sensor}_")
        for role, sensor in SENSORS.items()
    }
    name = optical.stem.replace("_s2_", "_")
    split: Split = "test" if folder.name == TEST_FOLDER else train_or_val(name, VAL_SHARE)
    return Sample(name, "dfc2020", split, files)
