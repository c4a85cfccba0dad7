"""PIE-RGB-SAR (Zhang et al. 2024, published with ASANet): chips of 256 px, background and five classes."""

from pathlib import Path

from clairemap.datasets.samples import Role, Sample, file_stems, read_lines, train_or_val, warn_unlisted
from clairemap.scenes import Split

CHIP_PX = 256
FOLDERS: dict[Role, str] = {"optical": "rgb", "sar": "sar", "label": "label"}
VAL_SHARE = 0.1


def pie_rgb_sar(folder: Path) -> list[Sample]:
    """Return the chips of both official lists.

    Layout: ``{rgb,sar,label}/NAME.tif``; ``train.txt`` and ``val.txt`` with one chip name per line, without suffix.
    Split: published figures are for ``val.txt``, so its chips are test; a fixed tenth of ``train.txt`` is val.

    Raises:
        MissingFileError: a list or the folder of optical chips is missing.
    """
    train, test = (_names(folder / name) for name in ("train.txt", "val.txt"))
    warn_unlisted(file_stems(folder / FOLDERS["optical"]), train + test, "train.txt and val.txt")
    splits: dict[str, Split] = {name: train_or_val(name, VAL_SHARE) for name in train}
    splits |= {name: "test" for name in test}
    return [
        Sample(
            name,
            "pie_rgb_sar",
            split,
            {role: folder / subfolder / f"{name}.tif" for role, subfolder in FOLDERS.items()},
        )
        for name, split in sorted(splits.items())
    ]


def _names(path: Path) -> list[str]:
    return [line.removesuffix(".tif") for line in read_lines(path)]
