import re

import pytest

from clairemap.classes import LandCoverClass, Legend
from clairemap.report.class_names import stac_names, table_names


def legend(*names: str) -> Legend:
    return Legend(classes=tuple(LandCoverClass(code=10 * place, name=name) for place, name in enumerate(names, 1)))


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (("Open water", "for\u00eat"), ("Open_water", "for_t")),
        (("\u0441\u0430\u0434\u044b", "\u043b\u0443\u0433\u0430"), ("class_10", "class_20")),
        (("\u6c34\u7530 (rice)", "\u6c34 (rice)"), ("_rice__10", "_rice__20")),
        (("a b", "a/b", "a_b_20"), ("class_10", "class_20", "class_30")),
        (("Wet", "wet"), ("Wet_10", "wet_20")),
        (("class_20", "\u043b"), ("class_20_10", "class_20_20")),
        (("_", "-", "%s", "back\\slash\nline"), ("class_10", "class_20", "_s", "back_slash_line")),
    ],
)
def test_stac_names_are_valid_and_distinct(names: tuple[str, ...], expected: tuple[str, ...]):
    found = stac_names(legend(*names))
    assert len({name.casefold() for name in found}) == len(names)
    assert all(re.fullmatch(r"[0-9A-Za-z_-]+", name) for name in found)
    assert found == expected


def test_names_of_a_table_are_cut_between_characters_and_stay_distinct():
    long = "a" * 80
    found = table_names(legend(f"{long} dry", f"{long} wet", "\u0441" * 40, "short", "tail "), 64)
    assert found == ("a" * 59 + " (10)", "a" * 59 + " (20)", "\u0441" * 32, "short", "tail")
    assert all(len(name.encode()) <= 64 for name in found)
