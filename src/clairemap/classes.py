"""The legend: codes, names and colours of the classes."""

import shlex
import unicodedata
from collections.abc import Callable
from typing import Annotated, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from clairemap.errors import LabelError
from clairemap.text import shortened

MAX_CODE = 254
"""Highest allowed class code."""

MAX_CODES_SHOWN = 12
NOT_IN_XML = "\ufffe\uffff"

COMMON_UNLABELLED_CODES = {255, 32767, 65535, 2147483647, 4294967295}
"""Codes that usually mean "not labelled": the maxima of integer types."""

IGNORE_INDEX = 255
"""Class index of unlabelled pixels, in stores and in torch targets."""

MAP_NODATA = 255
"""Nodata value of the four maps: land cover, confidence, optical share, source count."""

SHARE_NODATA = 255
"""Nodata value of the optical share."""

PROBABILITY_ONE = 255
"""Stored value of probability 1."""

Rgb = tuple[int, int, int]


def _class_name(text: str) -> str:
    """Return a class name unchanged if XML can contain it; else raise ValueError."""
    if not text.strip():
        raise ValueError(f"the name {text!r} is blank: enter a name")
    for character in text:
        if character not in "\t\n\r" and (unicodedata.category(character) in ("Cc", "Cs") or character in NOT_IN_XML):
            raise ValueError(f"the name {text!r} contains the control character U+{ord(character):04X}: remove it")
    return text


ClassText = Annotated[str, Field(min_length=1), AfterValidator(_class_name)]


class LandCoverClass(BaseModel):
    """One class, without a colour. Stages that do not draw use it, so that a new colour does not rerun them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    code: int = Field(ge=0, le=MAX_CODE, description="value in label rasters and in the land-cover map (255 is nodata)")
    name: ClassText = Field(description="name in map categories, tables and explanations")


class ColoredClass(LandCoverClass):
    """One class with its colour in the map."""

    color: str = Field(pattern=r"^#[0-9a-fA-F]{6}$", description="colour in the map, #rrggbb")

    @property
    def rgb(self) -> Rgb:
        """Red, green and blue, 0..255."""
        value = int(self.color.removeprefix("#"), 16)
        return value >> 16, value >> 8 & 255, value & 255


class Legend(BaseModel):
    """The classes in index order, and the label codes that mean "not labelled"."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    classes: tuple[LandCoverClass, ...]
    ignore: tuple[int, ...] = ()

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        codes = [c.code for c in self.classes]
        names = [unicodedata.normalize("NFC", c.name).strip() for c in self.classes]
        if len(set(codes)) < len(codes) or len(set(names)) < len(names):
            raise ValueError("two classes share a code or a name: codes and names must be unique")
        if clash := sorted(set(codes) & set(self.ignore)):
            raise ValueError(f"codes {clash} are both in classes and in ignore: remove them from one of the two")
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
        """Codes in index order: ``codes[index]`` converts class indices to map values."""
        return np.array([c.code for c in self.classes], np.uint8)

    @property
    def unused_codes(self) -> tuple[int, ...]:
        """Codes from 1 to `MAX_CODE` that are neither a class nor ignored, ascending."""
        used = {*self.codes.tolist(), *self.ignore}
        return tuple(code for code in range(1, MAX_CODE + 1) if code not in used)

    def indices(
        self,
        codes: NDArray[np.integer],
        file: str,
        where: str = "",
        codes_of_file: Callable[[], set[int]] | None = None,
    ) -> NDArray[np.uint8]:
        """Return the class index of each label code, `IGNORE_INDEX` for ignored codes; shape of `codes`.

        Args:
            codes: label raster of any shape and integer type.
            file: path of the raster, for the error message.
            where: part of the raster that was read, for the error message.
            codes_of_file: returns all codes of the raster, for the remedy; by default those in `codes`. It is only
                called if there is an error.

        Raises:
            LabelError: a code is neither a class nor ignored.
        """
        known = {c.code: index for index, c in enumerate(self.classes)} | dict.fromkeys(self.ignore, IGNORE_INDEX)
        keys = np.array(sorted(known))
        position = np.searchsorted(keys, codes).clip(max=keys.size - 1)
        if unknown := np.unique(codes[keys[position] != codes]).tolist():
            seen = codes_of_file() if codes_of_file else set(np.unique(codes).tolist())
            raise LabelError(
                f"{file}{where and f', {where}'}: label codes [{shortened(unknown, MAX_CODES_SHOWN)}] are neither in "
                f"legend.classes {sorted(self.codes.tolist())} nor in legend.ignore {sorted(self.ignore)}.\n"
                f"{_remedy(seen.union(unknown), self, file)}"
            )
        indices: NDArray[np.uint8] = np.array([known[key] for key in keys.tolist()], np.uint8)[position]
        return indices


class ColoredLegend(Legend):
    """A legend with colours."""

    classes: tuple[ColoredClass, ...]

    @property
    def palette(self) -> dict[int, Rgb]:
        """Colour of each code."""
        return {c.code: c.rgb for c in self.classes}


def _remedy(seen: set[int], legend: Legend, file: str) -> str:
    """Return what to do about a label raster with these codes, of which some are not in the legend."""
    labelled = sorted(seen - set(legend.ignore) - COMMON_UNLABELLED_CODES)
    too_high = [code for code in labelled if code > MAX_CODE]
    if not too_high:
        return f"Add them to legend.classes (codes 0 to {MAX_CODE}), or to legend.ignore if they mean 'not labelled'."
    advice = (
        f"Add codes that mean 'not labelled' to legend.ignore. The highest class code is {MAX_CODE}: replace higher "
        "codes by those in legend.classes, or by new ones that you add to legend.classes."
    )
    stored = [code for code in labelled if 0 < code <= MAX_CODE]
    replaced = [code for code in labelled if code > MAX_CODE or code == 0]  # 0 is the nodata value of the new file
    free = [code for code in legend.unused_codes if code not in seen]
    if len(replaced) > len(free):
        return f"{advice} The file has {len(labelled)} codes: check that it contains class codes."
    new = dict(zip(replaced, free, strict=False)) | {code: code for code in stored}
    terms = " + ".join(f"{new[code]}*(A=={code})" for code in labelled if code in new)
    return (
        f"{advice} For example, with one term per code (codes without a term become 0, not labelled):\n"
        f'gdal_calc.py -A {shlex.quote(file)} --calc="{terms}" --type=Byte --NoDataValue=0 --outfile=label.tif'
    )
