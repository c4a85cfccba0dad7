import functools
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from clairemap.grid.window import Window
from clairemap.nets.backbones import DualEncoder, coarse_weights
from clairemap.nets.claire import Claire, _mean_around
from clairemap.nets.image import Image
from clairemap.nets.sizes import SIZES
from clairemap.nets.stage_windows import stage_windows
from clairemap.settings import NetworkSettings

OPTICAL, SAR, CLASSES = 4, 2, 5
FUSIONS = ["window", "conv", "gate", "sum", "early"]
Batch = tuple[Tensor, Tensor, Tensor, Tensor]


def claire(**settings: Any) -> Claire:  # noqa: ANN401
    """Return a network whose layer scales and position biases are large enough for all layers to have an effect."""
    torch.manual_seed(0)
    network = Claire(OPTICAL, SAR, CLASSES, NetworkSettings(**settings)).eval()
    for name, parameter in network.named_parameters():
        if name.endswith(".scale"):
            torch.nn.init.ones_(parameter)
        if name.endswith(".position_bias"):
            torch.nn.init.normal_(parameter)
    return network


def batch(height: int = 128, width: int = 128, count: int = 1) -> Batch:
    generator = torch.Generator().manual_seed(1)
    optical = torch.randn(count, OPTICAL, height, width, generator=generator)
    sar = torch.randn(count, SAR, height, width, generator=generator)
    one = torch.ones(count, 1, height, width)
    return optical, sar, one, one


def patchy(height: int = 128, width: int = 128) -> Batch:
    """Return a batch with holes in both sensors, weights from 0 to 1, and a corner where both weights are 0."""
    optical, sar, one, _ = batch(height, width)
    generator = torch.Generator().manual_seed(2)
    optical_weight, sar_weight = (torch.rand(one.shape, generator=generator) for _ in range(2))
    optical_weight[..., 16:80, 8:72] = 0
    sar_weight[..., 96:, :] = 0
    optical_weight[..., 96:, 64:] = 0
    return optical, sar, optical_weight, sar_weight


def of_optical_alone(network: Claire) -> list[Tensor]:
    """Return the parameters that only process optical bands and weights."""
    if isinstance(network.body, DualEncoder):
        return list(network.body.optical_encoder.parameters())
    stem = network.body.encoder.stages[0][0].conv.weight.data
    return [stem[:, :OPTICAL], stem[:, OPTICAL + SAR : OPTICAL + SAR + 1]]


@functools.cache
def parameters(size: str, fusion: str) -> int:
    with torch.device("meta"):
        network = Claire(OPTICAL, 1, 7, NetworkSettings.model_validate({"size": size, "fusion": fusion}))
    return sum(p.numel() for p in network.parameters())


@pytest.mark.parametrize(("size", "millions"), [("tiny", 1.4), ("small", 21), ("base", 64.5)])
def test_sizes_have_the_stated_number_of_parameters(size: str, millions: float):
    assert parameters(size, "window") == pytest.approx(millions * 1e6, rel=0.05)


@pytest.mark.parametrize("size", SIZES)
def test_simpler_fusions_are_smaller(size: str):
    assert parameters(size, "early") < parameters(size, "sum") < parameters(size, "gate") < parameters(size, "window")
    assert parameters(size, "conv") == pytest.approx(parameters(size, "window"), rel=0.05)


@pytest.mark.parametrize("fusion", FUSIONS)
@torch.inference_mode()
def test_output_has_the_inputs_size_and_a_share_for_each_cell(fusion: str):
    network = claire(fusion=fusion)
    logits, share, *_ = network(*batch(128, 256, count=2))
    assert logits.shape == (2, CLASSES, 128, 256)
    assert share.shape == (2, 1, 32, 64)
    assert torch.isfinite(logits).all()
    assert logits.std() > 0.01
    assert torch.all((share >= 0) & (share <= 1))


@pytest.mark.parametrize("fusion", FUSIONS)
@torch.inference_mode()
def test_a_missing_sensor_has_no_influence(fusion: str):
    network = claire(fusion=fusion)
    optical, sar, one, _ = batch()
    alone = network(optical, sar, 0 * one, one)
    for parameter in of_optical_alone(network):
        torch.nn.init.normal_(parameter, std=3.0)
    other = network(torch.full_like(optical, float("nan")), sar, 0 * one, one)
    torch.testing.assert_close(alone, other, rtol=0, atol=0)
    assert torch.all(alone.optical_share == 0)


