"""Settings of registration, stores and splits."""

from typing import Literal, Self

from pydantic import Field, model_validator

from clairemap.settings.kinds import AlignedPx, Share
from clairemap.settings.section import Section


class RegistrationSettings(Section):
    """Co-registration of SAR to optical."""

    window_px: int = Field(128, ge=32, le=1024, description="size of the matching windows, optical pixels")
    max_shift_px: int = Field(64, ge=1, le=512, description="maximum SAR offset to search, optical pixels")
    max_windows: int = Field(
        400, ge=4, le=10000, description="maximum number of matching windows, spread over the scene"
    )
    model: Literal["auto", "translation", "similarity", "affine", "polynomial", "none"] = Field(
        "auto",
        description="transformation between SAR and optical. auto: the simplest one that the tie points support; "
        "polynomial: second order; none: assume SAR is already co-registered",
    )
    search_rotation: bool = Field(
        True,
        description="if no match is found near the georeferencing, search all rotations and scales from 0.5 to 2",
    )
    min_inliers: int = Field(
        6, ge=3, description="minimum number of inlier tie points; with fewer, the registration is rejected"
    )
    on_rejected: Literal["keep", "error"] = Field(
        "keep",
        description="what to do with a rejected registration. keep: use the original georeferencing and flag the "
        "scene; error: stop the scene",
    )


class TilingSettings(Section):
    """Storage layout of a scene."""

    tile_px: AlignedPx = Field(
        512,
        description="tile size, pixels; a multiple of 128. Accuracy is computed per tile; intermediate Zarr files use "
        "it as chunk size",
    )
    shard_tiles: int = Field(
        4, ge=1, le=32, description="tiles along each side of a shard, the part of a scene that is tiled at once"
    )


class SplitsSettings(Section):
    """Which tiles are used for training, validation and testing."""

    method: Literal["scene", "block", "random"] = Field(
        "scene",
        description="scene: use the split column of the sample sheet; block: also hold out blocks of the training "
        "scenes; random: also hold out single tiles of the training scenes, which overestimates the "
        "accuracy",
    )
    accept_leakage: bool = Field(False, description="allow method random, which is an error otherwise")
    block_tiles: int = Field(4, ge=1, description="block size, tiles (method block)")
    val_share: Share = Field(
        0.2, description="fraction of the blocks or tiles used for validation (methods block, random)"
    )
    test_share: Share = Field(
        0.0, description="fraction of the blocks or tiles used for testing (methods block, random)"
    )
    buffer_px: int = Field(
        256,
        ge=0,
        description="leave out training tiles closer than this to a held-out block, pixels; recommended: at least "
        "halo_px in work_dir/model/model.json",
    )

    @model_validator(mode="after")
    def _no_leakage_by_mistake(self) -> Self:
        if self.method == "random" and not self.accept_leakage:
            raise ValueError(
                "method random is not allowed: neighbouring tiles are similar, so a random split overestimates the "
                "accuracy by up to 28 % (Kattenborn et al. 2022); use block or scene, or set accept_leakage: true"
            )
        return self
