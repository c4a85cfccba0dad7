"""Which settings and options changed since a job's last run."""

import json

import pytest

from clairemap.operations.changes import changed_params, changed_settings
from clairemap.operations.planned import Reason

OLD_CODE, NEW_CODE, DATA = "0123456789abcdef", "fedcba9876543210", "aaaaaaaaaaaaaaaa"

NONE = frozenset[str]().__contains__


def settings(**training: object) -> str:
    return repr(json.dumps({"seed": 1, "training": {"steps": 600, "clip_norm": 1.0, **training}}))


@pytest.mark.parametrize(
    ("old", "new", "lines"),
    [
        ({"a": 1}, {"a": 1}, []),
        ({"a": {"b": 1, "c": 2}}, {"a": {"b": 3, "c": 2}}, ["a.b: 1 -> 3"]),
        ({"a": 1}, {"a": 1, "b": None}, ["b: not set -> null"]),
        ({"a": 1, "b": "x"}, {"a": 1}, ["b: x -> not set"]),
        ({"a": [1, 2]}, {"a": [1, 3]}, ["a: [1, 2] -> [1, 3]"]),
        (
            {"classes": [{"code": 10, "name": "water"}, {"code": 20, "name": "fields"}]},
            {"classes": [{"code": 10, "name": "lakes"}, {"code": 20, "name": "fields"}]},
            ["classes[10].name: water -> lakes"],
        ),
        (
            {"classes": [{"code": 10, "name": "water"}]},
            {"classes": [{"code": 10, "name": "water"}, {"code": 20, "name": "fields"}]},
            ["classes: 1 entries (water) -> 2 entries (water, fields)"],
        ),
    ],
)
def test_changed_settings_have_key_old_and_new_value(old: object, new: object, lines: list[str]):
    assert list(changed_settings(old, new)) == lines


def test_long_values_are_shortened():
    (line,) = changed_settings({"a": "x" * 500}, {"a": "y" * 500})
    assert len(line) < 140 and "…" in line


def test_equal_parameters_have_no_changes():
    recorded = [settings(), repr(OLD_CODE), "['--split=west=train']"]
    now = {"settings": settings(), "code": repr(OLD_CODE), "split": "['--split=west=train']"}
    changes = changed_params(recorded, now, NONE)
    assert changes.reasons == () and not changes.code_changed


def test_settings_code_and_options_are_told_apart():
    recorded = [repr(OLD_CODE), settings(), "['--split=west=train', '--split=east=val']"]
    now = {
        "settings": settings(steps=900),
        "code": repr(NEW_CODE),
        "split": "['--split=west=train', '--split=east=train']",
    }
    changes = changed_params(recorded, now, NONE)
    assert (changes.old_code, changes.new_code) == (OLD_CODE, NEW_CODE)
    assert changes.reasons == (
        Reason("setting", "training.steps: 600 -> 900"),
        Reason("option", "column split of the sample sheet", ("split=east=train (new)", "split=east=val (gone)")),
    )


def test_a_hash_of_data_is_not_taken_for_that_of_the_code():
    """Else accepting a changed code would also accept changed data."""
    recorded, now = [repr(DATA), repr(OLD_CODE)], {"code": repr(NEW_CODE), "state": repr("b" * 16)}
    changes = changed_params(recorded, now, {OLD_CODE}.__contains__)
    assert changes.old_code == OLD_CODE and [reason.kind for reason in changes.reasons] == ["option"]
    unknown = changed_params(recorded, now, NONE)
    assert unknown.old_code is None and len(unknown.reasons) == 2
    unchanged_code = changed_params([repr(DATA)], {"state": repr("b" * 16)}, NONE)
    assert not unchanged_code.code_changed and len(unchanged_code.reasons) == 1


def test_a_new_parameter_without_value_and_a_removed_one():
    changes = changed_params(["'an option'"], {"unlisted": "[]"}, NONE)
    assert [reason.text for reason in changes.reasons] == [
        "files behind a raster: new parameter of the rule",
        "an option is no longer used: an option",
    ]


def test_changed_files_are_named_without_their_state():
    """So that the plan lists them together, whatever the number of scenes."""
    recorded = ["['optical/0/alps.tif=5:11', 'sar/0/alps.tif=6:12']"]
    changes = changed_params(recorded, {"contents": "['optical/0/alps.tif=5:99', 'sar/0/alps.tif=6:12']"}, NONE)
    assert changes.reasons == (Reason("newer", "content of input files", ("optical/0/alps.tif",)),)
