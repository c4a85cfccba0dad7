import numpy as np

from clairemap.explain.constrained import ConstrainedText
from clairemap.explain.outline import Outline, Topic
from clairemap.explain.token_tree import token_tree


def bytes_of(text: str) -> tuple[int, ...]:
    return tuple(text.encode())


def written(text: ConstrainedText, preferred: str) -> str:
    """Write a text; at each choice, the byte that comes first in `preferred` wins, and others by their value."""
    logits = np.arange(256, dtype=np.float32)
    for rank, letter in enumerate(reversed(preferred)):
        logits[ord(letter)] = 1000 + rank
    pending = text.forced()
    while not text.ended:
        pending = text.choose(logits)
    assert pending == [] or text.ended
    return " ".join(sentence.text for sentence in text.sentences)


def test_a_tree_branches_where_choices_differ():
    tree = token_tree([((1, 2, 3), "a"), ((1, 4), "b"), ((1, 2, 5), "c")])
    assert list(tree.following) == [1]
    assert sorted(tree.following[1].following) == [2, 4]
    assert tree.following[1].following[4].leaf == "b"


def test_of_equal_choices_the_first_and_of_prefixes_the_shorter_is_kept():
    assert token_tree([((1, 2), "a"), ((1, 2), "b")]).following[1].following[2].leaf == "a"
    for choices in ([((1,), "short"), ((1, 2), "long")], [((1, 2), "long"), ((1,), "short")]):
        node = token_tree(choices).following[1]
        assert (node.leaf, node.following) == ("short", {})


def test_the_model_is_asked_only_where_sentences_differ():
    outline = Outline((Topic("a", "lead", ("It is one.", "It is two."), ()), Topic("b", "check", ("Look here.",), ())))
    text = ConstrainedText(outline, bytes_of, [0])
    assert bytes(text.forced()) == b"It is "
    assert text.choose(np.arange(256, dtype=np.float32)) == []  # "two." and " Look here." follow without a choice
    assert [sentence.text for sentence in text.sentences] == ["It is two.", "Look here."]
    assert text.ended


def test_the_model_may_end_only_when_all_is_said():
    topics = [Topic("a", "lead", ("A.",), ()), Topic("b", "what", ("B.",), ()), Topic("c", "what", ("C.",), ())]
    outline = Outline((*topics, Topic("d", "why", ("D.",), (), must_say=True), Topic("e", "check", ("E.",), ())))
    for preferred in ("\0", "\0EDCB", "BCDE", "DCB"):
        found = written(ConstrainedText(outline, bytes_of, [0]), preferred)
        assert {"A.", "D.", "E."} <= set(found.split())
        assert found.split()[0] == "A." and found.split()[-1] == "E."
        assert len(set(found.split())) == len(found.split())
    assert written(ConstrainedText(outline, bytes_of, [0]), "\0DE") == "A. D. E."


def test_a_name_that_is_the_start_of_another_is_written():
    names = ("road", "road. It is", 'x "y" {z}', "<|end|>", "🌊")
    outline = Outline((Topic("a", "lead", tuple(f"It is {name}." for name in names), ()),))
    text = written(ConstrainedText(outline, bytes_of, [0]), "r")
    assert text == "It is road."
    assert written(ConstrainedText(outline, bytes_of, [0]), "x") == 'It is x "y" {z}.'
