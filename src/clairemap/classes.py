"""The legend: which classes there are, how they are coded in rasters, what they are called and coloured."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clairemap.errors import LabelError

MOST_CODE = 254
"""Highest code of a class."""

CODES_SHOWN = 12

CUSTOMARY_NODATA = {255, 32767, 65535, 2147483647, 4294967295}
"""Codes that mean "not labelled" rather than a class: the tops of number types."""

IGNORE_INDEX = 255
"""Class index of pixels without a label, in stores and in torch targets."""

MAP_NODATA = 255
"""Value of pixels without a class in the land-cover map."""

FULL = 255
"""Value of a stored probability that means 1."""

Rgb = tuple[int, int, int]


@dataclass(frozen=True)
class LandCoverClass:
    """One class: its code in label rasters and maps (0..254), its name and its colour ``#rrggbb`` (grey: none)."""

    code: int
    name: str
    color: str = "#808080"

    @property
    def rgb(self) -> Rgb:
        """Red, green and blue, 0..255."""
        value = int(self.color.removeprefix("#"), 16)
        return value >> 16, value >> 8 & 255, value & 255


@dataclass(frozen=True)
class Legend:
    """The classes in the order of their indices, and the label codes that mean "not labelled"."""

    classes: tuple[LandCoverClass, ...]
    ignore: tuple[int, ...] = ()

    def __len__(self) -> int:
        """Return the number of classes."""
        return len(self.classes)

    @property
    def names(self) -> tuple[str, ...]:
        """Names in index order."""
        return tuple(c.name for c in self.classes)

    @property
    def codes(self) -> NDArray[np.uint8]:
        """Codes in index order, which turn class indices into map values: ``codes[index]``."""
        return np.array([c.code for c in self.classes], np.uint8)

    @property
    def palette(self) -> dict[int, Rgb]:
        """Colour of each code."""
        return {c.code: c.rgb for c in self.classes}

    @property
    def unused_codes(self) -> tuple[int, ...]:
        """Codes of 1 and more that neither a class has nor is ignored, in order."""
        used = {*self.palette, *self.ignore}
        return tuple(code for code in range(1, MOST_CODE + 1) if code not in used)

    def indices(self, codes: NDArray[np.integer], source: str) -> NDArray[np.uint8]:
        """Return class indices for label codes; IGNORE_INDEX where the code is one to ignore.

        Args:
            codes: label raster of any shape and integer type.
            source: what the codes came from, for the error text.

        Raises:
            LabelError: a code is neither in the legend nor to be ignored.
        """
        known = {c.code: index for index, c in enumerate(self.classes)} | dict.fromkeys(self.ignore, IGNORE_INDEX)
        keys = np.array(sorted(known))
        place = np.searchsorted(keys, codes).clip(max=keys.size - 1)
        if foreign := np.unique(codes[keys[place] != codes]).tolist():
            raise LabelError(
                f"{source}: label codes {_shown(foreign)} are not in the legend {sorted(known)}. "
                f"{_remedy(foreign, self.unused_codes)}"
            )
        indices: NDArray[np.uint8] = np.array([known[key] for key in keys.tolist()], np.uint8)[place]
        return indices


def _shown(codes: list[int]) -> str:
    rest = f" and {len(codes) - CODES_SHOWN} more" if len(codes) > CODES_SHOWN else ""
    return f"{codes[:CODES_SHOWN]}{rest}"


def _remedy(foreign: list[int], unused: Sequence[int]) -> str:
    """Return what to do about codes that the legend lacks."""
    beyond = [code for code in foreign if code > MOST_CODE and code not in CUSTOMARY_NODATA]
    if not beyond:
        return (
            f"Add them to legend.classes (codes of 0 to {MOST_CODE}), or to legend.ignore if they mean 'not labelled'."
        )
    terms = " + ".join(f"{code}*(A=={old})" for code, old in zip(unused, beyond[:CODES_SHOWN], strict=False))
    return (
        f"Add those that mean 'not labelled' to legend.ignore. Codes of a map go up to {MOST_CODE}: give "
        "the other codes smaller ones, with one term for each that you need: those of their classes in legend.classes, "
        "or unused ones as here, which you then put into legend.classes: "
        f'gdal_calc.py -A LABEL.tif --calc="{terms}" --type=Byte --NoDataValue=0 --outfile=label.tif'
    )
