"""A trained model in a folder, and the settings that it decides (`model`, `training.start_from`).

The model decides `legend.classes`, the bands of both sensors, whether SAR is in dB, and `network`. Keys that a user has
set must agree with the model. The other keys of `legend` and `sensors` have the training's values unless the user sets
them.
"""

import colorsys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clairemap.classes import Legend
from clairemap.errors import BundleError, MissingFileError, SettingsError
from clairemap.outputs import GIVEN_FOLDER, TRAINED_FOLDER, ModelFolder
from clairemap.paths import expanded_input
from clairemap.provenance import file_digest
from clairemap.settings import LegendSettings, OpticalSettings, SarSettings, SensorsSettings, Settings

# Each cluster job imports this module: without a model from elsewhere it needs none of these.
if TYPE_CHECKING:
    from clairemap.artefacts.model_card import BandScale, ModelCard
    from clairemap.artefacts.origin import Origin
    from clairemap.artefacts.statistics import BandStatistics, TrainingStatistics

MODEL_SECTIONS = ("legend", "sensors", "network")
"""Sections of the settings that have values of the model."""

REMEDY = "get the model's folder again from its authors (make bundle writes it), or use their version of clairemap"

GOLDEN_RATIO = 0.618034
"""Step of the hue between neighbouring classes: any number of classes gets different colours."""

NORMAL_P98 = 2.0537
"""Percentile 98 of the standard normal distribution."""

Values = dict[str, Any]


@dataclass(frozen=True)
class GivenModel:
    """A trained model that this project did not train."""

    files: ModelFolder
    card: "ModelCard"

    @cached_property
    def origin(self) -> "Origin":
        """Origin of the model; only what the card has if there is no ``origin.json``.

        Raises:
            BundleError: the file is damaged, or of another model.
        """
        if not self.files.origin.exists():
            return _origin_of(self.card)
        from clairemap.artefacts.origin import read_origin  # noqa: PLC0415

        found = read_origin(self.files.origin)
        if found.weights_sha256 != self.card.weights_sha256:
            raise BundleError(
                f"{self.files.origin}: of the weights {found.weights_sha256[:12]}…, but {self.files.card.name} is of "
                f"{self.card.weights_sha256[:12]}…: the files are from different models; {REMEDY}"
            )
        return found

    @property
    def card_identity(self) -> str:
        """Identity of weights and card: all that fine-tuning the model depends on."""
        return f"{self.files.card.name}={file_digest(self.files.card)[:16]}"

    @property
    def identity(self) -> list[str]:
        """Identity of the model: hashes of its files, that of the weights as on the card; not their path or dates."""
        small = (self.files.card, self.files.origin, self.files.radiometry, self.files.statistics)
        hashes = {path.name: file_digest(path)[:16] for path in small if path.exists()}
        return [f"{name}={value}" for name, value in hashes.items()]


def read_model(folder: Path, key: str) -> GivenModel:
    """Return the model in a folder; the weights are not read.

    Args:
        folder: folder with model.safetensors and model.json, as `make bundle` writes it.
        key: setting that names the folder, for messages.

    Raises:
        MissingFileError: the folder does not exist, or lacks files; the message lists all of them.
        BundleError: the card is damaged or of another version.
    """
    files = ModelFolder(folder)
    if not folder.is_dir():
        raise MissingFileError(
            f"{key}: {folder} is not a folder; a relative path starts where snakemake runs: correct the path"
        )
    if missing := [path.name for path in (files.weights, files.card) if not path.is_file()]:
        raise MissingFileError(f"{key}: {folder} has no {' and no '.join(missing)}; {REMEDY}")
    from clairemap.artefacts.model_card import read_model_card  # noqa: PLC0415

    return GivenModel(files, read_model_card(files.card, REMEDY))


def model_folder_of(settings: Settings) -> ModelFolder:
    """Return the folder of the model in `work_dir`: the trained one, or the copy of a given one."""
    return ModelFolder(Path(settings.work_dir) / (TRAINED_FOLDER if settings.model is None else GIVEN_FOLDER))


