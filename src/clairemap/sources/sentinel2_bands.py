"""Names of Sentinel-2's bands and images."""

import re

BANDS = {
    "B01": ("coastal",),
    "B02": ("blue",),
    "B03": ("green",),
    "B04": ("red",),
    "B05": ("rededge071", "rededge1"),
    "B06": ("rededge075", "rededge2"),
    "B07": ("rededge078", "rededge3"),
    "B08": ("nir",),
    "B8A": ("nir08", "rededge4"),
    "B09": ("nir09",),
    "B10": ("cirrus",),
    "B11": ("swir16", "swir1"),
    "B12": ("swir22", "swir2"),
}
"""Common names (STAC's extension eo, before and after version 2) of each band, in the order of `band_id`."""

IMAGE_NAME = re.compile(r"(?:^|_)T\d{2}[A-Z]{3}_\d{8}T\d{6}_(B\d[\dA])(?:_\d{2}m)?\.\w+$")
"""Name of a band's image in a product, for example T33UWQ_20260512T100031_B04_10m.jp2."""

UNIT = "reflectance x 10000, offset removed"
"""Unit of the values of all levels and baselines."""

REFLECTANCE = 10_000
"""Value of reflectance 1 in this unit."""

OFFSET = -1000.0
"""Offset of all bands since `OFFSET_SINCE`, in stored numbers."""

OFFSET_SINCE = (4, 0)
"""First processing baseline with an offset, January 2022; baselines from 05.00 were also used for older images."""


def names_of(key: str) -> tuple[str, ...]:
    """Return all names of a band, Sentinel-2's first."""
    return (key, *BANDS[key])
