"""Results and scenes as xarray data sets, for scripts and notebooks: maps, pairs, class probabilities.

Values are read when they are computed, with dask. The variables have their CRS and grid for rioxarray (``.rio``). On
rotated grids there are no coordinates; select windows there with ``.rio.isel_window``, which moves the grid's origin.
"""

import os
import warnings
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
import rioxarray  # noqa: F401 - registers the accessor .rio
import xarray as xr
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from pydantic import BaseModel, Field
from rasterio.enums import ColorInterp
from rasterio.errors import RasterioIOError
from zarr.errors import ZarrUserWarning

from clairemap.artefacts.document import parse_document
from clairemap.artefacts.manifest import manifest_of
from clairemap.artefacts.scene_sources import read_scene_sources
from clairemap.artefacts.store_attributes import PairAttributes, ProbabilityAttributes
from clairemap.classes import IGNORE_INDEX, MAP_NODATA, PROBABILITY_ONE, SHARE_NODATA, ColoredClass, ColoredLegend
from clairemap.errors import GridError, MissingFileError, StoreError, UnreadableFileError
from clairemap.inference.probabilities import OPTICAL_SHARE, PROBABILITY
from clairemap.outputs import MAPS, MapFiles, SceneFolder
from clairemap.paths import path_exists
from clairemap.provenance import STAMP_PREFIX
from clairemap.raster.georeference import geobox_of
from clairemap.raster.opening import open_lazily, open_raster
from clairemap.raster.store import GRID_MAPPING, GridStore, check_store
from clairemap.raster.unsupported import check_exists, open_error
from clairemap.report.class_names import stac_names
from clairemap.validity import Validity

PathLike = str | os.PathLike[str]

CHUNK_BYTES: Final = 2**26
"""Largest chunk of a store for dask, with all bands as float32 (64 MiB), unless a single tile is larger."""

MAP_CHUNK_PX: Final = 2048
"""Side of the chunks of a map, a multiple of the blocks in the file."""

_LANDCOVER = "landcover"
_LANDCOVER_ENDING = ".landcover.tif"
_CLASS_TAG = "class_"
_UNITS = {"confidence": "%", "optical_share": "%", "source_count": "1"}
_NOT_SHOWN = {
    *("tile_px", "shard_px", "height", "width", "coordinates"),  # layout of the store, which a selection has not
    *("georeferenced", "class_codes", "class_names", "sources"),  # shown in another form
}


def open_map(path: PathLike) -> xr.Dataset:
    """Return a region's maps: `landcover`, `confidence`, `optical_share`, `source_count`, all float32 (y, x).

    Pixels without a result are NaN. `landcover` has class codes, with the classes in its attributes `flag_values`
    (codes), `flag_meanings` (names without spaces), `flag_colors` (#rrggbb) and `class_names`. `confidence` and
    `optical_share` are percent. Attributes of the data set: the stamp of the run and, if the STAC item is beside the
    map, `start_date`, `end_date` and `model`.

    Args:
        path: the land-cover map, ``results/alps/alps.landcover.tif``. Other maps of the region are read if they are
            beside it.

    Raises:
        MissingFileError, UnreadableFileError: the file is missing, damaged, or not a land-cover map of clairemap.
        GridError: the maps have different grids.
    """
    landcover = Path(path)
    legend = legend_of_map(landcover)
    files = {_LANDCOVER: landcover}
    if landcover.name.endswith(_LANDCOVER_ENDING):
        region = MapFiles(landcover.with_name(landcover.name.removesuffix(_LANDCOVER_ENDING)))
        others = {key: getattr(region, key) for key in MAPS if key != _LANDCOVER}
        files |= {key: file for key, file in others.items() if path_exists(file)}
        found = _item_attributes(region.item)
    else:
        found = {}
    grid = _shared_grid(files)
    layers = {key: _map_layer(key, file, grid) for key, file in files.items()}
    layers[_LANDCOVER].attrs |= _class_flags(legend)
    return xr.Dataset(layers, attrs={**found, **_stamp(landcover)})


