import re
from types import ModuleType

from clairemap.explain.prompt import EXAMPLE_FACTS, conversation, describe, retry
from clairemap.explain.slots import find_slot, slots_of


def test_has_slots_and_levels_but_no_figures(made: ModuleType):
    for seed in range(20):
        facts = made.made_facts(seed, made.LEGENDS[0])
        text = describe(facts)
        assert not re.search(r"\d", text.replace("{f1.", "{"))
        assert all(find_slot(key, slots_of(facts)) for key in re.findall(r"\{([^}]*)\}", text))
        assert f"confidence: {facts.confidence}" in text
        assert f"{{area_pct.{facts.largest.name}}}" in text


def test_has_the_caveats():
    assert "- say that the registration of SAR and optical image is weak" in describe(EXAMPLE_FACTS)
    assert "- say that clouds cover part of the tile" in describe(EXAMPLE_FACTS)


def test_a_conversation_is_rules_example_and_tile(made: ModuleType):
    facts = made.made_facts(0, made.LEGENDS[0])
    assert [message.role for message in conversation(facts)] == ["system", "user", "assistant", "user"]
    assert conversation(facts)[-1].content == describe(facts)


def test_a_retry_continues_with_the_text_and_its_faults():
    first = conversation(EXAMPLE_FACTS)
    again = retry(first, "Bad text.", [f"fault {number}" for number in range(20)])
    assert again[: len(first)] == first
    assert again[-2].content == "Bad text."
    assert "- fault 0\n" in again[-1].content
    assert "fault 19" not in again[-1].content
