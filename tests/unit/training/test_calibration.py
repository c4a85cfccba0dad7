import numpy as np
import pytest
import torch
from scipy.special import softmax

from clairemap.classes import IGNORE_INDEX
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

ALONE = Processes(0, 1, torch.device("cpu"))
CLASSES = 4


def pixels(temperature: float, count: int = 20_000, seed: int = 0) -> LabelledPixels:
    """Return pixels whose labels are drawn from softmax(logits / temperature)."""
    random = np.random.default_rng(seed)
    logits = random.normal(0, 4, (CLASSES, count))
    running = softmax(logits / temperature, axis=0).cumsum(axis=0)
    truth = (random.random(count) > running[:-1]).sum(axis=0)
    return LabelledPixels(logits.astype(np.float32), truth.astype(np.uint8))


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
    calibrate(None, None, 16, None, ALONE)
    assert f"temperature {end} is at a limit of its range, 0.1 to 10" in caplog.text


def test_a_temperature_within_the_range_is_no_warning(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    some = pixels(2.0)
    logits, target = torch.from_numpy(some.logits)[:, None], torch.from_numpy(some.truth)[None].long()
    monkeypatch.setattr(calibration, "predicted_tiles", lambda *_: [(0, logits, target)])
    calibrate(None, None, target.numel(), None, ALONE)
    assert not caplog.text


def test_overconfidence_is_corrected_on_other_tiles():
    fit = calibration_fit([pixels(2.0, seed=seed) for seed in range(4)])
    assert fit.ece_before > 0.1
    assert fit.ece_after < 0.02
    assert fit.nll_after < fit.nll_before
    assert (fit.pixels, fit.tiles) == (80_000, 4)


def test_each_half_is_scored_with_the_temperature_of_the_other():
    even, odd = pixels(0.5, seed=1), pixels(3.0, seed=2)
    fit = calibration_fit([even, odd])
    crossed = calibration.mean_nll(even, fit_temperature([odd])) + calibration.mean_nll(odd, fit_temperature([even]))
    assert fit.nll_after == pytest.approx(crossed / 2, rel=1e-9)
    assert fit.nll_after > fit.nll_before  # in-sample it could not be


def test_a_single_tile_has_no_score_after():
    fit = calibration_fit([pixels(2.0)])
    assert fit.ece_before > 0.1
    assert (fit.ece_after, fit.nll_after) == (None, None)


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
    monkeypatch.setattr(calibration, "fit_temperature", lambda tiles: (seen.append(list(tiles)), 1.0)[1])
    found = calibrate(None, None, 96, None, ALONE)
    (first, second), *_ = seen
    assert first.logits[0].tolist() == list(range(0, 64, 5))  # 96 / 25 is 4, made odd
    assert second.logits[0].tolist() == [2 + number for number in range(32, 64, 5)]
    assert (found.fit.pixels, found.fit.tiles) == (20, 2)


def test_without_a_labelled_pixel_nothing_is_fitted(monkeypatch: pytest.MonkeyPatch):
    unlabelled = torch.full((2, 8, 8), IGNORE_INDEX)
    monkeypatch.setattr(calibration, "predicted_tiles", Tiles(unlabelled).mapped)
    assert calibrate(None, None, 0, None, ALONE) == NOT_FITTED
    monkeypatch.setattr(calibration, "predicted_tiles", Tiles(unlabelled[:0]).mapped)
    assert calibrate(None, None, 0, None, ALONE) == NOT_FITTED


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
