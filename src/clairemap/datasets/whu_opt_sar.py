"""WHU-OPT-SAR (Li et al. 2022, doi:10.1016/j.jag.2021.102638): 100 scenes of 5 m, seven classes, no georeferencing."""

from pathlib import Path

from clairemap.datasets.samples import Role, Sample, lines, stems, tell_unlisted, train_or_val
from clairemap.errors import SampleSheetError
from clairemap.scenes import Split

FOLDERS: dict[Role, str] = {"optical": "optical", "sar": "sar", "label": "lbl"}
VAL_SHARE = 0.1


def whu_opt_sar(folder: Path, official: Path) -> list[Sample]:
    """Return the scenes of the official split; a fixed tenth of its training scenes validates.

    Layout: ``optical/``, ``sar/`` and ``lbl/`` with one file of the same name for each scene.

    Args:
        folder: the data set's.
        official: list of file names below the lines ``train:`` and ``test:``.

    Raises:
        MissingFileError: the folder of optical scenes or the list is missing.
        SampleSheetError: the list is none.
    """
    splits = read_split(official)
    tell_unlisted(stems(folder / FOLDERS["optical"]), splits, f"the official split's lists ({official.name})")
    return [
        Sample(
            name=name,
            region="whu_opt_sar",
            split=train_or_val(name, VAL_SHARE) if split == "train" else split,
            files={role: folder / place / f"{name}.tif" for role, place in FOLDERS.items()},
        )
        for name, split in sorted(splits.items())
    ]


def read_split(path: Path) -> dict[str, Split]:
    """Return the official split, train or test, by scene.

    Raises:
        MissingFileError: the list is missing.
        SampleSheetError: a name stands before the first heading, or twice.
    """
    splits: dict[str, Split] = {}
    heading: Split | None = None
    for line in lines(path):
        if line.startswith("#"):
            continue
        if line in ("train:", "test:"):
            heading = "train" if line == "train:" else "test"
        elif heading is None or (name := line.removesuffix(".tif")) in splits:
            raise SampleSheetError(f"{path}: {line!r} stands twice or above the headings train: and test:; correct it")
        else:
            splits[name] = heading
    return splits
