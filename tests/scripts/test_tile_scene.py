import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest
import rasterio
from scipy.ndimage import maximum_filter, minimum_filter

from clairemap.artefacts.radiometry import read_radiometry
from clairemap.artefacts.registration import write_registration
from clairemap.artefacts.source_record import read_source_record
from clairemap.artefacts.tiles import read_tile_index
from clairemap.errors import (
    BandCountError,
    EmptySceneError,
    LabelError,
    NoOverlapError,
    UnreadableFileError,
    ValuesError,
)
from clairemap.provenance import file_digest
from clairemap.raster.scene_moments import scene_moments
from clairemap.raster.store import GridStore, check_store
from clairemap.registration.model import NO_DISPLACEMENT, Displacement
from clairemap.registration.record import registration_of
from clairemap.registration.result import NO_QUALITY, Fit, as_delivered, single_sensor
from clairemap.settings import load_settings
from clairemap.stages import TileScene, stage_json
from clairemap.validity import Validity

Files = dict[str, Path]
Tiled = Callable[..., tuple[GridStore, pd.DataFrame]]
SHIFT = Displacement.translation(dy_px=3.4, dx_px=-2.3)
CONFIG: dict[str, Any] = {
    "legend": {
        "classes": [{"code": code, "name": f"class {code}", "color": "#102030"} for code in (1, 2, 3)],
        "ignore": [0],
    },
    "sensors": {"optical": {"bands": ["red", "nir"]}, "sar": {"bands": ["VV"]}},
    "tiling": {"tile_px": 128, "shard_tiles": 2},
    "training": {"crop_px": 128},
}
PLAIN = {"bands": ["red", "nir"], "apply_scale": False}


@pytest.fixture
def tiled(stage: Callable[[str], Callable[..., Any]], tmp_path: Path):
    """Return a function that runs the stage on files and returns the checked store and the tile index."""

    def run(fit: Fit | None = None, config: dict[str, Any] | None = None, **files: Path):
        work = tmp_path / "work"
        record = registration_of("made", fit or Fit("good", "", NO_DISPLACEMENT, NO_QUALITY), None)
        write_registration(work / "registration.json", record, {})
        paths = {
            "pair": work / "pair.zarr",
            "manifest": work / "pair.json",
            "tiles": work / "tiles.parquet",
            "radiometry": work / "radiometry.json",
        }
        settings = stage_json(load_settings(CONFIG | (config or {})), TileScene)
        stage("tile_scene")(scene="made", registration=work / "registration.json", settings=settings, **paths, **files)
        return check_store(paths["pair"], paths["manifest"]), read_tile_index(paths["tiles"])

    return run


@pytest.fixture
def files(made_rasters: ModuleType, tmp_path: Path) -> dict[str, Path]:
    """Return a scene of 320 px: SAR in degrees, displaced and with a gap; optical nodata, cloud, label gaps."""
    write, grid = made_rasters.write_raster, made_rasters.UTM
    fields = made_rasters.Fields(grid)
    degrees = made_rasters.covering(grid, "EPSG:4326", 9e-5, margin=12)
    optical, power = fields.optical(), fields.sar(degrees, SHIFT, looks=400)
    optical[:, :20] = 0
    power[:, :, :40] = np.nan
    label = fields.label().astype(np.int16)
    label[:, 300:], label[300:] = -1, 0
    cloud = np.zeros(grid.shape, np.uint8)
    cloud[100:120] = 1
    return {
        "optical": write(tmp_path / "optical.tif", optical, grid, nodata=0),
        "sar": write(tmp_path / "sar.tif", power, degrees),
        "label": write(tmp_path / "label.tif", label, grid, nodata=-1),
        "cloud": write(tmp_path / "cloud.tif", cloud, grid),
    }


def read(store: GridStore, name: str) -> np.ndarray:
    return store.array(name)[...]


