"""Data sets with a reader, by name; their settings are in ``config/datasets/NAME.yaml``."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from clairemap.datasets import dfc2020, openearthmap_sar, pie_rgb_sar, sen1floods11, whu_opt_sar
from clairemap.datasets.samples import Sample


@dataclass(frozen=True)
class DataSet:
    """Reader of a data set's folder and side of its chips; None for whole scenes."""

    samples: Callable[[Path], list[Sample]]
    chip_px: int | None


def known_datasets(configs: Path) -> dict[str, DataSet]:
    """Return the data sets by name.

    Args:
        configs: the folder ``config/datasets``; it contains the official split of WHU-OPT-SAR.
    """
    whu_split = configs / "whu_opt_sar_split.txt"
    return {
        "whu_opt_sar": DataSet(partial(whu_opt_sar.whu_opt_sar, official=whu_split), None),
        "openearthmap_sar": DataSet(openearthmap_sar.openearthmap_sar, openearthmap_sar.CHIP_PX),
        "pie_rgb_sar": DataSet(pie_rgb_sar.pie_rgb_sar, pie_rgb_sar.CHIP_PX),
        "sen1floods11": DataSet(sen1floods11.sen1floods11, sen1floods11.CHIP_PX),
        "dfc2020": DataSet(dfc2020.dfc2020, dfc2020.CHIP_PX),
    }
