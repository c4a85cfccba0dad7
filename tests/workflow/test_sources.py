"""A scene of a Sentinel-2 product and of two SAR files runs to maps, and reruns exactly."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import numpy as np
import pytest
import rasterio
import yaml
import zarr
from affine import Affine
from numpy.typing import NDArray
from tests.made_items import earth_search, write_images, write_item
from tests.made_products import CRS, ORIGIN, Sentinel2
from tests.range_server import range_server

pytestmark = pytest.mark.workflow
Run = Callable[..., CompletedProcess[str]]
SIDE = 120
CLASSES = [{"code": 1, "name": "water", "color": "#3b7dd8"}, {"code": 2, "name": "woods", "color": "#1f6f3a"}]
CONFIG = {
    "scenes": "scenes.csv",
    "data_dir": "data",
    "legend": {"classes": CLASSES},
    "sensors": {"optical": {"bands": ["red", "nir", "B11"], "cloud_classes": [9]}},
    "network": {"size": "tiny"},
    "tiling": {"tile_px": 128},
    "training": {"steps": 4, "batch_size": 2, "crop_px": 128, "validate_every": 2},
}


def ground(side: int) -> NDArray[np.int64]:
    """Return the class (0, 1) of each pixel of squares."""
    y, x = np.mgrid[:side, :side] * 12 // side
    return (x + y) % 2


def reflectance(key: str, side: int) -> NDArray[np.uint16]:
    """Return stored numbers of baseline 05.10: water is darker than the offset in the near infrared."""
    levels = {"B04": (1300, 1500), "B08": (980, 4000), "B11": (1020, 3000)}[key]
    noise = np.random.default_rng(side).integers(-9, 9, (side, side))
    return (np.array(levels)[ground(side)] + noise).astype(np.uint16)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with the product, SAR files, labels, sheet and config file of one scene."""
    data = tmp_path / "data"
    data.mkdir()
    product = Sentinel2(numbers=reflectance, keys=("B04", "B08", "B11")).write(data)
    speckle = np.random.default_rng(1).gamma(4, 0.25, (SIDE, SIDE))
    classes = ground(SIDE)
    layers = {
        "S1A_20260511_VV.tif": (np.array([0.01, 0.1])[classes] * speckle).astype(np.float32),
        "S1A_20260511_VH.tif": (np.array([0.002, 0.03])[classes] * speckle).astype(np.float32),
        "label.tif": (classes + 1).astype(np.uint8),
    }
    place = {"crs": CRS, "transform": Affine(10, 0, ORIGIN[0], 0, -10, ORIGIN[1])}
    for name, values in layers.items():
        with rasterio.open(
            data / name, "w", driver="GTiff", width=SIDE, height=SIDE, count=1, dtype=values.dtype, **place
        ) as file:
            file.write(values, 1)
    sar = "S1A_20260511_VV.tif;S1A_20260511_VH.tif"
    (tmp_path / "scenes.csv").write_text(
        f"scene,region,split,optical,sar,label\nwest,north,train,{product.name},{sar},label.tif\n"
    )
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(CONFIG))
    return tmp_path


