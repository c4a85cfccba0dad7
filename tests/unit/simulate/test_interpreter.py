from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import rasterio

from clairemap.settings import DEMO_CLASSES
from clairemap.simulate import interpreter
from clairemap.simulate.interpreter import MISTAKEN_FOR, cover_name, true_areas, true_cover, with_errors
from clairemap.simulate.landscape import GroundCover
from clairemap.simulate.region import DEMO_SCENES
from clairemap.simulate.scene import simulate_scene

RECIPE = replace(DEMO_SCENES[0].recipe, size_px=180)
SEED = 21


@pytest.fixture(scope="module")
def label(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    simulate_scene(RECIPE, folder, SEED, {})
    return folder / "label.tif"


def test_the_truth_at_pixel_centres_is_the_label(label: Path):
    with rasterio.open(label) as raster:
        codes, crs = raster.read(1), str(raster.crs)
        rows, columns = np.nonzero(codes)
        x, y = map(np.asarray, raster.xy(rows, columns))
    found = true_cover(x, y, crs, SEED)
    assert len(np.unique(found)) > 2
    assert np.array_equal(found, codes[rows, columns])


def test_true_areas_are_of_the_mapped_ground(label: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with rasterio.open(label) as raster:
        codes, profile = raster.read(1), raster.profile
    mapped = codes > 0
    with rasterio.open(tmp_path / "map.tif", "w", **{**profile, "nodata": 255}) as raster:
        raster.write(np.where(mapped, 2, 255).astype(np.uint8), 1)
    thinned = true_areas(tmp_path / "map.tif", SEED)
    monkeypatch.setattr(interpreter, "STRIDE_PX", 1)
    assert true_areas(tmp_path / "map.tif", SEED) == {
        cover_name(code): (codes == code).sum() * 100 / 10_000 for code in GroundCover
    }
    assert sum(thinned.values()) == pytest.approx(mapped.sum() / 100, rel=0.02)


def test_three_percent_of_the_answers_are_wrong_and_depend_on_the_unit_only():
    ids = [f"{number:010x}" for number in range(10_000)]
    truth = np.tile(np.array(list(GroundCover), np.uint8), 1500)[: len(ids)]
    given = with_errors(ids, truth, SEED)
    wrong = given != truth
    assert 0.025 < wrong.mean() < 0.035
    assert all(given[place] == MISTAKEN_FOR[GroundCover(truth[place])] for place in np.flatnonzero(wrong))
    assert np.array_equal(with_errors(ids[5000:5100], truth[5000:5100], SEED), given[5000:5100])
    assert not np.array_equal(with_errors(ids, truth, SEED + 1), given)


def test_answers_have_the_names_of_the_default_legend():
    assert {code: cover_name(code) for code in GroundCover} == {c.code: c.name for c in DEMO_CLASSES}
    assert set(MISTAKEN_FOR) == set(GroundCover) and all(a != b for a, b in MISTAKEN_FOR.items())
