"""Settings of network, loss, training loop and augmentation."""

from typing import Literal, Self

from pydantic import Field, model_validator

from clairemap.outputs import FUSED
from clairemap.settings.kinds import AlignedPx, InputPath, Share
from clairemap.settings.section import Section
from clairemap.settings.sensors import View


class NetworkSettings(Section):
    """The CLAIRE network."""

    size: Literal["tiny", "small", "base"] = Field(
        "tiny",
        description="1.4, 21 or 65 million parameters; tiny for tests and CPUs, small for most projects on a GPU, "
        "base for large data sets or ImageNet weights",
    )
    fusion: Literal["window", "conv", "gate", "sum", "early"] = Field(
        "window",
        description="window: cross-modality attention fusion (CMAF), the standard; early: one encoder for the stacked "
        "bands of both sensors; conv, gate, sum: other ways to fuse, for comparison",
    )
    sensors: View = Field(FUSED, description="train on both sensors (fused), or on one with the other masked out")


class LossSettings(Section):
    """The RIFT loss: balance * weighted focal term + (1 - balance) * Tversky term."""

    balance: Share = Field(
        0.5, description="weight of the focal term, from 0 to 1; the Tversky term has weight 1 - balance"
    )
    focal_gamma: float = Field(2.0, ge=0, le=10, description="focusing exponent of the focal term")
    tversky_alpha: float = Field(0.3, ge=0, description="weight of false positives in the Tversky term")
    tversky_beta: float = Field(0.7, ge=0, description="weight of false negatives in the Tversky term")
    tversky_kappa: float = Field(1.0, gt=0, le=5, description="exponent of the Tversky term")
    smooth: float = Field(
        1.0, ge=0, description="smoothing constant of the Tversky term, added to numerator and denominator, pixels"
    )
    class_weights: Literal["inverse_sqrt", "none"] = Field(
        "inverse_sqrt",
        description="class weights of the focal term: inverse square root of the class frequency, or equal",
    )
    tversky_class_weights: Literal["inverse_sqrt", "none"] = Field(
        "none", description="class weights of the Tversky term; none: all classes have equal weight"
    )


class TrainingSettings(Section):
    """The training loop."""

    steps: int = Field(600, ge=1, description="number of optimiser steps")
    batch_size: int = Field(8, ge=1, description="crops per step, over all processes")
    crop_px: AlignedPx = Field(128, description="crop size, pixels; a multiple of 128, at most tiling.tile_px")
    batch_parts: int = Field(
        1,
        ge=1,
        description="compute each batch in this many parts to save memory; same result up to rounding, at least one "
        "third slower",
    )
    schedule: Literal["one_cycle", "cosine"] = Field(
        "one_cycle",
        description="learning rate schedule. one_cycle: warm-up, then cosine decay; cosine: cosine decay only",
    )
    learning_rate: float = Field(2e-3, gt=0, description="peak learning rate")
    weight_decay: float = Field(0.05, ge=0, description="decoupled weight decay of AdamW")
    warmup_share: Share = Field(0.1, description="fraction of the steps used for warm-up (one_cycle)")
    clip_norm: float = Field(1.0, gt=0, description="maximum gradient norm")
    sensor_dropout: Share = Field(0.2, description="fraction of the crops with one sensor masked out")
    rare_class_share: Share = Field(
        0.5, description="fraction of the crops centred on a pixel of a class drawn with equal probability"
    )
    alone_weight: float = Field(
        0.0,
        ge=0,
        le=2,
        description="weight of the loss of each sensor alone, relative to that of both together (0: only both); with "
        "it the network also learns to map from one sensor. Unused with one sensor and with fusion early",
    )
    gate_weight: float = Field(
        0.0,
        ge=0,
        le=2,
        description="weight of the loss that lowers the share of a sensor where it misleads: under painted clouds "
        "without a mask, and with augmentation.misleading. Unused with one sensor and with fusion sum or early",
    )
    ema_decay: float | None = Field(
        None,
        gt=0,
        lt=1,
        description="decay of a moving average of the weights; the averaged weights are validated and saved (null: no "
        "averaging)",
    )
    patience: int | None = Field(None, ge=1, description="early stopping: validations without improvement (null: off)")
    calibrate: bool = Field(True, description="calibrate the confidences on the validation tiles (temperature scaling)")
    initial_optical: InputPath | None = Field(
        None,
        description="file with ImageNet weights of a ConvNeXt-T for the optical encoder of size base (null: random)",
    )
    initial_sar: InputPath | None = Field(None, description="the same for the SAR encoder")
    start_from: InputPath | None = Field(
        None,
        description="folder of a trained model to fine-tune: same bands and network; classes of the same name keep "
        "their output weights (null: start from random weights)",
    )
    statistics_from: Literal["model", "scenes"] = Field(
        "model",
        description="band means and standard deviations for normalisation with start_from. model: those of that model; "
        "scenes: those of the new training scenes",
    )
    normalisation: Literal["training", "scene"] = Field(
        "training",
        description="mean and standard deviation that normalise the bands of a scene. training: those of all training "
        "tiles, for reflectance and backscatter; scene: its own, for images with a contrast stretch of their own",
    )
    validate_every: int = Field(100, ge=1, description="steps between validations")
    checkpoint_every: int = Field(50, ge=1, description="steps between checkpoints")
    max_validation_tiles: int = Field(32, ge=1, description="maximum number of validation tiles, evenly sampled")

    @model_validator(mode="after")
    def _one_start(self) -> Self:
        if self.start_from is not None and (self.initial_optical or self.initial_sar):
            raise ValueError(
                "start_from is set together with initial_optical or initial_sar: keep only one kind of initial weights"
            )
        return self


class AugmentationSettings(Section):
    """Random changes of training crops, in addition to quarter turns and mirror images; 0 disables one."""

    clouds: Share = Field(0.5, description="fraction of the crops with simulated clouds and cloud shadows")
    cloud_mask_known: Share = Field(0.5, description="fraction of the crops with clouds whose cloud mask is used")
    speckle: Share = Field(0.3, description="fraction of the crops with additional SAR speckle")
    speckle_looks: float = Field(8.0, gt=0, description="equivalent number of looks of the additional speckle")
    sar_jitter_px: int = Field(1, ge=0, le=2, description="maximum random SAR shift along each axis, pixels")
    holes: Share = Field(0.3, description="fraction of the crops with nodata cut into one or both sensors")
    misleading: Share = Field(
        0.0,
        description="fraction of the crops in which one sensor misleads: wrong brightness and contrast, noise, "
        "displaced, or bands in the wrong order",
    )
    optical_gain: float = Field(
        0.0,
        ge=0,
        le=1,
        description="random contrast and brightness of the optical bands: contrast by a factor of up to e^gain, "
        "brightness ± gain (standard deviations); mostly common to all bands",
    )
    sar_gain: float = Field(0.0, ge=0, le=1, description="the same for the SAR bands")
