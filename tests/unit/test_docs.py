"""The pages for people: their links lead somewhere, their lines are short, generated pages are up to date."""

import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from clairemap.artefacts.explanations import read_explanations
from clairemap.explain.outline import Outline, Topic
from clairemap.explain.tile_topics import tile_topics

PROJECT = Path(__file__).parents[2]
PAGES = sorted(path for folder in (".", "docs", "config") for path in (PROJECT / folder).glob("*.md"))
MOST_CHARACTERS = 120


def prose(page: Path) -> Iterator[tuple[int, str]]:
    """Yield the lines outside code blocks, with their numbers."""
    code = False
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
        if line.strip().startswith("```"):
            code = not code
        elif not code:
            yield number, line


def anchors(page: Path) -> set[str]:
    headings = (line for _, line in prose(page) if line.startswith("#"))
    texts = (re.sub(r"[^\w\- ]", "", heading.lstrip("#").strip().lower()) for heading in headings)
    return {text.replace(" ", "-") for text in texts}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files_and_headings(page: Path):
    for number, line in prose(page):
        for target in re.findall(r"\]\(([^)\s]+)\)", line):
            if re.match(r"[a-z]+:", target):
                continue
            name, _, anchor = target.partition("#")
            file = (page.parent / name).resolve() if name else page
            assert file.exists(), f"{page.name}:{number}: {target}"
            assert not anchor or anchor in anchors(file), f"{page.name}:{number}: {target}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_lines_of_prose_are_short(page: Path):
    long = [number for number, line in prose(page) if len(line) > MOST_CHARACTERS and not line.startswith("|")]
    assert not long, f"{page.name}: lines {long} are longer than {MOST_CHARACTERS} characters"


def script(name: str) -> ModuleType:
    """Return a script of docs/ as a module."""
    spec = importlib.util.spec_from_file_location(name, PROJECT / "docs" / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_benchmarks_page_is_up_to_date():
    assert (PROJECT / "docs" / "benchmarks.md").read_text(encoding="utf-8") == script("write_benchmarks").page()


def test_explanations_page_is_up_to_date(monkeypatch: pytest.MonkeyPatch):
    """If not: python docs/write_explanations.py."""
    monkeypatch.syspath_prepend(PROJECT / "docs")  # it imports another script
    module = script("write_explanations")
    tiles = read_explanations(module.KEPT)
    assert [(tile.scene, tile.row, tile.col) for tile in tiles] == list(module.TILES)
    assert all(tile.facts.reasons.calibration_scenes for tile in tiles), "the facts are of an earlier version"
    assert module.PAGE.read_text(encoding="utf-8") == module.page(tiles)


def test_texts_of_the_language_model_on_that_page_can_still_be_written():
    """If not: python docs/write_explanations.py."""
    for tile in read_explanations(PROJECT / "docs" / "explanations.jsonl"):
        outline, said = Outline(tile_topics(tile.facts)), list[Topic]()
        for sentence in tile.sentences:
            topic = next(each for each in outline.following(said) if each.key == sentence.topic)
            assert sentence.text in topic.wordings
            said.append(topic)
        assert outline.may_end(said)
        assert tile.text == " ".join(sentence.text for sentence in tile.sentences)
