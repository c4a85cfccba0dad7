import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pystac
import pytest
import rasterio
import shapely
from affine import Affine
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from pyproj import Geod, Transformer
from rio_cogeo import cog_validate

from clairemap.artefacts.store_attributes import ProbabilityAttributes
from clairemap.errors import BundleError, GridError, StoreError
from clairemap.inference.mosaic import BLOCK_PX
from clairemap.inference.probabilities import create_probabilities
from clairemap.raster.store import complete_store
from clairemap.settings import Settings, load_settings
from clairemap.stages import MosaicRegion, stage_json

MakeScene = Callable[..., tuple[Path, NDArray[np.uint8]]]
Run = Callable[..., Path]

SETTINGS = load_settings({})
LEGEND = SETTINGS.legend


@pytest.fixture
def make_scene(tmp_path: Path):
    def make(
        scene: str, shape: tuple[int, int], *, x: float = 500_000, crs: str | None = "EPSG:32633", valid: bool = True
    ):
        folder = tmp_path / scene / "fused"
        folder.mkdir(parents=True)
        rng = np.random.default_rng(len(scene))
        probability = np.round(255 * rng.dirichlet([0.3] * len(LEGEND), shape)).astype(np.uint8).transpose(2, 0, 1)
        store = create_probabilities(
            folder / "part",
            GeoBox(shape, Affine(10, 0, x, 0, -10, 5_000_000), crs),
            LEGEND.names,
            tile_px=128,
            shard_tiles=2,
            attributes=ProbabilityAttributes(
                scene=scene,
                view="fused",
                class_names=LEGEND.names,
                class_codes=LEGEND.codes.tolist(),
                georeferenced=True,
            ).model_dump(),
        )
        for window in store.shards() if valid else ():
            store.write("probability", window, probability[:, *window.slices])
            store.write("optical_share", window, np.full(window.shape, 60, np.uint8))
        complete_store(store.path, folder / "probabilities.zarr")
        return folder / "probabilities.zarr", probability

    return make


@pytest.fixture
def run(tmp_path: Path, stage: Callable[[str], Callable[..., Any]]):
    def mosaic(
        *probabilities: Path,
        settings: Settings = SETTINGS,
        dates: tuple[str, ...] = (),
        threads: int = 1,
        card: Path | None = None,
    ):
        out = tmp_path / "results"
        stage("mosaic_region")(
            maps=out / "alps",
            probabilities=list(probabilities),
            card=card,
            settings=stage_json(settings, MosaicRegion),
            dates=list(dates),
            threads=threads,
        )
        return out

    return mosaic


def read(path: Path):
    with rasterio.open(path) as dataset:
        return dataset.read(1)


def test_map_of_two_scenes(make_scene: MakeScene, run: Run):
    a, b = make_scene("a", (200, 300)), make_scene("bb", (200, 300), x=502_000)
    out = run(a[0], b[0], dates=("2026-05-01", "2026-04-01"))
    landcover = read(out / "alps.landcover.tif")
    assert landcover.shape == (200, 500)
    assert np.array_equal(landcover[:, :200], LEGEND.codes[a[1].argmax(0)[:, :200]])
    assert np.array_equal(landcover[:, 300:], LEGEND.codes[b[1].argmax(0)[:, 100:]])
    assert (read(out / "alps.optical_share.tif") == 60).all()
    assert read(out / "alps.confidence.tif").max() <= 100
    count = read(out / "alps.source_count.tif")
    assert (count[:, 200:300] == 2).all() and (count[:, :200] == 1).all() and (count[:, 300:] == 1).all()
    for path in out.glob("*.tif"):
        assert cog_validate(path, strict=True, quiet=True)[0]
    assert sorted(path.name for path in out.iterdir()) == [
        "alps.confidence.qml",
        "alps.confidence.tif",
        "alps.item.json",
        "alps.landcover.qml",
        "alps.landcover.tif",
        "alps.landcover.tif.aux.xml",
        "alps.landcover.tif.vat.cpg",
        "alps.landcover.tif.vat.dbf",
        "alps.optical_share.qml",
        "alps.optical_share.tif",
        "alps.source_count.qml",
        "alps.source_count.tif",
    ]
    item = json.loads((out / "alps.item.json").read_text())
    assert item["properties"]["end_datetime"] == "2026-05-01T23:59:59Z"
    assert all((out / asset["href"]).is_file() for asset in item["assets"].values())


