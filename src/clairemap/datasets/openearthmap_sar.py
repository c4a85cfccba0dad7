"""OpenEarthMap-SAR (Xia et al. 2025, arXiv:2501.10891): chips of 1024 px at 0.15 to 0.5 m, eight classes."""

from pathlib import Path

from clairemap.datasets.samples import Role, Sample, file_stems, hash_fraction
from clairemap.scenes import Split

CHIP_PX = 1024
FOLDERS: dict[Role, str] = {"optical": "rgb_images", "sar": "sar_images", "label": "labels"}
SAR_ONLY = ("val", "test")
VAL_SHARE = 0.1
TRAIN_TEST_SHARE = 0.1
"""Share of the training chips that is used as test."""


def openearthmap_sar(folder: Path) -> list[Sample]:
    """Return the chips of ``train/`` with both sensors and labels, and the SAR-only chips of ``val/`` and ``test/``.

    Layout: ``train/{rgb_images,sar_images,labels}/NAME.tif``, ``val/sar_images/NAME.tif``,
    ``test/sar_images/NAME.tif``; val and test are optional. Their split is predict, or test if they have labels
    (``val/labels``). To test both sensors together, a fixed tenth of the training chips is test; another tenth is val.

    Raises:
        MissingFileError: a folder of ``train/`` is missing or empty.
    """
    train = folder / "train"
    names = set().union(*(file_stems(train / subfolder) for subfolder in FOLDERS.values()))
    samples = [
        Sample(
            name,
            "openearthmap_sar",
            _split(name),
            {role: train / subfolder / f"{name}.tif" for role, subfolder in FOLDERS.items()},
        )
        for name in sorted(names)
    ]
    for subfolder in SAR_ONLY:
        if (folder / subfolder).is_dir():
            samples += _sar_only(folder / subfolder)
    return samples


def _sar_only(folder: Path) -> list[Sample]:
    roles: list[Role] = ["sar", "label"] if (folder / FOLDERS["label"]).is_dir() else ["sar"]
    split: Split = "test" if "label" in roles else "predict"
    return [
        Sample(
            name,
            f"openearthmap_sar_{folder.name}",
            split,
            {role: folder / FOLDERS[role] / f"{name}.tif" for role in roles},
        )
        for name in sorted(file_stems(folder / FOLDERS["sar"]))
    ]


def _split(name: str) -> Split:
    fraction = hash_fraction(name)
    if fraction < VAL_SHARE:
        return "val"
    return "test" if fraction < VAL_SHARE + TRAIN_TEST_SHARE else "train"
