from types import ModuleType

import pytest
import yaml

from clairemap.artefacts.model_card import ParentModel
from clairemap.artefacts.origin import ClassAccuracy, Origin, RegionAccuracy, TrainingPlace
from clairemap.report.bundle_texts import readme, sheet_start, start_config
from clairemap.report.given_model import accuracy_text
from clairemap.settings import LegendSettings, SensorsSettings, load_settings
from clairemap.settings.legend import LegendClass
from clairemap.stages import PackBundle, stage_json

LEGEND = LegendSettings(
    classes=(LegendClass(code=1, name="a|b", color="#010203"), LegendClass(code=2, name="snow", color="#0a0b0c"))
)
SQUARE = {"type": "Polygon", "coordinates": [[[7, 46], [8, 46], [8, 47], [7, 47], [7, 46]]]}


def origin(**changed: object) -> Origin:
    return Origin(weights_sha256="ab" * 32, legend=LEGEND, sensors=SensorsSettings(), **changed)


def text(made_artefacts: ModuleType, known: Origin, **card: object) -> str:
    facts = made_artefacts.model_card(class_px=(5000, 0)).named(LEGEND)
    return readme(facts.model_copy(update={"weights_sha256": "ab" * 32, **card}), known, "model.bundle")


def test_the_readme_says_where_when_and_how_well(made_artefacts: ModuleType):
    rows = (
        ClassAccuracy(name="a|b", iou=0.5, f1=2 / 3, truth_px=9000),
        ClassAccuracy(name="snow", iou=None, f1=None, truth_px=0),
    )
    accuracy = RegionAccuracy(
        region="north",
        split="val",
        miou=0.5,
        oa=0.75,
        ece=None,
        pixels=9000,
        tiles=3,
        classes=rows,
        cautions=("Beware.",),
    )
    places = (
        TrainingPlace(scene="a", split="train", dates=("2026-05-01", "2026-06-01"), tiles=4, outline=SQUARE),
        TrainingPlace(scene="b", split="val", dates=(), tiles=2, outline=None),
    )
    found = text(made_artefacts, origin(places=places, accuracy=(accuracy,), licence="MIT", split_method="block"))
    for part in (
        "# Land-cover model clairemap-tiny-abababababab",
        "Dates: 2026-05-01 to 2026-06-01",
        "| a | training | 4 | 2026-05-01, 2026-06-01 | 7.0000, 46.0000, 8.0000, 47.0000 |",
        "| b | validation | 2 | – | unknown: no CRS |",
        "`splits.method: block`",
        "validation tiles: they selected the training step: mIoU 50.0 %, overall accuracy 75.0 %",
        r"| a\|b | 50.0 | 66.7 |",
        "- Beware.",
        "| 2 | snow | #0a0b0c | none: the network cannot map it |",
        "Licence: MIT",
        "snakemake --cores all --configfile model.bundle/my.yaml",
    ):
        assert part in found
    assert max(map(len, found.splitlines())) <= 125


def test_the_readme_says_what_is_not_known(made_artefacts: ModuleType):
    parent = ParentModel(weights_sha256="cd" * 32, kept_classes=("snow",), new_classes=(), statistics_from="model")
    found = text(made_artefacts, origin(), parent=parent)
    assert "Not known: no region of the training project was scored." in found
    assert "Licence: not stated; ask the authors" in found
    assert f"Fine-tuned from the model with weights {'cd' * 32}" in found
    assert "| labelled training pixels |" in found


def test_the_readme_counts_the_pixels_of_earlier_trainings(made_artefacts: ModuleType):
    facts = {"weights_sha256": "cd" * 32, "kept_classes": ("snow",), "new_classes": (), "statistics_from": "model"}
    found = text(made_artefacts, origin(), parent=ParentModel(**facts, class_px=(0, 70)))
    assert "| labelled training pixels, with the trainings before |" in found
    assert "| 2 | snow | #0a0b0c | 70 |" in found


@pytest.mark.parametrize(("own", "same"), [({}, {}), ({"tiling": {"tile_px": 256}}, {"tiling": {"tile_px": 256}})])
def test_the_config_file_has_what_changes_probabilities(own: dict[str, object], same: dict[str, object]):
    chosen = PackBundle.from_json(stage_json(load_settings(own), PackBundle))
    found = yaml.safe_load(start_config("m.bundle", chosen))
    assert found["model"] == "m.bundle" and found["scenes"] == "m.bundle/scenes.csv"
    assert {name: value for name, value in found.items() if isinstance(value, dict)} == same
    assert load_settings(found).model == "m.bundle"
    assert sheet_start().startswith("scene,region,split,optical,sar,label,")


def test_agreement_with_a_product_is_not_called_accuracy_against_ground_truth():
    plain = RegionAccuracy(region="north", split="test", miou=0.5, oa=0.7, ece=None, pixels=90, tiles=2, classes=())
    weak = plain.model_copy(update={"labels_product": "ESA WorldCover 2021"})
    assert "product" not in accuracy_text(plain)
    assert "agreement with the product ESA WorldCover 2021, not with ground truth" in accuracy_text(weak)


def test_the_product_that_the_training_labels_come_from_is_named(made_artefacts: ModuleType):
    sentence = "The labels of its training are the land-cover product ESA WorldCover 2021, not ground truth. "
    assert sentence in text(made_artefacts, origin(labels_product="ESA WorldCover 2021"))
    assert "not ground truth" not in text(made_artefacts, origin())


@pytest.mark.parametrize(
    ("sensors", "said"),
    [
        ("fused", ("land cover from optical and SAR scenes", "A scene may lack one sensor")),
        ("optical", ("land cover from optical scenes", "SAR is not used")),
        ("sar", ("land cover from SAR scenes", "optical images are not used")),
    ],
)
def test_the_readme_names_only_sensors_that_the_network_uses(
    made_artefacts: ModuleType, sensors: str, said: tuple[str, str]
):
    network = made_artefacts.model_card().network.model_copy(update={"sensors": sensors})
    found = text(made_artefacts, origin(), network=network)
    assert all(part in found for part in said)
    assert ("A scene may lack one sensor" in found) == (sensors == "fused")