@pytest.mark.parametrize("fusion", FUSIONS)
@pytest.mark.parametrize(("sensors", "share"), [("optical", 1), ("sar", 0)])
@torch.inference_mode()
def test_a_network_of_one_sensor_equals_the_fused_one_without_the_other(fusion: str, sensors: str, share: int):
    single, fused = claire(fusion=fusion, sensors=sensors), claire(fusion=fusion)
    optical, sar, one, _ = batch()
    got = single(optical, sar, one, one)
    expected = fused(optical, sar, one * share, one * (1 - share))
    torch.testing.assert_close(got, expected, rtol=0, atol=0)
    assert torch.all(got.optical_share == share)


@pytest.mark.parametrize("fusion", ["window", "conv", "gate", "sum"])
@pytest.mark.parametrize("training", [False, True])
@torch.no_grad()
def test_logits_of_a_sensor_alone_are_those_without_the_other(fusion: str, training: bool):
    network = claire(fusion=fusion).train(training)
    optical, sar, *weights = patchy()
    found = network(optical, sar, *weights, with_alone=True)
    both = network(optical, sar, *weights)
    torch.testing.assert_close(found.logits, both.logits, rtol=0, atol=0)
    torch.testing.assert_close(found.optical_share, both.optical_share, rtol=0, atol=0)
    for sensor, logits in enumerate(found.alone):
        only = [weight if index == sensor else 0 * weight for index, weight in enumerate(weights)]
        seen = (weights[sensor] > 0).expand_as(logits)
        torch.testing.assert_close(logits[seen], network(optical, sar, *only).logits[seen], rtol=0, atol=1e-6)
    assert not torch.allclose(found.alone[0], found.alone[1], atol=0.01)
    assert both.alone == ()


@pytest.mark.parametrize("fusion", FUSIONS)
@torch.inference_mode()
def test_values_under_weight_0_have_no_influence(fusion: str):
    network = claire(fusion=fusion)
    optical, sar, optical_weight, sar_weight = patchy()
    expected = network(optical, sar, optical_weight, sar_weight)
    garbage = network(
        torch.where(optical_weight > 0, optical, float("nan")),
        torch.where(sar_weight > 0, sar, float("inf")),
        optical_weight,
        sar_weight,
    )
    torch.testing.assert_close(garbage, expected, rtol=0, atol=0)
    assert torch.isfinite(expected.logits).all()


@torch.inference_mode()
def test_encoders_see_bands_times_weight_and_the_weight():
    network = claire()
    seen: list[Tensor] = []
    network.body.optical_encoder.stages[0][0].register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    optical, sar, optical_weight, sar_weight = patchy()
    network(optical, sar, optical_weight, sar_weight)
    expected = torch.cat([optical * optical_weight, optical_weight], dim=1)
    torch.testing.assert_close(seen[0], expected.permute(0, 2, 3, 1), rtol=0, atol=0)


@torch.inference_mode()
def test_early_fusion_sees_all_bands_times_weight_and_the_weights_and_shares_by_weight():
    network = claire(fusion="early")
    seen: list[Tensor] = []
    network.body.encoder.stages[0][0].register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    optical, sar, optical_weight, sar_weight = patchy()
    share = network(optical, sar, optical_weight, sar_weight).optical_share
    expected = torch.cat([optical * optical_weight, sar * sar_weight, optical_weight, sar_weight], dim=1)
    torch.testing.assert_close(seen[0], expected.permute(0, 2, 3, 1), rtol=0, atol=0)
    of_optical, of_sar = (torch.nn.functional.avg_pool2d(w, 4) for w in (optical_weight, sar_weight))
    nothing = of_optical + of_sar == 0
    torch.testing.assert_close(share[~nothing], (of_optical / (of_optical + of_sar))[~nothing])
    assert nothing.any() and torch.all(share[nothing] == 0)


