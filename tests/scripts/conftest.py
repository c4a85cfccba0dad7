"""Shared by the tests of the stages: a scene whose map has known errors."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from clairemap.stages import ScoreRegion, ScoreTiles, stage_json

SHAPE = (512, 384)


@pytest.fixture(scope="session")
def made_maps() -> ModuleType:
    """Return the module that writes class probabilities, ``made_maps.py`` of this folder."""
    spec = importlib.util.spec_from_file_location("made_maps", Path(__file__).with_name("made_maps.py"))
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def mapped_scene(tmp_path: Path, made_pairs: ModuleType, made_maps: ModuleType) -> SimpleNamespace:
    """Return a labelled scene of 2 x 2 tiles with its map."""
    return map_scene(tmp_path, made_pairs, made_maps, labelled=True)


@pytest.fixture
def unlabelled_scene(tmp_path: Path, made_pairs: ModuleType, made_maps: ModuleType) -> SimpleNamespace:
    """Return a scene of 2 x 2 tiles without labels, with its map."""
    return map_scene(tmp_path, made_pairs, made_maps, labelled=False)


def map_scene(folder: Path, made_pairs: ModuleType, made_maps: ModuleType, *, labelled: bool) -> SimpleNamespace:
    """Write a scene and its map below ``folder/lake``; return ``made``, ``probabilities`` and ``mapped`` (y, x).

    The map has the labels' classes, but class 2 all over the top left tile, and is unmapped (255) where no sensor is
    usable.
    """
    made = made_pairs.make_scene(folder, "lake", shape=SHAPE, labelled=labelled)
    optical = (made.validity & (made_pairs.OPTICAL_NODATA | made_pairs.CLOUD)) == 0
    sar = (made.validity & made_pairs.SAR_NODATA) == 0
    mapped = np.where(made.label == 255, 0, made.label).astype(np.uint8)
    mapped[:256, :256] = 2
    mapped[~(optical | sar)] = 255
    share = np.where(optical & sar, 60, np.where(optical, 100, 0)).astype(np.uint8)
    names = list(made_pairs.CLASSES)
    codes = list(range(1, len(names) + 1))
    probabilities = made_maps.make_probabilities(folder / "lake" / "fused", made.pair, mapped, share, codes, names)
    return SimpleNamespace(made=made, probabilities=probabilities, mapped=mapped)


@pytest.fixture
def legend_json(made_pairs: ModuleType) -> str:
    """Return the settings of score_tiles, as JSON."""
    return stage_json(made_pairs.settings(), ScoreTiles)


@pytest.fixture
def scoring_json(made_pairs: ModuleType) -> str:
    """Return the settings of score_region, as JSON."""
    return stage_json(made_pairs.settings(), ScoreRegion)
