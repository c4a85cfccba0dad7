"""Shards of a stored array merged into one file, so that a store has few files, whatever the size of its scene.

A shard (codec ``sharding_indexed`` of Zarr 3) contains compressed chunks, then an index with offset and length of each
chunk, then the checksum of the index. Merging copies the chunks and writes a new index; nothing is decompressed.

The merged file is ``c.0.0``, or ``c.0.0.0`` with bands, next to the folder ``c`` of the shards: `zarr.json` decides
which of them an array consists of, and is replaced in one step. A reader sees the same values before and after it, and
merging can be repeated after an interruption at any point.
"""

import hashlib
import itertools
import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import google_crc32c
import numpy as np
from numpy.typing import NDArray

from clairemap.disk import disk_full, is_disk_full
from clairemap.errors import StoreError
from clairemap.grid.rounding import align_up, ceil_div

Place = tuple[int, ...]

METADATA = "zarr.json"
MISSING = np.iinfo(np.uint64).max
"""Offset and length of a chunk that was not written."""

CHECKSUM_BYTES = 4
MERGED_SEPARATOR = "."


@dataclass(frozen=True)
class ShardedArray:
    """An array with shards, in a folder; shapes of the array, a shard and a chunk."""

    folder: Path
    shape: Place
    shard: Place
    chunk: Place
    separator: str

    @property
    def chunks_per_shard(self) -> Place:
        """Number of chunks of a shard, by dimension."""
        return tuple(whole // part for whole, part in zip(self.shard, self.chunk, strict=True))

    @property
    def has_one_shard(self) -> bool:
        """Whether a single shard covers the array."""
        return all(size <= shard for size, shard in zip(self.shape, self.shard, strict=True))

    def file(self, shard: Place) -> Path:
        """Return the path of a shard, which need not exist."""
        return self.folder / self.separator.join(("c", *map(str, shard)))

    def chunks(self) -> Iterator[tuple[Place, bytes]]:
        """Yield place and compressed content of each written chunk, row by row.

        Memory: one chunk.

        Raises:
            StoreError: a shard is damaged.
        """
        grid = map(ceil_div, self.shape, self.chunk)
        for shard, places in itertools.groupby(np.ndindex(*grid), self._shard_of):
            file = self.file(shard)
            if file.is_file():
                with file.open("rb") as content:
                    yield from self._chunks_of(content, file, places)

    def _shard_of(self, chunk: Place) -> Place:
        return tuple(place // number for place, number in zip(chunk, self.chunks_per_shard, strict=True))

    def _chunks_of(self, content: BinaryIO, file: Path, places: Iterator[Place]) -> Iterator[tuple[Place, bytes]]:
        index = _read_index(content, file, self.chunks_per_shard)
        for place in places:
            within = tuple(at % number for at, number in zip(place, self.chunks_per_shard, strict=True))
            offset, length = (int(value) for value in index[within])
            if offset == MISSING:
                continue
            content.seek(offset)
            chunk = content.read(length)
            if len(chunk) != length:
                raise StoreError(f"{file}: ends within chunk {place}; delete the store and run again")
            yield place, chunk


def sharded_array(folder: Path) -> ShardedArray | None:
    """Return the array in a folder, None if it has no shards.

    Raises:
        StoreError: its shards have another format than those that `raster.store` writes.
    """
    metadata = _metadata(folder)
    codec = metadata["codecs"][0]
    if codec["name"] != "sharding_indexed":
        return None
    sharding, keys = codec["configuration"], metadata["chunk_key_encoding"]
    layout = sharding["index_location"], *(step["name"] for step in sharding["index_codecs"]), keys["name"]
    if layout != ("end", "bytes", "crc32c", "default"):
        raise StoreError(f"{folder}: shards of another format {layout}; delete the store and run again")
    return ShardedArray(
        folder,
        shape=tuple(metadata["shape"]),
        shard=tuple(metadata["chunk_grid"]["configuration"]["chunk_shape"]),
        chunk=tuple(sharding["chunk_shape"]),
        separator=keys["configuration"]["separator"],
    )


def is_merged(folder: Path) -> bool:
    """Whether the array in a folder consists of a merged file."""
    array = sharded_array(folder)
    return array is not None and array.separator == MERGED_SEPARATOR


def merge_shards(array: ShardedArray) -> str:
    """Merge the shards of an array into one file and return a hash of its chunks; a single shard stays as it is.

    The hash depends on the places and compressed contents of the chunks only. Disk space: until the end, the array
    takes twice its space. Memory: one chunk.

    Raises:
        DiskFullError: no space is left; the array stays as it was.
        StoreError: a shard is damaged.
    """
    digest = hashlib.sha256()
    if array.has_one_shard:
        for place, chunk in array.chunks():
            _add(digest, place, chunk)
    else:
        _write_merged(array, digest)
    if is_merged(array.folder) and (array.folder / "c").is_dir():
        shutil.rmtree(array.folder / "c")
    return digest.hexdigest()


def _write_merged(array: ShardedArray, digest: "hashlib._Hash") -> None:
    whole = tuple(map(align_up, array.shape, array.chunk))
    merged = ShardedArray(array.folder, array.shape, whole, array.chunk, MERGED_SEPARATOR)
    file = merged.file((0,) * len(whole))
    partial = file.with_name(f"{file.name}.partial")
    try:
        with partial.open("wb") as target:
            index = np.full((*merged.chunks_per_shard, 2), MISSING, "<u8")
            for place, chunk in array.chunks():
                index[place] = target.tell(), len(chunk)
                target.write(chunk)
                _add(digest, place, chunk)
            target.write(_encoded(index))
        partial.replace(file)
        _replace_metadata(merged)
    except OSError as error:
        if is_disk_full(error):
            raise disk_full(file, _bytes_of_shards(array) / 1e6) from error
        raise
    finally:
        partial.unlink(missing_ok=True)


def _add(digest: "hashlib._Hash", place: Place, chunk: bytes) -> None:
    digest.update(f"{place} {len(chunk)}\n".encode())
    digest.update(chunk)


def _replace_metadata(array: ShardedArray) -> None:
    metadata = _metadata(array.folder)
    metadata["chunk_grid"]["configuration"]["chunk_shape"] = list(array.shard)
    metadata["chunk_key_encoding"] = {"name": "default", "configuration": {"separator": array.separator}}
    partial = array.folder / f"{METADATA}.partial"
    partial.write_text(json.dumps(metadata, indent=2), encoding="utf-8")
    partial.replace(array.folder / METADATA)


def _metadata(folder: Path) -> dict[str, Any]:
    metadata: dict[str, Any] = json.loads((folder / METADATA).read_text(encoding="utf-8"))
    return metadata


def _read_index(content: BinaryIO, file: Path, chunks: Place) -> NDArray[np.uint64]:
    """Return offset and length of each chunk of a shard, shape (*chunks, 2)."""
    size = 16 * int(np.prod(chunks))
    content.seek(max(0, content.seek(0, os.SEEK_END) - size - CHECKSUM_BYTES))
    encoded = content.read()
    if len(encoded) != size + CHECKSUM_BYTES or encoded[size:] != _checksum(encoded[:size]):
        raise StoreError(f"{file}: the index of the shard is damaged; delete the store and run again")
    return np.frombuffer(encoded, "<u8", size // 8).reshape(*chunks, 2)


def _encoded(index: NDArray[np.uint64]) -> bytes:
    content = index.tobytes()
    return content + _checksum(content)


def _checksum(content: bytes) -> bytes:
    return int(google_crc32c.value(content)).to_bytes(CHECKSUM_BYTES, "little")


def _bytes_of_shards(array: ShardedArray) -> int:
    return sum(file.stat().st_size for file in (array.folder / "c").rglob("*") if file.is_file())
