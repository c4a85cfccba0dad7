"""Estimate the offset of a scene's SAR against its optical image."""

import logging
from pathlib import Path
from typing import Annotated

import typer

from clairemap.artefacts.registration import Registration, write_registration
from clairemap.console import run
from clairemap.errors import RegistrationRejectedError
from clairemap.provenance import stamp
from clairemap.raster.identity import remembered
from clairemap.raster.virtual_raster import Raster
from clairemap.registration.estimate import estimate_displacement
from clairemap.registration.plausible import check_optical, check_sar
from clairemap.registration.record import registration_of
from clairemap.registration.result import single_sensor
from clairemap.registration.sources import optical_source, sar_source
from clairemap.sources.opened import SceneRasters
from clairemap.stages import RegisterPair

log = logging.getLogger("clairemap.register_pair")


def register_pair(
    *,
    scene: Annotated[str, typer.Option(help="name of the scene")],
    registration: Annotated[Path, typer.Option(help="registration.json to write")],
    settings: Annotated[str, typer.Option(help="settings of this stage as JSON: sections sensors and registration")],
    optical: Annotated[str | None, typer.Option(help="optical raster")] = None,
    sar: Annotated[str | None, typer.Option(help="SAR raster")] = None,
    sources: Annotated[Path | None, typer.Option(help="sources.json, if cells are not single rasters")] = None,
    record: Annotated[Path | None, typer.Option(help="files_read.json to update: what was read of the rasters")] = None,
) -> None:
    """Match windows of both images, fit the offset and write it with its quality."""
    sections = RegisterPair.from_json(settings)
    rasters = SceneRasters({"optical": optical, "sar": sar}, sources)
    with remembered(rasters.single_files(), record):
        found = _estimate(scene, rasters.raster("optical"), rasters.raster("sar"), sections)
    log.info(
        "%s: %s (%s); %s, on average dx %.2f, dy %.2f px, %s",
        scene, found.verdict, found.reason, found.model.kind,
        found.displacement_px.dx, found.displacement_px.dy,
        "applied" if found.applied else "not applied",
    )  # fmt: skip
    if found.verdict == "rejected" and sections.registration.on_rejected == "error":
        raise RegistrationRejectedError(
            f"{scene}: {optical} and {sar} cannot be registered: {found.reason}; check the files, "
            "or set registration.on_rejected: keep, which uses their georeferencing and flags the scene"
        )
    write_registration(registration, found, stamp("register_pair", settings))


def _estimate(scene: str, optical: Raster | None, sar: Raster | None, sections: RegisterPair) -> Registration:
    if optical is None or sar is None:
        return registration_of(scene, single_sensor(), None)
    sensors = sections.sensors
    with optical_source(optical, sensors.optical) as optical_file, sar_source(sar, sensors.sar) as sar_file:
        fit = estimate_displacement(optical_file, sar_file, sensors, sections.registration)
        check_optical(optical_file)
        check_sar(sar_file, sensors.sar)
        return registration_of(scene, fit, optical_file.geobox)


if __name__ == "__main__":
    run(register_pair)