def open_pair(path: PathLike, legend_of: PathLike | None = None) -> xr.Dataset:
    """Return a scene's pair: optical, SAR, label and validity on one grid.

    `optical` (optical_band, y, x) and `sar` (sar_band, y, x) have the stored values and names of the bands as
    coordinates. `label` (y, x) has class codes, NaN where unlabelled. `validity` has the bit flags; each flag is also a
    boolean variable, True where the flag is set: `optical_nodata`, `sar_nodata`, `cloud`, `no_label`,
    `low_registration`, `cloud_unknown`. Band values do not show validity. Attributes `optical_date` and `sar_date` of
    the data set: days that the metadata of products state, if ``sources.json`` is beside the store.

    Args:
        path: the store, ``work/scenes/west/pair.zarr``, with its manifest ``pair.json`` beside it.
        legend_of: land-cover map with the same classes; its class names and colours become attributes of `label`.

    Raises:
        MissingFileError: the store or the map does not exist.
        StoreError: the store is incomplete, of another kind or version, or has other classes than the map.
    """
    store = _checked(Path(path), "optical", "pair", "work/scenes/SCENE/pair.zarr")
    attributes = store.attributes_as(PairAttributes)
    if not attributes.class_codes:
        raise StoreError(
            f"{store.path}: has no class codes, because an earlier version wrote it; run the workflow again"
        )
    data = _opened(store)
    pair = data.assign_coords({f"{sensor}_band": list(store.bands(sensor)) for sensor in ("optical", "sar")})
    pair["label"] = _codes(data["label"], attributes.class_codes)
    if legend_of is not None:
        pair["label"].attrs |= _class_flags(_same_classes(store, attributes.class_codes, legend_of))
    pair["validity"].attrs |= {
        "flag_masks": np.array([flag.value for flag in Validity], np.uint8),
        "flag_meanings": " ".join(map(_flag_name, Validity)),
    }
    named = {f"source_{role}": name for role, name in attributes.sources.items()}
    days = _acquired(store.path.parent, attributes.scene)
    whole = pair.assign(_flags(pair["validity"])).assign_attrs(named | days)
    return whole[["optical", "sar", "label", "validity", *map(_flag_name, Validity)]]


def open_probabilities(path: PathLike, legend_of: PathLike | None = None) -> xr.Dataset:
    """Return a scene's class probabilities and optical share.

    `probability` (class_name, y, x) is 0 to 1 in steps of 1/255, float32; `optical_share` (y, x) is percent. Both are
    NaN where nothing was mapped; `mapped` (y, x) is the same as a boolean variable. Coordinates along `class_name`:
    `class_code` and, from `legend_of`, `class_color` (#rrggbb). Days as in `open_pair`, from the folder above.

    Args:
        path: the store, ``work/scenes/west/fused/probabilities.zarr``, with its manifest ``probabilities.json``.
        legend_of: land-cover map with the same classes, for colours and for names that have changed since the store
            was written.

    Raises:
        MissingFileError: the store or the map does not exist.
        StoreError: the store is incomplete, of another kind, or has other classes than the map.
    """
    store = _checked(Path(path), PROBABILITY, "probability", "work/scenes/SCENE/fused/probabilities.zarr")
    attributes = store.attributes_as(ProbabilityAttributes)
    data = _opened(store)
    share = data[OPTICAL_SHARE]
    mapped = share != SHARE_NODATA
    stored = data[PROBABILITY].rename({f"{PROBABILITY}_band": "class_name"})
    probability = (stored.astype(np.float32) / np.float32(PROBABILITY_ONE)).where(mapped)
    result = data.drop_vars([PROBABILITY, OPTICAL_SHARE]).assign(
        {
            PROBABILITY: _described(probability, long_name="probability of the class", units="1"),
            OPTICAL_SHARE: _described(
                share.astype(np.float32).where(mapped), long_name="weight of the optical sensor", units="%"
            ),
            "mapped": _described(mapped, long_name="at least one sensor is usable"),
        }
    )
    names: Sequence[str] = attributes.class_names
    coordinates = {"class_code": ("class_name", np.array(attributes.class_codes, np.uint8))}
    if legend_of is not None:
        legend = _same_classes(store, attributes.class_codes, legend_of)
        names = legend.names
        coordinates["class_color"] = ("class_name", np.array([c.color for c in legend.classes]))
    days = _acquired(store.path.parent.parent, attributes.scene)
    return result.assign_coords({"class_name": list(names), **coordinates}).assign_attrs(days)


