"""Model card as written by training, and estimates from a sample, for tests of the stages that read them."""

from clairemap.artefacts.estimates import AreaEstimates, ClassEstimates, Figure, StratumRow
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


def figure(value: float, half_width: float) -> Figure:
    """Return an estimate with a symmetric interval."""
    return Figure(
        value=value, standard_error=half_width / 1.96, low=max(value - half_width, 0.0), high=value + half_width
    )


def class_estimates(
    name: str, area_ha: float, half_width_ha: float, counted_ha: float, too_few: bool = False
) -> ClassEstimates:
    """Return the estimates of a class; accuracies are unknown if it has no area."""
    area = figure(area_ha, half_width_ha)
    accuracy = figure(0.9, 0.05) if area_ha else None
    return ClassEstimates(
        name=name,
        code=1,
        area_ha=area,
        counted_ha=counted_ha,
        misleading=not area.low <= counted_ha <= area.high,
        users_accuracy=accuracy,
        producers_accuracy=accuracy,
        f1=accuracy,
        map_units=50,
        reference_units=5 if too_few else 50,
        too_few=too_few,
    )


def area_estimates(
    *classes: ClassEstimates, units: int = 400, answered: int = 400, cautions: tuple[str, ...] = ()
) -> AreaEstimates:
    """Return the estimates of a region, `vale`."""
    share = 1 / len(classes)
    strata = tuple(
        StratumRow(name=row.name, pixels=1000, area_ha=10.0, drawn=50, answered=50, too_few=False) for row in classes
    )
    return AreaEstimates(
        region="vale",
        overall=figure(0.912, 0.03),
        classes=classes,
        matrix=tuple(tuple(share * (row is column) for column in classes) for row in classes),
        quantity_disagreement=0.02,
        allocation_disagreement=0.07,
        design_effect=1.1,
        strata=strata,
        units=units,
        answered=answered,
        agreement=None,
        area_method="computed in the map projection",
        estimator="stratified",
        sampled_map_sha256="a",
        map_sha256="a",
        cautions=cautions,
        stamp={},
    )
