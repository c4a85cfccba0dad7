"""Section of config.yaml on post-processing of the finished maps."""

from pydantic import Field

from clairemap.settings.section import Section


class DeliverSettings(Section):
    """Minimum mapping unit and polygons of the finished maps."""

    min_area_ha: float | None = Field(
        None,
        gt=0,
        description="minimum mapping unit, hectares: smaller patches become part of their most probable neighbour "
        "(null: patches stay as they are)",
    )
    vector: bool = Field(False, description="also write the land-cover map as polygons, {region}.landcover.gpkg")
