"""The properties of RIFT in float64, against independent implementations and stored values of other libraries."""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from clairemap.classes import IGNORE_INDEX
from clairemap.nets.rift import WEIGHT_RANGE, Rift, class_weights
from clairemap.settings import LossSettings

Changed = dict[str, Any]

CLASSES = 5
PLAIN = {"focal_gamma": 0.0, "tversky_alpha": 0.5, "tversky_beta": 0.5, "smooth": 0.0, "class_weights": "none"}
SOFT = {"focal_gamma": 0.5, "tversky_kappa": 0.75}
CLASS_PX = (900, 400, 100, 25, 4)


def batch(ignored: bool = True) -> tuple[Tensor, Tensor]:
    """Return 2 images of 6 x 7 pixels with 5 classes, without random numbers, so that stored values stay valid."""
    n = torch.arange(2 * CLASSES * 6 * 7, dtype=torch.float64).reshape(2, CLASSES, 6, 7)
    logits = 3 * torch.sin(1.7 * n) + torch.cos(0.31 * n * n)
    m = torch.arange(2 * 6 * 7).reshape(2, 6, 7)
    target = (m * m + m // 3) % CLASSES
    return logits, torch.where(m % 4 == 1, IGNORE_INDEX, target) if ignored else target


def rift(class_px: Sequence[int] = CLASS_PX, **settings: Any) -> Rift:  # noqa: ANN401
    return Rift(LossSettings(**settings), class_px)


def gradient(loss: Rift, logits: Tensor, target: Tensor) -> Tensor:
    leaf = logits.detach().clone().requires_grad_()
    loss(leaf, target).total.backward()
    assert leaf.grad is not None
    return leaf.grad


def naive(logits: Tensor, target: Tensor, settings: LossSettings, weights: np.ndarray) -> tuple[float, float]:
    """Return (focal, Tversky) from the definition, pixel by pixel with one-hot labels."""
    x = logits.numpy().transpose(0, 2, 3, 1).reshape(-1, CLASSES)
    y = target.numpy().reshape(-1)
    x, y = x[y != IGNORE_INDEX], y[y != IGNORE_INDEX]
    p = np.exp(x) / np.exp(x).sum(1, keepdims=True)
    g = np.eye(CLASSES)[y]
    p_label = (p * g).sum(1)
    focal = np.mean(weights[y] * (1 - p_label) ** settings.focal_gamma * -np.log(p_label))
    tp, fp, fn = (p * g).sum(0), (p * (1 - g)).sum(0), ((1 - p) * g).sum(0)
    s = settings.smooth
    index = (tp + s) / (tp + settings.tversky_alpha * fp + settings.tversky_beta * fn + s)
    present = g.sum(0) > 0
    of_class = class_weights(CLASS_PX, settings.tversky_class_weights).double().numpy()[present]
    return float(focal), float(np.average((1 - index[present]) ** settings.tversky_kappa, weights=of_class))


@pytest.mark.parametrize(
    "changed",
    [
        {},
        SOFT,
        PLAIN,
        {"balance": 0.2, "tversky_kappa": 2.0},
        {"focal_gamma": 1.0},
        {"tversky_class_weights": "inverse_sqrt"},
    ],
)
def test_equals_the_definition_written_out(changed: Changed):
    logits, target = batch()
    settings = LossSettings(**changed)
    weights = class_weights(CLASS_PX, settings.class_weights).double().numpy()
    loss = rift(**changed)(logits, target)
    focal, tversky = naive(logits, target, settings, weights)
    assert loss.focal.item() == pytest.approx(focal, rel=1e-12)
    assert loss.tversky.item() == pytest.approx(tversky, rel=1e-12)
    assert loss.total.item() == pytest.approx(settings.balance * focal + (1 - settings.balance) * tversky, rel=1e-12)


@pytest.mark.parametrize("kind", ["none", "inverse_sqrt"])
def test_a_class_that_does_not_occur_is_left_out_of_the_tversky_mean(kind: Literal["inverse_sqrt", "none"]):
    logits, target = batch()
    target = torch.where(target == 3, IGNORE_INDEX, target)
    settings = LossSettings(tversky_class_weights=kind)
    expected = naive(logits, target, settings, class_weights(CLASS_PX, "inverse_sqrt").double().numpy())
    loss = rift(tversky_class_weights=kind)(logits, target)
    assert (loss.focal.item(), loss.tversky.item()) == pytest.approx(expected, rel=1e-12)


def test_without_focusing_and_weights_the_focal_part_is_cross_entropy():
    logits, target = batch()
    loss = rift(**PLAIN)(logits, target)
    expected = functional.cross_entropy(logits, target, ignore_index=IGNORE_INDEX)
    torch.testing.assert_close(loss.focal, expected, rtol=1e-12, atol=0)


@pytest.mark.parametrize("balance", [0.0, 0.3, 1.0])
def test_with_equal_alpha_and_beta_the_loss_is_cross_entropy_and_soft_dice(balance: float):
    logits, target = batch()
    kept = target != IGNORE_INDEX
    p = logits.softmax(1).movedim(1, -1)[kept]
    g = functional.one_hot(target[kept], CLASSES).double()
    dice = 2 * (p * g).sum(0) / (p.sum(0) + g.sum(0))
    entropy = functional.cross_entropy(logits, target, ignore_index=IGNORE_INDEX)
    loss = rift(**PLAIN, balance=balance)(logits, target)
    torch.testing.assert_close(loss.tversky, (1 - dice).mean(), rtol=1e-12, atol=0)
    expected = balance * entropy + (1 - balance) * (1 - dice).mean()
    torch.testing.assert_close(loss.total, expected, rtol=1e-12, atol=0)


@pytest.mark.parametrize(
    ("alpha", "beta", "smooth", "ignored", "expected"),
    [
        # segmentation-models-pytorch 0.5.0, TverskyLoss("multiclass", ignore_index=255); 0.5, 0.5 is its DiceLoss too
        (0.3, 0.7, 0.0, True, 0.8623727288092253),
        (0.5, 0.5, 0.0, True, 0.8560401915388747),
        (1.0, 1.0, 0.0, True, 0.9201372676169328),
        # MONAI 1.6.1, TverskyLoss(to_onehot_y, softmax, batch=True, smooth_nr=s, smooth_dr=s)
        (0.3, 0.7, 0.0, False, 0.8705986364010737),
        (1.0, 1.0, 0.0, False, 0.9250757639466489),
        (0.3, 0.7, 1.0, False, 0.8179459456801249),
        (0.5, 0.5, 1.0, False, 0.814829414444166),
    ],
)
def test_tversky_equals_the_stored_values_of_other_libraries(
    alpha: float, beta: float, smooth: float, ignored: bool, expected: float
):
    loss = rift(tversky_alpha=alpha, tversky_beta=beta, smooth=smooth)(*batch(ignored))
    assert loss.tversky.item() == pytest.approx(expected, rel=1e-6)


def test_focal_equals_the_stored_value_of_monai():
    # MONAI 1.6.1, classes x FocalLoss(to_onehot_y, use_softmax, gamma=2), which averages over classes as well
    loss = rift(class_weights="none")(*batch(ignored=False))
    assert loss.focal.item() == pytest.approx(3.3377805352211, rel=1e-7)  # MONAI's labels are float32


@pytest.mark.parametrize("changed", [{}, SOFT, PLAIN, {"focal_gamma": 1.0, "tversky_kappa": 2.0}])
def test_gradient_is_that_of_finite_differences(changed: Changed):
    logits, target = batch()
    loss = rift(**changed)
    leaf = logits[:, :, :3, :4].clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda x: loss(x, target[:, :3, :4]), (leaf,))


