"""The network's sizes: widths and depths of its stages, and where attention windows lie."""

import math
from dataclasses import dataclass
from typing import Literal

SizeName = Literal["tiny", "small", "base"]


@dataclass(frozen=True)
class Stage:
    """One stage of the encoders and the fusion behind it.

    `stride` is the side of a cell in pixels; `window` is the side of an attention window in cells, None where the
    sensors exchange nothing but their reliability (stride 4, where windows would be too small to bridge a cloud).
    """

    stride: int
    width: int
    depth: int
    heads: int = 0
    window: int | None = None


@dataclass(frozen=True)
class NetworkSize:
    """Stages from fine to coarse, each of half the former's resolution, and the decoder's width."""

    stages: tuple[Stage, ...]
    decoder_width: int

    @property
    def align_px(self) -> int:
        """Side in pixels of the grid on which all attention windows of all stages begin: 128."""
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
