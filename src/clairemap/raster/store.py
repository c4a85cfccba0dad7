"""Georeferenced Zarr stores of intermediate data: tiled scenes and class probabilities.

Zarr format 3, one chunk per tile. A store is written shard by shard (a file of several chunks); when it is completed,
the shards of each array are merged into one file. xarray opens a store with coordinates, rioxarray with its CRS. A
store is complete when its manifest exists; the manifest contains the hash of each array and all attributes except the
stamp.
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
from clairemap.disk import disk_full, is_disk_full
from clairemap.errors import StoreError
from clairemap.grid.rounding import ceil_div
from clairemap.grid.tiles import tiles
from clairemap.grid.window import Window
from clairemap.provenance import STAMP_PREFIX, temporary_beside
from clairemap.raster.shard_merge import is_merged, merge_shards, sharded_array

Attributes = TypeVar("Attributes", bound=StoreAttributes)

GRID_MAPPING = "spatial_ref"

COMPRESSORS = BloscCodec(cname="lz4", clevel=5, shuffle=BloscShuffle.shuffle), Crc32cCodec()
"""Compared with zstd level 3, LZ4 writes in 1/6 and reads in 1/3 of the time; files are 10 to 33 % larger. The
checksum detects damaged files."""

UNFINISHED_FILES = "*.partial"
"""Names of zarr's unfinished files, which a killed run leaves behind."""


