"""Files of a sample for interpreters: CSV for spreadsheets, GeoPackage for GIS. Neither has the map's class."""

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pyogrio
import shapely
from affine import Affine
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from clairemap.accuracy.answers import Answer, Content, examples, read_answers
from clairemap.accuracy.places import moved_units
from clairemap.artefacts.sample_design import DesignUnit, SampleDesign
from clairemap.errors import SampleError
from clairemap.grid.coordinates import pixel_to_world
from clairemap.grid.earth import crs_of, to_degrees, wrapped_x
from clairemap.provenance import write_text_whole, written_whole

HEADER = ("id", "longitude", "latitude", "map_x", "map_y", "reference", "reference_2", "confidence", "remark")
LAYER = "sample"
BOM = "\ufeff"
"""Byte order mark: spreadsheets then read UTF-8."""


def kept_answers(
    paths: Sequence[Path], design: SampleDesign, columns: Mapping[Path, Mapping[Content, str]] | None = None
) -> dict[str, Answer]:
    """Return what interpreters have filled into earlier files, by unit.

    Args:
        paths: files that may exist.
        design: design of the new sample.
        columns: names of columns of files with other names.

    Raises:
        SampleError: a unit with an answer is not in the new sample or at another place, or two files have different
            answers.
    """
    kept: dict[str, Answer] = {}
    for path in paths:
        found = read_answers(path, (columns or {}).get(path)) if path.exists() else ()
        if faults := moved(found, design):
            raise SampleError(f"{path}: {faults[0]}")
        for answer in found:
            if answer.is_touched and kept.setdefault(answer.id, answer) != answer:
                raise SampleError(
                    f"{', '.join(map(str, paths))}: have different answers for {answer.id}; move one of them to "
                    "another folder"
                )
    if lost := kept.keys() - {unit.id for unit in design.units}:
        existing = ", ".join(str(path) for path in paths if path.exists())
        raise SampleError(
            f"{existing}: {len(kept)} unit(s) have answers, {len(lost)} of them are not in the new sample: "
            f"{examples(lost)}. Move the files to another folder before a new sample is drawn, or restore the settings "
            "under accuracy that drew it (units, seed, distance_px, per_stratum, buffer, strata_by_zone); if only the "
            "size has changed, set accuracy.units to that of the earlier sample"
        )
    return kept


def moved(answers: Sequence[Answer], design: SampleDesign) -> list[str]:
    """Return a text on answers at another place than the unit of the design; none without such answers."""
    places = [(answer.id, answer.places) for answer in answers if answer.is_touched and answer.places]
    units = {unit.id: unit for unit in design.units}
    found = moved_units(places, units, grid_of(design))
    if not found:
        return []
    return [
        f"{len(found)} unit(s) are at another place than in the sample: {examples(found)}. Columns may have been "
        "sorted apart, points moved, or the file is of another region: restore the coordinates of the sample's files, "
        "or answer these units again; if their answers are right, save a CSV without coordinates"
    ]


def grid_of(design: SampleDesign) -> GeoBox:
    """Return the grid of the sampled map."""
    return GeoBox((design.height, design.width), Affine(*design.transform), design.crs)


def write_sample(
    table: Path, geopackage: Path, units: Sequence[DesignUnit], geobox: GeoBox, answers: Mapping[str, Answer]
) -> None:
    """Write both files, sorted by id, which is a random order; answers that exist are kept.

    Args:
        table: CSV to write.
        geopackage: GeoPackage to write, with the outlines of the pixels in the map's CRS.
        units: sampled pixels.
        geobox: the map's grid, with a CRS.
        answers: answers by unit.
    """
    units = sorted(units, key=lambda unit: unit.id)
    rows = np.array([unit.row for unit in units], np.float64)
    columns = np.array([unit.column for unit in units], np.float64)
    x, y = pixel_to_world(geobox, rows + 0.5, columns + 0.5)
    longitude, latitude = to_degrees(crs_of(geobox), x, y)
    places = np.column_stack([wrapped_x(longitude, 0, 360), latitude, x, y])
    filled = [answers.get(unit.id, Answer(unit.id, "")) for unit in units]
    _write_csv(table, filled, places)
    _write_geopackage(geopackage, filled, places, _outlines(geobox, rows, columns), geobox)


def _write_csv(path: Path, answers: Sequence[Answer], places: NDArray[np.float64]) -> None:
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(HEADER)
    for answer, (longitude, latitude, x, y) in zip(answers, places.tolist(), strict=True):
        place = f"{longitude:.7f}", f"{latitude:.7f}", f"{x:.3f}", f"{y:.3f}"
        writer.writerow([answer.id, *place, answer.reference, answer.second, answer.confidence, answer.remark])
    write_text_whole(path, BOM + text.getvalue())


def _write_geopackage(
    path: Path,
    answers: Sequence[Answer],
    places: NDArray[np.float64],
    outlines: NDArray[np.object_],
    geobox: GeoBox,
) -> None:
    texts = [
        np.array([getattr(answer, name) or None for answer in answers], object)
        for name in ("reference", "second", "confidence", "remark")
    ]
    content = io.BytesIO()  # not the temporary file itself: GDAL warns of names that do not end in .gpkg
    pyogrio.raw.write(
        content,
        shapely.to_wkb(outlines),
        [np.array([int(answer.id) for answer in answers], np.int32), *places.T, *texts],
        list(HEADER),
        layer=LAYER,
        driver="GPKG",
        geometry_type="Polygon",
        crs=crs_of(geobox).to_wkt(),
    )
    with written_whole(path) as part:
        part.write_bytes(content.getvalue())


def _outlines(geobox: GeoBox, rows: NDArray[np.float64], columns: NDArray[np.float64]) -> NDArray[np.object_]:
    """Return the outline of each pixel in the map's CRS, (unit,)."""
    down, right = np.array([0.0, 0, 1, 1, 0]), np.array([0.0, 1, 1, 0, 0])
    x, y = pixel_to_world(geobox, rows[:, None] + down, columns[:, None] + right)
    return np.asarray(shapely.polygons(np.stack([x, y], axis=-1)), np.object_)
