"""From the files of a region to the content of its page."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from clairemap.errors import StoreError
from clairemap.grid.window import Window
from clairemap.raster.store import GridStore, check_store
from clairemap.registration.record import read_registration
from clairemap.report import figures, records
from clairemap.report.content import (
    Fact,
    Look,
    MapPaths,
    RegistrationRow,
    ReportContent,
    ScenePaths,
    TileCard,
    ToldTile,
    TrainingSummary,
)
from clairemap.report.leakage import split_summary
from clairemap.report.map_panel import map_panel
from clairemap.report.pictures import registration_picture, tile_pictures
from clairemap.report.selection import choose
from clairemap.stages import RenderReport
from clairemap.tiles.audit import read_audit
from clairemap.tiles.index import read_tile_index, tile_rows

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class RegionPaths:
    """All files that the page is made from. Lists may be empty; what is missing is said on the page."""

    maps: tuple[MapPaths, ...]
    checks: tuple[Path, ...]
    metrics: Path
    registrations: tuple[Path, ...]
    registration_pictures: tuple[Path, ...]
    tiles: tuple[Path, ...]
    explanations: tuple[Path, ...]
    scenes: tuple[ScenePaths, ...]
    card: Path
    history: Path
    statistics: Path
    audit: Path


def gather(region: str, files: RegionPaths, settings: RenderReport, stamp: Mapping[str, str]) -> ReportContent:
    """Return the content of a region's page. Memory: one picture or one tile at a time, besides the page itself.

    Raises:
        StoreError: a file is missing, damaged, or of another region.
        UnreadableFileError: a map can't be read.
    """
    metrics = records.read_metrics(files.metrics)
    statistics = records.read_json(files.statistics)
    card = records.read_json(files.card)
    look = Look(
        legend=settings.legend.legend(),
        sensors=settings.sensors,
        optical=records.stretch(statistics, "optical", settings.sensors.optical.names, files.statistics),
        sar=records.stretch(statistics, "sar", settings.sensors.sar.names, files.statistics),
    )
    told = records.read_explanations(files.explanations)
    names = look.legend.names
    return ReportContent(
        title=settings.report.title or region,
        region=region,
        legend=look.legend,
        metrics=metrics,
        maps=tuple(map_panel(paths, look) for paths in files.maps),
        checked_by=tuple(sorted({records.read_checking_version(path) for path in files.checks})),
        confusion=figures.confusion_figure(metrics.confusion, names) if metrics.pixels else None,
        training=_training(files.history, int(card.get("best_step", 0))),
        registrations=_registrations(files),
        tiles=tuple(_cards(told, files, settings.report.max_tiles, look)),
        tiles_explained=len(told),
        making=(*records.model_facts(card), *_grounds(metrics.stamp)),
        calibration=records.calibration_text(card),
        split=split_summary(read_audit(files.audit), card.get("halo_px"), metrics.split),
        stamp=stamp,
        unmasked=tuple(sorted({tile.scene for tile in told if tile.facts.cloud_unknown_pct})),
    )


def _grounds(stamp: Mapping[str, str]) -> tuple[Fact, ...]:
    return (Fact("Accuracy scored by", records.version_text(stamp)),) if stamp else ()


def _training(path: Path, best_step: int) -> TrainingSummary | None:
    history = records.read_history(path)
    if not history:
        return None
    minutes = sum(row.seconds for row in history) / 60
    return TrainingSummary(figures.training_figure(history), history[-1].step, minutes, best_step)


def _registrations(files: RegionPaths) -> tuple[RegistrationRow, ...]:
    pictures = dict(registration_picture(path) for path in files.registration_pictures)
    found = [read_registration(path) for path in files.registrations]
    return tuple(
        RegistrationRow(record, figures.registration_figure(record), pictures.get(record.scene)) for record in found
    )


def _cards(told: Sequence[ToldTile], files: RegionPaths, count: int, look: Look) -> Iterable[TileCard]:
    chosen = choose(told, count)
    if not chosen:
        return
    windows = _windows(files.tiles)
    stores = _stores(files.scenes)
    for choice in chosen:
        tile = choice.tile
        try:
            window, (pair, probabilities) = windows[tile.scene, tile.row, tile.col], stores[tile.scene]
        except KeyError as error:
            raise StoreError(
                f"tile {tile.row}, {tile.col} of scene {tile.scene} is explained, but {error} is in no tile index "
                "or store given to the report; run the workflow again"
            ) from None
        yield TileCard(tile, choice.why, tile_pictures(pair, probabilities, window, look))
    log.info("%d of %d explained tiles pictured", len(chosen), len(told))


def _stores(scenes: Iterable[ScenePaths]) -> dict[str, tuple[GridStore, GridStore]]:
    opened = ((_checked(files.pair), _checked(files.probabilities)) for files in scenes)
    return {str(pair.attributes["scene"]): (pair, probabilities) for pair, probabilities in opened}


def _checked(store: Path) -> GridStore:
    return check_store(store, store.with_suffix(".json"))


def _windows(paths: Iterable[Path]) -> dict[tuple[str, int, int], Window]:
    windows: dict[tuple[str, int, int], Window] = {}
    for path in paths:
        for row in tile_rows(read_tile_index(path)):
            windows[row.scene, row.row, row.col] = Window(row.y0, row.x0, row.height, row.width)
    return windows