@pytest.mark.parametrize("fusion", ["window", "early"])
@torch.inference_mode()
def test_uniform_ground_gives_equal_cells_up_to_the_edge_of_a_hole(fusion: str):
    """Partly seen cells have the features of the seen ground; they are not pulled towards the mean."""
    network = claire(fusion=fusion)
    encoder = network.body.optical_encoder if isinstance(network.body, DualEncoder) else network.body.encoder
    cells: list[Tensor] = []
    encoder.stages[0][1].register_forward_hook(lambda *hooked: cells.append(hooked[2]))
    optical, sar, one, _ = batch()
    optical, sar = 2 * torch.ones_like(optical), -torch.ones_like(sar)
    weight = one.clone()
    weight[..., 33:86, 18:79] = 0
    network(optical, sar, weight, weight)
    network(optical, sar, one, one)
    seen = torch.nn.functional.max_pool2d(weight, 4)[0, 0] > 0
    assert 0 < (~seen).sum() < 13 * 15
    torch.testing.assert_close(cells[0][0, seen], cells[-1][0, seen])


def half_seen() -> tuple[Batch, Batch]:
    """Return a tile whose right half is nodata in both sensors, and its left half as a tile."""
    optical, sar, one, _ = batch(128, 256)
    weight = one.clone()
    weight[..., 128:] = 0
    left = optical[..., :128], sar[..., :128], one[..., :128], one[..., :128]
    return (optical, sar, weight, weight), left


def features_of(network: Claire, tile: Batch) -> list[Tensor]:
    optical, sar, optical_weight, sar_weight = tile
    shape = optical.shape[2], optical.shape[3]
    needed = stage_windows(network.size, network.settings.fusion, Window.whole(shape), shape)
    images = Image(optical, optical_weight), Image(sar, sar_weight)
    return network.body(images, [coarse_weights(image, network.size) for image in images], needed)[0]


@pytest.mark.parametrize("fusion", FUSIONS)
@torch.inference_mode()
def test_nodata_has_the_effect_of_a_tile_edge(fusion: str):
    network = claire(fusion=fusion)
    whole, left = half_seen()
    for found, expected in zip(features_of(network, whole), features_of(network, left), strict=True):
        torch.testing.assert_close(found[:, :, : expected.shape[2]], expected, rtol=1e-4, atol=1e-5)


@torch.inference_mode()
def test_logits_are_extended_by_a_cell_into_nodata():
    network = claire()
    whole, left = half_seen()
    optical, sar, optical_weight, sar_weight = whole
    cells = network.cells(Image(optical, optical_weight), Image(sar, sar_weight)).logits
    last = cells[..., 31]
    rows = torch.nn.functional.avg_pool1d(last, 3, 1, 1, count_include_pad=False)  # the mean of the three neighbours
    torch.testing.assert_close(cells[..., 32], rows)
    off = (network(*whole).logits[..., :128] - network(*left).logits).abs()
    spread = network(*left).logits.std()
    assert off[..., :96].max() < 0.2 * spread and off.max() < spread


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("fusion", ["window", "early"])
@pytest.mark.parametrize(("optical", "sar"), [(1, 1), (2, 2), (13, 3)])
def test_any_number_of_bands(size: str, fusion: str, optical: int, sar: int):
    with torch.device("meta"):
        network = Claire(optical, sar, CLASSES, NetworkSettings.model_validate({"size": size, "fusion": fusion}))
        one = torch.ones(1, 1, 128, 128)
        logits, share, *_ = network(torch.ones(1, optical, 128, 128), torch.ones(1, sar, 128, 128), one, one)
    assert logits.shape == (1, CLASSES, 128, 128)
    assert share.shape == (1, 1, 32, 32)


@pytest.mark.parametrize("size", SIZES)
@torch.inference_mode()
def test_each_size_works_with_either_sensor_and_both(size: str):
    torch.manual_seed(0)
    network = Claire(13, 3, CLASSES, NetworkSettings.model_validate({"size": size})).eval()
    optical, sar, one = torch.randn(1, 13, 128, 128), torch.randn(1, 3, 128, 128), torch.ones(1, 1, 128, 128)
    both, alone, other = (network(optical, sar, one * a, one * b) for a, b in ((1, 1), (1, 0), (0, 1)))
    assert all(torch.isfinite(output.logits).all() and output.logits.std() > 0.01 for output in (both, alone, other))
    assert 0 < both.optical_share.mean() < 1
    assert torch.all(alone.optical_share == 1) and torch.all(other.optical_share == 0)


