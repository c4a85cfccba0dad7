from pathlib import Path

import numpy as np
import pytest

from clairemap.classes import IGNORE_INDEX
from clairemap.grid.window import Window
from clairemap.labels import canvas as module
from clairemap.labels.canvas import OVERLAP, Canvas
from clairemap.labels.scanlines import Spans


def spans(*found: tuple[int, int, int, int]) -> Spans:
    return Spans(*(np.array(part, np.int64) for part in zip(*found, strict=True)), np.zeros(0, np.int64))


def test_pixels_of_different_classes_are_overlaps_in_any_order(tmp_path: Path):
    found = [(0, 0, 3, 0), (0, 2, 4, 1), (0, 3, 5, 2), (1, 0, 2, 1), (1, 0, 2, 2)]
    classes = np.array([7, 9, 9], np.uint8)
    expected = [[7, 7, OVERLAP, 9, 9], [9, 9, IGNORE_INDEX, IGNORE_INDEX, IGNORE_INDEX]]
    for order in (found, found[::-1]):
        with Canvas(tmp_path / "scratch", (2, 5)) as canvas:
            for one in order:
                canvas.paint(spans(one), classes)
            assert canvas.read(Window(0, 0, 2, 5)).tolist() == expected
        with Canvas(tmp_path / "scratch", (2, 5)) as canvas:
            canvas.paint(spans(*order), classes)
            assert canvas.read(Window(0, 0, 2, 5)).tolist() == expected
    assert not list(tmp_path.iterdir())


def test_an_overlap_stays_one(tmp_path: Path):
    with Canvas(tmp_path / "scratch", (1, 3)) as canvas:
        for polygon in (0, 1, 0, 0, 1):
            canvas.paint(spans((0, 0, 2, polygon)), np.array([3, 4], np.uint8))
        assert canvas.read(Window(0, 0, 1, 3)).tolist() == [[OVERLAP, OVERLAP, IGNORE_INDEX]]


def test_parts_and_released_pages_change_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    rng = np.random.default_rng(0)
    rows = rng.integers(0, 50, 400)
    start = rng.integers(0, 60, 400)
    many = Spans(rows, start, start + rng.integers(1, 20, 400), rng.integers(0, 5, 400), np.zeros(0, np.int64))
    classes = np.arange(5, dtype=np.uint8)
    with Canvas(tmp_path / "whole", (50, 80)) as whole:
        whole.paint(many, classes)
        expected = whole.read(Window(0, 0, 50, 80))
    monkeypatch.setattr(module, "PIXELS_AT_ONCE", 37)
    monkeypatch.setattr(module, "RELEASE_PX", 100)
    with Canvas(tmp_path / "parts", (50, 80)) as parts:
        parts.paint(many, classes)
        assert np.array_equal(parts.read(Window(0, 0, 50, 80)), expected)
