"""Map one scene: class probabilities and the optical sensor's share, on the scene's own grid."""

import shutil
from pathlib import Path
from typing import Annotated

import typer

from clairemap.console import run
from clairemap.inference.predict import Prediction, choose_device
from clairemap.inference.predict import predict_scene as predict
from clairemap.nets.bundle import load_bundle
from clairemap.provenance import stamp, temporary_beside
from clairemap.raster.store import check_store, complete_store
from clairemap.settings import View
from clairemap.stages import PredictScene


def predict_scene(
    *,
    pair: Annotated[Path, typer.Option(help="the scene's pair.zarr")],
    pair_manifest: Annotated[Path, typer.Option(help="its manifest")],
    weights: Annotated[Path, typer.Option(help="model.safetensors")],
    card: Annotated[Path, typer.Option(help="model.json")],
    view: Annotated[View, typer.Option(help="fused, or one sensor with the other masked out")],
    probabilities: Annotated[Path, typer.Option(help="store to write")],
    manifest: Annotated[Path, typer.Option(help="manifest to write")],
    settings: Annotated[str, typer.Option(help="JSON of PredictScene")],
    device: Annotated[str, typer.Option(help="auto, cpu or cuda")] = "auto",
) -> None:
    """Write the scene's probabilities whole or not at all."""
    chosen = PredictScene.model_validate_json(settings)
    scene = check_store(pair, pair_manifest)
    bundle = load_bundle(weights, card, choose_device(device))
    part = temporary_beside(probabilities)
    try:
        predict(scene, Prediction(bundle, view, chosen.inference), part, stamp("predict_scene", settings))
        complete_store(part, probabilities, manifest)
    finally:
        shutil.rmtree(part, ignore_errors=True)


if __name__ == "__main__":
    run(predict_scene)