def with_model(config: Mapping[str, Any], given: Mapping[str, Any]) -> Values:
    """Return the settings with the values of the model that they name; unchanged without a model.

    Args:
        config: all settings, with defaults.
        given: the keys that the user has set: those of the user's config files and of the command line.

    Raises:
        MissingFileError, BundleError: the model's files are missing, damaged, or do not belong together.
        SettingsError: the path has an unknown variable.
    """
    name = config.get("model")
    if not isinstance(name, str) or not name:
        return dict(config)
    model = read_model(expanded_input(name), "model")
    origin = model.origin
    decided: Values = {
        "legend": origin.legend.model_dump(mode="json"),
        "sensors": origin.sensors.model_dump(mode="json"),
        "network": model.card.network.model_dump(mode="json"),
    }
    for sensor in ("optical", "sar"):
        if "bands" in _section(_section(given, "sensors"), sensor):
            # They belong to the names of the bands.
            for key in ("indexes", "display"):
                decided["sensors"][sensor].pop(key, None)
    return {**config, **{name: _merged(decided[name], given.get(name, {})) for name in MODEL_SECTIONS}}


def set_by_user(config: Mapping[str, Any], given: Mapping[str, Any]) -> Values:
    """Return the keys of the model's sections that the user has set.

    These are the keys of the user's config files and of the command line (`given`), and keys of ``config/config.yaml``
    whose values differ from the defaults, because the user has edited that file.
    """
    defaults = Settings().model_dump(mode="json")
    edited = {
        name: _differing(_section(config, name), defaults[name])
        for name in MODEL_SECTIONS
        if isinstance(config.get(name), Mapping)
    }
    own: Values = _merged(edited, {name: given[name] for name in MODEL_SECTIONS if name in given})
    return own


def check_model(settings: Settings) -> None:
    """Check that the settings agree with the model to map with or to fine-tune.

    Raises:
        BundleError: they do not; the message lists all differences.
        MissingFileError: the model's files are missing.
        SettingsError: the model's folder is the one that this project writes.
    """
    for key, name in (("model", settings.model), ("training.start_from", settings.training.start_from)):
        if name is None:
            continue
        own = Path(settings.work_dir) / (GIVEN_FOLDER if key == "model" else TRAINED_FOLDER)
        if own.resolve() == Path(name).resolve():
            raise SettingsError(
                f"{key}: {name} is the folder that this project writes; copy it to another place, or use another "
                "work_dir"
            )
        card = read_model(Path(name), key).card
        found = [*_legend_differences(settings.legend, card)] if key == "model" else []
        ours, theirs = settings.training.normalisation, card.normalisation
        if key == "training.start_from" and ours != theirs:
            found = [*found, f"training.normalisation: {ours}, but {theirs} in the model"]
        if faults := [*found, *_input_differences(settings, card)]:
            remedy = (
                "remove these keys from your settings, then the model's values are used"
                if key == "model"
                else "use the values of the model, or remove training.start_from"
            )
            raise BundleError(
                f"{key}: the settings do not agree with {ModelFolder(Path(name)).card}: {len(faults)} difference(s)\n"
                + "\n".join(f"  {fault}" for fault in faults)
                + f"\nTo map with other classes or bands, train a model; else {remedy}."
            )


def filter_differences(settings: Settings) -> list[str]:
    """Return how the speckle filter differs from that of the training of the model to map with; empty if it does not.

    Such differences are allowed, since files may be filtered already, but the map may be worse.
    """
    model = None if settings.model is None else read_model(Path(settings.model), "model")
    if model is None or not model.files.origin.exists():
        return []
    ours, theirs = settings.sensors.sar, model.origin.sensors.sar
    return [
        f"sensors.sar.{key}: {getattr(ours, key)}, but {getattr(theirs, key)} in the training of the model"
        for key in ("speckle_filter", "speckle_window_px", "looks")
        if getattr(ours, key) != getattr(theirs, key)
    ]


