"""What post-processing adds to the STAC item of a map."""

import json

import pystac

from clairemap.outputs import MapFiles


def delivered_item(item: str, files: MapFiles, *, min_area_ha: float | None = None, has_polygons: bool = False) -> str:
    """Return a map's item (JSON text) with its minimum mapping unit and its polygons, if it has them.

    Args:
        item: what `stac.map_item` returns.
        files: the map's files; links are relative to the item.
        min_area_ha: minimum mapping unit of the map, hectares.
        has_polygons: whether the map is also written as polygons.
    """
    found = json.loads(item)
    if min_area_ha is not None:
        found["properties"]["clairemap:min_area_ha"] = min_area_ha
        found["properties"]["processing:lineage"] += (
            f" Patches smaller than {min_area_ha:g} ha were given the class of their neighbours that is most probable "
            "over the patch; their confidence is the probability of this class."
        )
    if has_polygons:
        found["assets"]["polygons"] = pystac.Asset(
            f"./{files.polygons.name}",
            title="Land cover as polygons",
            media_type=pystac.MediaType.GEOPACKAGE,
            roles=["data"],
        ).to_dict()
    return json.dumps(found, indent=2) + "\n"
