from dataclasses import replace

from clairemap.artefacts.audit import Leakage, SplitAudit
from clairemap.report.leakage_texts import split_summary

FINE = Leakage(distance_px=300, overlapping_share=0.0, copied_tiles=0, copies=())
AUDIT = SplitAudit("scene", {"train": 9, "val": 2, "test": 3, "buffer": 0}, {"val": FINE, "test": FINE}, ())


def audit_of(**test: object):
    return replace(AUDIT, held_out={"val": FINE, "test": replace(FINE, **test)})


def test_separate_splits_have_no_warnings():
    summary = split_summary(AUDIT, 256, "test")
    assert (summary.cautions, summary.headline_cautions) == ((), ())
    assert summary.method.startswith("Whole scenes")


def test_distances_below_the_halo_are_warned_of():
    (caution,) = split_summary(audit_of(distance_px=255), 256, "test").cautions
    assert "255 px from a test tile. The network's halo is 256 px" in caution
    assert "adjacent to a test tile" in split_summary(audit_of(distance_px=0), 256, "test").cautions[0]
    assert split_summary(audit_of(distance_px=256), 256, "test").cautions == ()
    assert split_summary(audit_of(distance_px=None), 256, "test").cautions == ()
    assert split_summary(audit_of(distance_px=0), None, "test").cautions == ()


def test_overlapping_tiles_get_no_warning_of_distance():
    (caution,) = split_summary(audit_of(distance_px=0, overlapping_share=0.5), 256, "test").cautions
    assert caution.startswith("50.00 % of the area of the test tiles")


def test_distance_is_not_a_headline_warning():
    assert split_summary(audit_of(distance_px=0), 256, "test").headline_cautions == ()


def test_shared_area_and_copies_are_warned_of_at_their_figures():
    leaking = audit_of(overlapping_share=0.0312, copied_tiles=7, copies=("b 0/0 = a 0/0 (sar)",))
    summary = split_summary(leaking, 256, "test")
    ground, copies = summary.headline_cautions
    assert "3.12 % of the area of the test tiles" in ground
    assert "7 test tile(s)" in copies and "b 0/0 = a 0/0 (sar), …" in copies
    assert summary.cautions == summary.headline_cautions
    assert split_summary(leaking, 256, "val").headline_cautions == ()
    assert split_summary(leaking, 256, None).headline_cautions == ()
    assert split_summary(leaking, 256, "test", "map").headline_cautions == (copies,)  # training ground is left out


def test_a_given_model_with_known_places_has_no_warning_unless_they_overlap():
    given = replace(AUDIT, method="given", held_out={"test": replace(FINE, copied_tiles=None)})
    summary = split_summary(given, 256, "test")
    assert summary.cautions == () and summary.method.startswith("The model was trained in another project")
    shared = replace(given, held_out={"test": replace(FINE, overlapping_share=0.25, copied_tiles=None)})
    (caution,) = split_summary(shared, 256, "test").headline_cautions
    assert caution.startswith("The model was trained on 25.00 % of the area of the test tiles")


def test_unknown_places_of_a_given_model_are_warned_of():
    unknown = replace(FINE, distance_px=None, overlapping_share=None, copied_tiles=None)
    given = replace(AUDIT, method="given", held_out={"test": unknown})
    (caution,) = split_summary(given, 256, "test").headline_cautions
    assert caution.startswith("It is not known where the model was trained")
    assert split_summary(replace(given, held_out={}), 256, None).cautions == ()
    bare = replace(AUDIT, method="given", held_out={"test": FINE}, not_compared=("a (training)",))
    assert len(split_summary(bare, 256, "test").headline_cautions) == 1


def test_places_of_the_model_that_training_started_from_are_warned_of():
    assert split_summary(replace(AUDIT, start_is_known=True), 256, "test").cautions == ()
    shared = replace(audit_of(start_share=0.5), start_is_known=True)
    for headline in ("scenes", "map"):  # the map's test ground leaves out the ground of this training alone
        (caution,) = split_summary(shared, 256, "test", headline).headline_cautions
        assert caution.startswith("The model that the training started from was trained on 50.00 % of the area of the")
    assert split_summary(shared, 256, "val").headline_cautions == ()


def test_unknown_places_of_the_model_that_training_started_from_are_warned_of():
    summary = split_summary(replace(AUDIT, start_is_known=False), 256, "test")
    (caution,) = summary.headline_cautions
    assert caution.startswith("It is not known where the model that the training started from was trained")
    assert summary.uncertain and summary.cautions == (caution,)


def test_a_random_split_always_has_a_warning():
    summary = split_summary(replace(AUDIT, method="random"), 256, "val")
    assert "at random" in summary.method
    assert "up to 28 %" in summary.cautions[0]
    assert summary.headline_cautions == summary.cautions
