"""Parquet tables with columns declared by dataclasses: schema, writing, reading.

The stamp of a table (`provenance.stamp`) is its schema metadata, with the same keys as in Zarr attributes and COG tags.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any, get_type_hints

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from clairemap.errors import StoreError
from clairemap.provenance import written_whole

_COLUMN_TYPES = {
    int: pa.int64(),
    float: pa.float64(),
    str: pa.string(),
    str | None: pa.string(),
    tuple[int, ...]: pa.list_(pa.int64()),
    tuple[float, ...]: pa.list_(pa.float64()),
}


def columns_of(row: type, prefix: str = "") -> list[tuple[str, Any]]:
    """Return name, with the prefix, and type of the column for each field of a dataclass, in order."""
    hints = get_type_hints(row)
    return [(f"{prefix}{field.name}", _COLUMN_TYPES[hints[field.name]]) for field in fields(row)]


def write_rows(path: Path, rows: Sequence[Mapping[str, Any]], schema: pa.Schema, stamp: Mapping[str, str]) -> None:
    """Write rows as Parquet, atomically; no rows give a valid empty table."""
    _write(path, pa.Table.from_pylist(list(rows), schema=schema), stamp)


def write_frame(path: Path, frame: pd.DataFrame, schema: pa.Schema) -> None:
    """Write a data frame as Parquet, atomically and without a stamp: equal frames give equal files."""
    _write(path, pa.Table.from_pandas(frame, schema, preserve_index=False), {})


def read_frame(path: Path, names: Sequence[str], what: str, rule: str) -> pd.DataFrame:
    """Return the named columns of a Parquet file as a data frame.

    Args:
        path: file to read.
        names: names of the columns.
        what: what to call the table in errors.
        rule: the rule that writes it.

    Raises:
        StoreError: the file is missing, damaged, or lacks columns.
    """
    with _checked(path, names, what, rule):
        return pd.read_parquet(path, columns=list(names))


def read_rows(path: Path, names: Sequence[str], what: str, rule: str) -> list[dict[str, Any]]:
    """Return the rows of a Parquet file as dictionaries; arguments and errors as for `read_frame`."""
    with _checked(path, names, what, rule):
        rows: list[dict[str, Any]] = pq.read_table(path, columns=list(names)).to_pylist()
        return rows


def _write(path: Path, table: pa.Table, stamp: Mapping[str, str]) -> None:
    with written_whole(path) as temporary:
        pq.write_table(table.replace_schema_metadata(dict(stamp)), temporary)


@contextmanager
def _checked(path: Path, names: Sequence[str], what: str, rule: str) -> Iterator[None]:
    """Check that a file has the columns, and convert errors of reading it."""
    remedy = f"delete it and run {rule} again"
    try:
        found = pq.read_schema(path).names
        if missing := [name for name in names if name not in found]:
            raise StoreError(f"{path}: not a valid {what} (columns {missing} are missing); {remedy}")
        yield
    except (OSError, ValueError, pa.ArrowException) as error:
        raise StoreError(f"{path}: not a valid {what} ({error}); {remedy}") from None
