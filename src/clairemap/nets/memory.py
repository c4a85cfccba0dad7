"""How much memory a run of the network takes, for choosing how large its windows may be."""

import copy
import weakref
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from clairemap.grid.window import Window
from clairemap.nets.claire import Claire, device_of
from clairemap.nets.image import Image

PROBE_WINDOWS = 6
"""Side of the probe in multiples of `align_px`: from there on what is taken grows with the area, but for strips of rows
(`nets.strips`), which are few megabytes on a CPU."""


class WorkingMemory(NamedTuple):
    """The peak of the tensors' memory in `Claire.cells`, its inputs aside, in bytes for each pixel of the input.

    Of a window of which a part is wanted it is at most the sum over both, but for a few percent where that part is
    small: the peak is the largest of several moments, and in each of them grows linearly with the parts.
    """

    core: float
    """For pixels whose logits are wanted."""
    halo: float
    """For the others."""


def working_memory(network: Claire) -> WorkingMemory:
    """Return how much memory a network takes; what convolutions and the allocator take besides is not in it.

    An input of zeros is run to see it, always on a CPU, so that a model's card doesn't depend on what trained it: 1 s
    for the size tiny on one core, 10 s for base.
    """
    on_cpu = network if device_of(network).type == "cpu" else copy.deepcopy(network).cpu()
    side = PROBE_WINDOWS * network.align_px
    whole, one_px = Window.whole((side, side)), Window(side // 2, side // 2, 1, 1)
    return WorkingMemory(*(_peak_bytes(on_cpu, whole, wanted) / side**2 for wanted in (whole, one_px)))


@torch.inference_mode()
def _peak_bytes(network: Claire, whole: Window, wanted: Window) -> int:
    weight = torch.ones(1, 1, *whole.shape, dtype=torch.bool)
    optical, sar = (Image(torch.zeros(1, bands, *whole.shape), weight) for bands in network.bands)
    with _LiveStorage(weight, optical.values, sar.values) as live:
        network.cells(optical, sar, wanted)
    return int(live.peak)


class _LiveStorage(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Adds up the bytes of all tensors made while the mode is on, as long as something refers to them."""

    def __init__(self, *older: torch.Tensor) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.peak = 0
        self._live: dict[int, int] = {}
        self._older = {tensor.untyped_storage()._cdata for tensor in older}

    def __torch_dispatch__(
        self,
        function: Callable[..., Any],
        types: Sequence[type],  # noqa: ARG002 - torch's interface
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:  # noqa: ANN401 - whatever the operator returns
        result = function(*args, **(kwargs or {}))
        for tensor in tree_leaves(result):
            if isinstance(tensor, torch.Tensor):
                self._count(tensor.untyped_storage())
        self.peak = max(self.peak, sum(self._live.values()))
        return result

    def _count(self, storage: torch.UntypedStorage) -> None:
        if storage._cdata not in self._live and storage._cdata not in self._older:
            self._live[storage._cdata] = storage.nbytes()
            weakref.finalize(storage, self._live.pop, storage._cdata, None)
