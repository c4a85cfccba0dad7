import json
import os
import shutil
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from clairemap.artefacts.model_card import write_model_card
from clairemap.artefacts.origin import Origin, write_origin
from clairemap.errors import BundleError, MissingFileError, SettingsError
from clairemap.model_folder import (
    check_model,
    filter_differences,
    read_model,
    set_by_user,
    statistics_of,
    with_model,
)
from clairemap.settings import LegendSettings, SensorsSettings, Settings, load_settings

LEGEND = {
    "classes": [{"code": 1, "name": "class 1", "color": "#010203"}, {"code": 2, "name": "class 2", "color": "#0a0b0c"}]
}
SENSORS = {
    "optical": {"bands": ["red", "nir"], "indexes": [3, 4], "nodata": -1},
    "sar": {"bands": ["VV"], "scale": "db", "speckle_filter": "none"},
}
DEFAULTS = Settings().model_dump(mode="json")


@pytest.fixture
def folder(tmp_path: Path, made_artefacts: ModuleType) -> Path:
    """A model with its origin."""
    path = tmp_path / "given"
    path.mkdir()
    card = made_artefacts.model_card().model_copy(update={"weights_sha256": "ab" * 32})
    write_model_card(path / "model.json", card)
    (path / "model.safetensors").write_bytes(b"weights")
    origin = Origin(
        weights_sha256=card.weights_sha256,
        legend=LegendSettings.model_validate(LEGEND),
        sensors=SensorsSettings.model_validate(SENSORS),
    )
    write_origin(path / "origin.json", origin)
    return path


def settings(folder: Path, **said: Any) -> Settings:
    """Return the settings of a run whose user has set some keys, over the defaults of config.yaml."""
    own = {"model": str(folder), **said}
    config = {**DEFAULTS, **own}
    return load_settings(with_model(config, set_by_user(config, own)))


def test_the_model_decides_what_the_user_does_not_set(folder: Path):
    found = settings(folder)
    check_model(found)
    assert found.legend == LegendSettings.model_validate(LEGEND)
    assert found.sensors == SensorsSettings.model_validate(SENSORS)
    assert found.network.size == "tiny"


def test_what_the_user_sets_stays(folder: Path):
    colors = [{**c, "color": "#ffffff"} for c in LEGEND["classes"]]
    found = settings(folder, legend={"classes": colors}, sensors={"sar": {"scale": "linear_power"}})
    check_model(found)
    assert [c.color for c in found.legend.classes] == ["#ffffff", "#ffffff"]
    assert found.sensors.sar.scale == "linear_power"  # equal to the default, but set
    assert found.sensors.sar.speckle_filter == "none" and found.sensors.optical.indexes == (3, 4)


def test_bands_that_the_user_names_have_the_users_indexes(folder: Path):
    found = settings(folder, sensors={"optical": {"bands": ["red", "nir"]}})
    check_model(found)
    assert found.sensors.optical.indexes is None and found.sensors.optical.nodata == -1


def test_an_edited_config_yaml_counts_as_the_users(folder: Path):
    edited = {**DEFAULTS, "model": str(folder), "sensors": {**DEFAULTS["sensors"], "on_mismatch": "warn"}}
    assert set_by_user(edited, {}) == {"legend": {}, "sensors": {"on_mismatch": "warn"}, "network": {}}
    assert load_settings(with_model(edited, set_by_user(edited, {}))).sensors.on_mismatch == "warn"


def test_all_differences_are_listed(folder: Path):
    classes = [{"code": 1, "name": "lake", "color": "#010203"}, {"code": 3, "name": "snow", "color": "#0a0b0c"}]
    found = settings(
        folder,
        legend={"classes": classes},
        sensors={"optical": {"bands": ["red"]}, "sar": {"bands": ["VH"], "scale": "digital"}},
        network={"size": "base"},
    )
    with pytest.raises(BundleError) as caught:
        check_model(found)
    message = str(caught.value)
    assert "model.json: 7 difference(s)" in message
    for part in (
        "code 1 is 'lake', but 'class 1' in the model",
        "code 2 of the model ('class 2') is missing",
        "code 3 ('snow') is not a class of the model",
        "sensors.optical.bands: ['red'], but ['red', 'nir'] in the model",
        "sensors.sar.bands: ['VH'], but ['VV'] in the model",
        "sensors.sar.scale: digital, but the model was trained on backscatter",
        "network.size: base, but tiny in the model",
    ):
        assert part in message


