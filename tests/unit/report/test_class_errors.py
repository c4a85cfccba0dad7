from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from clairemap.artefacts.metrics import ClassError, largest_error
from clairemap.artefacts.tiles import TileId
from clairemap.report import class_errors
from clairemap.report.class_errors import ClassErrors
from clairemap.report.content import ReportContent

Rescored = Callable[..., ReportContent]
CONFUSION = np.array([[900, 100, 0], [50, 800, 150], [0, 600, 400]])


def test_the_largest_error_is_a_missed_or_a_false_class(rescored: Rescored):
    metrics = rescored(CONFUSION).metrics
    found = [largest_error(metrics, index) for index in range(3)]
    assert found == [
        ClassError(0, 1, 0.1, is_false=False),
        ClassError(2, 1, 0.4, is_false=True),
        ClassError(2, 1, 0.6, is_false=False),
    ]


def test_classes_without_an_error_or_enough_labels_have_none(rescored: Rescored):
    metrics = rescored(np.array([[900, 0, 0], [0, 20, 5], [0, 0, 900]])).metrics
    assert largest_error(metrics, 0) is None  # no wrong pixel
    assert largest_error(metrics, 1) is None  # 25 labelled pixels
    assert largest_error(metrics, 2) == ClassError(1, 2, 5 / 905, is_false=True)


def test_tiles_have_the_pixels_of_these_errors(rescored: Rescored, monkeypatch: pytest.MonkeyPatch):
    class Tile:
        def __init__(self, row: int, confusion: list[list[int]]) -> None:
            self.id = TileId("north", row, 0)
            self.counts = type("Counts", (), {"confusion": np.array(confusion)})

    tiles = [Tile(0, [[5, 7, 9], [0, 5, 0], [0, 3, 5]]), Tile(1, [[5, 0, 9], [4, 5, 6], [8, 0, 5]])]
    monkeypatch.setattr(class_errors, "read_tallies", lambda *_: tiles)
    found = class_errors.class_errors(rescored(CONFUSION).metrics, [Path("scores.parquet")])
    assert found.pairs == ((0, 1), (2, 1)) and found.number(ClassError(2, 1, 0.4, is_false=True)) == 1
    assert found.of_tile == {TileId("north", 0, 0): [(0, 7), (1, 3)]}


def test_without_labels_there_is_none(rescored: Rescored):
    empty = class_errors.class_errors(rescored(np.zeros((3, 3), np.int64)).metrics, [])
    assert empty == ClassErrors((None, None, None))
