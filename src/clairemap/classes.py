"""The legend: codes, names and colours of the classes."""

import unicodedata
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Annotated, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema, model_validator

from clairemap.errors import LabelError
from clairemap.text import shortened

MAX_CODE = 254
"""Highest allowed class code."""

MAX_CODES_SHOWN = 12
MAX_UNMAPPED_SHOWN = 60
"""Maximum number of codes or names without a class that a message lists; CORINE has 44."""

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


def _source_value(value: object) -> object:
    """Return a code or name of label files unchanged; else raise ValueError."""
    if isinstance(value, str):
        return _class_name(value)
    if isinstance(value, bool) or not isinstance(value, int) or not -(2**31) <= value < 2**32:
        raise ValueError(f"{value!r} is neither a code (a whole number of 32 bits) nor a name (text)")
    return value


SourceValue = Annotated[int | str, BeforeValidator(_source_value), WithJsonSchema({"type": ["integer", "string"]})]
"""A code or a name in label files."""


class LandCoverClass(BaseModel):
    """One class, without a colour. Stages that do not draw use it, so that a new colour does not rerun them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    code: int = Field(
        ge=0,
        le=MAX_CODE,
        description="value in the land-cover map (255 is nodata), and in label files if the class has no `from`",
    )
    name: ClassText = Field(description="name in map categories, tables and explanations")


class ColoredClass(LandCoverClass):
    """One class with its colour in the map."""

    color: str = Field(pattern=r"^#[0-9a-fA-F]{6}$", description="colour in the map, #rrggbb")

    @property
    def rgb(self) -> Rgb:
        """Red, green and blue, 0..255."""
        value = int(self.color.removeprefix("#"), 16)
        return value >> 16, value >> 8 & 255, value & 255


class SourceClass(LandCoverClass):
    """One class with its codes or names in label files. Only stages that read label files use it."""

    model_config = ConfigDict(serialize_by_alias=True)

    sources: tuple[SourceValue, ...] = Field(
        (),
        alias="from",
        description="codes or names of the class in label files (default: its code; in vector files also its name)",
    )


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

    @cached_property
    def code_table(self) -> "CodeTable":
        """The class of each code in label rasters that contain the codes of the map."""
        classes = {c.code: index for index, c in enumerate(self.classes)}
        return CodeTable(classes | dict.fromkeys(self.ignore, IGNORE_INDEX))


@dataclass(frozen=True)
class CodeTable:
    """Class index of each code of a label raster, `IGNORE_INDEX` for ignored codes; names of codes, for messages."""

    index_of_code: Mapping[int, int]
    names: Mapping[int, str] = field(default_factory=dict)

    def indices(
        self,
        codes: NDArray[np.integer],
        file: str,
        where: str = "",
        pixels_of_codes: Callable[[], Mapping[int, int]] | None = None,
    ) -> NDArray[np.uint8]:
        """Return the class index of each label code, `IGNORE_INDEX` for ignored codes; shape of `codes`.

        Args:
            codes: label raster of any shape and integer type.
            file: path of the raster, for the error message.
            where: part of the raster that was read, for the error message.
            pixels_of_codes: returns all codes of the raster with their numbers of pixels, for the error message; by
                default those in `codes`. It is only called if there is an error.

        Raises:
            LabelError: a code is neither a class nor ignored; the message lists all such codes of the raster.
        """
        known = self.index_of_code
        keys = np.array(sorted(known), np.int64)
        position = np.searchsorted(keys, codes).clip(max=keys.size - 1)
        if (keys[position] != codes).any():
            seen = pixels_of_codes() if pixels_of_codes else code_counts(codes)
            raise LabelError(f"{file}{where and f', {where}'}: {self._unmapped_text(seen)}")
        indices: NDArray[np.uint8] = np.array([known[key] for key in keys.tolist()], np.uint8)[position]
        return indices

    def _unmapped_text(self, seen: Mapping[int, int]) -> str:
        """Return the error text for a label raster with these codes, of which some are not in the table."""
        unmapped = [code for code in sorted(seen) if code not in self.index_of_code]
        listed = {f"{code} {self.names[code]!r}" if code in self.names else str(code): seen[code] for code in unmapped}
        classes, ignored = (
            sorted(code for code, index in self.index_of_code.items() if (index == IGNORE_INDEX) is is_ignored)
            for is_ignored in (False, True)
        )
        fault = (
            f"label codes [{counts_text(listed)}] belong to no class (codes of the classes: {classes}) and are not in "
            f"legend.ignore {ignored}.\n"
        )
        if not set(unmapped) - COMMON_UNLABELLED_CODES:
            return f"{fault}These codes usually mean 'not labelled': add them to legend.ignore."
        return (
            f"{fault}Add each code to `from` of a class in legend.classes (for example `from: [{unmapped[-1]}]`), or "
            f"to legend.ignore if it means 'not labelled'. A class without `from` has its own code (0 to {MAX_CODE})."
        )


class SourceLegend(Legend):
    """A legend with the codes or names of each class in label files."""

    classes: tuple[SourceClass, ...]

    @model_validator(mode="after")
    def _one_class_per_source(self) -> Self:
        class_of: dict[str, str] = {}
        for land_cover in self.classes:
            for key in map(source_key, land_cover.sources or (land_cover.code,)):
                if key in class_of:
                    raise ValueError(
                        f"label code or name {key!r} belongs to the classes {class_of[key]!r} and "
                        f"{land_cover.name!r}: list it in `from` of one of them (a class without `from` has its code)"
                    )
                class_of[key] = land_cover.name
        if clash := [code for code in self.ignore if source_key(code) in class_of]:
            raise ValueError(f"label codes {clash} are both in `from` of a class and in ignore: remove them from one")
        return self

    @property
    def source_names(self) -> tuple[str, ...]:
        """The names in label files of all classes."""
        return tuple(source for c in self.classes for source in c.sources if isinstance(source, str))

    def code_table_of(
        self, file: str, codes_of_name: Mapping[str, Collection[int]], ignored_names: Collection[str] = ()
    ) -> CodeTable:
        """Return the class of each code in a label raster.

        Args:
            file: path of the raster, for messages.
            codes_of_name: codes with each name in the raster's tables, by `source_key`.
            ignored_names: names that mean "not labelled".

        Raises:
            LabelError: a code has several classes, or the raster has no names but a class has no codes.
        """
        found = dict.fromkeys(self.ignore, IGNORE_INDEX)
        for index, land_cover in enumerate(self.classes):
            codes = [code for source in land_cover.sources for code in _codes_of(source, codes_of_name)]
            if land_cover.sources and not codes and not codes_of_name:
                raise LabelError(
                    f"{file}: has no names of codes (attribute table, categories, colour table), but `from` of the "
                    f"class {land_cover.name!r} has names only ({shortened(land_cover.sources, MAX_CODES_SHOWN)}); "
                    "list codes in `from`, or supply the table (.vat.dbf, .aux.xml) with the raster"
                )
            for code in codes if land_cover.sources else [land_cover.code]:
                self._add(found, code, index, file)
        for code in (code for name in ignored_names for code in _codes_of(name, codes_of_name)):
            self._add(found, code, IGNORE_INDEX, file)
        return CodeTable(found, {code: name for name, codes in codes_of_name.items() for code in codes})

    def _add(self, found: dict[int, int], code: int, index: int, file: str) -> None:
        if found.setdefault(code, index) != index:
            both = ["ignored codes" if i == IGNORE_INDEX else self.classes[i].name for i in (found[code], index)]
            raise LabelError(
                f"{file}: label code {code} belongs to {both[0]!r} and to {both[1]!r}, by codes or names in the file's "
                "tables; list it once in `from`, legend.ignore or labels.ignore"
            )

    @property
    def as_mapped(self) -> Legend:
        """The legend of rasters that contain the codes of the map."""
        return Legend(classes=tuple(LandCoverClass(code=c.code, name=c.name) for c in self.classes), ignore=self.ignore)


class ColoredLegend(Legend):
    """A legend with colours."""

    classes: tuple[ColoredClass, ...]

    @property
    def palette(self) -> dict[int, Rgb]:
        """Colour of each code."""
        return {c.code: c.rgb for c in self.classes}


def source_key(value: float | str) -> str:
    """Return the text by which codes and names are compared: whole numbers and their texts are equal (112, '112')."""
    if isinstance(value, str):
        return unicodedata.normalize("NFC", value).strip()
    return str(int(value)) if value == int(value) else repr(value)


def code_counts(codes: NDArray[np.integer]) -> dict[int, int]:
    """Return the number of pixels of each code."""
    values, pixels = np.unique(codes, return_counts=True)
    return dict(zip(values.tolist(), pixels.tolist(), strict=True))


def counts_text(pixels: Mapping[str, int]) -> str:
    """Return codes or names with their numbers of pixels, for messages."""
    return shortened([f"{code} ({count:,} px)" for code, count in pixels.items()], MAX_UNMAPPED_SHOWN)


def _codes_of(source: int | str, codes_of_name: Mapping[str, Collection[int]]) -> Collection[int]:
    """Return the codes of a code or name of a class in a label raster; none if the raster does not have the name."""
    if isinstance(source, int):
        return (source,)
    key = source_key(source)
    return codes_of_name.get(key, (int(key),) if key.lstrip("-").isdecimal() else ())
