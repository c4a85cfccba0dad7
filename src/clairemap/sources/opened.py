"""What the stages open for a role of a scene: the one function between cells of the sheet and rasters."""

import os
from collections.abc import Mapping
from pathlib import Path

from clairemap.artefacts.scene_sources import ResolvedRole, SceneSources, read_scene_sources
from clairemap.cell_text import SCENE_CLASSIFICATION
from clairemap.errors import StoreError
from clairemap.raster.remote_files import check_unchanged, renew
from clairemap.raster.remote_names import can_be_reopened
from clairemap.raster.virtual_raster import Raster, VirtualRaster
from clairemap.sources.cells import Role, cell_of
from clairemap.sources.virtual import virtual_xml


class SceneRasters:
    """Rasters of a scene by role: a single raster as it is, others as virtual rasters by ``sources.json``."""

    def __init__(self, cells: Mapping[Role, str | Path | None], sources: Path | None = None) -> None:
        """Read the record.

        Args:
            cells: texts of the sheet with expanded paths; None: empty.
            sources: ``sources.json`` of the scene; None: all cells are single rasters.

        Raises:
            StoreError: the record is missing or damaged.
        """
        self._cells = {role: os.fspath(text) for role, text in cells.items() if text}
        self._record = None if sources is None else read_scene_sources(sources)
        self._virtual: dict[Role, VirtualRaster] = {}

    @property
    def record(self) -> SceneSources | None:
        """The record of the resolved roles; None if all cells are single rasters."""
        return self._record

    def raster(self, role: Role) -> Raster | None:
        """Return the raster of a role; None if the scene has none.

        Raises:
            RemoteFileError: a file on a server is not the one that resolve_scene read, or cannot be asked for.
        """
        text = self._cells.get(role)
        if text is not None and text.lower() != SCENE_CLASSIFICATION and not cell_of(role, text).is_resolved:
            return Path(text)
        resolved = self._resolved(role)
        if resolved is not None and role not in self._virtual:
            self._virtual[role] = _virtual(resolved, self._cells[resolved.cell])
        return self._virtual.get(role)

    def sensor(self, role: Role) -> Raster:
        """Return the raster of a role that the scene has.

        Raises:
            StoreError: the record lacks it.
        """
        raster = self.raster(role)
        if raster is None:
            raise StoreError(f"the record of the scene's sources has no role {role}; run resolve_scene again")
        return raster

    def unit(self, role: Role) -> str | None:
        """Return the unit of a role's values if its product defines it."""
        resolved = self._resolved(role)
        return None if resolved is None or isinstance(self.raster(role), Path) else resolved.unit

    def single_files(self) -> dict[str, Path | None]:
        """Return the single rasters by role, which the stage that reads them records (`raster.identity.remembered`)."""
        plain = {role: self.raster(role) for role in self._cells}
        return {role: raster for role, raster in plain.items() if isinstance(raster, Path)}

    def _resolved(self, role: Role) -> ResolvedRole | None:
        return None if self._record is None else self._record.roles.get(role)


def _virtual(resolved: ResolvedRole, text: str) -> VirtualRaster:
    """Return the virtual raster of a role; files on servers are compared with the record."""
    cell = cell_of(resolved.cell, text)
    remote = {band.file: band.remote for band in resolved.bands if band.remote is not None}
    names = [cell.located(file) for file in remote]
    for name, state in zip(names, remote.values(), strict=True):
        check_unchanged(name, state)

    def renewed() -> str:
        renew()
        return virtual_xml(resolved, cell.located)

    xml = virtual_xml(resolved, cell.located)
    is_reopened = any(map(can_be_reopened, names))
    return VirtualRaster(
        Path(text), xml, resolved.nodata_in_any, resolved.coding, renewed=renewed if is_reopened else None
    )
