"""Which cells of the sample sheet name vector files, decided without opening rasters."""

from pathlib import Path

PARQUET = (".parquet", ".geoparquet")
VECTOR = (".gpkg", ".geojson", ".geojsonl", ".shp", ".fgb", ".gdb", *PARQUET)
"""Suffixes of vector files; a ``.json`` file is one unless it is a STAC item."""

JSON_BYTES = 2**16
STAC_MARK = b'"stac_version"'


def is_vector(path: Path) -> bool:
    """Return whether a file is a vector file, by its suffix; of ``.json`` files the first 64 kB are read."""
    suffix = path.suffix.lower()
    if suffix != ".json":
        return suffix in VECTOR
    try:
        with path.open("rb") as file:
            return STAC_MARK not in file.read(JSON_BYTES)
    except OSError:  # the stage that opens it reports it
        return True
