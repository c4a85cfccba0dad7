"""Names of ConvNeXt's layers (Liu et al. 2022) in the weight files of timm and torchvision.

A `KeyLayout` maps the names of an `Encoder`, which has the same layers, to the names in a file.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple, Self

from torch import Tensor

from clairemap.nets.sizes import NetworkSize

STEM = "stages.0.0.conv.weight"
"""The encoder's only weight whose shape depends on the number of bands."""

STAGES = 4


class StageSizes(NamedTuple):
    """Widths and depths of the stages, fine to coarse."""

    widths: tuple[int, ...]
    depths: tuple[int, ...]

    @classmethod
    def of(cls, size: NetworkSize) -> Self:
        """Return the widths and depths of an encoder."""
        return cls(tuple(stage.width for stage in size.stages), tuple(stage.depth for stage in size.stages))


@dataclass(frozen=True)
class KeyLayout:
    """One publisher's names of the layers of a ConvNeXt.

    In a pattern, {stage} and {block} are 0-based; {down} is 2 · stage and {after} is 2 · stage + 1, for a list that
    alternates downsampling and blocks. Names of layers in a block follow the block's name and a dot.
    """

    publisher: str
    stem: str
    stem_norm: str
    down_norm: str
    down: str
    block: str
    depthwise: str
    norm: str
    expand: str
    shrink: str
    scale: str

    def names(self, size: NetworkSize) -> dict[str, str]:
        """Return a mapping from the encoder's weight names to the file's, for an encoder of this size."""
        layers: dict[str, str] = {}
        scales: dict[str, str] = {}
        for index, stage in enumerate(size.stages):
            layers |= self._stem_or_downsampling(index)
            for block in range(stage.depth):
                own, name = f"stages.{index}.{2 + block}", self.block_name(index, block)
                layers |= {f"{own}.{part}": f"{name}.{of_file}" for part, of_file in self._block_layers().items()}
                scales[f"{own}.scale"] = f"{name}.{self.scale}"
        ends = ("weight", "bias")
        return {f"{own}.{end}": f"{name}.{end}" for own, name in layers.items() for end in ends} | scales

    def sizes(self, state: Mapping[str, Tensor]) -> StageSizes:
        """Return the sizes of the stages found under this layout's names; depth 0 for a stage without blocks."""
        widths, depths = [], []
        for stage in range(STAGES):
            blocks = re.escape(self.block_name(stage, "BLOCK")).replace("BLOCK", r"(\d+)")
            pattern = re.compile(rf"{blocks}\.{re.escape(self.depthwise)}\.(weight|bias)")
            found = {int(match[1]): len(value) for key, value in state.items() if (match := pattern.fullmatch(key))}
            widths.append(next(iter(found.values()), 0))
            depths.append(max(found, default=-1) + 1)
        return StageSizes(tuple(widths), tuple(depths))

    def block_name(self, stage: int, block: int | str) -> str:
        """Return the file's name of a block."""
        return self.block.format(stage=stage, after=2 * stage + 1, block=block)

    def _stem_or_downsampling(self, stage: int) -> dict[str, str]:
        """Return the names of a stage's norm and patch convolution; in the first stage the convolution comes first."""
        if stage == 0:
            return {"stages.0.0.conv": self.stem, "stages.0.1": self.stem_norm}
        norm, patches = (name.format(stage=stage, down=2 * stage) for name in (self.down_norm, self.down))
        return {f"stages.{stage}.0": norm, f"stages.{stage}.1.conv": patches}

    def _block_layers(self) -> dict[str, str]:
        return {
            "depthwise.conv": self.depthwise,
            "norm": self.norm,
            "expand": self.expand,
            "shrink": self.shrink,
        }


KEY_LAYOUTS = (
    KeyLayout(
        publisher="timm",
        stem="stem.0",
        stem_norm="stem.1",
        down_norm="stages.{stage}.downsample.0",
        down="stages.{stage}.downsample.1",
        block="stages.{stage}.blocks.{block}",
        depthwise="conv_dw",
        norm="norm",
        expand="mlp.fc1",
        shrink="mlp.fc2",
        scale="gamma",
    ),
    KeyLayout(
        publisher="torchvision",
        stem="features.0.0",
        stem_norm="features.0.1",
        down_norm="features.{down}.0",
        down="features.{down}.1",
        block="features.{after}.{block}",
        depthwise="block.0",
        norm="block.2",
        expand="block.3",
        shrink="block.5",
        scale="layer_scale",
    ),
)
