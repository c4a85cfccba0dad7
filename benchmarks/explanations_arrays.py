"""Recomputes what the reasons of explanations claim from a tile's arrays, without the package's code."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

SENSORS = "optical", "sar"
NIR, RED, GREEN = ("nir", "nir08", "b08", "b8a"), ("red", "b04"), ("green", "b03")
LEAST_PX = 100
LEAST_RECORD_PX = 200
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Arrays:
    """Arrays of a tile as in the stores, the model card's JSON, and classes mapped without each sensor.

    `values` are (band, y, x) by sensor, `usable` (y, x); `without` is empty if it was not computed.
    """

    probability: NDArray[np.uint8]
    optical_share: NDArray[np.uint8]
    values: Mapping[str, NDArray[Any]]
    usable: Mapping[str, NDArray[np.bool_]]
    card: Mapping[str, Any]
    without: Mapping[str, NDArray[np.uint8]] = field(default_factory=dict)

    @cached_property
    def index(self) -> NDArray[np.int64]:
        """Mapped class of each pixel; 255 where nothing is mapped."""
        return np.where(self.probability.any(0), self.probability.argmax(0), 255)

    @cached_property
    def large(self) -> list[int]:
        """Classes with enough pixels, the largest first."""
        px = [int((self.index == at).sum()) for at in range(len(self.probability))]
        return sorted((at for at in range(len(px)) if px[at] >= LEAST_PX), key=lambda at: -px[at])

    def weight(self, at: int) -> float:
        """Return the mean weight of the optical image where a class is mapped, percent."""
        return float(self.optical_share[self.index == at].mean())

    @cached_property
    def rivals(self) -> dict[int, tuple[int, float]]:
        """Most frequent second class and mean difference of both probabilities (percentage points), by class."""
        found = {}
        for at in self.large:
            pixels = self.probability[:, self.index == at].astype(int)
            own = pixels[at].copy()
            pixels[at] = 0
            second = int(np.bincount(pixels.argmax(0)[pixels.any(0)], minlength=len(pixels)).argmax())
            found[at] = second, float(100 * (own - pixels[second]).mean() / 255)
        return found

    @cached_property
    def class_off(self) -> dict[int, dict[tuple[str, str], float]]:
        """Differences from training by class and quantity, standard deviations; classes not compared are missing."""
        found: dict[int, dict[tuple[str, str], float]] = {}
        signatures = self.card.get("signatures") or {}
        for sensor, known in signatures.items():
            for at in self.large:
                whole = self.index == at
                here = whole & self.usable[sensor]
                if 2 * here.sum() >= whole.sum() and here.sum() >= LEAST_PX and known["px"][at] >= LEAST_PX:
                    means = self._means(sensor, here)
                    named = zip(known["quantities"], known["mean"][at], known["std"][at], strict=True)
                    off = {(sensor, name): (means[name] - mean) / std for name, mean, std in named if std > 0}
                    found.setdefault(at, {}).update(off)
        return found

    def _means(self, sensor: str, here: NDArray[np.bool_]) -> dict[str, float]:
        """Return the means of a sensor's bands and indices by name."""
        names = self.card[f"{sensor}_bands"]["names"]
        bands = {name: band[here].astype(float) for name, band in zip(names, self.values[sensor], strict=True)}
        found = {name: float(band.mean()) for name, band in bands.items()}
        low = {name.lower(): band for name, band in bands.items()}
        if "vv" in low and "vh" in low:
            found["VV/VH"] = float((low["vv"] - low["vh"]).mean())
        nir, red, green = (next((low[n] for n in known if n in low), None) for known in (NIR, RED, GREEN))
        if nir is not None and red is not None:
            found["NDVI"] = _mean_ratio(nir, red)
        if nir is not None and green is not None:
            found["NDWI"] = _mean_ratio(green, nir)
        return found

    @cached_property
    def shift(self) -> dict[str, float]:
        """Bands that differ from all training pixels, and for the largest compared class; the largest first."""
        found = {}
        compared = next((self.class_off[at] for at in self.large if at in self.class_off), None)
        for sensor in SENSORS:
            if self.usable[sensor].sum() < LEAST_PX:
                continue
            known = self.card[f"{sensor}_bands"]
            for place, name in enumerate(known["names"]):
                mean = self.values[sensor][place][self.usable[sensor]].mean(dtype=float)
                off = float((mean - known["mean"][place]) / known["std"][place])
                if abs(off) >= 2 and (compared is None or abs(compared.get((sensor, name), 0)) >= 2):
                    found[name] = off
        return dict(sorted(found.items(), key=lambda each: -abs(round(each[1], 1))))

    @cached_property
    def records(self) -> dict[int, float]:
        """Right validation pixels of the same class and confidence, percent, by class."""
        known, found = self.card.get("confidence_record") or {}, {}
        for at in self.large if known else []:
            confidence = 100 * self.probability[at][self.index == at].mean() / 255
            place = max(i for i, lowest in enumerate(known["from_pct"]) if lowest <= confidence)
            if known["px"][at][place] >= LEAST_RECORD_PX:
                found[at] = 100 * known["correct"][at][place] / known["px"][at][place]
        return found

    @cached_property
    def expected(self) -> Floats:
        """Summed probability of each class, percent of the mapped pixels."""
        return np.asarray(100 * self.probability.sum((1, 2), dtype=float) / 255 / (self.index != 255).sum())

    @cached_property
    def may_be_missed(self) -> list[int]:
        """Classes whose summed probability clearly exceeds their area, the largest difference first."""
        mapped = [100 * (self.index == at).sum() / (self.index != 255).sum() for at in range(len(self.expected))]
        off = {at: expected - mapped[at] for at, expected in enumerate(self.expected)}
        found = [at for at in off if off[at] >= 1 and self.expected[at] >= 1.5 * mapped[at]]
        return sorted(found, key=lambda at: -off[at])

    @cached_property
    def edges(self) -> float:
        """Share of the mapped pixels beside another class, percent."""
        at_edge = np.zeros(self.index.shape, bool)
        for a, b in (((slice(1, None),), (slice(-1),)), ((slice(None), slice(1, None)), (slice(None), slice(-1)))):
            differ = (self.index[a] != self.index[b]) & (self.index[a] != 255) & (self.index[b] != 255)
            at_edge[a] |= differ
            at_edge[b] |= differ
        return float(100 * at_edge.sum() / (self.index != 255).sum())

    @cached_property
    def isolated(self) -> float:
        """Share of the mapped pixels with mapped neighbours, none of them of the same class, percent."""
        alone = 0
        for y, x in np.argwhere(self.index != 255):
            window = self.index[max(y - 1, 0) : y + 2, max(x - 1, 0) : x + 2]
            alone += (window == self.index[y, x]).sum() == 1 and (window != 255).sum() > 1
        return float(100 * alone / (self.index != 255).sum())

    def instead(self, sensor: str, at: int) -> Floats:
        """Return the share of each class where `at` is mapped, if a sensor is left out, percent; 0 for `at`."""
        found = self.without[sensor][self.index == at]
        counts = np.bincount(found, minlength=256)[: len(self.probability)]
        counts[at] = 0
        return np.asarray(100 * counts / found.size)

    @property
    def stands_out(self) -> bool:
        """Whether something is to be checked: a close decision, unusual values, or a class that may be missed."""
        close = any(margin < 24.4 for _, margin in self.rivals.values())
        unusual = any(abs(off) >= 2 for each in self.class_off.values() for off in each.values())
        return close or unusual or bool(self.may_be_missed and (self.index != 255).sum() >= LEAST_PX)


def _mean_ratio(first: Floats, second: Floats) -> float:
    """Return the mean normalised difference."""
    total = first + second
    ratio = (first - second) / np.where(total > 0, total, np.inf)
    return float(np.clip(ratio, -1, 1).mean())