def test_ignored_pixels_have_no_influence_and_no_gradient():
    logits, target = batch()
    ignored = (target == IGNORE_INDEX)[:, None].expand_as(logits)
    other = torch.where(ignored, 99.0, logits)
    assert rift()(logits, target) == rift()(other, target)
    slope = gradient(rift(), logits, target)
    assert torch.all(slope[ignored] == 0)
    assert torch.all(slope[~ignored] != 0)


def test_order_of_pixels_and_images_does_not_matter():
    logits, target = batch()
    order = torch.randperm(target.numel(), generator=torch.Generator().manual_seed(1))

    def mixed(x: Tensor) -> Tensor:
        return x.movedim(1, 0).reshape(CLASSES, -1)[:, order].reshape(1, CLASSES, -1, 1)

    other = target.flatten()[order].reshape(1, -1, 1)
    torch.testing.assert_close(rift()(mixed(logits), other), rift()(logits, target), rtol=1e-12, atol=0)
    torch.testing.assert_close(
        gradient(rift(), mixed(logits), other), mixed(gradient(rift(), logits, target)), rtol=1e-12, atol=1e-16
    )


def test_order_of_classes_does_not_matter():
    logits, target = batch()
    order = torch.tensor([3, 1, 4, 0, 2])
    renamed = torch.where(target == IGNORE_INDEX, target, order.argsort()[target.clamp(max=CLASSES - 1)])
    px = [CLASS_PX[index] for index in order]
    torch.testing.assert_close(rift(px)(logits[:, order], renamed), rift()(logits, target), rtol=1e-12, atol=0)
    slope, other = gradient(rift(), logits, target), gradient(rift(px), logits[:, order], renamed)
    torch.testing.assert_close(other, slope[:, order], rtol=1e-12, atol=1e-16)


