import pytest

from clairemap.text import cut, shortened


@pytest.mark.parametrize(
    ("items", "expected"),
    [
        ((), ""),
        (("a",), "a"),
        (("a", "b"), "a, b"),
        (("a", "b", "c"), "a, b and 1 more"),
        ((1, 2.5, "c", "d", "e"), "1, 2.5 and 3 more"),
    ],
)
def test_omitted_items_are_counted(items: tuple[object, ...], expected: str):
    assert shortened(items, 2) == expected


def test_items_with_commas_have_another_separator():
    assert shortened(("a, b", "c", "d"), 2, "; ") == "a, b; c and 1 more"


def test_long_texts_are_cut():
    assert [cut(text, 4) for text in ("", "abcd", "abcde")] == ["", "abcd", "abc…"]
