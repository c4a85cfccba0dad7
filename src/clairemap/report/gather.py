"""Reads the files of a region into the content of its page."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from clairemap.artefacts.acceptance import kept_results
from clairemap.artefacts.audit import read_audit
from clairemap.artefacts.estimates import read_estimates
from clairemap.artefacts.explanations import read_explanations
from clairemap.artefacts.history import read_history
from clairemap.artefacts.label_counts import read_label_counts
from clairemap.artefacts.map_check import read_map_check
from clairemap.artefacts.metrics import RegionMetrics, read_metrics
from clairemap.artefacts.model_card import ModelCard, read_model_card
from clairemap.artefacts.origin import Origin, read_origin
from clairemap.artefacts.registration import Registration, read_registration
from clairemap.artefacts.scene_sources import read_scene_sources
from clairemap.artefacts.simulated_answers import read_simulated_answers
from clairemap.artefacts.statistics import read_statistics
from clairemap.artefacts.tiles import TileId, read_tile_index, tile_rows
from clairemap.errors import StoreError
from clairemap.grid.window import Window
from clairemap.outputs import MapFiles, ModelFolder, SceneFolder
from clairemap.raster.store import check_store
from clairemap.report import figures, model_texts
from clairemap.report.budget import Budget
from clairemap.report.class_errors import class_errors
from clairemap.report.content import (
    DisplaySettings,
    Fact,
    MapPanel,
    RegistrationRow,
    ReportContent,
    SamplePoint,
    TileCard,
    TrainingSummary,
)
from clairemap.report.estimated_areas import EstimatesSection, estimates_section
from clairemap.report.given_model import origin_text
from clairemap.report.interactive import Stores, interactive, tile_splits
from clairemap.report.leakage_texts import split_summary
from clairemap.report.map_panel import map_panel
from clairemap.report.origins import origin_rows
from clairemap.report.pictures import display_stretch, registration_picture, tile_pictures
from clairemap.report.plots import radiometry_plot, reliability_plot
from clairemap.report.rule_costs import RuleCost, rule_costs
from clairemap.report.scene_inputs import scene_inputs
from clairemap.report.selection import select_tiles
from clairemap.report.tile_records import TileDigest, digest_of, weakest_first
from clairemap.report.weakness import weakness_text
from clairemap.stages import RenderReport

log = logging.getLogger(__name__)

TEXT_BYTES = 1_000_000
"""Bytes of the page kept for its texts, tables and script."""

REGISTRATION_SHARE = 0.2
"""Share of the page's size that the pictures of registrations may use."""

REGISTRATION_ORDER = ("rejected", "weak")


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
    scores: tuple[Path, ...] = ()
    benchmarks: Path | None = None
    earlier: tuple[Path, ...] = ()

    @property
    def checks(self) -> tuple[Path, ...]:
        """Check results of the maps, if they exist."""
        return tuple(files.check for files in self.maps if files.check.exists())


def gather(
    region: str,
    files: RegionPaths,
    settings: RenderReport,
    stamp: Mapping[str, str],
    sample: Sequence[SamplePoint] = (),
    changed_settings: Mapping[str, str] | None = None,
) -> ReportContent:
    """Return the content of a region's page. Memory: the page, plus one picture or tile at a time.

    `sample` are the interpreted points of the region's map, `changed_settings` the settings that differ from the
    defaults.

    Raises:
        StoreError: a file is missing, damaged, or from another region.
        UnreadableFileError: a map cannot be read.
    """
    metrics = read_metrics(files.metrics)
    card = read_model_card(files.model.card).named(settings.legend)
    origin = read_origin(files.model.origin) if files.model.origin.exists() else None
    display = _display(files.model.statistics, settings)
    digests = [
        digest_of(tile, display.legend) for scene in files.scenes for tile in read_explanations(scene.explanations)
    ]
    names = display.legend.names
    budget = Budget(round(settings.report.max_mb * 1e6) - TEXT_BYTES)
    maps = tuple(map_panel(paths, display, len(files.maps)) for paths in files.maps)
    registrations = _registrations(files, Budget(round(REGISTRATION_SHARE * budget.left)))
    windows, stores = _tile_windows(files.scenes), _stores(files.scenes)
    cards = tuple(_cards(files.scenes, digests, windows, stores, settings.report.max_tiles, display))
    splits, errors = tile_splits(files.model.splits_of(region)), class_errors(metrics, files.scores)
    budget.use(_pictures_size(maps, registrations, cards))
    return ReportContent(
        title=settings.report.title or region,
        region=region,
        legend=display.legend,
        metrics=metrics,
        maps=maps,
        checked_by=tuple(sorted({model_texts.version_text(read_map_check(path).stamp) for path in files.checks})),
        confusion=figures.confusion_figure(metrics.confusion, names) if metrics.pixels else None,
        training=None if origin else _training_summary(files.model.history, card.best_step),
        registrations=registrations,
        tiles=cards,
        tiles_explained=len(digests),
        provenance=_provenance(card, origin, metrics, files),
        calibration=model_texts.calibration_text(card),
        split=split_summary(read_audit(files.model.audit_of(region)), card.halo_px, metrics.split, metrics.headline),
        stamp=stamp,
        polygons=tuple(map(read_label_counts, files.label_counts)),
        given_model=origin_text(card, origin) if origin else "",
        inputs=scene_inputs((pair for pair, _ in stores.values()), windows, (tile.id for tile in digests)),
        origins=origin_rows(map(read_scene_sources, files.sources)),
        estimates=_estimates(files),
        can_be_sampled=_can_be_sampled(region, files, metrics),
        unmasked=tuple(sorted({tile.id.scene for tile in digests if tile.has_unknown_clouds})),
        tile_sources=frozenset(tile.source for tile in digests),
        weakness=weakness_text(metrics),
        errors=errors,
        changed_settings=changed_settings,
        costs=_costs(region, files),
        reliability=reliability_plot(files.scores, splits, metrics),
        radiometry=radiometry_plot(metrics),
        interactive=interactive(
            files.maps,
            stores,
            windows,
            digests,
            splits,
            errors,
            [card.tile.id for card in cards],
            display,
            budget,
            sample,
            files.earlier,
        ),
    )


