"""Read, map and write windows concurrently, in threads."""

import copy
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Self, TypeVar

import torch

from clairemap.errors import SettingsError
from clairemap.grid.cover import Step
from clairemap.inference.budget import WINDOWS_ON_A_GPU
from clairemap.inference.reading import WindowInput
from clairemap.inference.writing import CoreResult, ShardWriter
from clairemap.nets.claire import Claire, device_of

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True)
class ModelSlot:
    """A network that maps one window at a time; on a GPU with its own stream, so that copies overlap with computing."""

    network: Claire
    stream: torch.cuda.Stream | None = None


def slots(network: Claire, devices: Sequence[torch.device]) -> list[ModelSlot]:
    """Return one slot on a CPU, or two per GPU that share a copy of the network."""
    if devices[0].type == "cpu":
        return [ModelSlot(network)]
    copies = [network if device == device_of(network) else copy.deepcopy(network).to(device) for device in devices]
    for device in devices:
        torch.cuda.synchronize(device)  # the weights are there before another stream reads them
    return [_with_stream(one) for one in copies * WINDOWS_ON_A_GPU]


def _with_stream(network: Claire) -> ModelSlot:
    return ModelSlot(network, torch.cuda.Stream(device_of(network)))  # type: ignore[no-untyped-call]


class Pipeline:
    """Threads that read, map and write windows; use as a context manager.

    As many windows as are mapped at once are read ahead, and one is written behind.
    """

    def __init__(
        self,
        read: Callable[[Step], WindowInput | None],
        map_window: Callable[[Claire, WindowInput], CoreResult],
        writer: ShardWriter,
        at_once: Sequence[ModelSlot],
    ) -> None:
        self._read = read
        self._map_window = map_window
        self._writer = writer
        self._slots: SimpleQueue[ModelSlot] = SimpleQueue()
        for slot in at_once:
            self._slots.put(slot)
        self._at_once = len(at_once)
        self._reader = ThreadPoolExecutor(self._at_once, thread_name_prefix="read")
        self._mapper = ThreadPoolExecutor(self._at_once, thread_name_prefix="map")
        self._behind = ThreadPoolExecutor(1, thread_name_prefix="write")

    def __enter__(self) -> Self:
        """Return the pipeline."""
        return self

    def __exit__(self, *_: object) -> None:
        """Stop the threads; cancel waiting windows."""
        for threads in (self._reader, self._mapper, self._behind):
            threads.shutdown(cancel_futures=True)

    def run(self, steps: Sequence[Step]) -> Iterator[bool]:
        """Yield whether each window has a mapped pixel, once the writer has it; all are written at the end.

        Raises:
            StoreError, OSError: a window cannot be read or written.
            SettingsError: a window does not fit into a GPU's memory.
        """
        readings = ahead(self._read, steps, self._reader, self._at_once)
        if self._at_once == 1:  # in this thread: others allocate in small pieces, a third slower
            results: Iterator[CoreResult | None] = map(self._map, readings)
        else:
            results = ahead(self._map, readings, self._mapper, self._at_once - 1)
        yield from ahead(self._write, zip(steps, results, strict=True), self._behind, 1)
        self._writer.finish()

    def _map(self, reading: WindowInput | None) -> CoreResult | None:
        if reading is None:
            return None
        slot = self._slots.get()
        try:
            with torch.cuda.stream(slot.stream) if slot.stream else nullcontext():
                return self._map_window(slot.network, reading)
        except torch.OutOfMemoryError as error:
            height, width = reading.step.outer.shape
            raise SettingsError(
                f"a window of {height} x {width} px does not fit into {device_of(slot.network)} ({error}); "
                "reduce inference.window_px, or run fewer jobs on this device"
            ) from None
        finally:
            self._slots.put(slot)

    def _write(self, done: tuple[Step, CoreResult | None]) -> bool:
        step, result = done
        self._writer.put(step.core, result)
        return result is not None


def ahead(function: Callable[[T], R], items: Iterable[T], executor: Executor, depth: int) -> Iterator[R]:
    """Yield the function's results in order, computed by the executor up to `depth` items ahead of the caller.

    At most `depth` + 1 items are being computed or are waiting. The caller has to shut down the executor: a failed
    generator is closed by garbage collection, in any thread, and must not wait there.

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
