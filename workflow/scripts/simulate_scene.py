"""Simulate one scene of the demo region, with known truth."""

import json
import logging
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated

import typer

import clairemap.simulate.scene
from clairemap.console import run
from clairemap.grid.points import Shift
from clairemap.provenance import stamp
from clairemap.simulate.acquisition import Acquisition
from clairemap.simulate.region import LANDSCAPE_SEED, demo_scene

log = logging.getLogger("clairemap.simulate_scene")


def simulate_scene(
    *,
    scene: Annotated[str, typer.Option(help="name of a demo scene")],
    directory: Annotated[Path, typer.Option(help="parent of the scene's folder")],
    seed: Annotated[int, typer.Option(min=0, help="random seed of the landscape; 0: that of the demo")] = 0,
    size_px: Annotated[int | None, typer.Option(min=64, help="size of the scene, pixels (default: demo)")] = None,
    acquisition: Annotated[
        int,
        typer.Option(
            min=0,
            help="random seed of season, air, wet soil, SAR geometry, local misregistration and stretch to 8 bits, "
            "instead of the displacement of SAR; 0: those of the demo",
        ),
    ] = 0,
) -> None:
    """Write optical.tif, sar.tif, label.tif and cloud.tif of a demo scene into {directory}/{scene}."""
    recipe = demo_scene(scene).recipe
    if size_px is not None:
        recipe = replace(recipe, size_px=size_px)
    if acquisition:
        recipe = replace(recipe, acquisition=Acquisition.drawn(acquisition), shift_px=Shift(dy=0.0, dx=0.0))
    parameters = {**asdict(recipe), "seed": seed}
    if not acquisition:
        del parameters["acquisition"]  # the stamp of the demo's scenes stays
    tags = stamp("simulate_scene", json.dumps(parameters))
    clairemap.simulate.scene.simulate_scene(recipe, directory / scene, LANDSCAPE_SEED + seed, tags)
    log.info(
        "%s: %d x %d px, SAR displaced by dx %g, dy %g px",
        scene, recipe.size_px, recipe.size_px, recipe.shift_px.dx, recipe.shift_px.dy,
    )  # fmt: skip


if __name__ == "__main__":
    run(simulate_scene)