@dataclass(frozen=True)
class Layer:
    """One array of a store, with dimensions ({name}_band, y, x), or (y, x) without `bands`."""

    name: str
    dtype: DTypeLike
    bands: tuple[str, ...] = ()
    fill: float = 0
    nodata: int | None = None  # for integer arrays, written as _FillValue for xarray; float arrays use NaN
    attributes: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class GridStore:
    """A store opened for reading or writing blocks; arrays are (band, y, x) or (y, x) on `geobox`."""

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
        """Side of a tile in pixels, which is the chunk size of all arrays."""
        return int(self.attributes["tile_px"])

    @property
    def shard_px(self) -> int:
        """Side of a shard in pixels, while the store is written; write blocks of this size at multiples of it."""
        return int(self.attributes["shard_px"])

    @property
    def attributes(self) -> Mapping[str, Any]:
        """Attributes of the store."""
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
                f"{self.path}: attribute {first_fault(error)} ({kind.__name__}); delete the store and run again"
            ) from None

    @property
    def scene(self) -> str:
        """Name of the store's scene."""
        return self.attributes_as(StoreAttributes).scene

    @property
    def exists(self) -> bool:
        """Whether the store still exists on disk."""
        return (self.path / "zarr.json").is_file()

    @property
    def has_merged_shards(self) -> bool:
        """Whether shards of an array have been merged, by `complete_store`; then all are written."""
        return any(is_merged(self.path / name) for name in self.group.array_keys())

    def array(self, name: str) -> zarr.Array[Any]:
        """Return an array, for slicing: ``store.array("sar")[:, 0:512, 0:512]``.

        Raises:
            StoreError: the store has no such array.
        """
        if name not in self._opened:
            found = self.group.get(name)
            if not isinstance(found, zarr.Array):
                raise StoreError(f"{self.path}: array {name!r} is missing; delete the store and run again")
            # Cached, because parsing the metadata takes a tenth of the time of reading a crop. Checking for empty
            # chunks would take as long as writing the others.
            self._opened[name] = found.with_config({"write_empty_chunks": True})
        return self._opened[name]

    def bands(self, name: str) -> tuple[str, ...]:
        """Return the names of an array's bands; empty for (y, x)."""
        names = self.array(name).attrs.get("band_names", [])
        return tuple(str(band) for band in names) if isinstance(names, list) else ()

    def shards(self) -> Iterator[Window]:
        """Yield the windows that can be written in parallel."""
        return (tile.window for tile in tiles(self.shape, self.shard_px))

    def discard(self, name: str, shard: Window) -> None:
        """Delete a shard's file, before shards are merged.

        zarr would otherwise read it to write part of it, and fail if it is damaged.
        """
        leading = [0] * (self.array(name).ndim - 2)
        index = [*leading, shard.y0 // self.shard_px, shard.x0 // self.shard_px]
        (self.path / name).joinpath("c", *map(str, index)).unlink(missing_ok=True)

    def read(self, name: str, window: Window) -> NDArray[Any]:
        """Return a window of an array.

        Raises:
            StoreError: the window extends beyond the grid, or the store's files are damaged.
        """
        if window.clipped(self.shape) != window:
            raise StoreError(f"{self.path}: {window} extends beyond the grid {self.shape}")
        try:
            return np.asarray(self.array(name)[..., *window.slices])
        except (OSError, ValueError, RuntimeError) as error:
            raise StoreError(
                f"{self.path}: array {name!r} is damaged at {window} ({error}); delete the store and run again"
            ) from None

    def write(self, name: str, window: Window, block: NDArray[Any]) -> None:
        """Write a block to a window of an array; windows from `shards` can be written in parallel.

        Raises:
            StoreError: the block does not have the window's shape, or the window extends beyond the grid.
            DiskFullError: no space is left.
        """
        if block.shape[-2:] != window.shape or window.clipped(self.shape) != window:
            raise StoreError(f"{self.path}: block {block.shape} does not fit {window} of the grid {self.shape}")
        try:
            self.array(name)[..., *window.slices] = block
        except OSError as error:
            if is_disk_full(error):
                raise disk_full(self.path / name) from error
            raise


def create_store(
    path: Path,
    geobox: GeoBox,
    layers: Sequence[Layer],
    *,
    tile_px: int,
    shard_tiles: int,
    attributes: Mapping[str, Any],
) -> GridStore:
    """Create a store with empty arrays and return it; use a temporary path and call `complete_store` at the end."""
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
        return  # rotated grids have no 1-D coordinates
    height, width = geobox.shape
    centres = {
        "y": transform.f + transform.e * (np.arange(height) + 0.5),
        "x": transform.c + transform.a * (np.arange(width) + 0.5),
    }
    for name, values in centres.items():
        axis = group.create_array(name, data=values.astype("float64"), chunks=values.shape, dimension_names=[name])
        axis.attrs.update({"axis": name.upper(), "long_name": f"pixel centre, {name}"})


def open_store(path: Path, mode: Literal["r", "r+"] = "r") -> GridStore:
    """Return a store opened for reading, or for reading and writing.

    Raises:
        StoreError: the store is missing, incomplete or damaged.
    """
    try:
        group = zarr.open_group(path, mode=mode)
        mapping = group[GRID_MAPPING].attrs
        transform = Affine.from_gdal(*(float(value) for value in str(mapping["GeoTransform"]).split()))
        shape = int(str(group.attrs["height"])), int(str(group.attrs["width"]))
    except (FileNotFoundError, KeyError, ValueError, zarr.errors.BaseZarrError) as error:
        raise StoreError(f"{path}: not a complete store ({error!r}); delete it and run again") from None
    return GridStore(path, group, GeoBox(shape, transform, cast("str | None", mapping.get("crs_wkt"))))


def complete_store(part: Path, target: Path, manifest: Path | None = None) -> None:
    """Merge the shards of a written store, move it to its target path, then write its manifest.

    An existing store is replaced. After an interruption there is either no manifest or a complete store. A store that
    is still at its first path can be completed again.

    Args:
        part: path of the written store.
        target: final path of the store.
        manifest: path of the manifest; by default `manifest_of(target)`.

    Raises:
        DiskFullError: no space is left; merging needs as much as the largest array.
        StoreError: a shard is damaged.
    """
    manifest = manifest or manifest_of(target)
    manifest.unlink(missing_ok=True)
    for leftover in part.rglob(UNFINISHED_FILES):
        leftover.unlink()
    described = _merge_and_describe(part)
    if target.exists():
        discarded = temporary_beside(target)
        target.rename(discarded)
        shutil.rmtree(discarded)
    part.rename(target)
    write_manifest(manifest, described)


def check_store(path: Path, manifest: Path | None = None) -> GridStore:
    """Return a store opened for reading, after comparing number and size of its files with the manifest.

    Args:
        path: path of the store.
        manifest: path of the manifest; by default `manifest_of(path)`.

    Raises:
        StoreError: number or size of the files differs, or the manifest cannot be read.
    """
    for name, array in read_manifest(manifest or manifest_of(path), path).arrays.items():
        files = _chunk_files(path / name)
        seen, expected = (len(files), _size(files)), (array.files, array.bytes)
        if seen != expected:
            raise StoreError(
                f"{path}: array {name!r} has {seen[0]} files with {seen[1]} bytes, expected {expected[0]} with "
                f"{expected[1]} bytes (manifest); delete the store and run again"
            )
    return open_store(path)


def _merge_and_describe(path: Path) -> Manifest:
    group = zarr.open_group(path, mode="r")
    arrays = {}
    for name, array in sorted(group.arrays()):
        sharded = sharded_array(path / name)
        digest = merge_shards(sharded) if sharded else _digest_of_files(path / name)
        files = _chunk_files(path / name)
        arrays[name] = ArrayEntry(
            shape=tuple(array.shape),
            dtype=str(array.dtype),
            fill=str(array.fill_value),
            attributes=_unstamped(array.attrs),
            files=len(files),
            bytes=_size(files),
            sha256=digest,
        )
    return Manifest(_unstamped(group.attrs), arrays)


def _digest_of_files(array: Path) -> str:
    digest = hashlib.sha256()
    for file in _chunk_files(array):
        digest.update(file.relative_to(array).as_posix().encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()


def _size(files: Sequence[Path]) -> int:
    return sum(file.stat().st_size for file in files)


def _unstamped(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Return the attributes without the stamp (version, commit, settings)."""
    return {key: value for key, value in attributes.items() if not key.startswith(STAMP_PREFIX)}


def _chunk_files(array: Path) -> list[Path]:
    return sorted(file for file in array.rglob("*") if file.is_file() and file.name != "zarr.json")