def legend_of_map(path: Path) -> ColoredLegend:
    """Return the classes of a land-cover map, by code, from its tags and its colour table.

    Raises:
        MissingFileError, UnreadableFileError: the file is missing, damaged, or not a land-cover map of clairemap.
    """
    check_exists(path)
    try:
        with open_raster(path) as dataset:
            names = {
                int(code): name
                for tag, name in dataset.tags(1).items()
                if tag.startswith(_CLASS_TAG) and (code := tag.removeprefix(_CLASS_TAG)).isdigit()
            }
            palette = dataset.colormap(1) if dataset.colorinterp[0] == ColorInterp.palette else {}
    except RasterioIOError as error:
        raise open_error(path, error) from None
    if not names or not palette:
        missing = "colour table" if names else f"class names (band tags {_CLASS_TAG}CODE)"
        raise UnreadableFileError(
            f"{path}: has no {missing}, so it is not a land-cover map of clairemap; use "
            "results/REGION/REGION.landcover.tif"
        )
    return ColoredLegend(
        classes=tuple(
            ColoredClass(code=code, name=names[code], color="#{:02x}{:02x}{:02x}".format(*palette[code][:3]))
            for code in sorted(names)
        )
    )


# Stores


def _checked(path: Path, array: str, kind: str, example: str) -> GridStore:
    """Return a store after comparing it with its manifest, if it has the array."""
    if not path_exists(path):
        raise MissingFileError(f"{path}: no such store; the workflow writes {example}")
    if not (path / "zarr.json").is_file():
        raise StoreError(f"{path}: is not a {kind} store; use {example}")
    if not path_exists(manifest := manifest_of(path)):
        raise StoreError(
            f"{manifest}: is missing, so {path} is incomplete or was copied without its manifest; copy both, or run "
            "the workflow again"
        )
    store = check_store(path)
    if array not in store.group:
        raise StoreError(f"{path}: is not a {kind} store, since it has no array {array!r}; use {example}")
    return store


def _opened(store: GridStore) -> xr.Dataset:
    """Return the stored arrays with the grid, in chunks that hold whole tiles and divide the shards."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ZarrUserWarning)  # about Snakemake's own file in the store
        bands = max(len(store.bands(name)) for name, _ in store.group.arrays())
        side = chunk_px(store.tile_px, store.shard_px, np.dtype(np.float32).itemsize * bands)
        chunks = {"y": side, "x": side}
        data: xr.Dataset = xr.open_zarr(store.path, chunks=chunks, consolidated=False, mask_and_scale=False)
    for variable in data.variables.values():
        variable.attrs.pop("band_names", None)
        variable.attrs.pop("_FillValue", None)
        if "grid_mapping" in variable.attrs:  # where xarray writes it from, and where it does not hinder arithmetic
            variable.encoding = {"grid_mapping": variable.attrs.pop("grid_mapping")}
    data.attrs = {key: value for key, value in data.attrs.items() if key not in _NOT_SHOWN}
    return data


def _acquired(folder: Path, scene: str) -> dict[str, str]:
    """Return the days of a scene's optical and SAR products, from their record in the scene's folder if it is there."""
    if not path_exists(path := SceneFolder(folder).sources):
        return {}
    record = read_scene_sources(path)
    facts = {sensor: record.roles[sensor].facts for sensor in ("optical", "sar") if sensor in record.roles}
    shown = record.scene == scene
    return {f"{sensor}_date": str(fact.acquired) for sensor, fact in facts.items() if shown and fact.acquired}


def chunk_px(tile_px: int, shard_px: int, bytes_per_px: int) -> int:
    """Return the side of dask's chunks: whole tiles that divide a shard, at most `CHUNK_BYTES` if a tile allows it."""
    tiles = shard_px // tile_px
    fitting = [
        count
        for count in range(1, tiles + 1)
        if tiles % count == 0 and (count * tile_px) ** 2 * bytes_per_px <= CHUNK_BYTES
    ]
    return tile_px * max(fitting, default=1)


def _codes(index: xr.DataArray, codes: Sequence[int]) -> xr.DataArray:
    """Return class codes of class indices, float32, NaN for `IGNORE_INDEX`."""
    table = np.full(IGNORE_INDEX + 1, np.nan, np.float32)
    table[: len(codes)] = codes

    def looked_up(block: NDArray[np.uint8]) -> NDArray[np.float32]:
        return table[block]

    found: xr.DataArray = xr.apply_ufunc(looked_up, index, dask="parallelized", output_dtypes=[np.float32])
    found.attrs = {"long_name": "class code of the label", "flag_values": np.array(sorted(codes), np.uint8)}
    return _as_written(found)


