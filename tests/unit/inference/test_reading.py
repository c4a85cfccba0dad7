"""Windows read in sequence equal the store, and no tile is decoded twice along a row."""

from collections.abc import Callable

import numpy as np
import pytest

from clairemap.grid.cover import Step, WindowCover
from clairemap.grid.window import Window
from clairemap.inference.reading import WindowReader
from clairemap.raster.store import GridStore
from clairemap.validity import optical_usable, sar_usable

Make = Callable[..., GridStore]
BOTH = frozenset({"optical", "sar"})


def steps(shape: tuple[int, int], core_px: int = 256, halo_px: int = 128) -> list[Step]:
    return list(WindowCover(core_px, halo_px, 128).steps(Window.whole(shape), shape))


@pytest.mark.parametrize("shape", [(300, 1100), (513, 520), (128, 1), (257, 1024)])
@pytest.mark.parametrize("order", ["rows", "backwards", "shuffled"])
def test_windows_equal_the_store(shape: tuple[int, int], order: str, make_pair: Make):
    flags = np.random.default_rng(1).integers(0, 2, shape).astype(np.uint8) * 4
    pair, todo = make_pair(shape, flags), steps(shape)
    if order == "backwards":
        todo.reverse()
    elif order == "shuffled":
        np.random.default_rng(2).shuffle(todo)  # type: ignore[arg-type]
    reader = WindowReader(pair, BOTH)
    for step in todo:
        reading, inside = reader.read(step), step.outer.clipped(shape)
        assert reading is not None
        place = inside.relative_to(step.outer).slices
        for values, expected in (
            (reading.optical, pair.read("optical", inside)),
            (reading.sar, pair.read("sar", inside)),
            (reading.optical_usable, optical_usable(pair.read("validity", inside))),
            (reading.sar_usable, sar_usable(pair.read("validity", inside))),
        ):
            assert values.shape[-2:] == step.outer.shape
            assert np.array_equal(values[..., *place], expected, equal_nan=True)
            assert np.count_nonzero(values) == np.count_nonzero(expected)  # 0 outside of the scene


def test_tile_is_read_once_along_a_row(make_pair: Make, monkeypatch: pytest.MonkeyPatch):
    pair = make_pair((256, 1100))
    reader, seen = WindowReader(pair, BOTH), []
    read = GridStore.read
    monkeypatch.setattr(
        GridStore, "read", lambda self, name, window: seen.append((name, window)) or read(self, name, window)
    )
    for step in steps(pair.shape):
        reader.read(step)
    columns = [window for name, window in seen if name == "sar"]
    assert [window.x0 for window in columns] == [0, *(window.x1 for window in columns[:-1])]
    assert all(window.x1 % 128 == 0 or window.x1 == 1100 for window in columns)


def test_unused_sensor_is_not_read(make_pair: Make, monkeypatch: pytest.MonkeyPatch):
    pair = make_pair((300, 300))
    seen, read = set(), GridStore.read
    monkeypatch.setattr(GridStore, "read", lambda self, name, window: seen.add(name) or read(self, name, window))
    reading = WindowReader(pair, frozenset({"sar"})).read(steps(pair.shape)[0])
    assert reading is not None and not reading.optical.any() and not reading.optical_usable.any()
    assert seen == {"sar", "validity"}


def test_bands_of_unusable_windows_are_not_read(make_pair: Make):
    pair = make_pair((300, 700), np.full((300, 700), 3, np.uint8))
    assert all(WindowReader(pair, BOTH).read(step) is None for step in steps(pair.shape))
