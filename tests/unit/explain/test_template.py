from types import ModuleType

from hypothesis import given, settings
from hypothesis import strategies as st

from clairemap.artefacts.explanations import ClassFacts, Confused, TileFacts
from clairemap.explain import lexicon
from clairemap.explain.check import Checker
from clairemap.explain.slots import fill, slots_of
from clairemap.explain.template import VOCABULARY, template_text
from clairemap.explain.tile_sums import sensor_use

WORDS = st.sampled_from(
    """
    water forest open dense road city snow ice bare ground other urban area wet land clouds data high low map tile
    optical label no not one two because flood unknown class A B1 2.1 (mixed) half image sensor rocks & sand Büsche
    """.strip().split()  # noqa: SIM905
)
NAMES = st.lists(WORDS, min_size=1, max_size=3).map(" ".join)
PERCENT = st.integers(0, 100)


@st.composite
def any_facts(draw: st.DrawFn) -> tuple[TileFacts, tuple[str, ...]]:
    """Draw facts of all kinds together with a legend whose names may be any words."""
    legend = draw(st.lists(NAMES, min_size=2, max_size=7, unique_by=str.casefold))
    present = draw(st.integers(1, len(legend)))
    areas = sorted(draw(st.lists(st.integers(1, 1000), min_size=present, max_size=present)), reverse=True)
    labelled = draw(st.booleans())
    classes = tuple(
        ClassFacts(
            name=name,
            area_pct=area / 10,
            confidence_pct=draw(PERCENT),
            iou=draw(PERCENT) / 100 if labelled and draw(st.booleans()) else None,
            label_pct=draw(PERCENT),
        )
        for name, area in zip(legend, areas, strict=False)
    )
    if labelled:
        classes += tuple(
            ClassFacts(name=name, area_pct=0.0, confidence_pct=None, iou=0.0, label_pct=draw(PERCENT))
            for name in legend[present:]
            if draw(st.booleans())
        )
    truth, mapped = draw(st.permutations(legend))[:2]
    optical, sar = draw(st.sampled_from([(1, 1), (1, 0), (0, 1)]))
    share = draw(PERCENT)
    facts = TileFacts(
        classes=classes,
        confidence_pct=draw(PERCENT),
        sensor=sensor_use(share, optical, sar),
        optical_share_pct=share,
        cloud_pct=draw(PERCENT | st.none()),
        cloud_unknown_pct=draw(PERCENT),
        mapped_pct=draw(PERCENT),
        registration=draw(st.sampled_from(["good", "weak", "rejected", "single_sensor"])),
        oa_pct=draw(PERCENT) if labelled else None,
        labelled_px=draw(PERCENT),
        unseen=tuple(draw(st.lists(st.sampled_from(legend), max_size=3, unique=True))),
        confusions=(Confused(truth=truth, mapped=mapped, pct=draw(PERCENT)),) if labelled else (),
    )
    return facts, tuple(legend)


@settings(max_examples=200, deadline=None)
@given(any_facts())
def test_passes_the_check_for_all_facts(drawn: tuple[TileFacts, tuple[str, ...]]):
    facts, legend = drawn
    assert Checker(facts, legend).slotted_faults(template_text(facts)) == []


def test_figures_of_the_text_are_those_of_the_facts(made: ModuleType):
    for legend in made.LEGENDS:
        for seed in range(10):
            facts = made.made_facts(seed, legend)
            assert Checker(facts, legend).filled_faults(fill(template_text(facts), slots_of(facts))) == []


def test_equal_facts_give_equal_texts_and_other_facts_other_words(made: ModuleType):
    tiles = [made.made_facts(seed, made.LEGENDS[0]) for seed in range(40)]
    texts = [template_text(facts) for facts in tiles]
    assert texts == [template_text(facts) for facts in tiles]
    assert len(set(texts)) > 30


def test_the_template_uses_no_forbidden_word():
    assert VOCABULARY.isdisjoint(lexicon.NUMBER_WORDS | lexicon.UNIT_WORDS | lexicon.NEGATIONS | lexicon.CAUSE_WORDS)
