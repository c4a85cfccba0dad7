"""Georeferenced Zarr stores between the stages: pairs of scenes, and class probabilities.

Zarr format 3, one chunk for each tile, several tiles in a file (shard). A store opens in xarray with coordinates
and in rioxarray with its CRS (CF grid mapping ``spatial_ref``). It is complete when its manifest lies beside it
(`artefacts.manifest`), with each array's hash and all attributes but the stamp (`provenance.stamp`).
"""

import hashlib
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar, cast

import numpy as np
import zarr
import zarr.errors
from affine import Affine
from numpy.typing import DTypeLike, NDArray
from odc.geo.geobox import GeoBox
from pydantic import ValidationError
from zarr.codecs import BloscCodec, BloscShuffle, Crc32cCodec

from clairemap.artefacts.document import first_fault
from clairemap.artefacts.manifest import ArrayEntry, Manifest, manifest_of, read_manifest, write_manifest
from clairemap.artefacts.store_attributes import StoreAttributes
from clairemap.errors import StoreError
from clairemap.grid.rounding import ceil_div
from clairemap.grid.tiles import tiles
from clairemap.grid.window import Window
from clairemap.provenance import STAMP_PREFIX, temporary_beside

Attributes = TypeVar("Attributes", bound=StoreAttributes)

GRID_MAPPING = "spatial_ref"

COMPRESSORS = BloscCodec(cname="lz4", clevel=5, shuffle=BloscShuffle.shuffle), Crc32cCodec()
"""LZ4 against zstd, level 3: a sixth of the time to write and a third to read, for files a tenth to a third larger. The
checksum makes each reader notice what has changed on the disk, for next to no time."""

UNFINISHED_FILES = "*.partial"
"""What zarr calls files until they are whole; a killed run leaves some."""


