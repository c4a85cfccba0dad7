"""Model card as written by training, for tests of the stages that read it."""

from clairemap.artefacts.model_card import BandScale, ModelCard, TrainedOn
from clairemap.classes import LandCoverClass
from clairemap.settings import NetworkSettings


def model_card(class_px: tuple[int, ...] = (5, 5), size: str = "tiny", best_step: int = 1) -> ModelCard:
    """Return the card of a model with one class per count of training pixels."""
    return ModelCard(
        stamp={"clairemap_stage": "train_model"},
        network=NetworkSettings(size=size),
        classes=tuple(LandCoverClass(code=code, name=f"class {code}") for code in range(1, len(class_px) + 1)),
        optical_bands=BandScale(names=("red", "nir"), mean=(100, 200), std=(10, 20)),
        sar_bands=BandScale(names=("VV",), mean=(-11,), std=(4,)),
        sar_scale="db",
        halo_px=256,
        halo_sigma=3e-6,
        core_bytes_per_px=69,
        halo_bytes_per_px=36,
        trained_on=TrainedOn(scenes=("a",), pixels=sum(class_px), class_px=class_px),
        best_step=best_step,
    )
