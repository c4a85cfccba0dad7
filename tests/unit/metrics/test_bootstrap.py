import numpy as np
import pytest
from numpy.typing import NDArray

from clairemap.classes import LandCoverClass, Legend
from clairemap.metrics.bootstrap import MIN_BLOCKS, BlockSums, bootstrap
from clairemap.metrics.map_intervals import map_intervals
from clairemap.metrics.scores import scores

LEGEND = Legend(classes=tuple(LandCoverClass(code=code, name=f"c{code}") for code in (1, 2)))


def sums_of(matrices: NDArray[np.int64]) -> BlockSums:
    """Sums of confusion matrices (block, class, class)."""
    return BlockSums(np.stack([np.diagonal(matrices, axis1=1, axis2=2), matrices.sum(2), matrices.sum(1)], 1))


def made_blocks(count: int, seed: int = 0) -> NDArray[np.int64]:
    rng = np.random.default_rng(seed)
    right = rng.beta(8, 2, (count, 2)) * 1000
    wrong = 1000 - right
    return np.stack([np.stack([right[:, 0], wrong[:, 0]], 1), np.stack([wrong[:, 1], right[:, 1]], 1)], 1).astype(int)


def test_intervals_contain_the_figures_and_are_reproducible():
    matrices = made_blocks(60)
    found, figures = bootstrap(sums_of(matrices)), scores(matrices.sum(0))
    for bounds, value in (
        (found.oa, figures.oa),
        (found.miou, figures.miou),
        (found.f1, figures.f1),
        *zip(found.iou, [row.iou for row in figures.per_class], strict=True),
    ):
        assert bounds is not None
        assert bounds[0] < value < bounds[1]
    assert found == bootstrap(sums_of(matrices))


def test_interval_of_the_overall_accuracy_is_about_that_of_the_mean_of_blocks():
    matrices = made_blocks(100)
    of_blocks = np.trace(matrices, axis1=1, axis2=2) / 2000
    half = 1.96 * of_blocks.std(ddof=1) / 10
    low, high = bootstrap(sums_of(matrices)).oa or (0, 0)
    assert (high - low) / 2 == pytest.approx(half, rel=0.1)


def test_equal_blocks_have_no_width():
    found = bootstrap(sums_of(np.repeat(made_blocks(1), 40, 0)))
    assert found.oa is not None and found.oa[0] == pytest.approx(found.oa[1])


def test_too_few_blocks_give_no_interval_and_a_reason():
    few = map_intervals(sums_of(made_blocks(MIN_BLOCKS - 1)), LEGEND)
    assert (few.miou, few.oa, few.f1, few.iou) == (None, None, None, {"c1": None, "c2": None})
    assert few.reason is not None and few.reason.startswith(f"no intervals: the scored pixels are in {MIN_BLOCKS - 1} ")
    assert map_intervals(sums_of(made_blocks(MIN_BLOCKS)), LEGEND).reason is None


def test_a_class_in_few_blocks_has_no_interval():
    matrices = made_blocks(40)
    matrices[5:, 1] = matrices[5:, :, 1] = 0
    found = map_intervals(sums_of(matrices), LEGEND)
    assert found.oa is not None and found.iou["c1"] is not None and found.iou["c2"] is None
    assert found.reason == f"no interval for classes in fewer than {MIN_BLOCKS} blocks: c2 (5)"