def test_the_pair_is_on_the_optical_grid_with_sar_aligned(tiled: Tiled, files: Files, made_rasters: ModuleType) -> None:
    store, _ = tiled(Fit("good", "", SHIFT, NO_QUALITY), **files)
    assert store.geobox == made_rasters.UTM and store.tile_px == 128
    sar, validity = read(store, "sar")[0], read(store, "validity")
    truth = made_rasters.Fields(made_rasters.UTM).sar_db(made_rasters.UTM)
    seen = np.isfinite(sar)
    inside = seen & (maximum_filter(truth, 5) == minimum_filter(truth, 5))  # two pixels off the fields' borders
    assert np.array_equal(seen, (validity & Validity.SAR_NODATA) == 0)
    assert seen[:, 60:].all() and not seen[:, :20].any()
    assert (np.abs(sar - truth)[inside] < 1).mean() > 0.995
    unmoved = read(tiled(Fit("rejected", "", SHIFT, NO_QUALITY), **files)[0], "sar")[0]
    assert (np.abs(unmoved - truth)[inside] < 1).mean() < 0.9


def test_layers_and_attributes_follow_the_specification(tiled: Tiled, files: Files, made_rasters: ModuleType) -> None:
    store, _ = tiled(**files)
    optical, label, validity = (read(store, name) for name in ("optical", "label", "validity"))
    fields = made_rasters.Fields(made_rasters.UTM)
    expected = fields.optical()
    assert optical.dtype == np.uint16 and np.array_equal(optical[:, 20:], expected[:, 20:])
    assert label.dtype == np.uint8 and validity.dtype == np.uint8
    assert np.array_equal(label[:300, :300], fields.label()[:300, :300] - 1)
    assert (label[:, 300:] == 255).all() and (label[300:] == 255).all()
    assert ((validity & Validity.OPTICAL_NODATA) > 0)[:20].all()
    assert np.array_equal(np.unique(np.nonzero(validity & Validity.CLOUD)[0]), np.arange(100, 120))
    assert np.array_equal((validity & Validity.NO_LABEL) > 0, label == 255)
    assert store.bands("optical") == ("red", "nir") and store.bands("sar") == ("VV",)
    attributes = dict(store.attributes)
    assert attributes["scene"] == "made" and attributes["sar_scale"] == "db" and attributes["georeferenced"] is True
    assert attributes["registration"] == "good" and attributes["clairemap_stage"] == "tile_scene"
    assert attributes["sources"] == {role: path.name for role, path in files.items()}


def test_the_index_counts_each_tile(tiled: Tiled, files: Files) -> None:
    store, index = tiled(**files)
    validity, label = read(store, "validity"), read(store, "label")
    assert index[["row", "col"]].to_numpy().tolist() == [[row, col] for row in range(3) for col in range(3)]
    assert index.loc[8, ["y0", "x0", "height", "width"]].tolist() == [256, 256, 64, 64]
    assert (index.height * index.width).sum() == 320 * 320
    usable = (validity & (Validity.OPTICAL_NODATA | Validity.CLOUD) == 0) | (validity & Validity.SAR_NODATA == 0)
    assert index.valid_px.sum() == usable.sum()
    assert index.cloud_px.sum() == 20 * 320
    assert index.cloud_unknown_px.sum() == 0
    totals = [int((usable & (label == index_)).sum()) for index_ in range(3)]
    assert np.stack(index.class_px).sum(axis=0).tolist() == totals
    assert index.labelled_px.sum() == sum(totals)


def test_a_rejected_registration_is_flagged(tiled: Tiled, files: Files) -> None:
    store, _ = tiled(Fit("rejected", "", SHIFT, NO_QUALITY), **files)
    validity = read(store, "validity")
    low, missing = validity & Validity.LOW_REGISTRATION, validity & Validity.SAR_NODATA
    assert np.array_equal(low > 0, missing == 0)
    assert store.attributes["registration"] == "rejected"


