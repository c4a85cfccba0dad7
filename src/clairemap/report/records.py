"""Reading what earlier stages recorded: metrics, checks, explanations, history, statistics and the model's card."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from clairemap.artefacts.statistics import BandStatistics
from clairemap.errors import StoreError
from clairemap.metrics.document import RegionMetrics
from clairemap.report.content import Fact, Stretch
from clairemap.report.numbers import count

MAPS = frozenset({"landcover", "confidence", "optical_share", "source_count"})


class _MapCheck(BaseModel):
    """What the report needs of a ``check.json``, which is written only if the maps passed."""

    model_config = ConfigDict(extra="ignore")

    stamp: dict[str, str]
    maps: dict[str, Any]


def read_checking_version(path: Path) -> str:
    """Return which version of clairemap checked a region's maps.

    Raises:
        StoreError: the file is missing, no such document, or doesn't tell of all four maps.
    """
    try:
        check = _MapCheck.model_validate_json(path.read_text(encoding="utf-8"))
    except (OSError, ValidationError) as error:
        raise _unreadable(path, error) from None
    if unchecked := MAPS - check.maps.keys():
        raise _unreadable(path, ValueError(f"no word on {', '.join(sorted(unchecked))}"))
    return version_text(check.stamp)


def read_metrics(path: Path) -> RegionMetrics:
    """Return the region's metrics.

    Raises:
        StoreError: the file is missing or no such document.
    """
    try:
        return RegionMetrics.model_validate_json(path.read_text(encoding="utf-8"))
    except (OSError, ValidationError) as error:
        raise _unreadable(path, error) from None


def read_json(path: Path) -> dict[str, Any]:
    """Return a JSON object.

    Raises:
        StoreError: the file is missing or no JSON object.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from None
    if not isinstance(content, dict):
        raise _unreadable(path, TypeError(f"expected an object, found {type(content).__name__}"))
    return content


def stretch(statistics: BandStatistics, bands: Sequence[str], source: Path) -> Stretch:
    """Return the values between which a sensor's bands are shown.

    Raises:
        StoreError: there are no statistics of one of the bands; the text names the file `source`.
    """
    if missing := [band for band in bands if band not in statistics.bands]:
        raise StoreError(
            f"{source}: has no statistics of the bands {missing}, only of {list(statistics.bands)}; delete it and run "
            "fit_statistics again"
        )
    positions = [statistics.bands.index(band) for band in bands]
    return Stretch(
        tuple(statistics.p02[position] for position in positions),
        tuple(statistics.p98[position] for position in positions),
    )


def model_facts(card: Mapping[str, Any]) -> tuple[Fact, ...]:
    """Return what the model's card says, in words; what it doesn't hold is left out."""
    network, trained = card.get("network", {}), card.get("trained_on", {})
    optical, sar = (card.get(f"{sensor}_bands", {}).get("names", ()) for sensor in ("optical", "sar"))
    found = {
        "Network": _joined(network, ("size", "fusion", "sensors")),
        "Optical bands": ", ".join(optical),
        "SAR bands": ", ".join(sar) + (f" ({card['sar_scale']})" if "sar_scale" in card else ""),
        "Trained on": ", ".join(trained.get("scenes", ())),
        "Labelled training pixels": count(trained["pixels"]) if "pixels" in trained else "",
        "Training pixels of each class": _training_px(card),
        "Step whose weights are used": count(card["best_step"]) if "best_step" in card else "",
        "Halo that it needs": _halo(card),
        "Model trained by": version_text(card["stamp"]) if "stamp" in card else "",
        "Weights (SHA-256)": str(card.get("weights_sha256", ""))[:16],
    }
    return tuple(Fact(name, value) for name, value in found.items() if value)


def calibration_text(card: Mapping[str, Any]) -> str:
    """Return what the model's card says of its temperature; nothing if it holds none."""
    if "temperature" not in card:
        return ""
    divided = f"dividing the logits by the temperature T = {card['temperature']:.3g}"
    fit = card.get("calibration")
    if not fit:
        return (
            "No temperature was fitted (T = 1): there were no validation tiles with labels, or training.calibrate is "
            "false. Confidences may be too high or too low."
        )
    before = f"Expected calibration error on the validation tiles: {100 * fit['ece_before']:.2f} % before"
    basis = f"{count(fit['pixels'])} labelled pixels in {count(fit['tiles'])} tile(s)"
    if fit.get("ece_after") is None:
        return f"{before} {divided}, from {basis}. That is too little to tell the error afterwards."
    return (
        f"{before}, {100 * fit['ece_after']:.2f} % after {divided}; negative log likelihood {fit['nll_before']:.3f} "
        f"and {fit['nll_after']:.3f} nats for each pixel. From {basis}; the figures after it are cross-fitted: each "
        "half of the tiles with the temperature of the other half."
    )


def _joined(section: Mapping[str, Any], names: Iterable[str]) -> str:
    return ", ".join(f"{name} {section[name]}" for name in names if name in section)


def _training_px(card: Mapping[str, Any]) -> str:
    pixels, classes = card.get("trained_on", {}).get("class_px", ()), card.get("classes", ())
    return ", ".join(
        f"{c['name']} {count(px) if px else 'none: the network does not know it'}"
        for c, px in zip(classes, pixels, strict=False)
    )


def _halo(card: Mapping[str, Any]) -> str:
    if "halo_px" not in card:
        return ""
    return f"{card['halo_px']} px around each window where a scene takes several; none where it takes one"


def version_text(stamp: Mapping[str, str]) -> str:
    """Return the version and commit that a stamp names."""
    return f"clairemap {stamp.get('clairemap_version', '?')} ({stamp.get('clairemap_commit', 'unknown')})"


def _unreadable(path: Path, error: Exception) -> StoreError:
    return StoreError(f"{path}: can't be read for the report ({error!r:.300}); delete it and run again")
