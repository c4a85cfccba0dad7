"""Arrangement of chips in sheets: large rectangles of unrelated chips, without gaps or georeferencing.

Chips stay independent if tiles and windows have their size, the halo is 0 and no filter extends beyond a chip.
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

MAX_SHEET_PX = 8192
"""Maximum side of a sheet."""


@dataclass(frozen=True)
class ChipFormat:
    """Format of a chip's file.

    Attributes:
        bands: number of bands.
        dtype: number type of all bands.
        nodata: nodata tag as text, so that nan equals nan.
        masked: whether the file has a mask.
        scaling: scale and offset of each band.
        alpha: 1-based numbers of the alpha bands.
    """

    bands: int
    dtype: str
    nodata: str | None
    masked: bool
    scaling: tuple[tuple[float, float], ...]
    alpha: tuple[int, ...]

    @property
    def encoding(self) -> tuple[object, ...]:
        """Nodata and scaling, which are the same for all chips of a sheet."""
        return self.nodata, self.masked, self.scaling, self.alpha


@dataclass(frozen=True)
class Sheet:
    """Chips of one split, arranged row by row; all have the roles and formats of the sheet."""

    name: str
    region: str
    split: Split
    columns: int
    chip_px: int
    chips: tuple[Sample, ...]
    formats: Mapping[Role, ChipFormat]

    @property
    def rows(self) -> int:
        """Number of rows of chips."""
        return len(self.chips) // self.columns

    def positions(self) -> Iterator[tuple[int, int, Sample]]:
        """Yield row, column and sample of each chip; row and column are those of its tile."""
        for number, chip in enumerate(self.chips):
            yield *divmod(number, self.columns), chip


def arrange_in_sheets(samples: Sequence[Sample], chip_px: int) -> list[Sheet]:
    """Return all chips in sheets: full squares first, then a rectangle, then a single row.

    Chips of a sheet have the same region, split, roles, nodata and scaling, in their original order. Only the headers
    of the files are read.

    Raises:
        UnreadableFileError: a file is damaged or not a raster.
        GridError: a file does not have the size of the data set's chips.
        BandCountError: a file's number of bands or number type differs from the other files of its role.
    """
    formats = [
        {role: chip_format(path, chip_px) for role, path in sample.files.items()}
        for sample in progress(samples, "checking chips", len(samples))
    ]
    _check_same_bands(samples, formats)
    groups: dict[tuple[object, ...], list[int]] = {}
    for number, (sample, by_role) in enumerate(zip(samples, formats, strict=True)):
        encodings = tuple((role, by_role[role].encoding) for role in ROLES if role in by_role)
        groups.setdefault((sample.region, sample.split, encodings), []).append(number)
    blocks = [
        ([samples[number] for number in members], formats[members[0]], columns)
        for group in groups.values()
        for members, columns in rectangles(group, MAX_SHEET_PX // chip_px)
    ]
    counts: dict[str, int] = {}
    sheets = []
    for chips, by_role, columns in blocks:
        stem = f"{chips[0].region}_{chips[0].split}"
        counts[stem] = counts.get(stem, 0) + 1
        name = f"{stem}_{counts[stem]:02d}"
        sheets.append(Sheet(name, chips[0].region, chips[0].split, columns, chip_px, tuple(chips), by_role))
    return sheets


def rectangles(members: list[int], side: int) -> Iterator[tuple[list[int], int]]:
    """Yield the members in gapless rectangles of at most `side` rows and columns, each with its number of columns."""
    start = 0
    while left := len(members) - start:
        columns = min(side, left)
        rows = min(side, left // columns)
        yield members[start : start + rows * columns], columns
        start += rows * columns


def chip_format(path: Path, chip_px: int) -> ChipFormat:
    """Return the format of a chip's file.

    Raises:
        UnreadableFileError: the file is damaged or not a raster.
        GridError: the file does not have the size of a chip.
        BandCountError: the bands have different number types.
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
        raise UnreadableFileError(f"{path}: cannot be opened as a raster ({error}); download it again") from None
    if shape != (chip_px, chip_px):
        raise GridError(
            f"{path}: has {shape[0]} x {shape[1]} px, chips of this data set have {chip_px} x {chip_px} px; "
            "download it again or remove it"
        )
    if len(dtypes) > 1:
        raise BandCountError(
            f"{path}: the bands have different number types {sorted(dtypes)}; convert them to one (gdal_translate -ot)"
        )
    masked = MaskFlags.per_dataset in flags and MaskFlags.alpha not in flags
    return ChipFormat(bands, dtypes.pop(), None if nodata is None else f"{nodata:.17g}", masked, scaling, alpha)


def _check_same_bands(samples: Sequence[Sample], formats: Sequence[Mapping[Role, ChipFormat]]) -> None:
    first: dict[Role, tuple[Path, ChipFormat]] = {}
    for sample, by_role in zip(samples, formats, strict=True):
        for role, path in sample.files.items():
            found = by_role[role]
            example, expected = first.setdefault(role, (path, found))
            if (found.bands, found.dtype) != (expected.bands, expected.dtype):
                raise BandCountError(
                    f"{path}: has {found.bands} band(s) of {found.dtype}, but {example} has {expected.bands} of "
                    f"{expected.dtype}; all {role} files must have the same bands: download it again or remove it"
                )