def test_with_model_none_nothing_is_flagged(tiled: Tiled, files: Files) -> None:
    store, _ = tiled(as_delivered(), **files)
    assert not (read(store, "validity") & Validity.LOW_REGISTRATION).any()
    assert store.attributes["registration"] == "as_delivered"


def test_what_was_read_is_recorded(
    stage: Callable[[str], Callable[..., Any]], tiled: Tiled, files: Files, tmp_path: Path
) -> None:
    tiled(**files)  # the registration
    work, record = tmp_path / "work", tmp_path / "files_read.json"
    stage("tile_scene")(
        scene="made", registration=work / "registration.json", settings=stage_json(load_settings(CONFIG), TileScene),
        pair=work / "again.zarr", manifest=work / "again.json", tiles=work / "again.parquet",
        radiometry=work / "radiometry.json", record=record, **files,
    )  # fmt: skip
    found = read_source_record(record).files
    assert {key: entry.read.sha256 for key, entry in found.items()} == {
        f"{role}/0/{path.name}": file_digest(path) for role, path in files.items()
    }


def test_running_again_gives_the_same_manifest(tiled: Tiled, files: Files, tmp_path: Path) -> None:
    tiled(**files)
    first = (tmp_path / "work" / "pair.json").read_text()
    tiled(**files)
    assert (tmp_path / "work" / "pair.json").read_text() == first
    assert sorted(path.name for path in (tmp_path / "work").iterdir()) == [
        "pair.json",
        "pair.zarr",
        "radiometry.json",
        "registration.json",
        "tiles.parquet",
    ]


def test_the_store_has_the_moments_of_the_radiometry(tiled: Tiled, files: Files, tmp_path: Path) -> None:
    store, _ = tiled(**files)
    found, radiometry = scene_moments(store), read_radiometry(tmp_path / "work" / "radiometry.json")
    assert set(found) == {"optical", "sar"}
    for sensor, moments in found.items():
        known = radiometry.of_sensor(sensor)
        assert known is not None and moments.mean == known.mean
        assert moments.std == pytest.approx(np.sqrt(np.diag(known.covariance)).tolist())


def test_shards_leave_no_seams(tiled: Tiled, files: Files) -> None:
    fine, _ = tiled(Fit("good", "", SHIFT, NO_QUALITY), config={"tiling": {"tile_px": 128, "shard_tiles": 1}}, **files)
    cut = {name: read(fine, name) for name in ("sar", "label", "validity")}
    whole, _ = tiled(Fit("good", "", SHIFT, NO_QUALITY), config={"tiling": {"tile_px": 384, "shard_tiles": 1}}, **files)
    for name, values in cut.items():
        assert np.allclose(read(whole, name), values, atol=1e-4, equal_nan=True)


def test_sar_alone_defines_the_grid(tiled: Tiled, files: Files) -> None:
    store, index = tiled(single_sensor(), sar=files["sar"])
    assert store.geobox.crs.epsg == 4326 and store.attributes["registration"] == "single_sensor"
    assert not read(store, "optical").any() and (read(store, "label") == 255).all()
    assert ((read(store, "validity") & Validity.OPTICAL_NODATA) > 0).all()
    assert index.sar_px.sum() == index.valid_px.sum() > 0 and index.labelled_px.sum() == 0


def test_optical_alone(tiled: Tiled, files: Files) -> None:
    store, index = tiled(single_sensor(), optical=files["optical"], label=files["label"])
    assert np.isnan(read(store, "sar")).all() and index.sar_px.sum() == 0
    assert index.optical_px.sum() == index.cloud_unknown_px.sum() == 300 * 320
    assert index.cloud_px.sum() == 0


def test_plain_pixels_are_not_georeferenced(tiled: Tiled, made_rasters: ModuleType, tmp_path: Path) -> None:
    fields = made_rasters.Fields(made_rasters.PIXELS)
    optical = made_rasters.write_raster(tmp_path / "o.tif", fields.optical())
    sar = made_rasters.write_raster(tmp_path / "s.tif", fields.sar(made_rasters.PIXELS)[:, :200, :250])
    store, index = tiled(optical=optical, sar=sar)
    assert store.attributes["georeferenced"] is False and store.geobox.crs is None
    assert index.sar_px.sum() == 200 * 250