def test_classes_in_another_order_are_a_difference(folder: Path):
    with pytest.raises(BundleError, match=r"1 difference.*\n.*in the order \[2, 1\], but \[1, 2\] in the model"):
        check_model(settings(folder, legend={"classes": LEGEND["classes"][::-1]}))


def test_another_speckle_filter_is_named(folder: Path):
    assert filter_differences(settings(folder)) == []
    other = settings(folder, sensors={"sar": {"speckle_filter": "lee"}})
    check_model(other)
    assert filter_differences(other) == ["sensors.sar.speckle_filter: lee, but none in the training of the model"]


def test_missing_files_are_listed(folder: Path, tmp_path: Path):
    with pytest.raises(MissingFileError, match=r"model: .*nowhere is not a folder; a relative path starts"):
        settings(tmp_path / "nowhere")
    (folder / "model.safetensors").unlink()
    (folder / "model.json").unlink()
    with pytest.raises(MissingFileError, match=r"has no model\.safetensors and no model\.json; get the model's folder"):
        settings(folder)


def test_a_card_of_another_version_is_refused(folder: Path):
    card = json.loads((folder / "model.json").read_text())
    card |= {"format": 3, "stamp": {"clairemap_version": "9.1"}, "news": 1}
    (folder / "model.json").write_text(json.dumps(card))
    with pytest.raises(
        BundleError, match=r"format 3, written by clairemap 9\.1, but this version reads format 2\); get"
    ):
        settings(folder)


def test_an_origin_of_another_model_is_refused(folder: Path):
    origin = json.loads((folder / "origin.json").read_text())
    (folder / "origin.json").write_text(json.dumps({**origin, "weights_sha256": "cd" * 32}))
    with pytest.raises(BundleError, match=r"of the weights cdcd.*but model\.json is of abab.*from different models"):
        settings(folder)
    (folder / "origin.json").write_text(json.dumps({**origin, "format": 7}))
    with pytest.raises(BundleError, match=r"origin\.json: not a valid origin of a model \(format: .*got 7\)"):
        settings(folder)


def test_a_model_of_two_files_has_the_cards_classes_and_bands(folder: Path):
    (folder / "origin.json").unlink()
    found = settings(folder)
    check_model(found)
    assert found.legend.names == ("class 1", "class 2") and len({c.color for c in found.legend.classes}) == 2
    assert (found.sensors.optical.bands, found.sensors.sar.bands) == (("red", "nir"), ("VV",))
    statistics = statistics_of(read_model(folder, "model").card)
    assert statistics.optical.p98[0] == pytest.approx(100 + 2.0537 * 10)


def test_the_identity_depends_neither_on_path_nor_date_nor_name_of_the_folder(folder: Path, tmp_path: Path):
    before = read_model(folder, "model").identity
    shutil.copytree(folder, tmp_path / "moved")
    os.utime(tmp_path / "moved" / "model.json", (0, 0))
    assert read_model(tmp_path / "moved", "model").identity == before
    card = json.loads((folder / "model.json").read_text())
    (folder / "model.json").write_text(json.dumps({**card, "weights_sha256": "cd" * 32}))
    assert read_model(folder, "model").identity != before


def test_the_projects_own_copy_is_refused(folder: Path, tmp_path: Path):
    own = tmp_path / "work" / "given_model"
    own.parent.mkdir()
    shutil.copytree(folder, own)
    with pytest.raises(SettingsError, match="is the folder that this project writes"):
        check_model(settings(own, work_dir=str(tmp_path / "work")))


def test_training_on_needs_the_same_bands_and_network(folder: Path):
    own = {"sensors": SENSORS, "training": {"start_from": str(folder)}}
    check_model(load_settings(own))  # another legend is allowed
    with pytest.raises(BundleError, match=r"training\.start_from: .* 2 difference"):
        check_model(load_settings({"training": {"start_from": str(folder)}}))
    with pytest.raises(BundleError, match=r"training\.normalisation: scene, but training in the model"):
        check_model(load_settings({**own, "training": {**own["training"], "normalisation": "scene"}}))
    with pytest.raises(SettingsError, match="model and training.start_from are both set"):
        load_settings({**own, "model": str(folder)})
    with pytest.raises(SettingsError, match="together with initial_optical"):
        load_settings({"training": {"start_from": "a", "initial_optical": "b"}})