def _legend_differences(legend: Legend, card: "ModelCard") -> Iterator[str]:
    ours, theirs = {c.code: c.name for c in legend.classes}, {c.code: c.name for c in card.classes}
    for code in sorted({*ours, *theirs}):
        if code not in theirs:
            yield f"legend.classes: code {code} ({ours[code]!r}) is not a class of the model"
        elif code not in ours:
            yield f"legend.classes: code {code} of the model ({theirs[code]!r}) is missing"
        elif ours[code] != theirs[code]:
            yield f"legend.classes: code {code} is {ours[code]!r}, but {theirs[code]!r} in the model"
    if list(ours) != list(theirs) and set(ours) == set(theirs):
        yield f"legend.classes: the codes are in the order {list(ours)}, but {list(theirs)} in the model"


def _input_differences(settings: Settings, card: "ModelCard") -> Iterator[str]:
    sensors, network = settings.sensors, settings.network
    scale = "digital" if sensors.sar.scale == "digital" else "db"
    for key, ours, theirs in (
        ("sensors.optical.bands", list(sensors.optical.bands), list(card.optical_bands.names)),
        ("sensors.sar.bands", list(sensors.sar.bands), list(card.sar_bands.names)),
        ("network.size", network.size, card.network.size),
        ("network.fusion", network.fusion, card.network.fusion),
    ):
        if ours != theirs:
            yield f"{key}: {ours}, but {theirs} in the model"
    if scale != card.sar_scale:
        names = {"db": "backscatter (linear_power, linear_amplitude or db)", "digital": "digital numbers (digital)"}
        yield f"sensors.sar.scale: {sensors.sar.scale}, but the model was trained on {names[card.sar_scale]}"


def _origin_of(card: "ModelCard") -> "Origin":
    """Return the origin of a model that has only its card: colours from a fixed palette, other settings by default."""
    from clairemap.artefacts.origin import Origin  # noqa: PLC0415

    colored = [{"code": c.code, "name": c.name, "color": _color(index)} for index, c in enumerate(card.classes)]
    ignore = [code for code in LegendSettings().ignore if code not in {c.code for c in card.classes}]
    sar = SarSettings(bands=card.sar_bands.names, scale="digital" if card.sar_scale == "digital" else "linear_power")
    return Origin(
        weights_sha256=card.weights_sha256,
        legend=LegendSettings.model_validate({"classes": colored, "ignore": ignore}),
        sensors=SensorsSettings(optical=OpticalSettings(bands=card.optical_bands.names), sar=sar),
    )


def statistics_of(card: "ModelCard") -> "TrainingStatistics":
    """Return the statistics of a model that has only its card; percentiles as of normally distributed values."""
    from clairemap.artefacts.statistics import TrainingStatistics  # noqa: PLC0415

    return TrainingStatistics(
        optical=_band_statistics(card.optical_bands),
        sar=_band_statistics(card.sar_bands),
        class_px=card.trained_on.class_px,
        pixels=card.trained_on.pixels,
        scenes=card.trained_on.scenes,
        sar_scale=card.sar_scale,
    )


def _band_statistics(bands: "BandScale") -> "BandStatistics":
    from clairemap.artefacts.statistics import BandStatistics  # noqa: PLC0415

    pairs = list(zip(bands.mean, bands.std, strict=True))
    low, high = (tuple(mean + sign * NORMAL_P98 * std for mean, std in pairs) for sign in (-1, 1))
    return BandStatistics(bands.names, bands.mean, bands.std, low, high)


def _color(index: int) -> str:
    red, green, blue = colorsys.hsv_to_rgb(index * GOLDEN_RATIO % 1, 0.55, 0.8)
    return f"#{round(255 * red):02x}{round(255 * green):02x}{round(255 * blue):02x}"


def _section(values: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = values.get(name)
    return found if isinstance(found, Mapping) else {}


def _merged(below: Mapping[str, Any], above: Any) -> Any:  # noqa: ANN401 - values of a config file
    """Return a section with the values of another one above it; lists replace lists."""
    if not isinstance(above, Mapping):
        return above
    inner = {key: _merged(_section(below, key), value) for key, value in above.items()}
    return {**below, **inner}


def _differing(values: Mapping[str, Any], defaults: Mapping[str, Any]) -> Values:
    found: Values = {}
    for key, value in values.items():
        default = defaults.get(key)
        if isinstance(value, Mapping) and isinstance(default, Mapping):
            if inner := _differing(value, default):
                found[key] = inner
        elif value != default:
            found[key] = value
    return found
