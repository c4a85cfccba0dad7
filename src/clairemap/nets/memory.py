"""The memory that the network's tensors take while it maps a window; the side of windows is chosen by it.

The values are measured for each size of the network (tests/unit/nets/test_memory.py), and hold for any number of
bands, since bands are read in strips of rows.
"""

from typing import NamedTuple

from clairemap.nets.sizes import SizeName


class WorkingMemory(NamedTuple):
    """Peak memory of the tensors in `Claire.cells` without its inputs, in bytes per pixel of the input.

    The peak of a window of which a part is kept is at most the sum over both kinds of pixels, plus a few percent where
    that part is small: it is the largest of several moments, each of which grows linearly with the parts.
    """

    core: float
    """For pixels whose logits are kept."""
    halo: float
    """For the other pixels."""


OF_SIZE: dict[SizeName, WorkingMemory] = {
    "tiny": WorkingMemory(62, 41),
    "small": WorkingMemory(158, 103),
    "base": WorkingMemory(236, 150),
}
"""Of the fusion that takes the most (conv). Early fusion, with one encoder, takes a fifth to a third less."""

FREE_CLASSES = 36
"""Up to this number of classes, the logits take less than what the encoders have freed by then."""

CLASS_BYTES_PER_PX = 0.36
"""For each further class, per pixel that is kept."""


def working_memory(size: SizeName, classes: int) -> WorkingMemory:
    """Return the memory of a network of a size; what convolutions and the allocator take is not included."""
    core, halo = OF_SIZE[size]
    return WorkingMemory(core + CLASS_BYTES_PER_PX * max(classes - FREE_CLASSES, 0), halo)
