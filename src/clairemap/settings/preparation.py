"""From scenes to tiles: registration, layout of the stores, split into training, validation and test."""

from typing import Literal, Self

from pydantic import Field, model_validator

from clairemap.settings.kinds import AlignedPx, Share
from clairemap.settings.section import Section


class RegistrationSettings(Section):
    """Estimating the displacement between SAR and optical."""

    window_px: int = Field(128, ge=32, le=1024, description="side of the windows that are correlated, optical pixels")
    max_shift_px: int = Field(
        64, ge=1, le=512, description="how far around the georeferencing SAR is looked for, optical pixels"
    )
    max_windows: int = Field(400, ge=4, le=10000, description="windows spread over the scene at the most")
    model: Literal["auto", "translation", "similarity", "affine", "polynomial", "none"] = Field(
        "auto",
        description="auto: the simplest of the others that the tie points support (polynomial: of second order); "
        "none: SAR is taken to lie right as delivered, and nothing is estimated",
    )
    search_rotation: bool = Field(
        True,
        description="try any rotation, and scales from 1/2 to 2, where nothing is found around the georeferencing",
    )
    min_inliers: int = Field(6, ge=3, description="agreeing windows below which the verdict is 'rejected'")
    on_rejected: Literal["keep", "error"] = Field(
        "keep",
        description="keep: go on with the georeferencing as delivered and flag it; error: stop the scene",
    )


class TilingSettings(Section):
    """How a scene is laid out in its store."""

    tile_px: AlignedPx = Field(
        512, description="side of a tile, the store's chunk and the unit of the scores; a multiple of 128"
    )
    shard_tiles: int = Field(4, ge=1, le=32, description="tiles along the side of one file of the store")


class SplitsSettings(Section):
    """Which tiles train, validate and test."""

    method: Literal["scene", "block", "random"] = Field(
        "scene",
        description="scene: as the sample sheet says; block: blocks of its train scenes are held out as well; random: "
        "single tiles of them, which makes figures look better than the model is",
    )
    accept_leakage: bool = Field(False, description="insist on method random, which is refused otherwise")
    block_tiles: int = Field(4, ge=1, description="side of a block in tiles (method block)")
    val_share: Share = Field(0.2, description="share of the blocks or tiles that validate (methods block, random)")
    test_share: Share = Field(0.0, description="share of the blocks or tiles that test (methods block, random)")
    buffer_px: int = Field(256, ge=0, description="training tiles nearer than this to a held-out block are left out")

    @model_validator(mode="after")
    def _no_leakage_by_mistake(self) -> Self:
        if self.method == "random" and not self.accept_leakage:
            raise ValueError(
                "method random is refused: neighbouring tiles look alike, so that random tile splits overstate "
                "accuracy by up to 28 % (Kattenborn et al. 2022); take block or scene, or insist with accept_leakage: "
                "true"
            )
        return self
