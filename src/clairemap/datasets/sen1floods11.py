"""Sen1Floods11 (Bonafilia et al. 2020, CVPRW): hand-labelled chips of 512 px of eleven floods, dry land and water."""

from pathlib import Path

from clairemap.datasets.samples import Role, Sample, lines, stems, tell_unlisted
from clairemap.errors import SampleSheetError
from clairemap.scenes import Split

CHIP_PX = 512
CHIPS = Path("data", "flood_events", "HandLabeled")
LISTS = Path("splits", "flood_handlabeled")
KINDS: dict[Role, str] = {"optical": "S2Hand", "sar": "S1Hand", "label": "LabelHand"}
OFFICIAL: dict[str, Split] = {"train": "train", "valid": "val", "test": "test", "bolivia": "test"}


def sen1floods11(folder: Path) -> list[Sample]:
    """Return the chips of the four official lists; Bolivia, held out as a whole, is a test region of its own.

    Layout of the folder ``v1.1``: ``data/flood_events/HandLabeled/KIND/EVENT_CHIP_KIND.tif`` with the kinds S1Hand,
    S2Hand and LabelHand; ``splits/flood_handlabeled/flood_{train,valid,test,bolivia}_data.csv``, whose lines are
    ``EVENT_CHIP_S1Hand.tif,EVENT_CHIP_LabelHand.tif`` without a header.

    Raises:
        MissingFileError: a list or the folder of SAR chips is missing.
        SampleSheetError: a list is none.
    """
    samples = [
        Sample(
            name,
            "sen1floods11_bolivia" if part == "bolivia" else "sen1floods11",
            split,
            {role: folder / CHIPS / kind / f"{name}_{kind}.tif" for role, kind in KINDS.items()},
        )
        for part, split in OFFICIAL.items()
        for name in sorted(_names(folder / LISTS / f"flood_{part}_data.csv"))
    ]
    found = {stem.removesuffix("_S1Hand") for stem in stems(folder / CHIPS / KINDS["sar"])}
    tell_unlisted(found, {sample.name for sample in samples}, "the lists of the official split")
    return samples


def _names(path: Path) -> list[str]:
    names = []
    for line in lines(path):
        sar, _, label = line.partition(",")
        name = sar.removesuffix("_S1Hand.tif")
        if label != f"{name}_LabelHand.tif" or name == sar:
            raise SampleSheetError(
                f"{path}: {line!r} is not of the form NAME_S1Hand.tif,NAME_LabelHand.tif; fetch the list again"
            )
        names.append(name)
    return names
