"""Cloud masks: from codes to cloud, clear or unknown."""

import shlex
from collections.abc import Collection
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clairemap.artefacts.scene_sources import MaskCoding
from clairemap.classes import MAX_CODES_SHOWN
from clairemap.errors import ValuesError
from clairemap.grid.window import Window
from clairemap.raster.source import RasterSource
from clairemap.raster.virtual_raster import Raster
from clairemap.registration.sources import codes_source
from clairemap.registration.warp import ClassesOnGrid
from clairemap.validity import Mask

SCL_CLOUD = (3, 8, 9, 10)
"""Sentinel-2 scene classification (SCL): cloud shadow, cloud of medium or high probability, thin cirrus."""

QA_CLOUD_BITS = 0b11110
"""Landsat's QA_PIXEL, collection 2: dilated cloud (bit 1), cirrus (2), cloud (3), cloud shadow (4)."""

QA_FILL_BIT = 0b1

QA_CONFIDENCE_BITS = 0b11 << 8
"""Confidence of cloud: set in all pixels of QA_PIXEL but those without data."""

SCL_CODES = range(12)
SCL_NODATA = 0
SCL_GROUND = (2, 4, 5, 6, 7, 11)
"""SCL codes that are not cloud. Without 1 (saturated), which binary masks use as well."""

MAX_CODES_KEPT = 256
"""Maximum number of distinct codes kept: no mask has more, but a probability layer may have one per pixel."""


def cloud_source(raster: Raster, coding: MaskCoding, scl_cloud: Collection[int] = SCL_CLOUD) -> RasterSource:
    """Return an opened cloud mask. Code 0 is data even if it is the nodata tag, except in SCL.

    `scl_cloud` are the codes of SCL that mean cloud.

    Raises:
        MissingFileError, UnreadableFileError, GridError, BandCountError: see `codes_source`.
        ValuesError: the mask has a scale tag, or its nodata tag is a code that means cloud.
    """
    source = codes_source(raster, "cloud", zero_is_data=coding != "scl")
    path = source.path
    tag = source.nodata_tags[source.data_bands[0] - 1]
    cloudy = {"scl": scl_cloud, "qa_pixel": ()}.get(coding, (1,))
    if tag is not None and tag in cloudy:
        source.close()
        raise ValuesError(
            f"{path}: {tag:g} means cloud in a {coding} cloud mask (sensors.optical.cloud_mask), but it is also the "
            f"file's nodata tag; remove the tag: gdal_edit.py -unsetnodata {shlex.quote(str(path))}"
        )
    return source


class CloudMask:
    """Cloud mask of a scene on a target grid. Records the codes it has read."""

    def __init__(self, classes: ClassesOnGrid, coding: MaskCoding, scl_cloud: Collection[int] = SCL_CLOUD) -> None:
        """Wrap a raster of codes; `coding` defines what the codes mean, `scl_cloud` which of SCL mean cloud."""
        self._classes = classes
        self._coding = coding
        self._scl_cloud = sorted(scl_cloud)
        self._seen: set[float] = set()

    def read(self, window: Window) -> tuple[Mask, Mask]:
        """Return two masks (y, x) of a window: where there is cloud, and where the cloud mask has data."""
        block = self._classes.read(window)
        codes, known = block.values[0], block.valid
        self._remember(codes[known])
        if self._coding == "scl":
            return known & np.isin(codes, self._scl_cloud), known & (codes != SCL_NODATA)
        if self._coding == "qa_pixel":
            bits = codes.astype(np.int64)
            known = known & ((bits & QA_FILL_BIT) == 0)
            return known & ((bits & QA_CLOUD_BITS) != 0), known
        return known & (codes != 0), known

    def _remember(self, codes: NDArray[Any]) -> None:
        if len(self._seen) <= MAX_CODES_KEPT:
            self._seen.update(np.unique(codes)[: MAX_CODES_KEPT + 1].tolist())

    def check(self) -> None:
        """Check the codes read so far.

        Raises:
            ValuesError: the codes do not match the coding.
        """
        faults = {
            "scl": self._fault_of_scl,
            "binary": self._fault_of_binary,
            "nonzero": self._fault_of_nonzero,
            "qa_pixel": self._fault_of_qa_pixel,
        }
        fault = faults[self._coding]()
        if fault:
            seen = sorted(self._seen)
            more = ", …" if len(seen) > MAX_CODES_SHOWN else ""
            shown = ", ".join(f"{code:.6g}" for code in seen[:MAX_CODES_SHOWN])
            raise ValuesError(f"{self._classes.source.path}: the cloud mask contains the values {shown}{more}. {fault}")

    def _fault_of_scl(self) -> str | None:
        if self._seen == {1} or self._seen == {0, 1}:
            return "This looks like a binary mask: set sensors.optical.cloud_mask: binary"
        if self._seen <= set(SCL_CODES):
            return None
        return (
            "Sentinel-2's scene classification (SCL) has codes 0 to 11: use that layer, or set "
            "sensors.optical.cloud_mask: binary and use a mask of 0 (clear) and 1 (cloud)"
        )

    def _fault_of_qa_pixel(self) -> str | None:
        seen = {int(code) for code in self._seen}
        if all(code & QA_FILL_BIT for code in seen) or any(code & QA_CONFIDENCE_BITS for code in seen):
            return None
        return (
            "They lack the bits 8 and 9 of Landsat's QA_PIXEL (Collection 2): use that layer, or set "
            "sensors.optical.cloud_mask to the coding of this mask"
        )

    def _fault_of_nonzero(self) -> str | None:
        if min(self._seen, default=0) >= 0 and not self._seen & set(SCL_GROUND[1:]):
            return None
        return (
            "With sensors.optical.cloud_mask: nonzero, all values except 0 mean cloud or shadow. Codes 4, 5, 6, 7 and "
            "11 are ground in Sentinel-2's scene classification: set cloud_mask: scl. Negative codes are not allowed: "
            "use a mask of 0 and 1"
        )

    def _fault_of_binary(self) -> str | None:
        others = self._seen - {0}
        if not others or (len(others) == 1 and self._may_mean_cloud(min(others))):
            return None
        name = shlex.quote(str(self._classes.source.path))
        remedy = (
            "A binary mask is 0 where clear and one other value, preferably 1, where there is cloud or shadow. If all "
            "other values mean cloud or shadow, set sensors.optical.cloud_mask: nonzero; otherwise create a mask from "
            f'the codes that mean cloud: gdal_calc.py -A {name} --calc="isin(A,[CODES])" --type=Byte '
            "--outfile=cloud.tif (replace CODES, for example by 1,3)"
        )
        if self._seen <= set(SCL_CODES):
            return (
                "For Sentinel-2's scene classification (SCL) set sensors.optical.cloud_mask: scl "
                f"({', '.join(map(str, SCL_CLOUD))} are cloud and shadow). {remedy}"
            )
        if any(code > 0 and int(code) & QA_CONFIDENCE_BITS for code in others):
            return f"For Landsat's QA_PIXEL (Collection 2) set sensors.optical.cloud_mask: qa_pixel. {remedy}"
        if others <= {1, max(others)}:
            return f"If {max(others):g} means nodata, tag it: gdal_edit.py -a_nodata {max(others):g} {name}. {remedy}"
        return remedy

    def _may_mean_cloud(self, code: float) -> bool:
        """Return whether the only nonzero code can mean cloud: not a ground code of SCL; without 0 only 1 or 255."""
        return code > 0 and code not in SCL_GROUND and (0 in self._seen or code in (1, 255))