def test_a_product_runs_to_maps_and_reruns_exactly(folder: Path, snakemake: Run):
    def run(*words: str) -> str:
        done = snakemake(folder, "--configfile", str(folder / "config.yaml"), *words)
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-6000:]
        return done.stdout + done.stderr

    def planned() -> set[str]:
        table = re.search(r"^Job stats:\n.*\n-.*\n((?:\w+ +\d+\n)+)", run("--dry-run"), re.M)
        return set() if table is None else {line.split()[0] for line in table[1].splitlines()} - {"all", "total"}

    run()
    assert planned() == set()

    pair = zarr.open_group(folder / "work" / "scenes" / "west" / "pair.zarr", mode="r")
    optical, validity = pair["optical"][:, :SIDE, :SIDE], pair["validity"][:SIDE, :SIDE]
    assert np.array_equal(optical[1], reflectance("B08", SIDE) - 1000.0) and (optical[1] < 0).any()
    assert not (validity & 1).any(), "dark pixels stay valid"
    scl = np.kron(np.arange(SIDE // 2) * 12 // (SIDE // 2), np.ones(2))
    assert np.array_equal((validity & 4 > 0)[0], scl == 9), "only the wanted code is cloud"

    item = json.loads((folder / "results" / "north" / "north.item.json").read_text())
    properties = item["properties"]
    assert properties["start_datetime"].startswith("2026-05-11") and properties["end_datetime"].startswith("2026-05-12")
    assert "S2A_MSIL2A_20260512T100031_N0510" in properties["processing:lineage"]
    assert properties["clairemap:sources"]["west"]["optical"]["offsets"] == {"red": -1000, "nir": -1000, "B11": -1000}
    card = json.loads((folder / "results" / "north" / "north.model.json").read_text())
    assert card["optical_unit"] == "reflectance x 10000, offset removed"
    report = (folder / "results" / "north" / "report.html").read_text()
    assert "Data of the scenes" in report and "Copernicus" in report

    shutil.copytree(folder / "data", folder / "elsewhere", copy_function=shutil.copyfile)
    shutil.rmtree(folder / "data")
    (folder / "config.yaml").write_text(yaml.safe_dump({**CONFIG, "data_dir": "elsewhere"}))
    assert planned() == set(), "moved data rerun nothing"
    changed = {**CONFIG["sensors"]["optical"], "offset": 0}
    (folder / "config.yaml").write_text(
        yaml.safe_dump({**CONFIG, "data_dir": "elsewhere", "sensors": {"optical": changed}})
    )
    run("--until", "resolve_scene")
    assert planned() == set(), "a setting that decides nothing changes no record"
    (image,) = (folder / "elsewhere").rglob("*_B11_20m.jp2")
    image.write_bytes(image.read_bytes()[:-1] + b"x")
    assert {"resolve_scene", "register_pair", "tile_scene"} <= planned()


def test_a_scene_on_a_server_is_tiled_and_its_changes_are_found(folder: Path, snakemake: Run, tmp_path: Path):
    """Planning asks no server. The cells are the address of a STAC item, two of SAR, and labels."""
    served = tmp_path / "served"
    write_images(served, lambda key, side: reflectance(key if key in ("B04", "B08", "B11") else "B04", side))
    write_item(served / "item.json", earth_search())
    for name in ("VV", "VH"):
        shutil.move(folder / "data" / f"S1A_20260511_{name}.tif", served / f"{name}.tif")
    shutil.move(folder / "data" / "label.tif", served / "label.tif")
    with range_server(served) as server:
        cells = f"{server.url}/item.json,{server.url}/VV.tif;{server.url}/VH.tif,{server.url}/label.tif"
        (folder / "scenes.csv").write_text(f"scene,region,split,optical,sar,label\nwest,north,train,{cells}\n")

        def run(*words: str) -> tuple[int, str]:
            words = ("--configfile", str(folder / "config.yaml"), "--until", "tile_scene", *words)
            done = snakemake(folder, *words)
            return done.returncode, done.stdout[-8000:] + done.stderr[-8000:]

        assert "resolve_scene" in run("--dry-run")[1] and not server.requests, "planning asks no server"
        code, text = run()
        assert code == 0, text
        pair = zarr.open_group(folder / "work" / "scenes" / "west" / "pair.zarr", mode="r")
        assert np.array_equal(pair["optical"][1, :SIDE, :SIDE], reflectance("B08", SIDE) - 1000.0)
        assert np.array_equal(pair["label"][:SIDE, :SIDE], ground(SIDE))
        asked = len(server.requests)
        text = run("--dry-run")[1]
        assert re.search(r"^total +0$", text, re.M) and len(server.requests) == asked, text

        vv = bytearray((served / "VV.tif").read_bytes())
        vv[-1] ^= 1
        (served / "VV.tif").write_bytes(vv)
        code, text = run("--forcerun", "tile_scene")
        assert code == 1 and "VV.tif: has changed on the server since resolve_scene read it" in text, text
        code, text = run("--forcerun", "resolve_scene")
        assert code == 0 and "register SAR to optical" in text, text
