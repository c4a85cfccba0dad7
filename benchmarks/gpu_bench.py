"""Shared by the sections of gpu.py: device, time limits, timing, comparisons and profiles."""

import contextlib
import signal
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.autograd import DeviceType  # type: ignore[attr-defined]
from torch.profiler import ProfilerActivity, profile
from torch.utils.flop_counter import FlopCounterMode

Figures = dict[str, Any]
"""Figures of a section by name: numbers, texts, or groups of them. A section fills it while it runs, so that a failure
loses nothing."""

WARM_UP = 3
KERNELS_SHOWN = 15
NAME_CHARS = 90
ANNOTATIONS = ("Optimizer.", "ProfilerStep", "DistributedDataParallel", "Torch-Compiled Region", "## ")


class ComparisonError(Exception):
    """Two results differ by more than the tolerance."""


class SectionTimeError(Exception):
    """A section exceeded its time limit."""


@dataclass
class Bench:
    """Device, folder and mode. `rates` are measured matmul rates in operations per second."""

    device: torch.device
    quick: bool
    folder: Path
    rates: dict[str, float] = field(default_factory=dict)

    @property
    def is_cuda(self) -> bool:
        """Whether the device is a GPU."""
        return self.device.type == "cuda"

    def wait(self) -> None:
        """Wait until the device has finished its work."""
        if self.is_cuda:
            torch.cuda.synchronize(self.device)

    def seconds(self, work: Callable[[], object], budget_s: float = 2.0, at_most: int = 200) -> float:
        """Return the mean time of a call, seconds.

        After a warm-up, as many calls as fit into the budget, at least three; one call without warm-up if quick.
        """
        if self.quick:
            return self._mean_seconds(work, 1)
        for _ in range(WARM_UP):
            work()
        once = max(self._mean_seconds(work, 1), 1e-6)
        return self._mean_seconds(work, min(max(int(budget_s / once), 3), at_most))

    def _mean_seconds(self, work: Callable[[], object], calls: int) -> float:
        self.wait()
        began = time.perf_counter()
        for _ in range(calls):
            work()
        self.wait()
        return (time.perf_counter() - began) / calls

    def peak_gb(self, work: Callable[[], object]) -> float | None:
        """Return the peak of allocated GPU memory in a call, 10^9 bytes; on a CPU return None without the call."""
        if not self.is_cuda:
            return None
        torch.cuda.synchronize(self.device)
        torch.cuda.reset_peak_memory_stats(self.device)
        work()
        torch.cuda.synchronize(self.device)
        return torch.cuda.max_memory_allocated(self.device) / 1e9

    def free(self) -> None:
        """Release PyTorch's cached GPU memory, so that sections do not affect each other."""
        if self.is_cuda:
            torch.cuda.empty_cache()


@contextlib.contextmanager
def limited(seconds: float) -> Iterator[None]:
    """Raise SectionTimeError in the main thread if the context takes longer."""

    def stop(*_: object) -> None:
        raise SectionTimeError(f"the section exceeded its time limit of {seconds:.0f} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, max(seconds, 0.01))
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def check(figures: Figures, name: str, value: float, limit: float) -> None:
    """Record a difference and its tolerance.

    Raises:
        ComparisonError: the difference is larger than the tolerance, or NaN.
    """
    figures[name], figures[f"{name}_tolerance"] = value, limit
    if not value <= limit:
        raise ComparisonError(f"{name} is {value:g}, but the tolerance is {limit:g}")


def off_by(found: Tensor, expected: Tensor) -> float:
    """Return the largest absolute difference divided by the largest absolute expected value."""
    apart = (found.detach().double().cpu() - expected.detach().double().cpu()).abs().max()
    return (apart / expected.detach().abs().max().double().cpu().clamp(min=1e-30)).item()


def convolution_backward(gradient: Any, x: Any, weight: Any, *rest: Any, **_: Any) -> int:  # noqa: ANN401, ARG001
    """Return the operations of a convolution's backward pass from the shapes of its arguments.

    PyTorch's count ignores groups: for the weights' gradient of a depthwise convolution it is C times too large.
    """
    output_mask = rest[-1]  # gradients of input, weight, bias
    products = gradient[0] * torch.Size(gradient[2:]).numel() * torch.Size(weight).numel()
    return int(2 * products * (bool(output_mask[0]) + bool(output_mask[1])))


def operations(work: Callable[[], object]) -> int:
    """Return the floating-point operations of a call: matrix products and convolutions, forward and backward."""
    counted = {torch.ops.aten.convolution_backward: convolution_backward}
    with FlopCounterMode(display=False, custom_mapping=counted) as counter:
        work()
    return int(counter.get_total_flops())


@dataclass(frozen=True)
class Profiled:
    """Profile of a call: time by kernel, time in which any kernel or copy ran, wall time; seconds."""

    kernels: Mapping[str, float]
    busy_s: float
    wall_s: float

    def top(self) -> dict[str, float]:
        """Return the time of the slowest kernels, ms, by shortened name."""
        longest = sorted(self.kernels.items(), key=lambda entry: -entry[1])[:KERNELS_SHOWN]
        return {name: 1e3 * seconds for name, seconds in longest}


def profiled(bench: Bench, work: Callable[[], object]) -> Profiled:
    """Return the profile of a call. On a CPU the kernels are PyTorch's operators, and the busy time is NaN."""
    activity = ProfilerActivity.CUDA if bench.is_cuda else ProfilerActivity.CPU
    bench.wait()
    with profile(activities=[activity]) as found:
        began = time.perf_counter()
        work()
        bench.wait()
        wall = time.perf_counter() - began
    if not bench.is_cuda:
        by_operator = {entry.key[:NAME_CHARS]: entry.self_cpu_time_total / 1e6 for entry in found.key_averages()}
        return Profiled(by_operator, float("nan"), wall)
    kernels: dict[str, float] = defaultdict(float)
    spans = []
    for name, start, end in device_spans(found, DeviceType.CUDA):
        kernels[name[:NAME_CHARS]] += (end - start) / 1e9
        spans.append((start, end))
    return Profiled(kernels, covered(spans) / 1e9, wall)


def device_spans(found: profile, kind: DeviceType) -> Iterator[tuple[str, int, int]]:
    """Yield name, start and end in ns of all events on a kind of device, without annotations.

    Uses the raw record, because creating PyTorch's events of a long profile takes minutes.
    """
    for event in found.profiler.kineto_results.events():  # type: ignore[union-attr]
        if event.device_type() == kind and not event.name().startswith(ANNOTATIONS):
            yield event.name(), event.start_ns(), event.start_ns() + event.duration_ns()


def covered(spans: Iterable[tuple[float, float]]) -> float:
    """Return the length of the union of time spans."""
    total, reached = 0.0, float("-inf")
    for start, end in sorted(spans):
        total += max(end - max(start, reached), 0.0)
        reached = max(reached, end)
    return total
