import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from clairemap.inference.pipeline import ahead


@pytest.mark.parametrize("depth", [0, 1, 3])
def test_results_are_in_order_and_at_most_depth_items_ahead(depth: int):
    begun = []
    with ThreadPoolExecutor(4) as executor:
        results = ahead(lambda x: x * x, (begun.append(x) or x for x in range(10)), executor, depth)
        for expected in range(10):
            assert next(results) == expected**2
            assert len(begun) <= expected + depth + 1
        assert list(results) == []


def test_items_are_computed_while_the_caller_uses_a_result():
    second = threading.Event()

    def work(item: int):
        if item == 1:
            second.set()
        return item

    with ThreadPoolExecutor(1) as executor:
        results = ahead(work, [0, 1, 2], executor, 1)
        assert next(results) == 0
        assert second.wait(10)  # item 1 is computed before it is requested


def test_errors_of_function_and_items_are_raised_in_the_caller():
    def items():
        yield 1
        raise OSError("no more")

    with ThreadPoolExecutor(1) as executor:
        with pytest.raises(ZeroDivisionError):
            list(ahead(lambda x: 1 // x, [1, 0, 2], executor, 1))
        with pytest.raises(OSError, match="no more"):
            list(ahead(lambda x: x, items(), executor, 1))
