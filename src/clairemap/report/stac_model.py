"""The model of a map as fields of STAC's machine-learning extension (MLM 1.4), from the model's card."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clairemap.artefacts.model_card import BandScale, ModelCard, read_model_card
from clairemap.report.given_model import model_name

MLM_EXTENSION = "https://stac-extensions.github.io/mlm/v1.4.0/schema.json"
TASKS = ["semantic-segmentation"]


@dataclass(frozen=True)
class MappingModel:
    """A trained model: its card (`model.json`), and the file name of the card's copy next to the item."""

    card: ModelCard
    copy: str

    @classmethod
    def read(cls, card: Path, copy: str) -> "MappingModel":
        """Return the model of a card.

        Raises:
            BundleError, MissingFileError: the card cannot be read; see `model_card.read_model_card`.
        """
        return cls(read_model_card(card), copy)

    @property
    def name(self) -> str:
        """Name from the network's size and the start of the weights' hash, unique to this training."""
        return model_name(self.card)

    def properties(self, classes: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """Return the item's fields on the model; `classes` in the format of the classification extension."""
        return {
            "mlm:name": self.name,
            "mlm:architecture": f"CLAIRE, {self.card.network.size} (ConvNeXt encoders, cross-modal fusion)",
            "mlm:tasks": TASKS,
            "mlm:framework": "PyTorch",
            "mlm:accelerator": None,
            "mlm:input": [
                self._input("optical", self.card.optical_bands, self.card.optical_unit or "optical bands as delivered"),
                self._input("sar", self.card.sar_bands, f"SAR as {self.card.sar_scale}"),
            ],
            "mlm:output": [
                {
                    "name": "class logits",
                    "tasks": TASKS,
                    "description": "divided by the temperature; the softmax is blended into the map",
                    "result": _array("class", len(self.card.classes)),
                    "classification:classes": list(classes),
                    "post_processing_function": None,
                }
            ],
            "mlm:hyperparameters": {
                **self.card.network.model_dump(mode="json"),
                "halo_px": self.card.halo_px,
                "temperature": self.card.temperature,
                "step": self.card.best_step,
                "labelled_pixels": self.card.trained_on.pixels,
            },
        }

    def _input(self, sensor: str, bands: BandScale, description: str) -> dict[str, Any]:
        """Return a sensor's input; scenes that are normalised by their own moments have no fixed scaling."""
        moments = zip(bands.mean, bands.std, strict=True)
        found = {
            "name": sensor,
            "bands": list(bands.names),
            "description": description,
            "input": _array("channel", len(bands.names)),
            "value_scaling": [{"type": "z-score", "mean": mean, "stddev": std} for mean, std in moments],
            "resize_type": None,
            "pre_processing_function": None,
        }
        if self.card.normalisation == "training":
            return found
        described = f"{description}; each scene is normalised by its own mean and standard deviation"
        return {**found, "description": described, "value_scaling": None}

    def asset(self) -> dict[str, Any]:
        """Return the asset of the card, with the bands of the inputs.

        MLM requires an asset of role `mlm:model`. The weights are not delivered; the card has their hash.
        """
        names = (*self.card.optical_bands.names, *self.card.sar_bands.names)
        return {
            "href": f"./{self.copy}",
            "title": "Model card with the SHA-256 of the weights",
            "type": "application/json",
            "roles": ["mlm:model", "metadata"],
            "mlm:artifact_type": "clairemap.model_card",
            "raster:bands": [{"name": name, "data_type": "float32"} for name in names],
        }


def _array(second: str, size: int) -> dict[str, Any]:
    """Return the description of a (batch, `second`, height, width) array of any height and width."""
    return {"shape": [-1, size, -1, -1], "dim_order": ["batch", second, "height", "width"], "data_type": "float32"}
