import itertools
from collections.abc import Collection

import pandas as pd
import pytest
from affine import Affine
from odc.geo.geobox import GeoBox

from clairemap.artefacts.audit import Leakage
from clairemap.settings import SplitsSettings
from clairemap.tiles.leakage import MAX_COPIES_SHOWN, audit_splits
from clairemap.tiles.split_assignment import assign_splits

TILE_PX = 100
Places = Collection[tuple[int, int]]


def leaks(leakage: Leakage) -> bool:
    """Return whether training and held-out tiles share ground or pixels."""
    return bool(leakage.overlapping_share or leakage.copied_tiles)


def tiles(scene: str, rows: int, cols: int, unlabelled: Places = (), content: str | None = None) -> pd.DataFrame:
    """Return an index of tiles with different content; tiles with equal `content` are copies."""
    return pd.DataFrame(
        [
            {
                "scene": scene,
                "row": row,
                "col": col,
                "y0": row * TILE_PX,
                "x0": col * TILE_PX,
                "height": TILE_PX,
                "width": TILE_PX,
                "labelled_px": 0 if (row, col) in unlabelled else 50,
                "class_px": [0, 0] if (row, col) in unlabelled else [20, 30],
                "optical_hash": f"{content or scene} {row}/{col}",
                "sar_hash": None,
            }
            for row, col in itertools.product(range(rows), range(cols))
        ]
    )


def grid(x0: float, crs: str | None = "EPSG:32633"):
    return GeoBox((2 * TILE_PX, 2 * TILE_PX), Affine(10, 0, x0, 0, -10, 5_000_000), crs)


def audited(scenes: dict[str, pd.DataFrame], splits: dict[str, str], grids: dict[str, GeoBox] | None = None):
    index = pd.concat(scenes.values(), ignore_index=True)
    table = assign_splits(index, splits, SplitsSettings(), 0)  # type: ignore[arg-type]
    return audit_splits(table, index, "scene", grids or {})


def test_labelled_tiles_are_counted_by_split():
    scenes = {"a": tiles("a", 2, 2, {(0, 0), (1, 1)}), "b": tiles("b", 1, 2, {(0, 1)})}
    audit = audited(scenes, {"a": "train", "b": "test"})
    assert audit.tiles == {"train": 2, "val": 0, "test": 1, "buffer": 0}
    assert audit.held_out == {"test": Leakage(None, None, 0, ())}
    assert audit.not_compared == ("a", "b")


def test_without_held_out_tiles_there_is_no_leakage():
    assert audited({"a": tiles("a", 2, 2)}, {"a": "train"}).held_out == {}


def test_distance_is_between_labelled_tiles_of_one_scene():
    index = tiles("a", 1, 6, unlabelled={(0, 1), (0, 5)})
    table = index.assign(split=["test", "train", "buffer", "train", "train", "val"])
    held_out = audit_splits(table, index, "block", {}).held_out
    assert set(held_out) == {"test"}  # the validation tile has no labels
    assert held_out["test"].distance_px == 200  # nor has the adjacent training tile


def test_single_tiles_touch():
    index = tiles("a", 6, 6)
    chosen = SplitsSettings(method="random", accept_leakage=True)
    audit = audit_splits(assign_splits(index, {"a": "train"}, chosen, 0), index, chosen.method, {})
    assert audit.method == "random"
    assert audit.held_out["val"].distance_px == 0


def test_shared_ground_is_reported_for_its_split(caplog: pytest.LogCaptureFixture):
    scenes = {"a": tiles("a", 2, 2), "b": tiles("b", 2, 2, {(0, 0)}), "c": tiles("c", 2, 2)}
    grids = {"a": grid(500_000), "b": grid(501_000), "c": grid(505_000)}
    audit = audited(scenes, {"a": "train", "b": "test", "c": "val"}, grids)
    # one of b's three labelled tiles overlaps a's right column; c starts 3 km (300 px) after a
    assert audit.held_out["test"].overlapping_share == pytest.approx(1 / 3, abs=1e-4)
    assert audit.held_out["test"].distance_px == 0
    assert leaks(audit.held_out["test"])
    assert audit.held_out["val"].overlapping_share == 0
    assert audit.held_out["val"].distance_px == pytest.approx(300, abs=1)
    assert not leaks(audit.held_out["val"])
    assert "cover 33.33 % of the area of split test" in caplog.text
    assert "split val" not in caplog.text


def test_scenes_without_a_crs_are_named_and_searched_for_copies(caplog: pytest.LogCaptureFixture):
    scenes = {"a": tiles("a", 2, 2), "b": tiles("b", 2, 2, content="a"), "c": tiles("c", 1, 1)}
    grids = {"a": grid(500_000), "b": grid(500_000, None), "c": grid(500_000)}
    audit = audited(scenes, {"a": "train", "b": "test", "c": "predict"}, grids)
    assert audit.not_compared == ("b",)
    found = audit.held_out["test"]
    assert (found.distance_px, found.overlapping_share) == (None, None)
    assert found.copied_tiles == 4 and found.copies[0] == "b 0/0 = a 0/0 (optical)"
    assert leaks(found)
    assert "4 tile(s) of split test are copies of training tiles: b 0/0 = a 0/0 (optical), b 0/1" in caplog.text


def test_copies_without_labels_are_ignored():
    scenes = {"a": tiles("a", 1, 2, {(0, 0)}), "b": tiles("b", 1, 2, {(0, 1)}, content="a")}
    assert audited(scenes, {"a": "train", "b": "test"}).held_out["test"].copied_tiles == 0


def test_the_first_copies_are_named_and_all_are_counted(caplog: pytest.LogCaptureFixture):
    audit = audited({"a": tiles("a", 3, 3), "b": tiles("b", 3, 3, content="a")}, {"a": "train", "b": "val"})
    assert audit.held_out["val"].copied_tiles == 9
    assert len(audit.held_out["val"].copies) == MAX_COPIES_SHOWN
    assert "…" in caplog.text
