"""OpenEarthMap-SAR (Xia et al. 2025, arXiv:2501.10891): chips of 1024 px at 0.15 to 0.5 m, eight classes."""

from pathlib import Path

from clairemap.datasets.samples import Role, Sample, drawn, stems
from clairemap.scenes import Split

CHIP_PX = 1024
FOLDERS: dict[Role, str] = {"optical": "rgb_images", "sar": "sar_images", "label": "labels"}
SAR_ONLY = ("val", "test")
VAL_SHARE = 0.1
OWN_TEST_SHARE = 0.1


def openearthmap_sar(folder: Path) -> list[Sample]:
    """Return the chips of ``train/``, which have both sensors and labels, and those of ``val/`` and ``test/``.

    Layout: ``train/{rgb_images,sar_images,labels}/NAME.tif``, ``val/sar_images/NAME.tif`` and
    ``test/sar_images/NAME.tif``; val and test may be absent. They have SAR only and are mapped; where their labels
    were put beside it (``val/labels``), they test. As they say nothing about both sensors together, a fixed tenth of
    the training chips tests as well, and another validates.

    Raises:
        MissingFileError: a folder of ``train/`` is missing or empty.
    """
    both = folder / "train"
    names = set().union(*(stems(both / place) for place in FOLDERS.values()))
    samples = [
        Sample(
            name,
            "openearthmap_sar",
            _split(name),
            {role: both / place / f"{name}.tif" for role, place in FOLDERS.items()},
        )
        for name in sorted(names)
    ]
    for part in SAR_ONLY:
        if (folder / part).is_dir():
            samples += _sar_only(folder / part)
    return samples


def _sar_only(part: Path) -> list[Sample]:
    roles: list[Role] = ["sar", "label"] if (part / FOLDERS["label"]).is_dir() else ["sar"]
    split: Split = "test" if "label" in roles else "predict"
    return [
        Sample(
            name,
            f"openearthmap_sar_{part.name}",
            split,
            {role: part / FOLDERS[role] / f"{name}.tif" for role in roles},
        )
        for name in sorted(stems(part / FOLDERS["sar"]))
    ]


def _split(name: str) -> Split:
    place = drawn(name)
    if place < VAL_SHARE:
        return "val"
    return "test" if place < VAL_SHARE + OWN_TEST_SHARE else "train"