def faults(files: Files, made_rasters: ModuleType, folder: Path) -> dict[str, tuple[type[Exception], str, Files]]:
    """Return, by kind of fault, the expected error, a pattern of its message, and a scene with that fault."""
    grid, write = made_rasters.UTM, made_rasters.write_raster
    moved = type(grid)(grid.shape, grid.transform.translation(9e5, 0) @ grid.transform, grid.crs)
    noise = np.random.default_rng(0).integers(1, 60_000, (2, 320, 320)).astype(np.uint16)
    nothing = np.full((1, 320, 320), np.nan, np.float32)
    cut = write(folder / "cut.tif", noise, grid)
    cut.write_bytes(cut.read_bytes()[:200_000])
    odd = write(folder / "odd.tif", np.full((320, 320), 77, np.uint8), grid)
    away = write(folder / "away.tif", nothing, moved)
    black = write(folder / "black.tif", 0 * noise, grid, nodata=0)
    blank = write(folder / "blank.tif", nothing, grid)
    return {
        "truncated": (UnreadableFileError, r"cut\.tif", files | {"optical": cut}),
        "no overlap": (NoOverlapError, r"optical\.tif and .*away\.tif", files | {"sar": away}),
        "band count": (BandCountError, r"sar\.tif: has 1", files | {"optical": files["sar"]}),
        "unknown code": (LabelError, r"odd\.tif.*\[77 \(102,400 px\)\]", files | {"label": odd}),
        "all nodata": (EmptySceneError, r"made: no pixel", files | {"optical": black, "sar": blank}),
        **_other_values(files, folder, made_rasters),
    }


def _other_values(
    files: Files, folder: Path, made_rasters: ModuleType
) -> dict[str, tuple[type[Exception], str, Files]]:
    """Return the same for values that contradict the settings."""
    grid, write = made_rasters.UTM, made_rasters.write_raster
    power = made_rasters.Fields(grid).sar(grid)
    gap = made_rasters.Fields(grid).optical().astype(np.int16)
    gap[:, 200:210, 5:9] = -9999
    decibels = write(folder / "decibels.tif", 10 * np.log10(power), grid)
    slc = write(folder / "slc.tif", np.sqrt(power).astype(np.complex64), grid)
    codes = np.where(np.arange(320) < 100, 9, 4).astype(np.uint8)[None].repeat(320, axis=0)
    scl = write(folder / "scl.tif", codes, grid)
    return {
        "decibels": (ValuesError, r"decibels\.tif.*linear_power.*scale: db", files | {"sar": decibels}),
        "complex": (ValuesError, r"slc\.tif.*complex64", files | {"sar": slc}),
        "untagged": (
            ValuesError,
            r"gap\.tif, band 1: 40 of .* -9999",
            files | {"optical": write(folder / "gap.tif", gap, grid)},
        ),
        "scene classes": (ValuesError, r"scl\.tif.*4, 9.*cloud_mask: scl", files | {"cloud": scl}),
    }


FAULTS = ("truncated", "no overlap", "band count", "unknown code", "all nodata")
OTHER_VALUES = ("decibels", "complex", "untagged", "scene classes")


@pytest.mark.parametrize("kind", [*FAULTS, *OTHER_VALUES])
def test_bad_input_is_an_error_and_leaves_no_files(
    tiled: Tiled, files: Files, made_rasters: ModuleType, tmp_path: Path, kind: str
) -> None:
    error, match, given = faults(files, made_rasters, tmp_path)[kind]
    with pytest.raises(error, match=match):
        tiled(**given)
    assert [path.name for path in (tmp_path / "work").iterdir()] == ["registration.json"]


