"""How much memory a run of the network takes, for choosing how large its windows may be."""

import weakref
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from clairemap.nets.claire import Claire, device_of

PROBE_WINDOWS = 2
"""Side of the probe in multiples of `align_px`: what is taken grows with the area from the smallest input on."""


def working_bytes_per_px(network: Claire) -> float:
    """Return the peak of the tensors' memory in `Claire.cells`, its inputs included, in bytes for each input pixel.

    A small input of zeros is run to see it: 0.1 s for the size tiny on one core. What the convolutions and the
    allocator take besides is not in it.
    """
    side = PROBE_WINDOWS * network.align_px
    device = device_of(network)
    with torch.inference_mode(), _LiveStorage() as live:
        inputs = [torch.zeros(1, bands, side, side, device=device) for bands in (*network.bands, 1, 1)]
        network.cells(*inputs)
    return float(live.peak) / side**2


class _LiveStorage(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Adds up the bytes of all tensors made while the mode is on, as long as something refers to them."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.peak = 0
        self._live: dict[int, int] = {}

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
        if storage._cdata not in self._live:
            self._live[storage._cdata] = storage.nbytes()
            weakref.finalize(storage, self._live.pop, storage._cdata, None)