@torch.inference_mode()
def test_weights_above_0_have_an_influence():
    network = claire()
    optical, sar, one, _ = batch()
    clear, hazy = (network(optical, sar, weight * one, one).logits for weight in (1.0, 0.6))
    assert (clear - hazy).abs().max() > 0.01


@pytest.mark.parametrize("fusion", FUSIONS)
def test_gradients_are_finite_with_holes_in_both_sensors(fusion: str):
    network = claire(fusion=fusion)
    network(*patchy()).logits.square().mean().backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in network.parameters())


@pytest.mark.parametrize("fusion", FUSIONS)
@torch.inference_mode()
def test_tiles_equal_the_whole_scene_beyond_the_halo(fusion: str):
    network = claire(fusion=fusion)
    whole_batch = patchy(128, 1280)
    whole = network(*whole_batch)
    start, stop, halo = 128, 1152, 448
    tile = network(*(x[..., start:stop] for x in whole_batch))
    inner = slice(halo, stop - start - halo)
    difference = (tile.logits - whole.logits[..., start:stop])[..., inner].abs().max()
    assert difference / whole.logits.std() <= 1e-4
    cells = slice(inner.start // 4, inner.stop // 4)
    shares = whole.optical_share[..., start // 4 : stop // 4]
    torch.testing.assert_close(tile.optical_share[..., cells], shares[..., cells], rtol=0, atol=1e-5)


@torch.inference_mode()
def test_tiles_off_the_grid_of_windows_differ():
    """The reason for `align_px`; also shows that the test above detects windows that move with the tile."""
    network = claire()
    whole_batch = batch(128, 1280)
    whole = network(*whole_batch).logits
    start, halo = 160, 448
    tile = network(*(x[..., start : start + 1024] for x in whole_batch)).logits
    inner = slice(halo, 1024 - halo)
    assert (tile - whole[..., start : start + 1024])[..., inner].abs().max() / whole.std() > 1e-3


@pytest.mark.parametrize("fusion", FUSIONS)
@torch.inference_mode()
def test_half_precision_keeps_the_guarantees(fusion: str):
    network = claire(fusion=fusion)
    optical, sar, optical_weight, sar_weight = patchy()
    with torch.autocast("cpu", torch.bfloat16):
        rough = network(optical, sar, optical_weight, sar_weight)
        alone = network(torch.full_like(optical, float("nan")), sar, 0 * optical_weight, sar_weight)
    exact = network(optical, sar, optical_weight, sar_weight)
    assert (rough.logits - exact.logits).abs().mean() < 0.1 * exact.logits.std()
    assert torch.isfinite(alone.logits).all()
    assert torch.all(alone.optical_share == 0)


@torch.inference_mode()
def test_images_of_a_batch_are_independent():
    network = claire()
    optical, sar, one, _ = batch(count=3)
    together = network(optical, sar, one, one).logits
    apart = torch.cat([network(*(x[[i]] for x in (optical, sar, one, one))).logits for i in range(3)])
    torch.testing.assert_close(together, apart, rtol=1e-4, atol=1e-5)


def test_equal_seeds_give_equal_networks_and_logits():
    first, second = claire(), claire()
    torch.testing.assert_close(first(*patchy()), second(*patchy()), rtol=0, atol=0)


@pytest.mark.parametrize("shape", [(128, 120), (64, 128)])
def test_sizes_off_the_alignment_are_rejected(shape: tuple[int, int]):
    with pytest.raises(ValueError, match="multiples of 128 px"):
        claire()(*batch(*shape))


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_mean_around_is_that_of_pooling_with_its_own_padding(layout: torch.memory_format):
    random = torch.Generator().manual_seed(3)
    cells, gradient = (torch.randn(2, 7, 9, 12, generator=random) for _ in range(2))
    results = []
    for mean in (_mean_around, functools.partial(functional.avg_pool2d, kernel_size=3, stride=1, padding=1)):
        leaf = cells.contiguous(memory_format=layout).requires_grad_()
        found = mean(leaf)
        found.backward(gradient)
        results.append((found, leaf.grad))
    (found, its_gradient), (expected, expected_gradient) = results
    assert torch.equal(found, expected)
    assert torch.equal(its_gradient, expected_gradient)
