"""Metadata of a region's maps: description, overview resampling, colours and tags."""

from collections.abc import Mapping

from clairemap.classes import ColoredLegend
from clairemap.raster.cog import MapLayer


def landcover_layer(legend: ColoredLegend, stamp: Mapping[str, str]) -> MapLayer:
    """Return the metadata of the land-cover map: colour table, class names in the band tags."""
    names = {f"class_{c.code}": c.name for c in legend.classes}
    return MapLayer("land cover class", "mode", legend.palette, stamp, names)


def confidence_layer(stamp: Mapping[str, str]) -> MapLayer:
    """Return the metadata of the confidence map."""
    return MapLayer("probability of the mapped class in percent", "average", tags=stamp, band_tags={"unit": "%"})


def optical_share_layer(stamp: Mapping[str, str]) -> MapLayer:
    """Return the metadata of the optical share: 0 is SAR only, 100 optical only."""
    return MapLayer("share of the optical sensor in percent", "average", tags=stamp, band_tags={"unit": "%"})


def source_count_layer(stamp: Mapping[str, str]) -> MapLayer:
    """Return the metadata of the source count: number of scenes per pixel, 1 to 254."""
    return MapLayer("number of scenes with a result", "first", tags=stamp, band_tags={"unit": "1"})
