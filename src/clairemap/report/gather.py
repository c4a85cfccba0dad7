"""Reads the files of a region into the content of its page."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from clairemap.artefacts.acceptance import kept_results
from clairemap.artefacts.audit import read_audit
from clairemap.artefacts.estimates import read_estimates
from clairemap.artefacts.explanations import ExplainedTile, read_explanations
from clairemap.artefacts.history import read_history
from clairemap.artefacts.label_counts import read_label_counts
from clairemap.artefacts.map_check import read_map_check
from clairemap.artefacts.metrics import RegionMetrics, read_metrics
from clairemap.artefacts.model_card import read_model_card
from clairemap.artefacts.origin import read_origin
from clairemap.artefacts.registration import read_registration
from clairemap.artefacts.scene_sources import read_scene_sources
from clairemap.artefacts.simulated_answers import read_simulated_answers
from clairemap.artefacts.statistics import read_statistics
from clairemap.artefacts.tiles import TileId, read_tile_index, tile_rows
from clairemap.errors import StoreError
from clairemap.grid.window import Window
from clairemap.outputs import MapFiles, ModelFolder, SceneFolder
from clairemap.raster.store import GridStore, check_store
from clairemap.report import figures, model_texts
from clairemap.report.content import (
    DisplaySettings,
    Fact,
    RegistrationRow,
    ReportContent,
    TileCard,
    TrainingSummary,
)
from clairemap.report.estimated_areas import EstimatesSection, estimates_section
from clairemap.report.given_model import origin_text
from clairemap.report.leakage_texts import split_summary
from clairemap.report.map_panel import map_panel
from clairemap.report.origins import origin_rows
from clairemap.report.pictures import display_stretch, registration_picture, tile_pictures
from clairemap.report.selection import select_tiles
from clairemap.stages import RenderReport

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class RegionPaths:
    """Input files of the page. Maps and scenes may be empty; the page then reports that they are missing."""

    maps: tuple[MapFiles, ...]
    scenes: tuple[SceneFolder, ...]
    model: ModelFolder
    metrics: Path
    accepted: tuple[Path, ...] = ()
    label_counts: tuple[Path, ...] = ()
    sources: tuple[Path, ...] = ()
    estimates: Path | None = None
    truth: Path | None = None

    @property
    def checks(self) -> tuple[Path, ...]:
        """Check results of the maps, if they exist."""
        return tuple(files.check for files in self.maps if files.check.exists())


def gather(region: str, files: RegionPaths, settings: RenderReport, stamp: Mapping[str, str]) -> ReportContent:
    """Return the content of a region's page. Memory: the page, plus one picture or tile at a time.

    Raises:
        StoreError: a file is missing, damaged, or from another region.
        UnreadableFileError: a map cannot be read.
    """
    metrics = read_metrics(files.metrics)
    statistics = read_statistics(files.model.statistics)
    card = read_model_card(files.model.card).named(settings.legend)
    origin = read_origin(files.model.origin) if files.model.origin.exists() else None
    display = DisplaySettings(
        legend=settings.legend,
        sensors=settings.sensors,
        optical=display_stretch(statistics.optical, settings.sensors.optical.names, files.model.statistics),
        sar=display_stretch(statistics.sar, settings.sensors.sar.names, files.model.statistics),
    )
    explained = [tile for scene in files.scenes for tile in read_explanations(scene.explanations)]
    names = display.legend.names
    return ReportContent(
        title=settings.report.title or region,
        region=region,
        legend=display.legend,
        metrics=metrics,
        maps=tuple(map_panel(paths, display) for paths in files.maps),
        checked_by=tuple(sorted({model_texts.version_text(read_map_check(path).stamp) for path in files.checks})),
        confusion=figures.confusion_figure(metrics.confusion, names) if metrics.pixels else None,
        training=None if origin else _training_summary(files.model.history, card.best_step),
        registrations=_registrations(files),
        tiles=tuple(_cards(explained, files, settings.report.max_tiles, display)),
        tiles_explained=len(explained),
        provenance=(
            *model_texts.model_facts(card),
            *(model_texts.origin_facts(card, origin) if origin else ()),
            *_scoring_facts(metrics.stamp),
            *model_texts.accepted_facts(kept_results(files.accepted, [scene.folder.name for scene in files.scenes])),
        ),
        calibration=model_texts.calibration_text(card),
        split=split_summary(read_audit(files.model.audit_of(region)), card.halo_px, metrics.split, metrics.headline),
        stamp=stamp,
        polygons=tuple(map(read_label_counts, files.label_counts)),
        given_model=origin_text(card, origin) if origin else "",
        origins=origin_rows(map(read_scene_sources, files.sources)),
        estimates=_estimates(files),
        can_be_sampled=_can_be_sampled(region, files, metrics),
        unmasked=tuple(sorted({tile.scene for tile in explained if tile.facts.cloud_unknown_pct})),
    )


def _estimates(files: RegionPaths) -> EstimatesSection | None:
    if files.estimates is None:
        return None
    return estimates_section(
        read_estimates(files.estimates), read_simulated_answers(files.truth) if files.truth else None
    )


def _can_be_sampled(region: str, files: RegionPaths, metrics: RegionMetrics) -> bool:
    """Return whether a sample would give areas that the page lacks: of one map for the region, with a CRS."""
    known = all(row.map_ha is not None for row in metrics.areas)
    return files.estimates is None and known and [paths.name for paths in files.maps] == [region]


def _scoring_facts(stamp: Mapping[str, str]) -> tuple[Fact, ...]:
    return (Fact("Accuracy scored by", model_texts.version_text(stamp)),) if stamp else ()


def _training_summary(path: Path, best_step: int) -> TrainingSummary | None:
    history = read_history(path)
    if not history:
        return None
    minutes = sum(row.seconds for row in history) / 60
    return TrainingSummary(figures.training_figure(history), history[-1].step, minutes, best_step)


def _registrations(files: RegionPaths) -> tuple[RegistrationRow, ...]:
    return tuple(_registration(scene) for scene in files.scenes)


def _registration(scene: SceneFolder) -> RegistrationRow:
    """Return the registration of a scene; pictures left from an earlier run with both sensors are ignored."""
    record = read_registration(scene.registration)
    both_sensors = record.verdict != "single_sensor"
    picture = registration_picture(scene.registration_picture, record.scene) if both_sensors else None
    return RegistrationRow(record, figures.registration_figure(record), picture)


def _cards(
    explained: Sequence[ExplainedTile], files: RegionPaths, count: int, display: DisplaySettings
) -> Iterable[TileCard]:
    chosen = select_tiles(explained, count)
    if not chosen:
        return
    windows = _tile_windows(files.scenes)
    stores = _stores(files.scenes)
    for choice in chosen:
        tile = choice.tile
        try:
            window, (pair, probabilities) = windows[tile.id], stores[tile.scene]
        except KeyError as error:
            raise StoreError(
                f"tile {tile.row}, {tile.col} of scene {tile.scene} has an explanation, but {error} is missing in the "
                "tile indexes and stores; run the workflow again"
            ) from None
        yield TileCard(tile, choice.reason, tile_pictures(pair, probabilities, window, display))
    log.info("%d of %d explained tiles shown", len(chosen), len(explained))


def _stores(scenes: Iterable[SceneFolder]) -> dict[str, tuple[GridStore, GridStore]]:
    opened = ((check_store(files.pair), check_store(files.probabilities)) for files in scenes)
    return {pair.scene: (pair, probabilities) for pair, probabilities in opened}


def _tile_windows(scenes: Iterable[SceneFolder]) -> dict[TileId, Window]:
    return {
        row.id: Window(row.y0, row.x0, row.height, row.width)
        for scene in scenes
        for row in tile_rows(read_tile_index(scene.tiles))
    }
