"""What the codes of a cloud mask say: cloud, clear, or nothing."""

from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from clairemap.classes import CODES_SHOWN
from clairemap.errors import ValuesError
from clairemap.grid.window import Window
from clairemap.raster.source import RasterSource
from clairemap.registration.sources import codes_source
from clairemap.registration.warp import ClassesOnGrid
from clairemap.validity import Mask

Coding = Literal["binary", "nonzero", "scl"]

SCL_CLOUD = (3, 8, 9, 10)
"""Sentinel-2's scene classification: cloud shadow, cloud of medium and high probability, thin cirrus."""

SCL_CODES = range(12)
SCL_NOTHING = 0
SCL_GROUND = (2, 4, 5, 6, 7, 11)
"""Its codes of what is not cloud, apart from 1 (saturated), which binary masks use as well."""

MOST_CODES = 256
"""Codes that are kept: no mask has as many, and probabilities would have one for each pixel."""


def cloud_source(path: Path, coding: Coding) -> RasterSource:
    """Return a cloud mask, opened. But in SCL 0 is clear, even where its nodata tag is 0.

    Raises:
        MissingFileError, UnreadableFileError, GridError, BandCountError: as `codes_source`.
        ValuesError: a scale tag, or a nodata tag of a value that means cloud.
    """
    source = codes_source(path, "cloud", zero_is_data=coding != "scl")
    tag = source.nodata_tags[source.data_bands[0] - 1]
    if tag is not None and tag in (SCL_CLOUD if coding == "scl" else (1,)):
        source.close()
        raise ValuesError(
            f"{path}: {tag:g} means cloud in a {coding} cloud mask (sensors.optical.cloud_mask), but the file's tag "
            f"says that it means nodata; remove the tag: gdal_edit.py -unsetnodata {path.name}"
        )
    return source


class CloudMask:
    """A scene's cloud mask on a target grid. It keeps in mind which codes it has seen."""

    def __init__(self, classes: ClassesOnGrid, coding: Coding) -> None:
        """Take a raster of codes as a mask; `coding` says what the codes mean."""
        self._classes = classes
        self._coding = coding
        self._seen: set[float] = set()

    def read(self, window: Window) -> tuple[Mask, Mask]:
        """Return for a window where (y, x) there is cloud, and where the mask says anything."""
        block = self._classes.read(window)
        codes, known = block.values[0], block.valid
        self._remember(codes[known])
        if self._coding == "scl":
            return known & np.isin(codes, SCL_CLOUD), known & (codes != SCL_NOTHING)
        return known & (codes != 0), known

    def _remember(self, codes: NDArray[Any]) -> None:
        if len(self._seen) <= MOST_CODES:
            self._seen.update(np.unique(codes)[: MOST_CODES + 1].tolist())

    def check(self) -> None:
        """Check the codes that have been read.

        Raises:
            ValuesError: they are not those of the mask's coding.
        """
        faults = {"scl": self._fault_of_scl, "binary": self._fault_of_binary, "nonzero": self._fault_of_nonzero}
        fault = faults[self._coding]()
        if fault:
            seen = sorted(self._seen)
            more = ", …" if len(seen) > CODES_SHOWN else ""
            shown = ", ".join(f"{code:.6g}" for code in seen[:CODES_SHOWN])
            raise ValuesError(f"{self._classes.source.path}: the cloud mask holds the values {shown}{more}. {fault}")

    def _fault_of_scl(self) -> str | None:
        if self._seen == {1} or self._seen == {0, 1}:
            return "That looks like a binary mask: set sensors.optical.cloud_mask: binary"
        if self._seen <= set(SCL_CODES):
            return None
        return (
            "The codes of Sentinel-2's scene classification are 0 to 11: give that layer (SCL), or set "
            "sensors.optical.cloud_mask: binary and give a mask of 0 (clear) and 1 (cloud)"
        )

    def _fault_of_nonzero(self) -> str | None:
        if min(self._seen, default=0) >= 0 and not self._seen & set(SCL_GROUND[1:]):
            return None
        return (
            "With sensors.optical.cloud_mask: nonzero all values but 0 mean cloud or shadow, but 4, 5, 6, 7 and 11 are "
            "Sentinel-2's codes for the ground (set cloud_mask: scl), and no code is below 0: give a mask of 0 "
            "and 1"
        )

    def _fault_of_binary(self) -> str | None:
        others = self._seen - {0}
        if not others or (len(others) == 1 and self._may_mean_cloud(min(others))):
            return None
        name = self._classes.source.path.name
        remedy = (
            "A binary mask holds 0 where clear and one other value, best 1, where there is cloud or shadow. If all "
            "others mean cloud or shadow, set sensors.optical.cloud_mask: nonzero; else make a mask "
            f'with the codes that mean cloud in it: gdal_calc.py -A {name} --calc="isin(A,[CODES])" --type=Byte '
            "--outfile=cloud.tif"
        )
        if self._seen <= set(SCL_CODES):
            return (
                "For Sentinel-2's scene classification (SCL) set sensors.optical.cloud_mask: scl, which takes "
                f"{', '.join(map(str, SCL_CLOUD))} for cloud and shadow. {remedy}"
            )
        if others <= {1, max(others)}:
            return f"If {max(others):g} means nodata, say so: gdal_edit.py -a_nodata {max(others):g} {name}. {remedy}"
        return remedy

    def _may_mean_cloud(self, code: float) -> bool:
        """Return whether the only code besides 0 means cloud: not SCL's ground, and without 0 one that is usual."""
        return code > 0 and code not in SCL_GROUND and (0 in self._seen or code in (1, 255))
