"""Features of a vector layer, read in batches: geometries as WKB and the values of one column."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from odc.geo.crs import CRS

from clairemap.errors import LabelError
from clairemap.text import shortened

FEATURES_AT_ONCE = 512
"""Number of features read and prepared at once."""

BYTES_AT_ONCE = 2**23
"""Size of geometries that are prepared at once, unless one is larger: half a million vertices."""

NO_VALUE = -1
"""Position of the value of features without one."""

Box = tuple[float, float, float, float]
"""Minimum x and y, maximum x and y."""

ReadTables = Callable[[Box | None, list[str]], Iterator[pa.Table]]
"""Returns the named columns of the features that may touch a box, then their geometries, in batches."""


@dataclass(frozen=True)
class Features:
    """Some features of a layer.

    Attributes:
        wkb: geometries as bytes; None for features without one.
        values: different values of the column; empty without a column.
        position: position of each feature's value in `values`, or `NO_VALUE`.
    """

    wkb: NDArray[np.object_]
    values: tuple[int | float | str, ...]
    position: NDArray[np.int64]

    def in_parts(self) -> Iterator["Features"]:
        """Yield the features in parts of limited size."""
        size = np.cumsum([0 if item is None else len(item) for item in self.wkb])
        for places in np.split(np.arange(len(size)), np.flatnonzero(np.diff(size // BYTES_AT_ONCE)) + 1):
            yield Features(self.wkb[places], self.values, self.position[places])


@dataclass(frozen=True)
class Layer:
    """A layer of a vector file.

    Attributes:
        path: the file.
        name: the layer.
        crs: its CRS.
        columns: type of each column, for messages.
        features: number of all its features.
        extent: box around all its features; None if unknown.
        read_tables: reads it.
    """

    path: Path
    name: str
    crs: CRS
    columns: Mapping[str, str]
    features: int
    extent: Box | None
    read_tables: ReadTables

    @property
    def text(self) -> str:
        """File and layer, for messages."""
        return f"{self.path}, layer {self.name!r}"

    def read(self, box: Box | None, column: str | None) -> Iterator[Features]:
        """Yield the features that touch a box in the layer's CRS (None: all), with their values of a column.

        Raises:
            LabelError: the column does not exist, or contains neither numbers nor text.
            UnreadableFileError: the file is damaged.
        """
        self.check_column(column)
        for table in self.read_tables(box, [] if column is None else [column]):
            wkb = table.column(table.num_columns - 1).combine_chunks().to_numpy(zero_copy_only=False)
            if column is None:
                found = Features(wkb, (), np.full(len(wkb), NO_VALUE))
            else:
                found = self._features(wkb, table.column(0).combine_chunks(), column)
            yield from found.in_parts()

    def check_column(self, column: str | None) -> None:
        """Check that a column exists.

        Raises:
            LabelError: it does not; the message lists the columns of the layer.
        """
        if column is not None and column not in self.columns:
            raise LabelError(
                f"{self.text}: has no column {column!r}; set labels.field to one of its columns: {self.columns_text}"
            )

    @property
    def columns_text(self) -> str:
        """Columns with their types, for messages."""
        return shortened([f"{name} ({kind})" for name, kind in self.columns.items()], 30) or "none"

    def _features(self, wkb: NDArray[np.object_], array: Any, column: str) -> Features:  # noqa: ANN401 - pyarrow
        kind = array.type.value_type if pa.types.is_dictionary(array.type) else array.type
        if not (_is_number(kind) or pa.types.is_string(kind) or pa.types.is_large_string(kind)):
            raise LabelError(
                f"{self.text}: column {column!r} contains {kind}, neither numbers nor text; set labels.field to "
                f"another column: {self.columns_text}"
            )
        encoded = array if pa.types.is_dictionary(array.type) else array.dictionary_encode()
        given = [_value(value) for value in encoded.dictionary.to_pylist()]
        present = [value for value in given if value is not None]
        place = {value: number for number, value in enumerate(dict.fromkeys(present))}
        positions = np.array([NO_VALUE if value is None else place[value] for value in given] + [NO_VALUE])
        indices = encoded.indices.fill_null(len(given)).to_numpy(zero_copy_only=False).astype(np.int64)
        return Features(wkb, tuple(place), positions[indices])


def _is_number(kind: Any) -> bool:  # noqa: ANN401 - pyarrow has no types
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind))


def _value(value: bool | float | str | None) -> int | float | str | None:
    """Return a value of a column; None for an empty text and not-a-number."""
    if isinstance(value, str):
        return value.strip() or None
    if value is None or not np.isfinite(value):
        return None
    return int(value) if value == int(value) else float(value)
