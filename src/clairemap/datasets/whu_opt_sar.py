"""WHU-OPT-SAR (Li et al. 2022, doi:10.1016/j.jag.2021.102638): 100 scenes at 5 m, seven classes, not georeferenced."""

from pathlib import Path

from clairemap.datasets.samples import Role, Sample, file_stems, read_lines, train_or_val, warn_unlisted
from clairemap.errors import SampleSheetError
from clairemap.scenes import Split

FOLDERS: dict[Role, str] = {"optical": "optical", "sar": "sar", "label": "lbl"}
VAL_SHARE = 0.1


def whu_opt_sar(folder: Path, official: Path) -> list[Sample]:
    """Return the scenes of the official split; a fixed tenth of its training scenes is val.

    Layout: ``optical/``, ``sar/`` and ``lbl/`` with one file per scene, of the same name.

    Args:
        folder: folder of the data set.
        official: list of file names under the headings ``train:`` and ``test:``.

    Raises:
        MissingFileError: the folder of optical scenes or the list is missing.
        SampleSheetError: the list is not valid (see `read_split`).
    """
    splits = read_split(official)
    warn_unlisted(file_stems(folder / FOLDERS["optical"]), splits, f"the official split's lists ({official.name})")
    return [
        Sample(
            name=name,
            region="whu_opt_sar",
            split=train_or_val(name, VAL_SHARE) if split == "train" else split,
            files={role: folder / subfolder / f"{name}.tif" for role, subfolder in FOLDERS.items()},
        )
        for name, split in sorted(splits.items())
    ]


def read_split(path: Path) -> dict[str, Split]:
    """Return the official split (train or test) by scene name.

    Raises:
        MissingFileError: the list is missing.
        SampleSheetError: a name occurs twice or before the first heading.
    """
    splits: dict[str, Split] = {}
    heading: Split | None = None
    for line in read_lines(path):
        if line.startswith("#"):
            continue
        if line in ("train:", "test:"):
            heading = "train" if line == "train:" else "test"
        elif heading is None or (name := line.removesuffix(".tif")) in splits:
            raise SampleSheetError(
                f"{path}: {line!r} occurs twice, or before the first heading (train: or test:); correct the list"
            )
        else:
            splits[name] = heading
    return splits
