"""The network, its loss, the training loop and the augmentation of training crops."""

from typing import Literal

from pydantic import Field

from clairemap.settings.kinds import AlignedPx, InputPath, Share
from clairemap.settings.section import Section
from clairemap.settings.sensors import View


class NetworkSettings(Section):
    """The CLAIRE network."""

    size: Literal["tiny", "small", "base"] = Field("tiny", description="1.4, 21 or 65 million parameters")
    fusion: Literal["window", "conv", "gate", "sum", "early"] = Field(
        "window",
        description="window: cross-modality attention (CMAF); the others are for comparison "
        "(early: the bands of both sensors stacked, one encoder)",
    )
    sensors: View = Field("fused", description="train on both sensors, or on one with the other masked out")


class LossSettings(Section):
    """RIFT: balance · weighted focal + (1 - balance) · Tversky."""

    balance: Share = Field(0.5, description="weight of the focal part")
    focal_gamma: float = Field(2.0, ge=0, le=10, description="focusing exponent of the focal part")
    tversky_alpha: float = Field(0.3, ge=0, description="weight of false positives")
    tversky_beta: float = Field(0.7, ge=0, description="weight of false negatives")
    tversky_kappa: float = Field(1.0, gt=0, le=5, description="exponent of the Tversky part")
    smooth: float = Field(1.0, ge=0, description="pixels added to both sides of the Tversky ratio")
    class_weights: Literal["inverse_sqrt", "none"] = Field(
        "inverse_sqrt",
        description="weights of the focal part: inverse square root of frequency, or all equal",
    )
    tversky_class_weights: Literal["inverse_sqrt", "none"] = Field(
        "none", description="the same for the mean of the Tversky part, which counts all classes alike by itself"
    )


class TrainingSettings(Section):
    """The training loop. `batch_size` is the sum over all processes."""

    steps: int = Field(600, ge=1, description="optimiser steps")
    batch_size: int = Field(8, ge=1, description="crops for each step, all processes together")
    crop_px: AlignedPx = Field(128, description="side of a crop, at most a tile; a multiple of 128")
    batch_parts: int = Field(
        1,
        ge=1,
        description="parts a batch is computed in to save memory; same loss and gradient in 4/3 of the time or more",
    )
    schedule: Literal["one_cycle", "cosine"] = Field(
        "one_cycle", description="one_cycle: the learning rate rises, then falls along a cosine; cosine: it only falls"
    )
    learning_rate: float = Field(2e-3, gt=0, description="peak of the schedule")
    weight_decay: float = Field(0.05, ge=0, description="AdamW's decoupled weight decay")
    warmup_share: Share = Field(0.1, description="share of the steps until the peak (one_cycle)")
    clip_norm: float = Field(1.0, gt=0, description="largest norm of the gradient")
    sensor_dropout: Share = Field(0.2, description="share of the crops of which one sensor is masked out")
    rare_class_share: Share = Field(0.5, description="share of the crops centred on a class drawn evenly, not a place")
    ema_decay: float | None = Field(
        None,
        gt=0,
        lt=1,
        description="validate and keep a moving average of the weights with this decay (null: the weights themselves)",
    )
    patience: int | None = Field(
        None, ge=1, description="validations without a better one after which training stops (null: never)"
    )
    calibrate: bool = Field(True, description="fit a temperature to the validation tiles after training")
    initial_optical: InputPath | None = Field(
        None,
        description="file with a ConvNeXt-T's ImageNet weights for the optical encoder of size base (null: random)",
    )
    initial_sar: InputPath | None = Field(None, description="the same for the SAR encoder")
    validate_every: int = Field(100, ge=1, description="steps between validations")
    checkpoint_every: int = Field(50, ge=1, description="steps between checkpoints")
    max_validation_tiles: int = Field(32, ge=1, description="validation tiles at the most, spread evenly")


class AugmentationSettings(Section):
    """What is done to training crops besides quarter turns and mirror images. Shares of 0 switch a thing off."""

    clouds: Share = Field(0.5, description="share of the crops onto which clouds and their shadows are painted")
    cloud_mask_known: Share = Field(
        0.5, description="share of those crops whose mask is given; else the network has to see the clouds"
    )
    speckle: Share = Field(0.3, description="share of the crops whose SAR bands get further speckle")
    speckle_looks: float = Field(8.0, gt=0, description="equivalent number of looks of that speckle")
    sar_jitter_px: int = Field(1, ge=0, le=2, description="largest displacement of a crop's SAR on each axis, pixels")
    holes: Share = Field(0.3, description="share of the crops into which nodata is cut, in one sensor or in both")
    gain: float = Field(
        0.0, ge=0, le=1, description="largest change of a band's brightness and contrast, in its deviations"
    )
