import pytest
import torch
from torch import Tensor

from clairemap.nets.image import Image

SIDE = 16


def image(hole: tuple[slice, slice], weight: float = 1.0) -> Image:
    """Return two bands with a hole of NaN."""
    values = torch.randn(1, 2, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
    weights = torch.full((1, 1, SIDE, SIDE), weight)
    values[..., *hole], weights[..., *hole] = float("nan"), 0
    return Image(values, weights)


def test_missing_pixels_of_a_cell_get_the_mean_of_the_others():
    seen = image((slice(0, 8), slice(0, 6)))  # whole cells up to column 4, then half of them
    bands, weight = seen.network_input(4)
    assert torch.all(bands[..., :8, :4] == 0) and torch.all(weight[..., :8, :4] == 0)
    for top in (0, 4):
        rows = slice(top, top + 4)
        mean = seen.values[..., rows, 6:8].mean(dim=(2, 3), keepdim=True)
        torch.testing.assert_close(bands[..., rows, 4:6], mean.expand(1, 2, 4, 2))
        assert torch.all(weight[..., rows, 4:8] == 1)
    where_seen = (seen.weight > 0).expand_as(bands)
    assert torch.equal(bands[where_seen], seen.values[where_seen])


def test_a_cell_with_one_valid_pixel_is_filled_with_it():
    seen = image((slice(0, SIDE), slice(0, SIDE)))
    seen.values[..., 5, 6], seen.weight[..., 5, 6] = 3, 1
    bands, weight = seen.network_input(4)
    assert torch.all(bands[..., 4:8, 4:8] == 3) and bands.sum() == 3 * 2 * 16
    assert weight.sum() == 16 and torch.all(weight[..., 4:8, 4:8] == 1)
    assert torch.equal(seen.mean_weights(4)[0, ..., 0], torch.eye(4)[1].outer(torch.eye(4)[1]))


def test_weights_between_0_and_1_are_kept_and_filled():
    hole = (slice(2, 4), slice(None))
    bands, weight = image(hole, 0.25).network_input(4)
    assert torch.all(weight == 0.25)
    torch.testing.assert_close(bands, 0.25 * image(hole).network_input(4)[0])
    assert torch.all(image(hole, 0.25).mean_weights(4) == 0.25)


@pytest.mark.parametrize("hole", [(slice(0, 0), slice(0, 0)), (slice(3, 11), slice(5, 6)), (slice(None), slice(None))])
def test_strips_and_gradients_change_nothing(hole: tuple[slice, slice]):
    seen = image(hole)
    whole = seen.network_input(4)
    with torch.no_grad():
        strips = [seen.rows(slice(top, top + 4)).network_input(4) for top in range(0, SIDE, 4)]
    for part, expected in enumerate(whole):
        assert torch.equal(torch.cat([strip[part] for strip in strips], dim=2), expected)


def test_masks_can_be_weights():
    seen = image((slice(3, 11), slice(5, 12)))
    mask = seen._replace(weight=seen.weight > 0)
    expected: Tensor = seen.mean_weights(4)
    assert torch.equal(mask.mean_weights(4), expected)
    assert set(expected.unique().tolist()) == {0.0, 1.0}
