"""The network's sizes: widths, depths, attention heads and windows of its stages."""

import math
from dataclasses import dataclass
from typing import Literal

SizeName = Literal["tiny", "small", "base"]


@dataclass(frozen=True)
class Stage:
    """One stage of the encoders and its fusion.

    `stride` is the side of a cell in pixels; `window` that of an attention window in cells, None for no exchange
    (stride 4, where windows would be too small to bridge a cloud).
    """

    stride: int
    width: int
    depth: int
    heads: int = 0
    window: int | None = None


@dataclass(frozen=True)
class NetworkSize:
    """Stages, fine to coarse, each with half the previous one's resolution, and the decoder's width."""

    stages: tuple[Stage, ...]
    decoder_width: int

    @property
    def align_px(self) -> int:
        """Least common multiple of the sides of all attention windows, in pixels: 128."""
        return math.lcm(*(stage.stride * (stage.window or 1) for stage in self.stages))


SIZES: dict[SizeName, NetworkSize] = {
    "tiny": NetworkSize(
        (Stage(4, 24, 1), Stage(8, 48, 1, 2, 8), Stage(16, 96, 2, 4, 8), Stage(32, 160, 1, 8, 4)),
        decoder_width=64,
    ),
    "small": NetworkSize(
        (Stage(4, 64, 2), Stage(8, 128, 2, 4, 8), Stage(16, 256, 6, 8, 8), Stage(32, 512, 2, 16, 4)),
        decoder_width=128,
    ),
    "base": NetworkSize(
        (Stage(4, 96, 3), Stage(8, 192, 3, 6, 8), Stage(16, 384, 9, 12, 8), Stage(32, 768, 3, 24, 4)),
        decoder_width=256,
    ),
}
