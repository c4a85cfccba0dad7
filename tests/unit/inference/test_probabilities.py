from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from odc.geo.geobox import GeoBox

from clairemap.artefacts.store_attributes import ProbabilityAttributes
from clairemap.errors import StoreError
from clairemap.inference.probabilities import create_probabilities, open_probabilities
from clairemap.raster.store import complete_store
from clairemap.settings import LegendSettings

Stored = Callable[[list[int]], Path]

LEGEND = LegendSettings()


@pytest.fixture
def stored(tmp_path: Path, grid_at: Callable[..., GeoBox]):
    def make(codes: list[int]):
        store = create_probabilities(
            tmp_path / "part",
            grid_at((20, 30)),
            LEGEND.names,
            tile_px=128,
            shard_tiles=1,
            attributes=ProbabilityAttributes(
                scene="a", view="fused", class_names=LEGEND.names, class_codes=codes, georeferenced=True
            ).model_dump(),
        )
        complete_store(store.path, tmp_path / "probabilities.zarr")
        return tmp_path / "probabilities.zarr"

    return make


def test_new_store_is_nodata(stored: Stored):
    store = open_probabilities(stored(LEGEND.codes.tolist()), LEGEND)
    assert not store.array("probability")[:].any()
    assert (store.array("optical_share")[:] == 255).all()
    assert store.bands("probability") == LEGEND.names


def test_xarray_reads_nodata_as_missing(stored: Stored):
    with xr.open_zarr(stored(LEGEND.codes.tolist()), consolidated=False) as dataset:
        assert np.isnan(dataset["optical_share"]).all()
        assert dataset["probability"].shape == (len(LEGEND), 20, 30)


def test_other_classes_are_an_error(stored: Stored):
    with pytest.raises(StoreError, match=r"class codes \[1, 2\]"):
        open_probabilities(stored([1, 2]), LEGEND)


def test_store_without_manifest_is_an_error(stored: Stored):
    path = stored(LEGEND.codes.tolist())
    path.with_suffix(".json").unlink()
    with pytest.raises(StoreError, match="manifest"):
        open_probabilities(path, LEGEND)
