"""What the maps of a region say about themselves."""

from collections.abc import Mapping

from clairemap.classes import ColoredLegend
from clairemap.raster.cog import MapLayer


def landcover_layer(legend: ColoredLegend, stamp: Mapping[str, str]) -> MapLayer:
    """Return the description of the land-cover map: coloured, its classes named in the band's tags."""
    names = {f"class_{c.code}": c.name for c in legend.classes}
    return MapLayer("land cover class", "mode", legend.palette, stamp, names)


def confidence_layer(stamp: Mapping[str, str]) -> MapLayer:
    """Return the description of the confidence map."""
    return MapLayer("probability of the mapped class in percent", "average", tags=stamp, band_tags={"unit": "%"})


def optical_share_layer(stamp: Mapping[str, str]) -> MapLayer:
    """Return the description of the map that says which sensor a pixel rests on: 0 is SAR alone, 100 optical alone."""
    return MapLayer("share of the optical sensor in percent", "average", tags=stamp, band_tags={"unit": "%"})


def source_count_layer(stamp: Mapping[str, str]) -> MapLayer:
    """Return the description of the map that says how many scenes a pixel rests on, 1 to 254."""
    return MapLayer("number of scenes with a result", "first", tags=stamp, band_tags={"unit": "1"})
