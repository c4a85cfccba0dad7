"""Chips laid side by side in sheets, so that a data set of thousands of chips is a few scenes.

A sheet is a rectangle without gaps of unrelated chips, on plain pixels without a CRS. Chips are tiles: where tiles
and windows are as large as a chip, the halo is 0 and no filter reaches over, each chip is learnt from and mapped as
if it were alone.
"""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rasterio.enums import ColorInterp, MaskFlags
from rasterio.errors import NotGeoreferencedWarning, RasterioIOError

from clairemap.console import progress
from clairemap.datasets.samples import ROLES, Role, Sample
from clairemap.errors import BandCountError, GridError, UnreadableFileError
from clairemap.raster.opening import open_raster
from clairemap.scenes import Split

MOST_SIDE_PX = 8192
"""Side of a sheet at the most: its maps stay as handy as a scene's."""


@dataclass(frozen=True)
class Form:
    """How a chip's file holds its values; `nodata` as text, so that nan equals nan.

    `scaling` are scale and offset of each band, `alpha` the bands, counted from 1, that are alpha.
    """

    bands: int
    dtype: str
    nodata: str | None
    masked: bool
    scaling: tuple[tuple[float, float], ...]
    alpha: tuple[int, ...]

    @property
    def marks(self) -> tuple[object, ...]:
        """How the file says which pixels hold nothing, and what its numbers mean."""
        return self.nodata, self.masked, self.scaling, self.alpha


@dataclass(frozen=True)
class Sheet:
    """Chips of one split, in rows of `columns`; every chip has the roles and forms of the sheet."""

    name: str
    region: str
    split: Split
    columns: int
    chip_px: int
    chips: tuple[Sample, ...]
    forms: Mapping[Role, Form]

    @property
    def rows(self) -> int:
        """Rows of chips."""
        return len(self.chips) // self.columns

    def places(self) -> Iterator[tuple[int, int, Sample]]:
        """Yield row and column of each chip, which are those of its tile."""
        for number, chip in enumerate(self.chips):
            yield *divmod(number, self.columns), chip


def laid_out(samples: Sequence[Sample], chip_px: int) -> list[Sheet]:
    """Return all chips in sheets: as many full squares as there are, then a rectangle, then a row for the rest.

    Chips of one sheet have the same region, split and roles, and mark nodata alike, so that the sheet can tell it as
    its chips do. They keep their order. Each file's head is read, its values are not.

    Raises:
        UnreadableFileError: a file is damaged or no raster.
        GridError: a file has another size than the chips of the set have.
        BandCountError: a file has other bands, or another number type, than those of its role before it.
    """
    forms = [
        {role: chip_form(path, chip_px) for role, path in sample.files.items()}
        for sample in progress(samples, "looking at chips", len(samples))
    ]
    _check_alike(samples, forms)
    groups: dict[tuple[object, ...], list[int]] = {}
    for number, (sample, form) in enumerate(zip(samples, forms, strict=True)):
        marks = tuple((role, form[role].marks) for role in ROLES if role in form)
        groups.setdefault((sample.region, sample.split, marks), []).append(number)
    parts = [
        ([samples[number] for number in members], forms[members[0]], columns)
        for group in groups.values()
        for members, columns in rectangles(group, MOST_SIDE_PX // chip_px)
    ]
    counts: dict[str, int] = {}
    sheets = []
    for chips, form, columns in parts:
        stem = f"{chips[0].region}_{chips[0].split}"
        counts[stem] = counts.get(stem, 0) + 1
        name = f"{stem}_{counts[stem]:02d}"
        sheets.append(Sheet(name, chips[0].region, chips[0].split, columns, chip_px, tuple(chips), form))
    return sheets


def rectangles(members: list[int], side: int) -> Iterator[tuple[list[int], int]]:
    """Yield the members in rectangles without gaps, each with its number of columns, `side` at the most."""
    start = 0
    while left := len(members) - start:
        columns = min(side, left)
        rows = min(side, left // columns)
        yield members[start : start + rows * columns], columns
        start += rows * columns


def chip_form(path: Path, chip_px: int) -> Form:
    """Return how a file holds its values.

    Raises:
        UnreadableFileError: it is damaged or no raster.
        GridError: it has another size than a chip.
        BandCountError: its bands are of different number types.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            file = open_raster(path)
        with file:
            shape, dtypes, flags = file.shape, set(file.dtypes), file.mask_flag_enums[0]
            nodata, bands = file.nodata, file.count
            scaling = tuple(zip(file.scales, file.offsets, strict=True))
            alpha = tuple(index for index, kind in enumerate(file.colorinterp, 1) if kind is ColorInterp.alpha)
    except RasterioIOError as error:
        raise UnreadableFileError(f"{path}: can't be opened as a raster ({error}); fetch it again") from None
    if shape != (chip_px, chip_px):
        raise GridError(
            f"{path}: has {shape[0]} x {shape[1]} px, chips of this set have {chip_px} x {chip_px}; "
            "fetch it again, or take it out of the folder"
        )
    if len(dtypes) > 1:
        raise BandCountError(f"{path}: its bands are of different number types {sorted(dtypes)}; write them as one")
    masked = MaskFlags.per_dataset in flags and MaskFlags.alpha not in flags
    return Form(bands, dtypes.pop(), None if nodata is None else f"{nodata:.17g}", masked, scaling, alpha)


def _check_alike(samples: Sequence[Sample], forms: Sequence[Mapping[Role, Form]]) -> None:
    first: dict[Role, tuple[Path, Form]] = {}
    for sample, form in zip(samples, forms, strict=True):
        for role, path in sample.files.items():
            example, wanted = first.setdefault(role, (path, form[role]))
            if (form[role].bands, form[role].dtype) != (wanted.bands, wanted.dtype):
                raise BandCountError(
                    f"{path}: has {form[role].bands} band(s) of {form[role].dtype}, but {example} has {wanted.bands} "
                    f"of {wanted.dtype}; all {role} files of a set must be alike: fetch it again, or take it out"
                )