CARD = {
    "stamp": {},
    "network": {"size": "tiny", "fusion": "window", "sensors": "fused"},
    "classes": [{"code": c.code, "name": c.name} for c in LEGEND.classes],
    "optical_bands": {"names": ["red"], "mean": [849.5], "std": [386.2]},
    "sar_bands": {"names": ["VV"], "mean": [-11.2], "std": [3.5]},
    "sar_scale": "db",
    "halo_px": 256,
    "halo_sigma": 1e-6,
    "core_bytes_per_px": 69.0,
    "halo_bytes_per_px": 36.0,
    "temperature": 1.1,
    "trained_on": {"scenes": ["a"], "pixels": 9},
    "best_step": 600,
    "weights_sha256": "bf43d0998da68b82aa40a732e04155eb",
}


def test_folder_is_self_contained(make_scene: MakeScene, run: Run, tmp_path: Path):
    card = tmp_path / "work" / "model.json"
    card.parent.mkdir()
    card.write_text(json.dumps(CARD))
    out = run(make_scene("a", (40, 60))[0], card=card).rename(tmp_path / "elsewhere")
    item = json.loads((out / "alps.item.json").read_text())
    linked = [*item["links"], *item["assets"].values()]
    assert {link["href"] for link in linked} <= {f"./{path.name}" for path in out.iterdir()}
    assert item["assets"]["model"]["href"] == "./alps.model.json"
    assert (out / "alps.model.json").read_bytes() == card.read_bytes()


def test_the_copied_card_has_the_legends_names(make_scene: MakeScene, run: Run, tmp_path: Path):
    older = [{**entry, "name": f"older {entry['name']}"} for entry in CARD["classes"]]
    (tmp_path / "model.json").write_text(json.dumps({**CARD, "classes": older}))
    out = run(make_scene("a", (40, 60))[0], card=tmp_path / "model.json")
    names = [entry["name"] for entry in json.loads((out / "alps.model.json").read_text())["classes"]]
    assert names == [c.name for c in SETTINGS.legend.classes]


def test_invalid_card_is_not_copied(make_scene: MakeScene, run: Run, tmp_path: Path):
    (tmp_path / "model.json").write_text("{}")
    with pytest.raises(BundleError, match=r"model\.json: not a valid model card"):
        run(make_scene("a", (40, 60))[0], card=tmp_path / "model.json")
    assert not list((tmp_path / "results").glob("*.json"))


def test_counts_in_the_attribute_table_match_the_map(make_scene: MakeScene, run: Run):
    out = run(make_scene("a", (150, 140))[0])
    landcover = read(out / "alps.landcover.tif")
    rows = ElementTree.parse(out / "alps.landcover.tif.aux.xml").getroot().findall(".//Row")
    assert [(int(row[0].text), int(row[2].text)) for row in rows] == [
        (code, int((landcover == code).sum())) for code in sorted(LEGEND.codes.tolist())
    ]


def test_scene_without_a_valid_pixel_gives_a_valid_map_of_nodata(make_scene: MakeScene, run: Run):
    out = run(make_scene("a", (140, 600), valid=False)[0])
    maps = list(out.glob("*.tif"))
    assert len(maps) == 4
    for path in maps:
        assert (read(path) == 255).all() and cog_validate(path, strict=True, quiet=True)[0]


def test_scene_without_crs_needs_its_own_map(make_scene: MakeScene, run: Run, tmp_path: Path):
    a, b = make_scene("a", (40, 60), crs=None)[0], make_scene("bb", (40, 60), crs=None)[0]
    with pytest.raises(GridError, match="mosaic.grid: scene"):
        run(a, b)
    assert not (tmp_path / "results").exists()
    out = run(a)
    item = pystac.Item.from_file(out / "alps.item.json")
    assert item.geometry is None
    with rasterio.open(out / "alps.landcover.tif") as dataset:
        assert dataset.crs is None and dataset.colormap(1)[1] == (*LEGEND.palette[1], 255)


def test_truncated_store_is_an_error(make_scene: MakeScene, run: Run):
    path, _ = make_scene("a", (40, 60))
    victim = next(p for p in (path / "probability").rglob("*") if p.is_file() and p.name != "zarr.json")
    victim.write_bytes(victim.read_bytes()[:-10])
    with pytest.raises(StoreError, match="probability"):
        run(path)


