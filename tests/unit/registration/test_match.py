from collections.abc import Callable
from types import ModuleType

import numpy as np
import pytest

from clairemap.artefacts.registration import Tie
from clairemap.errors import BandCountError
from clairemap.grid.points import Point, Shift
from clairemap.grid.window import Window
from clairemap.raster.source import Block
from clairemap.registration import match as matching
from clairemap.registration.match import Evidence, Pair, block_means, compose, match
from clairemap.registration.model import NO_DISPLACEMENT, Displacement
from clairemap.registration.windows import WindowLayout, spread_windows

SHIFT = Displacement.translation(3.4, -2.3)
WINDOWS = spread_windows((320, 320), 80, 20, 400)
SQUARES = np.arange(32).reshape(1, 4, 8)


@pytest.fixture
def pictures(made_rasters: ModuleType) -> tuple[np.ndarray, np.ndarray]:
    fields = made_rasters.Fields(made_rasters.PIXELS)
    return fields.optical(), fields.sar(made_rasters.PIXELS, SHIFT)


def found(
    pair: Pair, layout: WindowLayout = WINDOWS, prediction: Displacement = NO_DISPLACEMENT, factor: int = 1
) -> Evidence:
    return match(pair, layout, prediction, 10, factor, "matching")


def errors(evidence: Evidence, truth: Displacement) -> np.ndarray:
    places, offsets = (np.array([pick(tie) for tie in evidence.ties]) for pick in (_place, _offset))
    return np.asarray(np.hypot(*(offsets - truth.at_places(places)).T))


def _place(tie: Tie) -> tuple[float, float]:
    return tie.y, tie.x


def _offset(tie: Tie) -> tuple[float, float]:
    return tie.dy, tie.dx


def test_most_windows_find_the_shift(pair_of: Callable[..., Pair], pictures: tuple[np.ndarray, np.ndarray]) -> None:
    evidence = found(pair_of(*pictures))
    assert (errors(evidence, SHIFT) < 1).mean() > 0.8
    assert len(evidence.ties) <= len(evidence.places) == len(WINDOWS.windows)
    assert evidence.surface.shape == (21, 21) and evidence.factor == 1
    assert np.unravel_index(np.argmax(evidence.surface), (21, 21)) == (13, 8)
    assert evidence.scene_shape == (320, 320) and evidence.overlap == WINDOWS.overlap


def test_nodata_and_empty_windows_have_no_influence(
    pair_of: Callable[..., Pair], pictures: tuple[np.ndarray, np.ndarray]
) -> None:
    optical, sar = pictures
    sar[:, :, 200:] = np.nan
    optical[:, :100] = 0
    evidence = found(pair_of(optical, sar))
    assert evidence.places and all(y > 85 and x < 215 for y, x in evidence.places)
    assert (errors(evidence, SHIFT) < 1).mean() > 0.8


@pytest.mark.parametrize("factor", [1, 2])
def test_constant_images_give_no_ties(
    pair_of: Callable[..., Pair], pictures: tuple[np.ndarray, np.ndarray], factor: int
) -> None:
    evidence = found(pair_of(np.full_like(pictures[0], 900), pictures[1]), spread_windows((160, 160), 40, 20, 400),
                     factor=factor)  # fmt: skip
    assert not evidence.places and not evidence.ties and not evidence.surface.any()


def test_band_counts_are_checked(pair_of: Callable[..., Pair], pictures: tuple[np.ndarray, np.ndarray]) -> None:
    optical, sar = pictures
    with pytest.raises(BandCountError, match=r"sar\.tif: has 2 band"):
        pair_of(optical, np.concatenate([sar, sar]))


@pytest.mark.parametrize(
    "prediction",
    [
        NO_DISPLACEMENT,
        Displacement.translation(5, -4),
        Displacement.translation(1.3, -0.6),
        Displacement("affine", (3, 1.5, -2), (-3, 1, 2), (160.0, 160.0), 160.0),
    ],
)
@pytest.mark.parametrize("factor", [1, 2])
def test_the_total_displacement_is_found_for_any_prediction(
    pair_of: Callable[..., Pair], pictures: tuple[np.ndarray, np.ndarray], prediction: Displacement, factor: int
) -> None:
    side = 320 // factor
    evidence = found(pair_of(*pictures), spread_windows((side, side), 80, 20, 400), prediction, factor)
    places, offsets = (np.array([pick(tie) for tie in evidence.ties]) for pick in (_place, _offset))
    assert len(evidence.ties) > 0.8 * len(evidence.places) and evidence.prediction == prediction
    assert np.median(offsets - SHIFT.at_places(places), axis=0) == pytest.approx((0, 0), abs=0.3)
    assert np.median(errors(evidence, SHIFT)) < 0.5