@pytest.mark.parametrize("changed", [{}, SOFT, {**PLAIN, "tversky_kappa": 0.5}])
def test_a_batch_without_labels_is_zero_with_a_gradient_of_zero(changed: Changed):
    logits, target = batch()
    nothing = torch.full_like(target, IGNORE_INDEX)
    assert all(part.item() == 0 for part in rift(**changed)(logits, nothing))
    assert torch.all(gradient(rift(**changed), logits, nothing) == 0)


@pytest.mark.parametrize(
    ("dtype", "rounding"),
    # The gradient comes in the logits' type. That of float16 is so small here, 1e-6, that few of its bits are left.
    [(torch.bfloat16, 2**-8), (torch.float16, 2**-5), (torch.float32, 1e-6)],
)
def test_low_precision_logits_add_no_further_error(dtype: torch.dtype, rounding: float):
    generator = torch.Generator().manual_seed(2)
    logits = (3 * torch.randn(2, 7, 256, 256, generator=generator)).to(dtype)
    target = torch.randint(0, 7, (2, 256, 256), generator=generator)
    loss = rift(range(1, 8), **SOFT)
    got, exact = loss(logits, target), loss(logits.double(), target)
    assert got.total.dtype == torch.float32
    torch.testing.assert_close(got.total.double(), exact.total, rtol=1e-5, atol=0)
    slope = gradient(loss, logits, target)
    assert torch.isfinite(slope).all()
    exact_slope = gradient(loss, logits.double(), target)
    assert (slope.double() - exact_slope).norm() / exact_slope.norm() < rounding


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_autocast_changes_nothing(dtype: torch.dtype):
    logits, target = batch()
    with torch.autocast("cpu", torch.bfloat16):
        inside = rift()(logits.to(dtype), target)
    torch.testing.assert_close(inside, rift()(logits.to(dtype), target), rtol=0, atol=0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("changed", [{}, SOFT, PLAIN])
@pytest.mark.parametrize("label", [0, 3])
def test_extreme_logits_stay_finite(dtype: torch.dtype, changed: Changed, label: int):
    logits = torch.full((1, CLASSES, 4, 4), -1e4, dtype=dtype)
    logits[:, 0] = 1e4
    target = torch.full((1, 4, 4), label)
    assert torch.isfinite(rift(**changed)(logits, target).total)
    assert torch.isfinite(gradient(rift(**changed), logits, target)).all()


def test_alpha_weighs_false_positives_and_beta_false_negatives():
    target = torch.tensor([[[0, 0, 0, 1]]])
    too_much = torch.tensor([[[[0.0, 0, 0, 0]], [[0, 0, 9.0, 9.0]]]]) * 1.0  # class 1 where there is class 0
    too_much[:, 0, :, :2] = 9
    fp_heavy, fn_heavy = (
        rift((1, 1), tversky_alpha=a, tversky_beta=1 - a, smooth=0.0)(too_much, target).tversky for a in (0.9, 0.1)
    )
    # Class 1 has one false positive to one hit; class 0 one false negative to two hits.
    assert fp_heavy.item() == pytest.approx((0.9 / 1.9 + 0.1 / 2.1) / 2, abs=2e-3)
    assert fn_heavy.item() == pytest.approx((0.1 / 1.1 + 0.9 / 2.9) / 2, abs=2e-3)


def test_class_weights_are_inverse_square_roots_of_mean_one():
    weights = class_weights([400, 100, 0, 25], "inverse_sqrt")
    torch.testing.assert_close(weights, torch.tensor([3 / 7, 6 / 7, 1.0, 12 / 7]))


def test_class_weights_are_clipped():
    weights = class_weights([10**9] + [10**6] * 20 + [1], "inverse_sqrt")
    assert weights.min() == pytest.approx(WEIGHT_RANGE[0])
    assert weights.max() == pytest.approx(WEIGHT_RANGE[1])


@pytest.mark.parametrize(("px", "kind"), [([5, 1], "none"), ([0, 0], "inverse_sqrt")])
def test_class_weights_of_one(px: list[int], kind: Literal["inverse_sqrt", "none"]):
    assert class_weights(px, kind).tolist() == [1, 1]
