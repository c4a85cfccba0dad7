from clairemap.artefacts.explanations import ExplainedTile
from clairemap.report.tile_line import tile_line

SNOW = {"name": "snow", "area_pct": 0.0, "mapped_px": 0, "confidence_pct": None, "iou": 0.0, "label_pct": 3.0}


def tile(snow: bool = False, **facts: object) -> ExplainedTile:
    water = {"name": "water", "area_pct": 100.0, "mapped_px": 100, "confidence_pct": 87, "iou": 0.97, "label_pct": 97.0}
    plain = {
        "classes": [water, SNOW] if snow else [water],
        "confidence_pct": 87,
        "sensor": "both",
        "optical_share_pct": 40,
        "cloud_pct": 0,
        "mapped_pct": 100,
        "mapped_px": 100,
        "registration": "good",
    }
    return ExplainedTile.model_validate(
        {"scene": "a", "row": 0, "col": 0, "facts": {**plain, **facts}, "text": "t", "source": "template"}
    )


def test_figures_of_mask_and_labels():
    assert tile_line(tile(snow=True, oa_pct=97, labelled_px=900)) == (
        "accuracy 97 % · agreement poor (IoU of snow 0.00) · confidence 87 % · optical share 40 % · clouds 0 % · "
        "text from template"
    )
    assert "agreement good ·" in tile_line(tile(oa_pct=97))


def test_unknown_figures_are_named():
    assert "clouds unknown (no mask)" in tile_line(tile(cloud_pct=None, cloud_unknown_pct=100))
    assert "clouds unknown (no optical image)" in tile_line(tile(cloud_pct=None))
    assert "clouds 7 %, unknown for 30 % (no mask)" in tile_line(tile(cloud_pct=7, cloud_unknown_pct=30))
    assert "accuracy" not in tile_line(tile())


def test_a_handful_of_labels_gives_no_accuracy():
    assert tile_line(tile(labelled_px=11)).startswith("accuracy unknown: 11 labelled pixels, fewer than 100 ·")


def test_classes_unseen_in_training_are_named():
    assert "snow: not in training data" in tile_line(tile(unseen=["snow"]))
