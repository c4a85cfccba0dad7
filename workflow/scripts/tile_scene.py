"""Resample the rasters of a scene to the optical grid and store them in tiles."""

import logging
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from clairemap.artefacts.radiometry import Radiometry, write_radiometry
from clairemap.artefacts.registration import read_registration
from clairemap.artefacts.store_attributes import BandMoments, PairAttributes
from clairemap.artefacts.tiles import TileRow, write_tile_index
from clairemap.classes import IGNORE_INDEX
from clairemap.console import progress, run
from clairemap.errors import EmptySceneError
from clairemap.grid.tiles import Tile
from clairemap.grid.tiles import tiles as tiles_of
from clairemap.grid.window import Window
from clairemap.provenance import stamp, temporary_beside
from clairemap.raster.identity import remembered
from clairemap.raster.pair_block import PairBlock
from clairemap.raster.store import GridStore, Layer, complete_store, create_store
from clairemap.registration.pairing import SceneFiles, ScenePair
from clairemap.sources.opened import SceneRasters
from clairemap.stages import TileScene
from clairemap.tiles.index import tile_row
from clairemap.tiles.sensor_radiometry import SceneSampler, standard_deviations
from clairemap.validity import Validity, optical_usable, sar_usable

log = logging.getLogger("clairemap.tile_scene")

NO_SENSOR = Validity.OPTICAL_NODATA | Validity.SAR_NODATA


def tile_scene(
    *,
    scene: Annotated[str, typer.Option(help="name of the scene")],
    registration: Annotated[Path, typer.Option(help="registration.json of the scene")],
    pair: Annotated[Path, typer.Option(help="pair.zarr to write")],
    manifest: Annotated[Path, typer.Option(help="pair.json to write, the manifest; written last")],
    tiles: Annotated[Path, typer.Option(help="tiles.parquet to write, the tile index")],
    radiometry: Annotated[Path, typer.Option(help="radiometry.json to write: moments and quantiles of the bands")],
    settings: Annotated[str, typer.Option(help="settings of this stage as JSON: sections legend, sensors and tiling")],
    optical: Annotated[str | None, typer.Option(help="optical raster")] = None,
    sar: Annotated[str | None, typer.Option(help="SAR raster")] = None,
    label: Annotated[str | None, typer.Option(help="label raster, one band of codes")] = None,
    cloud: Annotated[str | None, typer.Option(help="cloud mask, one band of codes")] = None,
    burnt_label: Annotated[Path | None, typer.Option(help="label.tif of burn_labels, in place of --label")] = None,
    sources: Annotated[Path | None, typer.Option(help="sources.json, if cells are not single rasters")] = None,
    record: Annotated[Path | None, typer.Option(help="files_read.json to update: what was read of the rasters")] = None,
) -> None:
    """Write the store of a scene, shard by shard, its tile index and its radiometry.

    Memory: one shard of all layers, for any size of the scene.
    """
    sections = TileScene.from_json(settings)
    found = read_registration(registration)
    rasters = SceneRasters({"optical": optical, "sar": sar, "label": label, "cloud": cloud}, sources)
    optical_sar = rasters.raster("optical"), rasters.raster("sar")
    files = SceneFiles(*optical_sar, rasters.raster("label"), rasters.raster("cloud"), burnt_label)
    with (
        remembered(rasters.single_files(), record),
        ScenePair(files, sections.sensors, sections.legend, found, sections.labels.ignore) as source,
        _discarded_on_failure(temporary_beside(pair)) as part,
    ):
        attributes = PairAttributes(
            scene=scene,
            sar_scale="digital" if sections.sensors.sar.scale == "digital" else "db",
            registration=found.verdict,
            sources=files.named,
            georeferenced=source.geobox.crs is not None,
            class_codes=tuple(sections.legend.codes.tolist()),
            optical_unit=rasters.unit("optical"),
        )
        store = create_store(
            part, source.geobox, _layers(source, sections),
            tile_px=sections.tiling.tile_px, shard_tiles=sections.tiling.shard_tiles,
            attributes={**attributes.model_dump(mode="json", exclude_none=True), **stamp("tile_scene", settings)},
        )  # fmt: skip
        sampler = SceneSampler.of(store.shape)
        rows = _written(scene, source, store, len(sections.legend.classes), sampler)
        source.check_values()
        of_scene = _radiometry(attributes, store, sampler)
        store.group.attrs.update({"moments": _moments(of_scene)})
        write_radiometry(radiometry, of_scene)
        write_tile_index(tiles, rows, stamp("tile_scene", settings))
        complete_store(part, pair, manifest)
    log.info("%s: %d tiles of %d px on %s", scene, len(rows), store.tile_px, store.shape)


def _layers(source: ScenePair, sections: TileScene) -> list[Layer]:
    return [
        Layer("optical", source.optical_dtype, sections.sensors.optical.names),
        Layer("sar", "float32", sections.sensors.sar.names, fill=float("nan")),
        Layer("label", "uint8", fill=IGNORE_INDEX, nodata=IGNORE_INDEX),
        Layer("validity", "uint8"),
    ]


def _written(scene: str, source: ScenePair, store: GridStore, classes: int, sampler: SceneSampler) -> list[TileRow]:
    """Write the pair to the store, add it to the sampler, and return the rows of its tiles."""
    rows: list[TileRow] = []
    seen = False
    shards = list(store.shards())
    for shard in progress(shards, f"tiling {scene}"):
        block = source.read(shard)
        for name, values in block.layers.items():
            store.write(name, shard, values)
        seen = seen or bool(((block.validity & NO_SENSOR) != NO_SENSOR).any())
        sampler.optical.add(shard, block.optical, optical_usable(block.validity))
        sampler.sar.add(shard, block.sar, sar_usable(block.validity))
        rows += _rows(scene, shard, block, store.tile_px, classes)
    if not seen:
        raise EmptySceneError(
            f"{scene}: no pixel of {source.files.named} is valid in either sensor; check nodata values "
            "(sensors.*.nodata), or remove the scene from the sample sheet"
        )
    return rows


def _radiometry(attributes: PairAttributes, store: GridStore, sampler: SceneSampler) -> Radiometry:
    return Radiometry(
        scene=attributes.scene,
        sar_scale=attributes.sar_scale,
        optical=sampler.optical.radiometry(store.bands("optical")),
        sar=sampler.sar.radiometry(store.bands("sar")),
    )


def _moments(radiometry: Radiometry) -> dict[str, dict[str, Any]]:
    """Return the value of the attribute `PairAttributes.moments`; a band of one value has the deviation 0."""
    moments = {}
    for sensor in ("optical", "sar"):
        if (found := radiometry.of_sensor(sensor)) is not None:
            std = standard_deviations(found)
            std[std <= np.finfo(np.float32).eps * np.abs(found.mean)] = 0
            moments[sensor] = BandMoments(mean=found.mean, std=tuple(std.tolist())).model_dump(mode="json")
    return moments


def _rows(scene: str, shard: Window, block: PairBlock, tile_px: int, classes: int) -> Iterator[TileRow]:
    for inner in tiles_of(shard.shape, tile_px):
        place = inner.window
        window = Window(shard.y0 + place.y0, shard.x0 + place.x0, *place.shape)
        tile = Tile(window.y0 // tile_px, window.x0 // tile_px, window)
        yield tile_row(scene, tile, block.cropped(place), classes)


@contextmanager
def _discarded_on_failure(part: Path) -> Iterator[Path]:
    try:
        yield part
    finally:
        shutil.rmtree(part, ignore_errors=True)  # exists only after a failure: a complete store is renamed


if __name__ == "__main__":
    run(tile_scene)
