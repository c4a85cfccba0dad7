"""Write the sample sheet of pairs of optical and SAR items of STAC catalogues."""

import logging
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Literal

import typer
from shapely.geometry.base import BaseGeometry

from clairemap.catalogues.collected import collected
from clairemap.catalogues.documents import is_address, start_of
from clairemap.catalogues.pairing import Limits, paired
from clairemap.catalogues.remarks import counts, partner_remarks, remarks
from clairemap.catalogues.scene_sheet import Columns, valid_name, write_sheet
from clairemap.catalogues.wanted import ANY_DAY, Wanted, days_of, place_of_file
from clairemap.console import run
from clairemap.errors import MissingFileError, NoOverlapError, SettingsError, UnreadableFileError
from clairemap.grid.outline import area_of_box
from clairemap.paths import path_exists
from clairemap.scenes import MAX_NAME_CHARACTERS, NAME, Split

log = logging.getLogger("clairemap.list_stac")

Bounds = tuple[float, float, float, float]


def list_stac(
    *,
    items: Annotated[
        list[str], typer.Option(help="file or address: STAC item, item collection, catalogue, collection or API")
    ],
    sheet: Annotated[Path, typer.Option(help="sample sheet to write; items without an address go to items/ beside it")],
    collections: Annotated[list[str] | None, typer.Option(help="only items of this collection (repeatable)")] = None,
    bbox: Annotated[Bounds | None, typer.Option(help="place: west south east north, degrees")] = None,
    region: Annotated[Path | None, typer.Option(help="place: GeoJSON file with polygons")] = None,
    dates: Annotated[str | None, typer.Option(help="days of the optical images: 2024-06-01/2024-08-31")] = None,
    max_cloud: Annotated[float | None, typer.Option(min=0, max=100, help="maximum cloud cover, percent")] = None,
    min_overlap: Annotated[
        float, typer.Option(min=0.01, max=1, help="share of the optical footprint that SAR must cover")
    ] = 0.5,
    max_days: Annotated[float, typer.Option(min=0, help="maximum number of days between optical and SAR")] = 6,
    optical_collection: Annotated[
        list[str] | None, typer.Option(help="collection of optical items, whatever their metadata (repeatable)")
    ] = None,
    sar_collection: Annotated[
        list[str] | None, typer.Option(help="collection of SAR items, whatever their metadata (repeatable)")
    ] = None,
    region_name: Annotated[
        str | None, typer.Option(help="column region; default: name of the --region file or the sheet, with the day")
    ] = None,
    split: Annotated[Split, typer.Option(help="column split: train, val, test or predict")] = "predict",
    label: Annotated[Path | None, typer.Option(help="column label: one file for all rows")] = None,
    on_faulty: Annotated[
        Literal["error", "leave_out"],
        typer.Option(help="fail on faulty documents and items (error), or leave them out (leave_out)"),
    ] = "error",
    force: Annotated[bool, typer.Option("--force", help="replace an existing sheet with other content")] = False,
) -> None:
    """Write a sample sheet with one row for each optical item that has a SAR partner."""
    _check_files([*(item for item in items if not is_address(item)), *(str(path) for path in (region, label) if path)])
    columns = _columns(region_name, (region or sheet).stem, split, label)
    limits = Limits(min_overlap, max_days)
    wanted = Wanted(
        collections=_collections(collections or [], optical_collection or [], sar_collection or []),
        place=_place(bbox, region),
        days=days_of(dates) if dates else ANY_DAY,
        max_cloud_pct=max_cloud,
        max_days=max_days,
    )
    found = collected(items, wanted, optical_collection or (), sar_collection or ())
    _settle_faults(found.faults, leave_out=on_faulty == "leave_out")
    pairs, alone = paired(found.optical, found.sar, limits)
    _warn([*remarks(found, max_cloud), *partner_remarks(found, pairs, alone, limits)])
    if not pairs:
        raise NoOverlapError(
            f"no pairs, {sheet} is not written: {counts(found, pairs)}; lower --min-overlap, raise --max-days, "
            "loosen the conditions for items, or add items"
        )
    files = write_sheet(pairs, sheet, columns, force=force)
    log.info("%s: %s", sheet, counts(found, pairs))
    if files:
        log.info("%d item(s) without an address of their own: %s", files, sheet.absolute().parent / "items")


def _check_files(named: Iterable[str]) -> None:
    if missing := [text for text in named if not path_exists(Path(start_of(text)))]:
        raise MissingFileError(f"{', '.join(missing)}: no such file; correct --items, --region or --label")


def _collections(named: list[str], optical: list[str], sar: list[str]) -> tuple[str, ...]:
    """Return the collections that items must have: those named, or those of both sensors; all if empty."""
    return tuple(dict.fromkeys([*named, *optical, *sar])) if named or (optical and sar) else ()


def _columns(region_name: str | None, file_name: str, split: Split, label: Path | None) -> Columns:
    if region_name is not None and (not NAME.match(region_name) or len(region_name) > MAX_NAME_CHARACTERS):
        raise SettingsError(
            f"--region-name {region_name!r}: use letters, digits, '_' and '-', at most {MAX_NAME_CHARACTERS}"
        )
    if split in ("train", "val") and label is None:
        raise SettingsError(f"--split {split}: needs labels; name their file in --label, or use --split predict")
    base = region_name or valid_name(file_name)[: MAX_NAME_CHARACTERS - len("_20240603")]
    return Columns(base, region_name is None, split, "" if label is None else start_of(str(label)))


def _place(bbox: Bounds | None, region: Path | None) -> BaseGeometry | None:
    if bbox is not None and region is not None:
        raise SettingsError("--bbox and --region: use one of them")
    if region is not None:
        return place_of_file(region)
    if bbox is None:
        return None
    west, south, east, north = bbox
    if not (-180 <= west <= 180 and -180 <= east <= 180 and -90 <= south < north <= 90 and west != east):
        raise SettingsError(
            f"--bbox {west:g} {south:g} {east:g} {north:g}: use west south east north in degrees; west is greater than "
            "east only across the antimeridian"
        )
    return area_of_box(west, south, east, north)


def _settle_faults(faults: list[str], *, leave_out: bool) -> None:
    if not faults:
        return
    listed = "\n".join(f"  {fault}" for fault in faults)
    if not leave_out:
        raise UnreadableFileError(
            f"{len(faults)} document(s) or item(s) cannot be used:\n{listed}\n"
            "correct them, or set --on-faulty leave_out"
        )
    log.warning("%d document(s) or item(s) left out:\n%s", len(faults), listed)


def _warn(lines: Iterable[str]) -> None:
    for line in lines:
        log.warning(line)


if __name__ == "__main__":
    run(list_stac)
