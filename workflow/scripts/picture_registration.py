"""Draw SAR and optical of a scene, before and after registration."""

import logging
from pathlib import Path
from typing import Annotated

import typer

from clairemap.artefacts.registration import Registration, read_registration
from clairemap.console import run
from clairemap.provenance import stamp, written_whole
from clairemap.registration.match import Pair
from clairemap.registration.sources import optical_source, sar_source
from clairemap.report.checkerboard import checkerboard_png
from clairemap.report.registration_views import RegistrationView, registration_views
from clairemap.settings import SensorBands
from clairemap.sources.opened import SceneRasters
from clairemap.stages import PictureRegistration

log = logging.getLogger("clairemap.picture_registration")


def picture_registration(
    *,
    scene: Annotated[str, typer.Option(help="name of the scene")],
    optical: Annotated[str, typer.Option(help="optical raster")],
    sar: Annotated[str, typer.Option(help="SAR raster")],
    registration: Annotated[Path, typer.Option(help="registration.json of the scene")],
    picture: Annotated[Path, typer.Option(help="registration.png to write")],
    settings: Annotated[str, typer.Option(help="settings of this stage as JSON: section sensors")],
    sources: Annotated[Path | None, typer.Option(help="sources.json, if cells are not single rasters")] = None,
) -> None:
    """Draw both sensors in a checkerboard, at up to three places that show the offset best.

    Memory: a few windows, for any size of the scene.
    """
    sections = PictureRegistration.from_json(settings)
    record = read_registration(registration)
    views = _views(SceneRasters({"optical": optical, "sar": sar}, sources), record, sections.sensors)
    drawn = checkerboard_png(views, scene, stamp("picture_registration", settings))
    with written_whole(picture) as temporary:
        temporary.write_bytes(drawn)
    corners = ", ".join(f"({place.row}, {place.column})" for place in views)
    log.info("%s: %d place(s) at %s, %.0f kB", scene, len(views), corners, len(drawn) / 1e3)


def _views(rasters: SceneRasters, record: Registration, sensors: SensorBands) -> list[RegistrationView]:
    with (
        optical_source(rasters.sensor("optical"), sensors.optical) as optical_file,
        sar_source(rasters.sensor("sar"), sensors.sar) as sar_file,
    ):
        return registration_views(Pair.opened(optical_file, sar_file, sensors), record)


if __name__ == "__main__":
    run(picture_registration)