@pytest.mark.parametrize("factor", [1, 2])
def test_a_displacement_that_varies_is_found_around_its_prediction(
    pair_of: Callable[..., Pair], made_rasters: ModuleType, factor: int
) -> None:
    grid = made_rasters.PIXELS
    truth = made_rasters.similarity(6.0, 1.04, grid, (9.0, -7.0))
    near = made_rasters.similarity(5.5, 1.03, grid, (7.0, -6.0))
    fields = made_rasters.Fields(grid)
    pair = pair_of(fields.optical(), fields.sar(grid, truth))
    side = 320 // factor
    evidence = found(pair, spread_windows((side, side), 80, 20, 400), near, factor)
    assert len(evidence.ties) > 0.7 * len(evidence.places)
    assert np.median(errors(evidence, truth)) < 0.3 * factor


def test_ties_are_at_window_centres(pair_of: Callable[..., Pair], pictures: tuple[np.ndarray, np.ndarray]) -> None:
    evidence = found(pair_of(*pictures), WindowLayout((Window(0, 20, 80, 80),), 1.0), factor=2)
    assert evidence.places == ((79.5, 119.5),) and (evidence.surface.shape, evidence.factor) == ((21, 21), 2)


def test_matching_by_window_equals_matching_the_whole_scene(
    pair_of: Callable[..., Pair], pictures: tuple[np.ndarray, np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    pair = pair_of(*pictures)
    whole = {_place(tie): _offset(tie) for tie in found(pair).ties}
    monkeypatch.setattr(matching, "FRAME_PX", 1000)
    single = {_place(tie): _offset(tie) for tie in found(pair).ties}
    both = whole.keys() & single.keys()
    assert len(both) > 0.9 * max(len(whole), len(single))
    apart = np.hypot(*np.array([np.subtract(whole[place], single[place]) for place in both]).T)
    assert (apart < 0.2).mean() > 0.9


def test_a_displaced_pair_shows_sar_moved_back(
    pair_of: Callable[..., Pair], pictures: tuple[np.ndarray, np.ndarray]
) -> None:
    pair, window = pair_of(*pictures), Window(40, 50, 30, 20)
    moved = pair.displaced(Displacement.translation(3, -2)).sar.read(window)
    assert np.array_equal(moved.values, pair.sar.read(Window(43, 48, 30, 20)).values)
    assert pair.shape == (320, 320)


def test_means_use_only_valid_pixels() -> None:
    valid = np.ones((4, 8), np.bool_)
    valid[0, 0] = valid[0, 2] = valid[0, 3] = valid[2, 4] = valid[2, 5] = valid[3, 4] = False
    coarse = block_means(Block(np.where(valid, SQUARES.astype(np.float32), np.nan), valid), 2)
    assert coarse.values.dtype == np.float32 and coarse.values.shape == (1, 2, 4)
    assert coarse.values[0, 0].tolist() == pytest.approx([(1 + 8 + 9) / 3, (10 + 11) / 2, 8.5, 10.5])
    assert coarse.valid.tolist() == [[True] * 4, [True, True, False, True]]
    assert np.isfinite(coarse.values).all()


def test_means_of_integers_do_not_overflow() -> None:
    high = Block(np.full((2, 8, 8), 65_535, np.uint16), np.ones((8, 8), np.bool_))
    assert (block_means(high, 4).values == 65_535).all()


def test_a_factor_of_one_changes_nothing() -> None:
    block = Block(SQUARES.astype(np.uint8), np.ones((4, 8), np.bool_))
    same = block_means(block, 1)
    assert same.values.dtype == np.float32 and np.array_equal(same.values, block.values)
    assert np.array_equal(same.valid, block.valid)


def test_a_residual_adds_to_the_prediction_at_its_target(made_rasters: ModuleType) -> None:
    truth = Displacement("affine", (3, 15, -20), (-3, 10, 25), (160.0, 160.0), 160.0)
    prediction = Displacement("affine", (-2, 30, 40), (8, -25, 12), (100.0, 120.0), 90.0)
    for y, x in ((0.0, 0.0), (17.5, 300.0), (250.0, 80.0)):
        dy, dx = truth.at_places(np.array([[y, x]]))[0]
        # In SAR moved by the prediction, content is where the prediction points to its true place.
        seen = made_rasters.undisplaced(prediction, np.array([[y + dy]]), np.array([[x + dx]]))
        residual = Shift(seen[0].item() - y, seen[1].item() - x)
        assert compose(prediction, Point(y, x), residual) == pytest.approx((dy, dx), abs=1e-9)
