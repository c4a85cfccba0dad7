"""Memory of the network's tensors while it maps a window, from which inference chooses the window's side.

Values are measured (tests/unit/nets/test_memory.py) and do not depend on the number of bands.
"""

from typing import NamedTuple

from clairemap.nets.sizes import SizeName


class WorkingMemory(NamedTuple):
    """Peak memory of the tensors in `Claire.cells` without its inputs, in bytes per pixel.

    The peak of a window is at most core pixels times `core` plus halo pixels times `halo`, plus a few percent if the
    core is small.
    """

    core: float
    """Per pixel whose logits are kept."""
    halo: float
    """Per other pixel."""


BY_SIZE: dict[SizeName, WorkingMemory] = {
    "tiny": WorkingMemory(62.9, 41),
    "small": WorkingMemory(158, 103),
    "base": WorkingMemory(236, 150),
}
"""Memory with the fusion that needs the most (conv). Early fusion, with one encoder, needs 20 to 33 % less."""

FREE_CLASSES = 36
"""Up to this number of classes, the logits fit into the memory that the encoders have freed."""

CLASS_BYTES_PER_PX = 0.36
"""Memory of each additional class, per core pixel."""


def working_memory(size: SizeName, classes: int) -> WorkingMemory:
    """Return the memory of a network, without the workspace of convolutions and the allocator's overhead."""
    core, halo = BY_SIZE[size]
    return WorkingMemory(core + CLASS_BYTES_PER_PX * max(classes - FREE_CLASSES, 0), halo)
