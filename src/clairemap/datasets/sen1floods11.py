"""Sen1Floods11 (Bonafilia et al. 2020, CVPRW): hand-labelled chips of 512 px, eleven floods, land and water."""

from pathlib import Path

from clairemap.datasets.samples import Role, Sample, file_stems, read_lines, warn_unlisted
from clairemap.errors import SampleSheetError
from clairemap.scenes import Split

CHIP_PX = 512
CHIPS = Path("data", "flood_events", "HandLabeled")
LISTS = Path("splits", "flood_handlabeled")
KINDS: dict[Role, str] = {"optical": "S2Hand", "sar": "S1Hand", "label": "LabelHand"}
OFFICIAL: dict[str, Split] = {"train": "train", "valid": "val", "test": "test", "bolivia": "test"}


def sen1floods11(folder: Path) -> list[Sample]:
    """Return the chips of the four official lists; Bolivia, not used in training, is a separate test region.

    Layout of the folder ``v1.1``: ``data/flood_events/HandLabeled/KIND/EVENT_CHIP_KIND.tif``, where KIND is S1Hand,
    S2Hand or LabelHand; ``splits/flood_handlabeled/flood_{train,valid,test,bolivia}_data.csv`` without header, with
    lines ``EVENT_CHIP_S1Hand.tif,EVENT_CHIP_LabelHand.tif``.

    Raises:
        MissingFileError: a list or the folder of SAR chips is missing.
        SampleSheetError: a line of a list does not have this form.
    """
    samples = [
        Sample(
            name,
            "sen1floods11_bolivia" if subset == "bolivia" else "sen1floods11",
            split,
            {role: folder / CHIPS / kind / f"{name}_{kind}.tif" for role, kind in KINDS.items()},
        )
        for subset, split in OFFICIAL.items()
        for name in sorted(_names(folder / LISTS / f"flood_{subset}_data.csv"))
    ]
    found = {stem.removesuffix("_S1Hand") for stem in file_stems(folder / CHIPS / KINDS["sar"])}
    warn_unlisted(found, {sample.name for sample in samples}, "the lists of the official split")
    return samples


def _names(path: Path) -> list[str]:
    names = []
    for line in read_lines(path):
        sar, _, label = line.partition(",")
        name = sar.removesuffix("_S1Hand.tif")
        if label != f"{name}_LabelHand.tif" or name == sar:
            raise SampleSheetError(
                f"{path}: line {line!r} is not NAME_S1Hand.tif,NAME_LabelHand.tif; download the list again"
            )
        names.append(name)
    return names
