import numpy as np
import pandas as pd
import pytest

from clairemap.tiles.copies import content_hash, copied_tiles

ALL = np.ones((3, 4), np.bool_)


@pytest.fixture
def values():
    return np.random.default_rng(0).integers(0, 5000, (2, 3, 4)).astype(np.uint16)


def test_equal_content_has_one_hash_in_any_type(values: np.ndarray):
    found = content_hash(values, ALL)
    assert found is not None and len(found) == 32
    assert content_hash(values.copy(), ALL) == found
    assert content_hash(values.astype(np.float64), ALL) == found
    assert content_hash(np.asfortranarray(values), ALL) == found


def test_values_under_nodata_are_ignored(values: np.ndarray):
    usable = ALL.copy()
    usable[0] = False
    other = values.astype(np.float32)
    other[:, 0] = np.nan
    assert content_hash(values, usable) == content_hash(other, usable) != content_hash(values, ALL)


def test_any_other_content_has_another_hash(values: np.ndarray):
    changed, moved = values.copy(), ALL.copy()
    changed[1, 2, 3] += 1
    moved[0, 0] = False
    hashes = {
        content_hash(values, ALL),
        content_hash(changed, ALL),
        content_hash(values[::-1], ALL),  # bands in another order
        content_hash(values[:, ::-1], ALL),
        content_hash(values.reshape(2, 4, 3), ALL.T),
        content_hash(values, moved),
    }
    assert len(hashes) == 6 and None not in hashes


def test_the_position_of_gaps_is_content():
    even = np.zeros((1, 1, 4))
    even[..., 3] = 1
    before, after = np.array([[False, True, True, True]]), np.array([[True, False, True, True]])
    assert content_hash(even, before) != content_hash(even, after)


def test_empty_and_constant_tiles_have_no_hash(values: np.ndarray):
    flat = np.ones_like(values) * np.array([7, 9], np.uint16)[:, None, None]
    assert content_hash(flat, ALL) is None
    assert content_hash(values, np.zeros_like(ALL)) is None
    assert content_hash(values, np.arange(12).reshape(3, 4) == 5) is None
    flat[1, 0, 0] = 10
    assert content_hash(flat, ALL) is not None


def tile(scene: str, col: int, split: str, optical: str | None, sar: str | None):
    return {"scene": scene, "row": 0, "col": col, "split": split, "optical_hash": optical, "sar_hash": sar}


def copies(rows: list[dict[str, object]], split: str = "test"):
    frame = pd.DataFrame(rows)
    return copied_tiles(frame.drop(columns=["optical_hash", "sar_hash"]), frame.drop(columns="split"), split)


def test_copies_are_those_of_training_tiles_in_either_sensor():
    rows = [
        tile("a", 10, "train", "o1", "s1"),
        tile("a", 2, "train", "o1", "s2"),
        tile("b", 0, "test", "o1", "s9"),
        tile("b", 1, "test", "o9", "s2"),
        tile("b", 2, "test", "o8", "s8"),
        tile("c", 0, "val", "o8", "s1"),
        tile("c", 1, "buffer", "o8", "s8"),
    ]
    assert copies(rows) == ["b 0/0 = a 0/2 (optical)", "b 0/1 = a 0/2 (sar)"]
    assert copies(list(reversed(rows))) == copies(rows)
    assert copies(rows, "val") == ["c 0/0 = a 0/10 (sar)"]


def test_a_copy_in_both_sensors_counts_once():
    assert copies([tile("a", 0, "train", "o", "s"), tile("b", 0, "test", "o", "s")]) == ["b 0/0 = a 0/0 (optical)"]


def test_hashes_are_compared_per_sensor_and_missing_hashes_never_match():
    rows = [tile("a", 0, "train", "x", None), tile("b", 0, "test", None, "x"), tile("b", 1, "test", None, None)]
    assert copies(rows) == []
    assert copies([row | {"optical_hash": None, "sar_hash": None} for row in rows]) == []
