"""Texts of the folder in which a model is shared: README, config file and sample sheet to start with."""

import textwrap
from collections.abc import Iterator

import yaml
from shapely.geometry import shape

from clairemap.artefacts.audit import SplitAudit
from clairemap.artefacts.metrics import RegionMetrics
from clairemap.artefacts.model_card import BandScale, ModelCard
from clairemap.artefacts.origin import ClassAccuracy, Origin, RegionAccuracy, TrainingPlace
from clairemap.outputs import FUSED
from clairemap.report.given_model import SPLIT_WORDS, model_name, training_dates, training_labels
from clairemap.report.leakage_texts import split_summary
from clairemap.report.model_texts import EARLIER, calibration_text, version_text
from clairemap.report.numbers import count, points
from clairemap.report.sensor_words import SENSOR_WORDS
from clairemap.scenes import OPTIONAL, REQUIRED
from clairemap.settings.sensors import View
from clairemap.stages import PackBundle

MAX_LINE = 120
"""Maximum length of a line of prose, characters."""

SENSORS_NEEDED: dict[View, str] = {
    FUSED: "A scene may lack one sensor; both give the better map.",
    "optical": "The network was trained on optical images only: SAR is not used.",
    "sar": "The network was trained on SAR only: optical images are not used.",
}
SCALES = {"db": "backscatter; linear values are converted to dB", "digital": "digital numbers as delivered"}


def accuracy_of(metrics: RegionMetrics, audit: SplitAudit) -> RegionAccuracy:
    """Return what a model's origin has of a region: the figures at the top of its report, their split and warnings."""
    leaks = split_summary(audit, None, metrics.split, metrics.headline).headline_cautions
    return RegionAccuracy(
        region=metrics.region,
        split=metrics.split or "none",
        miou=metrics.miou,
        oa=metrics.oa,
        ece=metrics.ece,
        pixels=metrics.pixels,
        tiles=metrics.tiles,
        classes=tuple(
            ClassAccuracy(name=row.name, iou=row.iou, f1=row.f1, truth_px=row.truth_px) for row in metrics.per_class
        ),
        labels_product=metrics.labels_product,
        cautions=(*leaks, *metrics.cautions),
    )


def sheet_start() -> str:
    """Return a sample sheet without rows."""
    return ",".join((*REQUIRED, *OPTIONAL)) + "\n"


def start_config(folder: str, chosen: PackBundle) -> str:
    """Return a config file that maps with the model, if its folder is where snakemake runs.

    It has the settings of the training project that change a scene's probabilities and differ from the defaults.
    """
    sections = {"registration": chosen.registration, "tiling": chosen.tiling, "inference": chosen.inference}
    own = {
        name: changed
        for name, section in sections.items()
        if (changed := {k: v for k, v in section.model_dump(mode="json").items() if v != getattr(type(section)(), k)})
    }
    same = f"# As in the training project:\n{yaml.safe_dump(own, sort_keys=False)}" if own else ""
    return f"""\
# Maps with the model in this folder: snakemake --cores all --configfile {folder}/my.yaml
# Paths start at the folder where snakemake runs. Classes, bands and all other settings of legend and sensors are those
# of the model; name here only what differs in your files, for example:
# sensors:
#   sar: {{scale: db}}
model: {folder}
scenes: {folder}/scenes.csv
data_dir: .
work_dir: work/mapped
results_dir: results/mapped
{same}"""


def readme(card: ModelCard, origin: Origin, folder: str) -> str:
    """Return the README of the folder in Markdown; equal arguments give an equal text."""
    scenes = f"{SENSOR_WORDS[card.network.sensors]} scenes"
    parts = (
        f"# Land-cover model {model_name(card)}\n",
        f"A CLAIRE network (size {card.network.size}) that maps land cover from {scenes}.\n",
        _usage(card, origin, folder),
        _input(card, origin),
        _classes(card, origin),
        _places(card, origin),
        _accuracy(card, origin),
        _making(card, origin),
    )
    return "\n".join(parts)


def _usage(card: ModelCard, origin: Origin, folder: str) -> str:
    version = (origin.stamp or card.stamp).get("clairemap_version", "?")
    return f"""\
## Map with it

1. Get clairemap {version} and set it up: `make setup` in its folder, then `. .venv/bin/activate`.
2. Copy this folder into it, as `{folder}`.
3. Add a row for each scene to `{folder}/scenes.csv`. `split` is `predict`, or `test` for a scene with labels, whose
   accuracy is then computed. For example:

   ```
   {sheet_start().strip()}
   west,valley,predict,/data/west_optical.tif,/data/west_sar.tif,,,2026-05-12,2026-05-13
   ```

4. `snakemake --cores all --configfile {folder}/my.yaml`

Maps, styles and report are then in `results/mapped/valley/`. Nothing is trained. Each scene's values are compared with
those of the training scenes (`radiometry.json`); a scene with another unit, offset or band order is stopped.
"""


