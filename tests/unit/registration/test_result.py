import pytest

from clairemap.artefacts.registration import Quality
from clairemap.registration.model import Displacement
from clairemap.registration.result import NO_QUALITY, Fit, as_delivered, single_sensor

SHAPE = (800, 800)


def test_one_sensor_needs_no_registration() -> None:
    assert single_sensor().verdict == "single_sensor" and not single_sensor().worth_applying(SHAPE)


def test_as_delivered_is_neither_moved_nor_rejected() -> None:
    fit = as_delivered()
    assert fit.verdict == "as_delivered" and not fit.worth_applying(SHAPE)
    assert fit.model.rms_px(SHAPE) == 0 and fit.ties == ()


@pytest.mark.parametrize(
    ("dx", "split", "applied"),
    [(0.1, 0.02, False), (0.6, 0.1, True), (0.6, 0.4, False), (0.6, None, False), (1.2, None, True)],
)
def test_only_displacements_beyond_their_error_are_applied(dx: float, split: float | None, applied: bool) -> None:
    quality, model = Quality(40, 40, 1.0, split_half_px=split), Displacement.translation(0.0, dx)
    assert Fit("good", "", model, quality).worth_applying(SHAPE) is applied
    assert Fit("weak", "", model, quality).worth_applying(SHAPE) is applied
    assert not Fit("rejected", "", model, quality).worth_applying(SHAPE)


def test_a_rotation_with_zero_mean_displacement_is_applied() -> None:
    turn = Fit("good", "", Displacement("similarity", (0, -0.01, 0), (0, 0, 0.01), (399.5, 399.5)), NO_QUALITY)
    assert turn.model.mean_px(SHAPE) == pytest.approx((0, 0))
    assert turn.worth_applying(SHAPE)
    slight = Fit("good", "", Displacement("similarity", (0, -0.0005, 0), (0, 0, 0.0005), (399.5, 399.5)), NO_QUALITY)
    assert not slight.worth_applying(SHAPE)
