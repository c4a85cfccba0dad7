import json
from pathlib import Path

import pytest

from clairemap.errors import StoreError
from clairemap.report import records
from clairemap.report.content import ReportContent, Stretch

HISTORY = """\
step,seconds,wait_seconds,loss,focal,tversky,lr,grad_norm,val_miou,val_oa
1,0.5,0,2.0,1,1,0.1,1,,
2,0.4,0,1.5,1,1,0.1,1,0.6,0.8
"""
STATISTICS = {
    "optical": {"bands": ["red", "nir"], "p02": [1.0, 2.0], "p98": [11.0, 12.0]},
}


def test_metrics_come_back_as_they_were_written(content: ReportContent, tmp_path: Path):
    path = tmp_path / "metrics.json"
    path.write_text(content.metrics.model_dump_json())
    assert records.read_metrics(path) == content.metrics


def test_history_keeps_empty_cells_empty(tmp_path: Path):
    path = tmp_path / "history.csv"
    path.write_text(HISTORY)
    first, second = records.read_history(path)
    assert (first.step, first.val_miou, first.val_oa) == (1, None, None)
    assert (second.loss, second.val_miou, second.val_oa) == (1.5, 0.6, 0.8)


def test_explanations_of_several_scenes_follow_each_other(content: ReportContent, tmp_path: Path):
    lines = [card.told.model_dump_json() for card in content.tiles]
    for name, text in (("a", lines[0] + "\n"), ("b", ""), ("c", lines[1] + "\n\n")):
        (tmp_path / name).write_text(text)
    assert records.read_explanations(tmp_path / name for name in "abc") == [card.told for card in content.tiles]


@pytest.mark.parametrize(
    ("read", "text"),
    [
        (records.read_metrics, "{}"),
        (records.read_checking_version, "{}"),
        (records.read_history, "step,loss\n1,2\n"),
        (records.read_json, "[1]"),
        (records.read_json, "{"),
        (lambda path: records.read_explanations([path]), '{"scene": 1}\n'),
    ],
)
def test_damaged_files_are_named(tmp_path: Path, read, text: str):  # noqa: ANN001
    path = tmp_path / "damaged"
    with pytest.raises(StoreError, match="damaged"):
        read(path)
    path.write_text(text)
    with pytest.raises(StoreError, match="damaged"):
        read(path)


CHECK = {
    "stamp": {"clairemap_version": "1.2.3", "clairemap_commit": "abc"},
    "maps": dict.fromkeys(("landcover", "confidence", "optical_share", "source_count"), {"overviews": 3, "pixels": {}}),
}


def test_a_check_names_its_version(tmp_path: Path):
    path = tmp_path / "check.json"
    path.write_text(json.dumps(CHECK))
    assert records.read_checking_version(path) == "clairemap 1.2.3 (abc)"


def test_a_check_of_some_maps_only_is_none(tmp_path: Path):
    path = tmp_path / "check.json"
    path.write_text(json.dumps({**CHECK, "maps": {"landcover": {}, "confidence": {}, "optical_share": {}}}))
    with pytest.raises(StoreError, match=r"check\.json: .*no word on source_count"):
        records.read_checking_version(path)


def test_stretch_follows_the_names_of_the_bands():
    assert records.stretch(STATISTICS, "optical", ("nir", "red"), Path("s.json")) == Stretch((2.0, 1.0), (12.0, 11.0))
    with pytest.raises(StoreError, match=r"s\.json"):
        records.stretch(STATISTICS, "optical", ("blue",), Path("s.json"))


FIT = {"ece_before": 0.0512, "ece_after": 0.018, "nll_before": 0.61, "nll_after": 0.55, "pixels": 12345, "tiles": 4}


def test_calibration_is_told_before_and_after():
    told = records.calibration_text({"temperature": 1.3125, "calibration": FIT})
    assert "5.12 % before, 1.80 % after dividing the logits by the temperature T = 1.31" in told
    assert "0.610 and 0.550 nats" in told and "12\u202f345 labelled pixels in 4 tile(s)" in told
    alone = {**FIT, "ece_after": None, "nll_after": None, "tiles": 1}
    told = records.calibration_text({"temperature": 1.3125, "calibration": alone})
    assert "5.12 % before" in told and "too little to tell the error afterwards" in told


def test_a_model_that_is_not_calibrated_says_so():
    assert "No temperature was fitted" in records.calibration_text({"temperature": 1.0, "calibration": None})
    assert records.calibration_text({}) == ""


def test_a_card_tells_only_what_it_holds():
    card = {
        "network": {"size": "tiny"},
        "sar_bands": {"names": ["VV"]},
        "sar_scale": "db",
        "halo_px": 256,
        "best_step": 20000,
        "stamp": {"clairemap_version": "1.2.3"},
    }
    assert {fact.name: fact.value for fact in records.model_facts(json.loads(json.dumps(card)))} == {
        "Network": "size tiny",
        "SAR bands": "VV (db)",
        "Step whose weights are used": "20\u202f000",
        "Halo that it needs": "256 px around each window where a scene takes several; none where it takes one",
        "Model trained by": "clairemap 1.2.3 (unknown)",
    }
