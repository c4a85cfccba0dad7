import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clairemap.raster.source import Block
from clairemap.registration.sampling import sample_cubic, sample_nearest


def block(values: np.ndarray, valid: np.ndarray | None = None) -> Block:
    return Block(values, np.ones(values.shape[1:], np.bool_) if valid is None else valid)


def grid(shape: tuple[int, int], dy: float = 0.0, dx: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    y, x = np.mgrid[: shape[0], : shape[1]].astype(float)
    return y + dy, x + dx


def test_whole_pixels_are_exact_up_to_edges_and_invalid_pixels() -> None:
    values = np.random.default_rng(0).normal(size=(2, 20, 30)).astype(np.float32)
    valid = np.random.default_rng(1).random((20, 30)) > 0.3
    out = sample_cubic(block(values, valid), *grid((20, 30)))
    assert np.array_equal(out.valid, valid)
    assert np.array_equal(out.values[:, valid], values[:, valid])
    assert (out.values[:, ~valid] == 0).all()


@settings(max_examples=25, deadline=None)
@given(st.floats(-1.5, 1.5), st.floats(-1.5, 1.5))
def test_cubic_reproduces_quadratics(dy: float, dx: float) -> None:
    y, x = grid((16, 16))
    surface = (0.3 * y**2 - 0.1 * x * y + 2 * x - 5).astype(np.float32)
    out = sample_cubic(block(surface[None]), *grid((16, 16), dy, dx))
    inner = (slice(4, 12), slice(4, 12))
    expected = 0.3 * (y + dy) ** 2 - 0.1 * (x + dx) * (y + dy) + 2 * (x + dx) - 5
    assert out.valid[inner].all()
    assert np.allclose(out.values[0][inner], expected[inner], atol=1e-3)


def test_cubic_is_sharper_than_bilinear() -> None:
    wave = np.sin(np.arange(64) * 2 * np.pi / 6)
    values = np.tile(wave, (16, 1)).astype(np.float32)
    out = sample_cubic(block(values[None]), *grid((16, 64), 0.0, 0.5))
    expected = np.sin((np.arange(64) + 0.5) * 2 * np.pi / 6)
    bilinear = (wave[:-1] + wave[1:]) / 2
    error = np.abs(out.values[0, 8, 4:-4] - expected[4:-4]).max()
    assert error < 0.5 * np.abs(bilinear - expected[:-1])[4:-4].max()


def test_invalid_pixels_have_no_influence() -> None:
    values = np.random.default_rng(0).normal(size=(1, 20, 20)).astype(np.float32)
    valid = np.ones((20, 20), np.bool_)
    valid[8:11, 9] = False
    spoilt = np.where(valid, values, np.float32(1e12))
    at = grid((20, 20), 0.4, -0.3)
    out, same = sample_cubic(block(spoilt, valid), *at), sample_cubic(block(values, valid), *at)
    assert np.array_equal(out.valid, same.valid)
    assert np.array_equal(out.values, same.values)
    assert np.abs(out.values).max() < 10


def test_a_sample_is_valid_where_bilinear_support_is() -> None:
    valid = np.ones((10, 10), np.bool_)
    valid[5, 5] = False
    out = sample_cubic(block(np.ones((1, 10, 10), np.float32), valid), *grid((10, 10), 0.5, 0.0))
    assert not out.valid[4, 5] and not out.valid[5, 5]
    assert out.valid[3, 5] and out.valid[6, 5] and out.valid[4, 4]
    assert out.valid[:9].sum() == 90 - 2
    assert not out.valid[9].any()  # no support half a pixel below the last row


def test_a_sample_depends_only_on_its_neighbourhood() -> None:
    values = np.random.default_rng(0).normal(size=(1, 30, 30)).astype(np.float32)
    valid = np.random.default_rng(3).random((30, 30)) > 0.05
    whole = sample_cubic(block(values, valid), *grid((30, 30), 0.37, 0.61))
    part = sample_cubic(block(values[:, 8:22, 8:22], valid[8:22, 8:22]), *grid((10, 10), 2.37, 2.61))
    assert np.array_equal(part.valid, whole.valid[10:20, 10:20])
    assert np.array_equal(part.values, whole.values[:, 10:20, 10:20])


def test_far_outside_is_not_valid() -> None:
    for sampled in (sample_cubic, sample_nearest):
        out = sampled(
            block(np.ones((1, 4, 4), np.float32)), np.array([[-1e9, 50.0, -3.0]]), np.array([[0.0, 1.0, 900.0]])
        )
        assert not out.valid.any() and (out.values == 0).all()


def test_nearest_keeps_the_type_and_uses_the_containing_pixel() -> None:
    codes = np.array([[[10, -1], [30, 40]]], np.int16)
    out = sample_nearest(block(codes), np.array([[0.49, 0.5, -0.5]]), np.array([[-0.4, 1.2, 0.0]]))
    assert out.values.dtype == np.int16
    assert out.values.tolist() == [[[10, 40, 10]]]
    assert out.valid.all()


@pytest.mark.parametrize("y", [-0.51, 1.5])
def test_nearest_ends_at_the_outer_pixel_edge(y: float) -> None:
    out = sample_nearest(block(np.ones((1, 2, 2), np.uint8)), np.array([[y]]), np.array([[0.0]]))
    assert not out.valid.any()


def test_nearest_keeps_the_mask() -> None:
    valid = np.array([[True, False]])
    out = sample_nearest(block(np.array([[[7, 8]]], np.uint8), valid), *grid((1, 2)))
    assert out.valid.tolist() == [[True, False]] and out.values.tolist() == [[[7, 0]]]
