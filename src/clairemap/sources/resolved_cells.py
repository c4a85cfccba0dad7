"""Which cells of a scene the rule resolve_scene reads, for which role. By names only, for planning: opens nothing."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from clairemap.cell_text import SCENE_CLASSIFICATION, items
from clairemap.raster.remote_names import address, is_remote
from clairemap.settings import ResolvedOptical, ResolvedSar, ResolvedSensors
from clairemap.sources.cells import Cell, Role, cell_of
from clairemap.sources.readers import local_files
from clairemap.sources.wanted import Wanted

PRODUCTS = ("folder", "archive", "item")
"""Kinds of cells that may be a product with a cloud mask of its own."""


@dataclass(frozen=True)
class ResolvedCell:
    """A cell that resolve_scene reads for a role: for cloud it may be the optical cell."""

    role: Role
    cell: Cell
    wanted: Wanted
    is_required: bool = True

    @property
    def column(self) -> Role:
        """Column of the sheet that the cell belongs to."""
        return self.cell.role

    @property
    def files(self) -> dict[str, Path]:
        """Local files behind the cell by reference; names only, see `readers.local_files`."""
        return local_files(self.cell, self.wanted)

    @property
    def addresses(self) -> tuple[str, ...]:
        """Addresses of the cell's remote files, without signatures: their identities while planning."""
        return tuple(address(item) for item in items(self.cell.text) if is_remote(item))


def resolved_cells(cells: Mapping[str, str], sensors: ResolvedSensors) -> tuple[ResolvedCell, ...]:
    """Return the cells of a scene that are not single rasters, in the order optical, sar, label, cloud.

    Opens nothing.

    Without a cell for cloud, the mask of the optical product is looked for; it need not have one.

    Args:
        cells: texts of the scene's cells by role, with expanded paths, without empty ones.
        sensors: bands, and patterns of their files.
    """
    found = []
    optical = cell_of("optical", cells["optical"]) if "optical" in cells else None
    if optical is not None and optical.is_resolved:
        found.append(ResolvedCell("optical", optical, _wanted("optical", sensors.optical)))
    if "sar" in cells and (sar := cell_of("sar", cells["sar"])).is_resolved:
        found.append(ResolvedCell("sar", sar, _wanted("sar", sensors.sar)))
    if "label" in cells and (label := cell_of("label", cells["label"])).is_resolved:
        found.append(ResolvedCell("label", label, Wanted("label")))
    cloud = cells.get("cloud", "")
    is_named = cloud.lower() == SCENE_CLASSIFICATION
    if cloud and not is_named:
        if (own := cell_of("cloud", cloud)).is_resolved:
            found.append(ResolvedCell("cloud", own, Wanted("cloud")))
    elif is_named or (optical is not None and optical.kind in PRODUCTS):
        product = optical or cell_of("optical", "")
        found.append(ResolvedCell("cloud", product, Wanted("cloud"), is_required=is_named))
    return tuple(found)


def _wanted(role: Role, settings: ResolvedOptical | ResolvedSar) -> Wanted:
    return Wanted(role, settings.names, settings.files or {}, settings.indexes)