def _display(statistics_path: Path, settings: RenderReport) -> DisplaySettings:
    """Return how pictures show classes and bands."""
    statistics = read_statistics(statistics_path)
    return DisplaySettings(
        legend=settings.legend,
        sensors=settings.sensors,
        optical=display_stretch(statistics.optical, settings.sensors.optical.names, statistics_path),
        sar=display_stretch(statistics.sar, settings.sensors.sar.names, statistics_path),
    )


def _provenance(card: ModelCard, origin: Origin | None, metrics: RegionMetrics, files: RegionPaths) -> tuple[Fact, ...]:
    """Return the facts on model, scoring, software and results that were kept."""
    return (
        *model_texts.model_facts(card),
        *(model_texts.origin_facts(card, origin) if origin else ()),
        *_scoring_facts(metrics.stamp),
        *model_texts.software_facts(card),
        *model_texts.accepted_facts(kept_results(files.accepted, [scene.folder.name for scene in files.scenes])),
    )


def _costs(region: str, files: RegionPaths) -> tuple[RuleCost, ...]:
    if files.benchmarks is None:
        return ()
    return rule_costs(files.benchmarks, {region, *(scene.folder.name for scene in files.scenes)})


def _pictures_size(
    maps: Iterable[MapPanel], registrations: Iterable[RegistrationRow], cards: Iterable[TileCard]
) -> int:
    shown = [
        *(picture for panel in maps for section in panel.sections for picture in section.pictures),
        *(picture for row in registrations for picture in (row.vectors, row.checkerboard)),
        *(picture for card in cards for picture in card.pictures.all),
    ]
    return sum(len(picture.source) for picture in shown if picture)


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


def _registrations(files: RegionPaths, budget: Budget) -> tuple[RegistrationRow, ...]:
    """Return the registration of each scene, with pictures of the least certain ones while the budget lasts."""
    records = [(read_registration(scene.registration), scene) for scene in files.scenes]
    pictured = {}
    for record, scene in sorted(records, key=lambda each: _certainty(each[0])):
        row = _registration(record, scene)
        size = sum(len(picture.source) for picture in (row.vectors, row.checkerboard) if picture)
        if not budget.allows(size):
            break
        budget.use(size)
        pictured[record.scene] = row
    return tuple(
        pictured.get(record.scene, RegistrationRow(record, None, None, is_left_out=bool(record.ties)))
        for record, _ in records
    )


def _certainty(record: Registration) -> tuple[int, float, str]:
    """Return a key that sorts rejected scenes first, then weak ones, then those with the largest error."""
    rank = REGISTRATION_ORDER.index(record.verdict) if record.verdict in REGISTRATION_ORDER else len(REGISTRATION_ORDER)
    return rank, -(record.quality.rmse_px or 0.0), record.scene


def _registration(record: Registration, scene: SceneFolder) -> RegistrationRow:
    """Return the registration of a scene; pictures left from an earlier run with both sensors are ignored."""
    both_sensors = record.verdict != "single_sensor"
    picture = registration_picture(scene.registration_picture, record.scene) if both_sensors else None
    return RegistrationRow(record, figures.registration_figure(record), picture)


def _cards(
    scenes: Iterable[SceneFolder],
    digests: Sequence[TileDigest],
    windows: Mapping[TileId, Window],
    stores: Stores,
    count: int,
    display: DisplaySettings,
) -> Iterable[TileCard]:
    for digest in digests:
        if digest.id not in windows or digest.id.scene not in stores:
            raise StoreError(
                f"tile {digest.id.row}, {digest.id.col} of scene {digest.id.scene} has an explanation, but is missing "
                "in the tile indexes or stores; run the workflow again"
            )
    reasons = {choice.id: choice.reason for choice in select_tiles(digests, count)}
    positions = {digest.id: position for position, digest in enumerate(weakest_first(digests))}
    chosen_scenes = {tile.scene for tile in reasons}
    read = (read_explanations(scene.explanations) for scene in scenes if scene.folder.name in chosen_scenes)
    for tile in sorted((tile for tiles in read for tile in tiles if tile.id in reasons), key=lambda tile: tile.id):
        pictures = tile_pictures(*stores[tile.scene], windows[tile.id], display)
        yield TileCard(tile, reasons[tile.id], pictures, positions[tile.id])
    log.info("%d of %d explained tiles shown", len(reasons), len(digests))


def _stores(scenes: Iterable[SceneFolder]) -> Stores:
    opened = ((check_store(files.pair), check_store(files.probabilities)) for files in scenes)
    return {pair.scene: (pair, probabilities) for pair, probabilities in opened}


def _tile_windows(scenes: Iterable[SceneFolder]) -> dict[TileId, Window]:
    return {
        row.id: Window(row.y0, row.x0, row.height, row.width)
        for scene in scenes
        for row in tile_rows(read_tile_index(scene.tiles))
    }
