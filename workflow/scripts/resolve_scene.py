"""Identify the files and bands in the cells of a scene, with grid, scale and offset of each."""

import logging
from pathlib import Path
from typing import Annotated

import typer

from clairemap.artefacts.scene_sources import SceneSources, write_scene_sources
from clairemap.console import run
from clairemap.provenance import stamp
from clairemap.raster.identity import remembered
from clairemap.sources.resolve import resolve
from clairemap.sources.resolved_cells import resolved_cells
from clairemap.stages import ResolveScene

log = logging.getLogger("clairemap.resolve_scene")


def resolve_scene(
    *,
    scene: Annotated[str, typer.Option(help="name of the scene")],
    sources: Annotated[Path, typer.Option(help="sources.json to write")],
    settings: Annotated[str, typer.Option(help="settings of this stage as JSON: section sensors")],
    optical: Annotated[str | None, typer.Option(help="cell of the sample sheet: files, product or raster")] = None,
    sar: Annotated[str | None, typer.Option(help="cell of the sample sheet, likewise")] = None,
    label: Annotated[str | None, typer.Option(help="cell of the sample sheet; read if it is not a local file")] = None,
    cloud: Annotated[str | None, typer.Option(help="cell of the sample sheet: mask, product or scl")] = None,
    record: Annotated[Path | None, typer.Option(help="files_read.json to update: what was read of the files")] = None,
) -> None:
    """Read the metadata of products, inspect their files, decide on offsets and write the record of all bands.

    Memory: one downsampled band.
    """
    sensors = ResolveScene.from_json(settings).sensors
    given = {"optical": optical, "sar": sar, "label": label, "cloud": cloud}
    cells = resolved_cells({role: text for role, text in given.items() if text}, sensors)
    with remembered({one.role: one.files for one in cells}, record):
        found = SceneSources(scene=scene, roles=resolve(cells, sensors, scene), stamp=_stamp(settings))
    for role, resolved in found.roles.items():
        log.info(
            "%s: %s by %s: %d band(s) on %d x %d px; %s",
            scene, role, resolved.reader, len(resolved.bands), resolved.grid.height, resolved.grid.width,
            ", ".join(f"{band.name} {band.offset:+g} ({band.offset_from})" for band in resolved.bands),
        )  # fmt: skip
    write_scene_sources(sources, found)


def _stamp(settings: str) -> dict[str, str]:
    """Return the stamp without the settings: later stages rerun only if one changes what is written here."""
    return {key: value for key, value in stamp("resolve_scene", settings).items() if not key.endswith("settings")}


if __name__ == "__main__":
    run(resolve_scene)
