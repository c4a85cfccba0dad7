from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from scipy.special import softmax

from clairemap.classes import IGNORE_INDEX
from clairemap.grid.window import Window
from clairemap.tiles.split_assignment import LabelledTile
from clairemap.training import calibration
from clairemap.training.calibration import (
    NOT_FITTED,
    TEMPERATURE_RANGE,
    LabelledPixels,
    calibrate,
    calibration_fit,
    confidence_record,
    fit_temperature,
)
from clairemap.training.distributed import Processes

WINDOW = Window(0, 0, 4, 4)
ALONE = Processes(0, 1, torch.device("cpu"))
CLASSES = 4


def pixels(temperature: float, count: int = 20_000, seed: int = 0) -> LabelledPixels:
    """Return pixels whose labels are drawn from softmax(logits / temperature)."""
    random = np.random.default_rng(seed)
    logits = random.normal(0, 4, (CLASSES, count))
    running = softmax(logits / temperature, axis=0).cumsum(axis=0)
    truth = (random.random(count) > running[:-1]).sum(axis=0)
    return LabelledPixels(logits.astype(np.float32), truth.astype(np.uint8))


def held_out(*labelled_px: int, scene: str = "a") -> Any:  # noqa: ANN401
    """Return the tiles of a scene as `calibrate` reads them."""
    return SimpleNamespace(tiles=[LabelledTile(scene, WINDOW, (px,)) for px in labelled_px])


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.5])
def test_the_temperature_that_made_the_labels_is_found(temperature: float):
    assert fit_temperature([pixels(temperature, count=100_000)]) == pytest.approx(temperature, rel=0.04)


def test_it_has_the_least_negative_log_likelihood():
    some = pixels(2.0, count=500)
    tried = np.geomspace(*TEMPERATURE_RANGE, 400)
    best = min(calibration.mean_nll(some, temperature) for temperature in tried)
    assert calibration.mean_nll(some, fit_temperature([some])) <= best


def test_the_likelihood_is_that_of_softmax():
    some = pixels(1.0, count=50)
    shares = softmax(some.logits.astype(float) / 3, axis=0)
    expected = -np.log(shares[some.truth, np.arange(50)]).mean()
    assert calibration.mean_nll(some, 3) == pytest.approx(expected, rel=1e-12)
    assert np.isfinite(calibration.mean_nll(LabelledPixels(some.logits * 1e5, some.truth), 1))


def test_the_temperature_of_a_perfect_network_is_the_lower_limit():
    perfect = LabelledPixels(np.eye(CLASSES, dtype=np.float32), np.arange(CLASSES, dtype=np.uint8))
    assert fit_temperature([perfect]) == pytest.approx(TEMPERATURE_RANGE[0], rel=1e-3)


