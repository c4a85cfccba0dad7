"""Map one scene: class probabilities and the share of the optical sensor, on the scene's grid."""

from pathlib import Path
from typing import Annotated, Literal

import torch
import typer

from clairemap.console import run
from clairemap.inference.devices import choose_devices
from clairemap.inference.predict import Prediction
from clairemap.inference.predict import predict_scene as predict
from clairemap.inference.unfinished import unfinished
from clairemap.nets.bundle import load_bundle
from clairemap.provenance import file_digest, json_digest, stamp
from clairemap.raster.store import check_store, complete_store
from clairemap.settings import View
from clairemap.stages import PredictScene


def predict_scene(
    *,
    pair: Annotated[Path, typer.Option(help="the scene's pair.zarr")],
    pair_manifest: Annotated[Path, typer.Option(help="pair.json, the manifest of pair.zarr")],
    weights: Annotated[Path, typer.Option(help="model.safetensors")],
    card: Annotated[Path, typer.Option(help="model.json")],
    view: Annotated[View, typer.Option(help="sensors to use: both (fused), or one with the other masked out")],
    probabilities: Annotated[Path, typer.Option(help="probabilities.zarr to write")],
    manifest: Annotated[Path, typer.Option(help="probabilities.json to write, the manifest")],
    fingerprint: Annotated[str, typer.Option(help="hash of the code; must be equal to resume")],
    settings: Annotated[str, typer.Option(help="settings of this stage as JSON (stages.PredictScene)")],
    device: Annotated[Literal["auto", "cpu", "cuda"], typer.Option(help="auto: use a GPU if there is one")] = "auto",
    gpus: Annotated[int, typer.Option(help="number of GPUs of the job", min=0)] = 1,
    threads: Annotated[int, typer.Option(help="number of CPU threads", min=1)] = 1,
    memory_mb: Annotated[int, typer.Option(help="memory limit, MB; determines the window size")] = 3000,
) -> None:
    """Write the probabilities, completely or not at all; resume an interrupted run."""
    torch.set_num_threads(threads)
    chosen = PredictScene.from_json(settings)
    scene = check_store(pair, pair_manifest)
    devices = choose_devices(device, gpus)
    bundle = load_bundle(weights, card, devices[0])
    model = bundle.card.model_dump(mode="json", exclude={"stamp", "software"})
    inputs = [fingerprint, settings, view, file_digest(pair_manifest), model]
    with unfinished(probabilities, json_digest(inputs)) as unfinished_path:
        prediction = Prediction(bundle, view, chosen.inference, memory_mb, devices)
        predict(scene, prediction, unfinished_path, stamp("predict_scene", settings))
        complete_store(unfinished_path, probabilities, manifest)


if __name__ == "__main__":
    run(predict_scene)
