from types import ModuleType

import numpy as np
import pytest
from pydantic import ValidationError

from clairemap.artefacts.explanations import TileFacts
from clairemap.explain.chosen_tiles import chosen_tiles
from clairemap.settings import ExplainSettings


@pytest.fixture
def tiles(made: ModuleType) -> list[TileFacts]:
    def facts(confidence: float, wrong: int, labelled: bool = True) -> TileFacts:
        px = np.array([9000, 7384])
        confusion = np.array([[5000, 0], [wrong, 5000 - wrong]]) * labelled
        counts = made.Counts(("a", "b"), px, px * confidence, 50.0 * 16384, 16384, 16384, 16384, 0, 0, confusion)
        return made.facts_of(counts)

    return [facts(0.9, 10), facts(0.5, 2000), facts(0.6, 4000), facts(0.4, 0, labelled=False), facts(0.9, 0)]


@pytest.mark.parametrize(
    ("rule", "count", "expected"),
    [
        ("all", None, {0, 1, 2, 3, 4}),
        ("uncertain", 2, {1, 3}),
        ("worst", 2, {1, 2}),
        ("worst", 4, {0, 1, 2, 4}),
        ("sample", 2, {0, 2}),
        ("sample", 9, {0, 1, 2, 3, 4}),
    ],
)
def test_rules(tiles: list[TileFacts], rule: str, count: int | None, expected: set[int]):
    settings = ExplainSettings.model_validate({"tiles": rule, "max_tiles": count})
    assert chosen_tiles(tiles, settings) == expected


@pytest.mark.parametrize("values", [{"tiles": "worst"}, {"max_tiles": 3}])
def test_rule_and_number_belong_together(values: dict[str, object]):
    with pytest.raises(ValidationError, match="set tiles to uncertain, worst or sample together with max_tiles"):
        ExplainSettings.model_validate(values)