@pytest.mark.parametrize(("right", "end"), [(True, "0.100"), (False, "10.000")])
def test_a_temperature_at_a_limit_is_a_warning(
    right: bool, end: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    truth = torch.arange(16).reshape(1, 4, 4) % CLASSES
    mapped = truth[0] if right else (truth[0] + 1) % CLASSES
    logits = torch.nn.functional.one_hot(mapped).permute(2, 0, 1).float()
    monkeypatch.setattr(calibration, "predicted_tiles", lambda *_: [(0, logits, truth[0])])
    calibrate(None, held_out(16), (), None, ALONE)
    assert f"temperature {end} is at a limit of its range, 0.1 to 10" in caplog.text


def test_a_temperature_within_the_range_is_no_warning(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    some = pixels(2.0)
    logits, target = torch.from_numpy(some.logits)[:, None], torch.from_numpy(some.truth)[None].long()
    monkeypatch.setattr(calibration, "predicted_tiles", lambda *_: [(0, logits, target)])
    calibrate(None, held_out(target.numel()), (), None, ALONE)
    assert not caplog.text


def test_overconfidence_is_corrected_on_other_tiles():
    fit = calibration_fit({"a": [pixels(2.0, seed=seed) for seed in range(4)]}, ())
    assert fit.ece_before > 0.1
    assert fit.ece_after < 0.02
    assert fit.nll_after < fit.nll_before
    assert (fit.pixels, fit.tiles, fit.scenes, fit.unseen) == (80_000, 4, 1, None)


def test_each_half_is_scored_with_the_temperature_of_the_other():
    even, odd = pixels(0.5, seed=1), pixels(3.0, seed=2)
    fit = calibration_fit({"a": [even, odd]}, ())
    crossed = calibration.mean_nll(even, fit_temperature([odd])) + calibration.mean_nll(odd, fit_temperature([even]))
    assert fit.nll_after == pytest.approx(crossed / 2, rel=1e-9)
    assert fit.nll_after > fit.nll_before  # in-sample it could not be


def test_a_single_tile_has_no_score_after():
    fit = calibration_fit({"a": [pixels(2.0)]}, ())
    assert fit.ece_before > 0.1
    assert (fit.ece_after, fit.nll_after) == (None, None)


def test_a_scene_that_differs_is_worse_left_out_than_among_its_own_tiles():
    """The network is right on average over both scenes, but too sure in one and not sure enough in the other."""
    sure, unsure = ([pixels(true, seed=seed + number) for number in range(2)] for seed, true in ((0, 2.5), (5, 0.7)))
    fit = calibration_fit({"a": sure, "b": unsure}, ())
    own = [calibration_fit({scene: tiles}, ()).ece_after for scene, tiles in (("a", sure), ("b", unsure))]
    assert max(own) < 0.02
    assert (fit.scenes, fit.unseen.scenes, fit.tiles) == (2, 2, 4)
    assert fit.unseen.ece_worst > fit.unseen.ece_mean > 0.1
    assert fit.unseen.ece_before == pytest.approx(
        np.mean([calibration_fit({"a": s}, ()).ece_before for s in (sure, unsure)])
    )
    left_out = [calibration.mean_nll(tile, fit_temperature(unsure)) for tile in sure]
    left_out += [calibration.mean_nll(tile, fit_temperature(sure)) for tile in unsure]
    assert fit.nll_after == pytest.approx(np.mean(left_out), rel=1e-6)


def test_a_temperature_that_harms_left_out_scenes_is_a_warning(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    for other, is_warning in ((0.5, True), (2.05, False), (2.5, False)):
        mapped = [
            (number, torch.from_numpy(some.logits)[:, None], torch.from_numpy(some.truth)[None].long())
            for number, some in enumerate((pixels(2.0), pixels(other, seed=1)))
        ]
        tiles = SimpleNamespace(tiles=[*held_out(20_000).tiles, *held_out(20_000, scene="b").tiles])
        monkeypatch.setattr(calibration, "predicted_tiles", lambda *_, mapped=mapped: mapped)
        caplog.clear()
        found = calibrate(None, tiles, (), None, ALONE)
        assert found.fit.unseen.scenes == 2
        assert ("increases the calibration error on left-out scenes" in caplog.text) == is_warning


def test_scenes_that_were_trained_on_say_nothing_of_unseen_ones():
    scenes = {"a": [pixels(2.5)], "b": [pixels(0.7, seed=1)], "c": [pixels(0.7, count=900, seed=2)]}
    both, one = calibration_fit(scenes, {"z"}), calibration_fit(scenes, {"a"})
    assert (both.unseen.scenes, one.unseen.scenes) == (2, 1)  # c has too few pixels
    assert one.unseen.ece_mean == one.unseen.ece_worst
    assert calibration_fit(scenes, {"a", "b"}).unseen is None
    assert one.scenes == both.scenes == 3


def test_scenes_have_the_same_weight():
    small, large = pixels(0.7, count=5_000, seed=1), pixels(2.5, count=50_000)
    equal = fit_temperature([pixels(0.7, count=50_000, seed=1), large])
    assert fit_temperature([small, large]) == pytest.approx(equal, rel=0.05)
    assert fit_temperature([calibration._pooled([small, large])]) > 1.1 * equal
    few = LabelledPixels(small.logits[:, :10], small.truth[:10])
    assert fit_temperature([few, large]) == pytest.approx(2.5, rel=0.05)


class Tiles:
    """Mapped tiles whose logits contain the number of the tile."""

    def __init__(self, targets: torch.Tensor) -> None:
        self.targets = targets

    def mapped(self, *_: object):
        for number, target in enumerate(self.targets):
            logits = torch.full((CLASSES, *target.shape), float(number))
            logits[0] += torch.arange(target.numel()).reshape(target.shape)
            yield number, logits, target


def test_pixels_are_drawn_evenly_from_all_tiles(monkeypatch: pytest.MonkeyPatch):
    targets = torch.ones(3, 8, 8, dtype=torch.int64)
    targets[1] = IGNORE_INDEX
    targets[2, :4] = IGNORE_INDEX
    seen: list[list[LabelledPixels]] = []
    monkeypatch.setattr(calibration, "predicted_tiles", Tiles(targets).mapped)
    monkeypatch.setattr(calibration, "MAX_PIXELS", 25)
    monkeypatch.setattr(calibration, "SCENE_PIXELS", 10)
    monkeypatch.setattr(calibration, "fit_temperature", lambda scenes: (seen.append(scenes), 1.0)[1])
    found = calibrate(None, held_out(64, 0, 32), (), None, ALONE)
    (scene,), *_ = seen
    first = list(range(0, 64, 3))  # 96 / 25 is 3
    assert scene.logits[0].tolist() == first + [2 + number for number in range(32, 64, 3)]
    assert (found.fit.pixels, found.fit.tiles) == (33, 2)


def test_each_of_many_scenes_has_enough_pixels():
    for labelled in (2_999, 3_001, 4_500, 6_000, 8_999, 9_000, 65_536):
        tiles = [tile for n in range(256) for tile in held_out(labelled, scene=f"scene{n}").tiles]
        strides = calibration._strides(SimpleNamespace(tiles=tiles))
        assert len(strides) == 256 and len(set(strides.values())) == 1
        stride = strides["scene0"]
        assert stride % 2 == 1 and min(labelled, 3_000) <= labelled / stride <= 9_000
    assert calibration._strides(held_out(65_536, 10_000)) == {"a": 1}


def test_many_scenes_are_left_out_in_groups(monkeypatch: pytest.MonkeyPatch):
    fits: list[int] = []
    fit = fit_temperature
    monkeypatch.setattr(calibration, "fit_temperature", lambda scenes: (fits.append(len(scenes)), fit(scenes))[1])
    scenes = {f"scene{number}": [pixels(2.0, count=1_000, seed=number)] for number in range(25)}
    found = calibration_fit(scenes, ())
    assert found.unseen is not None and found.unseen.scenes == found.scenes == 25
    assert sorted(fits) == [22] * 5 + [23] * 5


def test_without_a_labelled_pixel_nothing_is_fitted(monkeypatch: pytest.MonkeyPatch):
    unlabelled = torch.full((2, 8, 8), IGNORE_INDEX)
    monkeypatch.setattr(calibration, "predicted_tiles", Tiles(unlabelled).mapped)
    assert calibrate(None, held_out(0, 0), (), None, ALONE) == NOT_FITTED
    monkeypatch.setattr(calibration, "predicted_tiles", Tiles(unlabelled[:0]).mapped)
    assert calibrate(None, held_out(), (), None, ALONE) == NOT_FITTED


def test_record_counts_right_pixels_by_mapped_class_and_confidence():
    likely = [(0, 0.95, 0), (0, 0.95, 1), (0, 0.61, 0), (2, 0.45, 2), (2, 0.5, 3)]
    logits = np.full((CLASSES, len(likely)), 0.0)
    for pixel, (mapped, probability, _) in enumerate(likely):
        logits[:, pixel] = np.log((1 - probability) / (CLASSES - 1))
        logits[mapped, pixel] = np.log(probability)
    truth = np.array([label for _, _, label in likely], np.uint8)
    found = confidence_record([LabelledPixels(logits.astype(np.float32), truth)], 1.0)
    assert found.from_pct == (0, 50, 60, 70, 80, 90)
    assert found.px[0] == (0, 0, 1, 0, 0, 2)
    assert found.correct[0] == (0, 0, 1, 0, 0, 1)
    assert found.px[2] == (1, 1, 0, 0, 0, 0)  # 0.5 is stored as 128/255, slightly more than 50 %
    assert found.correct[2] == (1, 0, 0, 0, 0, 0)
    assert sum(map(sum, found.px)) == len(likely)


def test_record_is_of_probabilities_after_the_temperature():
    some = pixels(2.0, count=5_000)
    before, after = (np.sum(confidence_record([some], temperature).px, axis=0) for temperature in (1.0, 2.0))
    assert after[-1] < before[-1]
    assert after.sum() == before.sum() == 5_000
