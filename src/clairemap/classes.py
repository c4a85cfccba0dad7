"""The legend: which classes there are, how they are coded in rasters, what they are called and coloured."""

import unicodedata
from collections.abc import Sequence
from typing import Annotated, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from clairemap.errors import LabelError
from clairemap.text import shortened

MAX_CODE = 254
"""Highest code of a class."""

MAX_CODES_SHOWN = 12
NOT_IN_XML = "\ufffe\uffff"

CUSTOMARY_NODATA = {255, 32767, 65535, 2147483647, 4294967295}
"""Codes that mean "not labelled" rather than a class: the tops of number types."""

IGNORE_INDEX = 255
"""Class index of pixels without a label, in stores and in torch targets."""

MAP_NODATA = 255
"""Value of pixels without a class in the land-cover map."""

SHARE_NODATA = 255
"""Value of the optical share where nothing is mapped."""

PROBABILITY_ONE = 255
"""Value of a stored probability that means 1."""

Rgb = tuple[int, int, int]


def _class_name(text: str) -> str:
    """Return the name of a class; XML, tables and pages can hold it."""
    if not text.strip():
        raise ValueError(f"the name {text!r} is blank: enter a name")
    for character in text:
        if character not in "\t\n\r" and (unicodedata.category(character) in ("Cc", "Cs") or character in NOT_IN_XML):
            raise ValueError(f"the name {text!r} contains the control character U+{ord(character):04X}: remove it")
    return text


ClassText = Annotated[str, Field(min_length=1), AfterValidator(_class_name)]


class LandCoverClass(BaseModel):
    """One class, without a colour: what stages see that draw nothing."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    code: int = Field(ge=0, le=MAX_CODE, description="value in label rasters and in the land-cover map (255 is nodata)")
    name: ClassText = Field(description="name in map categories, tables and explanations")


class ColoredClass(LandCoverClass):
    """One class and its colour in the map."""

    color: str = Field(pattern=r"^#[0-9a-fA-F]{6}$", description="colour in the map, #rrggbb")

    @property
    def rgb(self) -> Rgb:
        """Red, green and blue, 0..255."""
        value = int(self.color.removeprefix("#"), 16)
        return value >> 16, value >> 8 & 255, value & 255


class Legend(BaseModel):
    """The classes in the order of their indices, and the label codes that mean "not labelled"."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    classes: tuple[LandCoverClass, ...]
    ignore: tuple[int, ...] = ()

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        codes = [c.code for c in self.classes]
        names = [unicodedata.normalize("NFC", c.name).strip() for c in self.classes]
        if len(set(codes)) < len(codes) or len(set(names)) < len(names):
            raise ValueError("two classes share a code or a name: give each its own")
        if clash := sorted(set(codes) & set(self.ignore)):
            raise ValueError(f"codes {clash} are listed both as classes and under ignore: remove them from one")
        return self

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
    def unused_codes(self) -> tuple[int, ...]:
        """Codes of 1 and more that neither a class has nor is ignored, in order."""
        used = {*self.codes.tolist(), *self.ignore}
        return tuple(code for code in range(1, MAX_CODE + 1) if code not in used)

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
                f"{source}: label codes [{shortened(foreign, MAX_CODES_SHOWN)}] are not in the legend {sorted(known)}. "
                f"{_remedy(foreign, self.unused_codes)}"
            )
        indices: NDArray[np.uint8] = np.array([known[key] for key in keys.tolist()], np.uint8)[place]
        return indices


class ColoredLegend(Legend):
    """A legend with the classes' colours: what a map is drawn with."""

    classes: tuple[ColoredClass, ...]

    @property
    def palette(self) -> dict[int, Rgb]:
        """Colour of each code."""
        return {c.code: c.rgb for c in self.classes}


def _remedy(foreign: list[int], unused: Sequence[int]) -> str:
    """Return what to do about codes that the legend lacks."""
    beyond = [code for code in foreign if code > MAX_CODE and code not in CUSTOMARY_NODATA]
    if not beyond:
        return (
            f"Add them to legend.classes (codes of 0 to {MAX_CODE}), or to legend.ignore if they mean 'not labelled'."
        )
    terms = " + ".join(f"{code}*(A=={old})" for code, old in zip(unused, beyond[:MAX_CODES_SHOWN], strict=False))
    return (
        f"Add those that mean 'not labelled' to legend.ignore. Codes of a map go up to {MAX_CODE}: give "
        "the other codes smaller ones, with one term for each that you need: those of their classes in legend.classes, "
        "or unused ones as here, which you then put into legend.classes: "
        f'gdal_calc.py -A LABEL.tif --calc="{terms}" --type=Byte --NoDataValue=0 --outfile=label.tif'
    )
