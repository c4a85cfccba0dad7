import numpy as np
import pytest

from clairemap.explain.rivals import may_be_missed, runner_ups
from clairemap.raster.most_probable import most_probable


def tile(*pixels: tuple[int, ...]) -> np.ndarray:
    return np.array(pixels, np.uint8).T[:, None, :]


def test_runner_up_is_the_most_frequent_second_class_and_the_margin_a_mean():
    probability = tile((200, 55, 0), (155, 100, 0), (100, 0, 155), (0, 0, 255))
    found = runner_ups(probability, most_probable(probability))
    assert found[0].index == 1
    assert found[0].margin == pytest.approx((145 + 55) / 2 / 255)
    assert found[2].index == 0
    assert found[2].margin == pytest.approx((55 + 255) / 2 / 255)
    assert 1 not in found


def test_class_with_all_probability_still_names_another_class():
    probability = tile((255, 0))
    assert runner_ups(probability, most_probable(probability))[0].index == 1


def test_class_with_more_probability_than_area_may_be_missed():
    probability = tile(*[(155, 100, 0)] * 98, *[(0, 0, 255)] * 2)
    found = may_be_missed(probability, np.array([98, 0, 2]))
    assert [index for index, _, _ in found] == [1]
    assert found[0][1:] == pytest.approx((0, 98 * 100 / 255 / 100))


@pytest.mark.parametrize(
    ("doubtful", "missed"),
    [(0, []), (1, []), (6, [1])],  # 1 pixel of 100: 0.4 % of the area, too little to mention
)
def test_small_differences_are_not_mentioned(doubtful: int, missed: list[int]):
    probability = tile(*[(155, 100)] * doubtful, *[(255, 0)] * (100 - doubtful))
    assert [index for index, _, _ in may_be_missed(probability, np.array([100, 0]))] == missed


def test_area_that_exceeds_its_probability_is_not_missed():
    probability = tile(*[(155, 100)] * 50, *[(100, 155)] * 50)
    assert may_be_missed(probability, np.array([50, 50])) == []
