import logging
from pathlib import Path
from types import ModuleType

import pytest

from clairemap.artefacts.store_attributes import BandMoments
from clairemap.errors import StoreError
from clairemap.raster.scene_moments import scene_moments
from clairemap.raster.store import GridStore, open_store

OPTICAL = {"mean": [1.0, 2.0], "std": [0.5, 0.25]}


@pytest.fixture
def pair(made_pairs: ModuleType, tmp_path: Path) -> GridStore:
    return open_store(made_pairs.make_scene(tmp_path, "a", seed=1).pair, "r+")


def test_a_pair_without_moments_is_an_error(pair: GridStore):
    with pytest.raises(StoreError, match=r"no band moments of the scene; delete it and run tile_scene again"):
        scene_moments(pair)


def test_moments_are_those_of_the_store_and_a_missing_sensor_is_reported(
    pair: GridStore, caplog: pytest.LogCaptureFixture
):
    pair.group.attrs.update({"moments": {"optical": OPTICAL}})
    with caplog.at_level(logging.WARNING):
        scene_moments(open_store(pair.path))
    assert not caplog.text  # the scene has no SAR
    pair.group.attrs.update({"sources": {"optical": "a.tif", "sar": "b.tif"}})
    with caplog.at_level(logging.WARNING):
        found = scene_moments(open_store(pair.path))
    assert found == {"optical": BandMoments(mean=(1, 2), std=(0.5, 0.25))}
    assert "a: too few usable sar pixels" in caplog.text