def _input(card: ModelCard, origin: Origin) -> str:
    sensors = origin.sensors
    speckle = sensors.sar.speckle_filter
    window = f", {sensors.sar.speckle_window_px} px, {sensors.sar.looks:g} looks" if speckle != "none" else ""
    by_scene = ""
    if card.normalisation == "scene":
        by_scene = ". Each scene is normalised by its own mean and standard deviation instead (`normalisation: scene`)"
    return f"""\
## Input

Bands in this order, with mean and standard deviation over the training pixels{by_scene}:

| sensor | band | mean | standard deviation |
|---|---|---|---|
{_band_rows("optical", card.optical_bands)}
{_band_rows("SAR", card.sar_bands)}

- Optical: values as in the training scenes, in the unit of the table{_scaled(sensors.optical.apply_scale)}.
- SAR: {SCALES[card.sar_scale]}. Files of the training: `sensors.sar.scale: {sensors.sar.scale}`.
  Speckle filter: {speckle}{window}.
- {SENSORS_NEEDED[card.network.sensors]}
"""


def _scaled(apply_scale: bool) -> str:
    return ", after the scale and offset tags of the file" if apply_scale else ", without scale and offset tags"


def _band_rows(sensor: str, bands: BandScale) -> str:
    rows = zip(bands.names, bands.mean, bands.std, strict=True)
    return "\n".join(f"| {sensor} | {name} | {mean:.4g} | {std:.4g} |" for name, mean, std in rows)


def _classes(card: ModelCard, origin: Origin) -> str:
    counts = dict(zip([c.code for c in card.classes], card.learnt_px, strict=False))
    rows = "\n".join(
        f"| {c.code} | {_cell(c.name)} | {c.color} | {_pixels(counts.get(c.code))} |" for c in origin.legend.classes
    )
    pixels = f"labelled training pixels{EARLIER if card.has_earlier_px else ''}"
    return f"## Classes\n\n| code | class | colour | {pixels} |\n|---|---|---|---|\n{rows}\n"


def _pixels(pixels: int | None) -> str:
    return "none: the network cannot map it" if pixels == 0 else count(pixels)


def _places(card: ModelCard, origin: Origin) -> str:
    days = " to ".join(training_dates(origin)) or "not stated"
    rows = "\n".join(
        f"| {place.scene} | {'training' if place.split == 'train' else 'validation'} | {count(place.tiles)} | "
        f"{', '.join(map(str, place.dates)) or '–'} | {_bounds(place)} |"
        for place in origin.places
    )
    return f"""\
## Where and when it was trained

{training_labels(origin)}{count(card.trained_on.pixels)} labelled pixels. Dates: {days}.
Outlines: `places` in `origin.json`.

| scene | used for | labelled tiles | dates | west, south, east, north (degrees) |
|---|---|---|---|---|
{rows}
"""


def _bounds(place: TrainingPlace) -> str:
    if place.outline is None:
        return "unknown: no CRS"
    return ", ".join(f"{value:.4f}" for value in shape(place.outline).bounds)


def _accuracy(card: ModelCard, origin: Origin) -> str:
    if not any(accuracy.miou is not None for accuracy in origin.accuracy):
        return "## Accuracy\n\nNot known: no region of the training project was scored.\n"
    method = f"Split: `splits.method: {origin.split_method}`. " if origin.split_method else ""
    sections = "\n".join(_region(accuracy) for accuracy in origin.accuracy if accuracy.miou is not None)
    return f"""\
## Accuracy

Measured in the training project. {method}Elsewhere, and in other seasons, expect less.

{sections}
{textwrap.fill(calibration_text(card), MAX_LINE, break_on_hyphens=False)}
"""


def _region(accuracy: RegionAccuracy) -> str:
    rows = "\n".join(
        f"| {_cell(row.name)} | {points(row.iou)} | {points(row.f1)} | {count(row.truth_px)} |"
        for row in accuracy.classes
    )
    cautions = "".join(f"{_item(caution)}\n" for caution in accuracy.cautions)
    tiles = SPLIT_WORDS.get(accuracy.split, accuracy.split)
    return f"""\
**Region {accuracy.region}**, {tiles}: mIoU {points(accuracy.miou)} %, overall accuracy {points(accuracy.oa)} %,
{count(accuracy.pixels)} labelled pixels in {count(accuracy.tiles)} tile(s).

| class | IoU, % | F1, % | labelled pixels |
|---|---|---|---|
{rows}

{cautions}"""


def _item(text: str) -> str:
    return textwrap.fill(text, MAX_LINE, initial_indent="- ", subsequent_indent="  ", break_on_hyphens=False)


def _making(card: ModelCard, origin: Origin) -> str:
    return "## Licence and provenance\n\n" + "".join(f"{_item(line)}\n" for line in _provenance(card, origin))


def _provenance(card: ModelCard, origin: Origin) -> Iterator[str]:
    yield f"Licence: {origin.licence or 'not stated; ask the authors before you use it'}"
    yield f"Trained by {version_text(card.stamp)}, step {count(card.best_step)}"
    if card.parent is not None:
        yield (
            f"Fine-tuned from the model with weights {card.parent.weights_sha256}; classes kept: "
            f"{', '.join(card.parent.kept_classes) or 'none'}; new: {', '.join(card.parent.new_classes) or 'none'}"
        )
    yield f"SHA-256 of `model.safetensors`: `{card.weights_sha256}`"


def _cell(text: str) -> str:
    """Return a text for a cell of a table."""
    return " ".join(text.split()).replace("|", "\\|")
