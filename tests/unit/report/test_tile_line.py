from clairemap.artefacts.explanations import ExplainedTile
from clairemap.report.tile_line import tile_line

SNOW = {"name": "snow", "area_pct": 0.0, "confidence_pct": None, "iou": 0.0, "label_pct": 3.0}


def tile(snow: bool = False, **facts: object) -> ExplainedTile:
    water = {"name": "water", "area_pct": 100.0, "confidence_pct": 87, "iou": 0.97, "label_pct": 97.0}
    plain = {
        "classes": [water, SNOW] if snow else [water],
        "confidence_pct": 87,
        "sensor": "both",
        "optical_share_pct": 40,
        "cloud_pct": 0,
        "mapped_pct": 100,
        "registration": "good",
    }
    return ExplainedTile.model_validate(
        {"scene": "a", "row": 0, "col": 0, "facts": {**plain, **facts}, "text": "t", "source": "template"}
    )


def test_what_a_mask_and_labels_tell():
    assert tile_line(tile(snow=True, oa_pct=97, labelled_px=900)) == (
        "accuracy 97 % · agreement poor (IoU of snow 0.00) · confidence 87 % · optical share 40 % · cloud 0 % · "
        "text from the template"
    )
    assert "agreement good ·" in tile_line(tile(oa_pct=97))


def test_what_is_unknown_is_said():
    assert "cloud unknown (no mask)" in tile_line(tile(cloud_pct=None, cloud_unknown_pct=100))
    assert "cloud unknown (no optical image)" in tile_line(tile(cloud_pct=None))
    assert "cloud 7 %, unknown for 30 % (no mask there)" in tile_line(tile(cloud_pct=7, cloud_unknown_pct=30))
    assert "accuracy" not in tile_line(tile())


def test_a_handful_of_labels_tells_no_accuracy():
    assert tile_line(tile(labelled_px=11)).startswith("accuracy not given: 11 labelled pixels, fewer than 100 ·")


def test_classes_unseen_in_training_are_named():
    assert "snow: unseen in training" in tile_line(tile(unseen=["snow"]))
