"""Work on a sequence in a thread while the caller goes on."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def ahead(function: Callable[[T], R], items: Iterable[T], executor: Executor, depth: int) -> Iterator[R]:
    """Yield the function's results in order, computed by the executor up to `depth` items ahead of the caller.

    At most `depth` + 1 items are in work or wait for the caller. The executor belongs to the caller, who ends it: a
    generator that fails elsewhere is closed whenever and wherever garbage is collected, and must not wait for a
    thread then.

    Raises:
        Exception: whatever the function or the items raise.
    """
    waiting: deque[Future[R]] = deque()
    for item in items:
        waiting.append(executor.submit(function, item))
        if len(waiting) > depth:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()