def test_probabilities_of_another_legend_are_an_error(make_scene: MakeScene, run: Run):
    other = load_settings({"legend": {"classes": [c.model_dump() for c in SETTINGS.legend.classes[:3]]}})
    with pytest.raises(StoreError, match="class codes"):
        run(make_scene("a", (40, 60))[0], settings=other)


def test_bytes_do_not_depend_on_the_number_of_threads(make_scene: MakeScene, run: Run):
    path, _ = make_scene("a", (130, 700))
    first = {file.name: file.read_bytes() for file in run(path).iterdir()}
    assert {file.name: file.read_bytes() for file in run(path, threads=3).iterdir()} == first


def test_several_blocks_do_not_depend_on_the_number_of_threads(make_scene: MakeScene, run: Run):
    paths = [make_scene("a", (1100, 1500))[0], make_scene("bb", (1100, 1500), x=510_000)[0]]
    first = {file.name: file.read_bytes() for file in run(*paths).iterdir()}
    assert [name for name in first if name.endswith(".tif")]
    for threads in (2, 3):
        assert {file.name: file.read_bytes() for file in run(*paths, threads=threads).iterdir()} == first
    rows, columns = read(run(*paths) / "alps.landcover.tif").shape
    assert rows > BLOCK_PX and columns > 2 * BLOCK_PX


def test_scenes_far_apart_are_mapped_with_a_warning_in_little_space(
    make_scene: MakeScene, run: Run, capsys: pytest.CaptureFixture[str]
):
    a, b = make_scene("a", (150, 200)), make_scene("bb", (150, 200), x=800_000)
    out = run(a[0], b[0])
    said = capsys.readouterr().out
    assert said.count("WARNING: map alps: the scenes form 2 groups that are far apart (a; bb)") == 1
    assert "1.3 % of its 30200 x 150 px (width x height); give each group its own region" in said
    landcover = read(out / "alps.landcover.tif")
    assert np.array_equal(landcover[:, :200], LEGEND.codes[a[1].argmax(0)])
    assert np.array_equal(landcover[:, -200:], LEGEND.codes[b[1].argmax(0)])
    assert (landcover[:, 200:-200] == 255).all()
    maps = list(out.glob("*.tif"))
    assert len(maps) == 4
    for path in maps:
        assert cog_validate(path, strict=True, quiet=True)[0]
        with rasterio.open(path) as dataset:
            held = [dataset.get_tag_item(f"BLOCK_OFFSET_{column}_0", "TIFF", bidx=1) for column in range(59)]
        assert [column for column, offset in enumerate(held) if offset is not None] == [0, 58]


def test_scenes_side_by_side_give_no_warning(make_scene: MakeScene, run: Run, capsys: pytest.CaptureFixture[str]):
    run(make_scene("a", (150, 200))[0], make_scene("bb", (150, 200), x=503_000)[0])
    assert capsys.readouterr().out == ""


def test_geometry_of_the_item_matches_the_data(make_scene: MakeScene, run: Run):
    out = run(make_scene("a", (150, 200))[0], make_scene("bb", (150, 200), x=800_000)[0])
    item = json.loads((out / "alps.item.json").read_text())
    west, east = sorted(shapely.geometry.shape(item["geometry"]).geoms, key=lambda part: part.bounds[0])
    corners = [(500_000, 5_000_000), (502_000, 4_998_500), (800_000, 5_000_000), (802_000, 4_998_500)]
    lon, lat = Transformer.from_crs("EPSG:32633", "EPSG:4326", always_xy=True).transform(*zip(*corners, strict=True))
    assert west.bounds[:3:2] == pytest.approx((lon[0], lon[1]), abs=1e-4)
    assert west.bounds[1::2] == pytest.approx((lat[1], lat[0]), abs=1e-4)
    assert east.contains(shapely.geometry.Point((lon[2] + lon[3]) / 2, (lat[2] + lat[3]) / 2))
    area = Geod(ellps="WGS84").geometry_area_perimeter(east)[0]
    assert area == pytest.approx(200 * 150 * 100, rel=5e-3)
    assert item["bbox"] == pytest.approx([west.bounds[0], east.bounds[1], east.bounds[2], west.bounds[3]], abs=1e-6)