def _described(values: xr.DataArray, **attributes: str) -> xr.DataArray:
    values.attrs = attributes
    nodata = {"_FillValue": np.float32(np.nan)} if values.dtype == np.float32 else {}
    values.encoding = {"grid_mapping": GRID_MAPPING, **nodata}
    return values


def _as_written(values: xr.DataArray) -> xr.DataArray:
    """Return class codes with the encoding of maps, so that files that are written of them are uint8 with nodata."""
    values.encoding = {"dtype": "uint8", "_FillValue": MAP_NODATA, "grid_mapping": GRID_MAPPING}
    return values


def _flags(validity: xr.DataArray) -> dict[str, xr.DataArray]:
    return {
        _flag_name(flag): _described((validity & np.uint8(flag)) != 0, long_name=f"flag {_flag_name(flag)} of validity")
        for flag in Validity
    }


def _flag_name(flag: Validity) -> str:
    return str(flag.name).lower()


def _same_classes(store: GridStore, codes: Sequence[int], legend_of: PathLike) -> ColoredLegend:
    """Return the legend of a map in the order of a store's class codes, if both have the same codes."""
    legend = legend_of_map(Path(legend_of))
    by_code = {c.code: c for c in legend.classes}
    if set(codes) != set(by_code):
        raise StoreError(
            f"{store.path}: has class codes {sorted(codes)}, but the map {legend_of} has {sorted(by_code)}; use a map "
            "with the classes of the store"
        )
    return ColoredLegend(classes=tuple(by_code[code] for code in codes))


# Maps


def _map_layer(key: str, path: Path, grid: GeoBox) -> xr.DataArray:
    is_rotated = bool(grid.transform.b or grid.transform.d)
    layer = open_lazily(path, MAP_CHUNK_PX, coordinates=not is_rotated).squeeze("band", drop=True)
    layer.attrs = {name: layer.attrs[name] for name in ("long_name",) if name in layer.attrs}
    if key in _UNITS:
        layer.attrs["units"] = _UNITS[key]
    return layer


def _class_flags(legend: ColoredLegend) -> dict[str, Any]:
    """Return the attributes of CF for classes, by code, with colours and the names as written."""
    ordered = ColoredLegend(classes=tuple(sorted(legend.classes, key=lambda c: c.code)))
    return {
        "flag_values": ordered.codes,
        "flag_meanings": " ".join(stac_names(ordered)),
        "flag_colors": " ".join(c.color for c in ordered.classes),
        "class_names": list(ordered.names),
    }


def _shared_grid(files: Mapping[str, Path]) -> GeoBox:
    """Return the grid of the maps."""
    grids = {}
    for key, path in files.items():
        try:
            with open_raster(path) as dataset:
                grids[key] = geobox_of(dataset, path)
        except RasterioIOError as error:
            raise open_error(path, error) from None
    for key, grid in grids.items():
        if grid != grids[_LANDCOVER]:
            raise GridError(
                f"{files[key]}: has another grid than {files[_LANDCOVER].name}, so it belongs to another run; run the "
                "workflow again"
            )
    return grids[_LANDCOVER]


def _stamp(path: Path) -> dict[str, str]:
    with open_raster(path) as dataset:
        return {key: value for key, value in sorted(dataset.tags().items()) if key.startswith(STAMP_PREFIX)}


class _ItemProperties(BaseModel):
    """What is read of a STAC item's properties."""

    start: datetime | None = Field(None, alias="start_datetime")
    end: datetime | None = Field(None, alias="end_datetime")
    model: str | None = Field(None, alias="mlm:name")


class _Item(BaseModel):
    properties: _ItemProperties


def _item_attributes(path: Path) -> dict[str, str]:
    """Return the days and the model in a map's STAC item; nothing without the item."""
    if not path_exists(path):
        return {}
    try:
        found = parse_document(path, _Item).properties
    except ValueError as error:
        raise UnreadableFileError(f"{path}: not a valid STAC item ({error}); run mosaic_region again") from None
    days = {"start_date": found.start, "end_date": found.end}
    shown = {key: day.date().isoformat() for key, day in days.items() if day is not None}
    return shown if found.model is None else {**shown, "model": found.model}