@dataclass(frozen=True)
class Layer:
    """One array of a store. Without `bands` it has the dimensions (y, x), else ({name}_band, y, x)."""

    name: str
    dtype: DTypeLike
    bands: tuple[str, ...] = ()
    fill: float = 0
    nodata: int | None = None  # of integer arrays, told to xarray as _FillValue; float arrays have NaN for that
    attributes: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class GridStore:
    """A store opened for reading or writing blocks. Arrays are (band, y, x) or (y, x) on `geobox`."""

    path: Path
    group: zarr.Group
    geobox: GeoBox
    _opened: dict[str, zarr.Array[Any]] = field(default_factory=dict, init=False, repr=False, compare=False)

    @property
    def shape(self) -> tuple[int, int]:
        """(height, width) in pixels."""
        height, width = self.geobox.shape
        return int(height), int(width)

    @property
    def tile_px(self) -> int:
        """Side of a tile in pixels: the chunk of every array."""
        return int(self.attributes["tile_px"])

    @property
    def shard_px(self) -> int:
        """Side of a shard in pixels: write blocks of this size at its multiples."""
        return int(self.attributes["shard_px"])

    @property
    def attributes(self) -> Mapping[str, Any]:
        """Attributes of the store as a whole."""
        return self.group.attrs

    def attributes_as(self, kind: type[Attributes]) -> Attributes:
        """Return the attributes as a model of `artefacts.store_attributes`.

        Raises:
            StoreError: an attribute is missing or has another type.
        """
        try:
            return kind.model_validate(dict(self.attributes))
        except ValidationError as error:
            raise StoreError(
                f"{self.path}: attribute {first_fault(error)} ({kind.__name__}); delete it and run again"
            ) from None

    @property
    def scene(self) -> str:
        """Name of the scene that the store is of."""
        return self.attributes_as(StoreAttributes).scene

    @property
    def exists(self) -> bool:
        """Whether the store still lies where it was opened."""
        return (self.path / "zarr.json").is_file()

    def array(self, name: str) -> zarr.Array[Any]:
        """Return an array to slice: ``store.array("sar")[:, 0:512, 0:512]``.

        Raises:
            StoreError: the store has no such array.
        """
        if name not in self._opened:
            found = self.group.get(name)
            if not isinstance(found, zarr.Array):
                raise StoreError(f"{self.path}: holds no array {name!r}; delete it and run again")
            # Kept, since opening parses the metadata anew, a tenth of what a crop costs. Chunks are written even if
            # empty, since to look at them costs as much as writing the others.
            self._opened[name] = found.with_config({"write_empty_chunks": True})
        return self._opened[name]

    def bands(self, name: str) -> tuple[str, ...]:
        """Return the names of an array's bands; empty for (y, x)."""
        names = self.array(name).attrs.get("band_names", [])
        return tuple(str(band) for band in names) if isinstance(names, list) else ()

    def shards(self) -> Iterator[Window]:
        """Yield the windows that can be written independently of each other."""
        return (tile.window for tile in tiles(self.shape, self.shard_px))

    def discard(self, name: str, shard: Window) -> None:
        """Delete what is written of a shard: zarr would read it to write its edge, and fail if it is damaged."""
        leading = [0] * (self.array(name).ndim - 2)
        place = [*leading, shard.y0 // self.shard_px, shard.x0 // self.shard_px]
        (self.path / name).joinpath("c", *map(str, place)).unlink(missing_ok=True)

    def read(self, name: str, window: Window) -> NDArray[Any]:
        """Return a window of an array; the window must lie inside the grid.

        Raises:
            StoreError: the window reaches outside, or the store's files are damaged.
        """
        if window.clipped(self.shape) != window:
            raise StoreError(f"{self.path}: {window} reaches outside the grid {self.shape}")
        try:
            return np.asarray(self.array(name)[..., *window.slices])
        except (OSError, ValueError, RuntimeError) as error:
            raise StoreError(
                f"{self.path}: array {name!r} is damaged at {window} ({error}); delete it, run again"
            ) from None

    def write(self, name: str, window: Window, block: NDArray[Any]) -> None:
        """Write a window of an array; windows from `shards` are safe to write at the same time.

        Raises:
            StoreError: the block hasn't the window's shape, or reaches outside the grid.
        """
        if block.shape[-2:] != window.shape or window.clipped(self.shape) != window:
            raise StoreError(f"{self.path}: a block {block.shape} doesn't fit {window} of the grid {self.shape}")
        self.array(name)[..., *window.slices] = block


def create_store(
    path: Path,
    geobox: GeoBox,
    layers: Sequence[Layer],
    *,
    tile_px: int,
    shard_tiles: int,
    attributes: Mapping[str, Any],
) -> GridStore:
    """Return a new store with empty arrays. Write to a temporary path, then `complete_store` it."""
    height, width = (int(size) for size in geobox.shape)
    across = ceil_div(max(height, width), tile_px)
    shard_px = tile_px * min(shard_tiles, across)
    group = zarr.create_group(path, zarr_format=3)
    own: dict[str, Any] = {
        "Conventions": "CF-1.11",
        "coordinates": GRID_MAPPING,
        "tile_px": tile_px,
        "shard_px": shard_px,
        "height": height,
        "width": width,
    }
    group.attrs.update({**attributes, **own})
    _write_georeference(group, geobox)
    for layer in layers:
        bands = (len(layer.bands),) if layer.bands else ()
        group.create_array(
            layer.name,
            shape=(*bands, height, width),
            dtype=np.dtype(layer.dtype),
            chunks=(*bands, tile_px, tile_px),
            shards=(*bands, shard_px, shard_px),
            compressors=COMPRESSORS,
            fill_value=layer.fill,
            dimension_names=[f"{layer.name}_band", "y", "x"] if layer.bands else ["y", "x"],
            attributes=_layer_attributes(layer),
        )
    return GridStore(path, group, geobox)


def _layer_attributes(layer: Layer) -> dict[str, Any]:
    attributes: dict[str, Any] = {"grid_mapping": GRID_MAPPING, **(layer.attributes or {})}
    if layer.bands:
        attributes["band_names"] = list(layer.bands)
    if layer.nodata is not None:
        attributes["_FillValue"] = layer.nodata
    return attributes


def _write_georeference(group: zarr.Group, geobox: GeoBox) -> None:
    transform = geobox.transform
    mapping = group.create_array(GRID_MAPPING, shape=(), dtype="int32")
    mapping[...] = 0
    mapping.attrs["GeoTransform"] = " ".join(repr(float(value)) for value in transform.to_gdal())
    if geobox.crs is not None:
        mapping.attrs.update({"crs_wkt": geobox.crs.to_wkt(), "spatial_ref": geobox.crs.to_wkt()})
    if transform.b or transform.d:
        return  # a rotated grid has no 1-D coordinates
    height, width = geobox.shape
    centres = {
        "y": transform.f + transform.e * (np.arange(height) + 0.5),
        "x": transform.c + transform.a * (np.arange(width) + 0.5),
    }
    for name, values in centres.items():
        axis = group.create_array(name, data=values.astype("float64"), chunks="auto", dimension_names=[name])
        axis.attrs.update({"axis": name.upper(), "long_name": f"pixel centre, {name}"})


def open_store(path: Path, mode: Literal["r", "r+"] = "r") -> GridStore:
    """Return a store opened for reading, or for reading and writing.

    Raises:
        StoreError: there is no store, or its metadata are damaged.
    """
    try:
        group = zarr.open_group(path, mode=mode)
        mapping = group[GRID_MAPPING].attrs
        transform = Affine.from_gdal(*(float(value) for value in str(mapping["GeoTransform"]).split()))
        shape = int(str(group.attrs["height"])), int(str(group.attrs["width"]))
    except (FileNotFoundError, KeyError, ValueError, zarr.errors.BaseZarrError) as error:
        raise StoreError(f"{path}: is no complete store ({error!r}); delete it and run again") from None
    return GridStore(path, group, GeoBox(shape, transform, cast("str | None", mapping.get("crs_wkt"))))


def complete_store(part: Path, target: Path, manifest: Path | None = None) -> None:
    """Move a written store to its place and write its manifest, last.

    An older store in that place is replaced; an interruption leaves either no manifest or a whole store.

    Args:
        part: the written store.
        target: its place.
        manifest: the manifest to write; by default beside the store (`manifest_of`).
    """
    manifest = manifest or manifest_of(target)
    manifest.unlink(missing_ok=True)
    for leftover in part.rglob(UNFINISHED_FILES):
        leftover.unlink()
    described = _describe(part)
    if target.exists():
        discarded = temporary_beside(target)
        target.rename(discarded)
        shutil.rmtree(discarded)
    part.rename(target)
    write_manifest(manifest, described)


def check_store(path: Path, manifest: Path | None = None) -> GridStore:
    """Return the store opened for reading after comparing its files with the manifest (names and sizes).

    Args:
        path: the store.
        manifest: its manifest; by default the one beside the store (`manifest_of`).

    Raises:
        StoreError: files are missing, of another size, or the manifest can't be read.
    """
    for name, array in read_manifest(manifest or manifest_of(path), path).arrays.items():
        files = _chunk_files(path / name)
        seen, expected = (len(files), _size(files)), (array.files, array.bytes)
        if seen != expected:
            raise StoreError(
                f"{path}: array {name!r} has {seen[0]} files of {seen[1]} bytes, the manifest {expected[0]} of "
                f"{expected[1]}; delete it and run again"
            )
    return open_store(path)


def _describe(path: Path) -> Manifest:
    group = zarr.open_group(path, mode="r")
    arrays = {}
    for name, array in sorted(group.arrays()):
        files = _chunk_files(path / name)
        digest = hashlib.sha256()
        for file in files:
            digest.update(file.relative_to(path).as_posix().encode())
            with file.open("rb") as content:
                while block := content.read(2**20):
                    digest.update(block)
        arrays[name] = ArrayEntry(
            shape=tuple(array.shape),
            dtype=str(array.dtype),
            fill=str(array.fill_value),
            attributes=_unstamped(array.attrs),
            files=len(files),
            bytes=_size(files),
            sha256=digest.hexdigest(),
        )
    return Manifest(_unstamped(group.attrs), arrays)


def _size(files: Sequence[Path]) -> int:
    return sum(file.stat().st_size for file in files)


def _unstamped(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is said about the content, without the version, commit and settings that made it."""
    return {key: value for key, value in attributes.items() if not key.startswith(STAMP_PREFIX)}


def _chunk_files(array: Path) -> list[Path]:
    return sorted(file for file in array.rglob("*") if file.is_file() and file.name != "zarr.json")
