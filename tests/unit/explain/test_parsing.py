from clairemap.explain.parsing import Parser, Sentence
from clairemap.explain.slots import Slot

SLOTS = {
    "area_pct.bare ground": Slot("area", ("bare ground",), "12.5 %"),
    "iou.city": Slot("iou", ("city",), "0.71"),
    "confidence_pct": Slot("confidence", (), "80 %"),
}
NAMES = ("bare ground", "ground", "city", "2.1", "clouds")


def parsed(text: str) -> list[Sentence]:
    return Parser(NAMES, SLOTS, frozenset({"clouds"})).parse(text)


def kinds(text: str) -> list[tuple[str, str]]:
    return [(token.kind, token.text) for sentence in parsed(text) for token in sentence.tokens]


def test_longer_names_win_and_plurals_count():
    assert kinds("Bare  ground and cities lie on ground") == [
        ("class", "bare ground"),
        ("break", "and"),
        ("class", "cities"),
        ("word", "lie"),
        ("word", "on"),
        ("class", "ground"),
    ]
    assert parsed("Cities")[0].tokens[0].names == {"city"}


def test_names_inside_words_are_not_mentions():
    assert kinds("velocity underground") == [("word", "velocity"), ("word", "underground")]


def test_figures_are_looked_up_among_the_slots():
    tokens = parsed("12.5 % and 0.71 and 12.6 % and {iou.city}")[0].tokens
    assert [token.slots for token in tokens if token.kind == "value"] == [
        (SLOTS["area_pct.bare ground"],),
        (SLOTS["iou.city"],),
        (),
        (SLOTS["iou.city"],),
    ]


def test_a_class_may_be_called_by_a_number():
    assert kinds("2.1 covers 2.1 %") == [("class", "2.1"), ("word", "covers"), ("value", "2.1 %")]


def test_sentences_end_at_full_stops_not_inside_figures():
    assert len(parsed("The IoU is 0.71. It is 80 %. End.")) == 3


def test_other_numbers_and_characters_are_distinguished():
    assert kinds("7 F1 *") == [("number", "7"), ("word", "f1"), ("odd", "*")]


def test_plain_names_are_words_too():
    sentence = parsed("Clouds over the city")[0]
    assert [word for _, word in sentence.words()] == ["clouds", "over", "the"]


def test_nearest_prefers_the_clause_then_the_token_before():
    sentence = parsed("The city, {iou.city} ground, clouds over bare ground {confidence_pct}")[0]
    places = [place for place, token in enumerate(sentence.tokens) if token.kind == "value"]

    def names_near(place: int) -> frozenset[str]:
        token = sentence.nearest(place, lambda token: token.kind == "class")
        assert token is not None
        return token.names

    assert names_near(places[0]) == {"ground"}
    assert names_near(places[1]) == {"bare ground"}
    assert sentence.nearest(0, lambda token: token.kind == "odd") is None
