import numpy as np
import pytest

from clairemap.raster.histogram import histogram, histogram_by_row


@pytest.mark.parametrize("shape", [(5, 7), (1, 1), (300,), (0, 4), (0,), (2, 3, 4)])
def test_every_pixel_is_counted_under_its_value(shape: tuple[int, ...]):
    values = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
    found = histogram(values)
    assert found.dtype == np.int64
    assert found.tolist() == [int((values == value).sum()) for value in range(256)]


def test_views_of_an_array_are_counted():
    values = np.arange(100, dtype=np.uint8).reshape(10, 10)
    assert np.flatnonzero(histogram(values[2:5, ::3])).tolist() == sorted(values[2:5, ::3].ravel().tolist())


def test_rows_add_up_to_the_whole():
    values = np.random.default_rng(1).integers(0, 256, (9, 40)).astype(np.uint8)
    by_row = histogram_by_row(values)
    assert by_row.shape == (9, 256)
    assert by_row[4].tolist() == histogram(values[4]).tolist()
    assert by_row.sum(0).tolist() == histogram(values).tolist()