def test_scaled_optical_values_are_stored_with_the_scale_applied(
    tiled: Tiled, files: Files, made_rasters: ModuleType
) -> None:
    with rasterio.open(files["optical"], "r+") as file:
        file.scales, file.offsets = [1e-4, 1e-4], [-0.1, -0.1]
    stored = made_rasters.Fields(made_rasters.UTM).optical()
    optical = read(tiled(**files)[0], "optical")
    assert optical.dtype == np.float32 and np.allclose(optical[:, 20:], stored[:, 20:] * 1e-4 - 0.1, atol=1e-6)
    unscaled = read(tiled(config={"sensors": CONFIG["sensors"] | {"optical": PLAIN}}, **files)[0], "optical")
    assert unscaled.dtype == np.uint16 and np.array_equal(unscaled[:, 20:], stored[:, 20:])


def test_backscatter_is_the_same_from_floats_and_scaled_integers(
    tiled: Tiled, files: Files, made_rasters: ModuleType, tmp_path: Path
) -> None:
    grid = made_rasters.UTM
    decibels = (10 * np.log10(made_rasters.Fields(grid).sar(grid))).astype(np.float32)
    floats = made_rasters.write_raster(tmp_path / "floats.tif", decibels, grid)
    stored = made_rasters.write_raster(tmp_path / "stored.tif", np.rint(decibels * 100).astype(np.int16), grid)
    with rasterio.open(stored, "r+") as file:
        file.scales = [0.01]
    config = {"sensors": CONFIG["sensors"] | {"sar": {"bands": ["VV"], "scale": "db"}}}
    first, second = (read(tiled(config=config, **files | {"sar": path})[0], "sar") for path in (floats, stored))
    assert np.allclose(first, second, atol=0.02, equal_nan=True) and np.isfinite(first).all()


def test_clouds_are_unknown_where_the_mask_ends_or_is_nodata(
    tiled: Tiled, files: Files, made_rasters: ModuleType, tmp_path: Path
) -> None:
    codes = np.zeros((320, 200), np.uint8)
    codes[100:120], codes[300:] = 1, 255
    part = made_rasters.write_raster(tmp_path / "part.tif", codes, made_rasters.UTM, nodata=255)
    store, index = tiled(**files | {"cloud": part})
    validity = read(store, "validity")
    unknown = (validity & Validity.CLOUD_UNKNOWN) > 0
    rows, columns = np.mgrid[:320, :320]
    assert np.array_equal(unknown, (rows >= 20) & ((columns >= 200) | (rows >= 300)))
    assert index.cloud_unknown_px.sum() == unknown.sum() and index.cloud_px.sum() == 20 * 200


def test_the_manifest_names_all_layers(tiled: Tiled, files: Files, tmp_path: Path) -> None:
    tiled(**files)
    manifest = json.loads((tmp_path / "work" / "pair.json").read_text())
    assert {"optical", "sar", "label", "validity"} <= set(manifest["arrays"])


def test_a_scene_of_the_demo_passes_with_the_default_settings(
    stage: Callable[[str], Callable[..., Any]], tmp_path: Path
) -> None:
    stage("simulate_scene")(scene="west_south", directory=tmp_path, size_px=256)
    folder, work = tmp_path / "west_south", tmp_path / "work"
    write_registration(work / "registration.json", registration_of("west_south", as_delivered(), None), {})
    files = {role: folder / f"{role}.tif" for role in ("optical", "sar", "label", "cloud")}
    outputs = {"pair": "pair.zarr", "manifest": "pair.json", "tiles": "tiles.parquet", "radiometry": "radiometry.json"}
    stage("tile_scene")(
        scene="west_south", registration=work / "registration.json", settings=stage_json(load_settings({}), TileScene),
        **{name: work / file for name, file in outputs.items()}, **files,
    )  # fmt: skip
    (row,) = read_tile_index(work / "tiles.parquet").itertuples()
    assert row.cloud_px > 0 and row.cloud_unknown_px == 0 and row.labelled_px > 0.9 * row.optical_px
