"""The tables of docs/reruns.md."""

import re
from pathlib import Path

PAGE = Path(__file__).parents[1] / "docs" / "reruns.md"
ROW = re.compile(r"^\| (.+?) \| (.+?) \|$", re.M)

STAGES = (
    *("resolve_scene", "register_pair", "picture_registration", "burn_labels", "tile_scene", "fit_statistics"),
    "collect_radiometry",
    *("check_radiometry", "audit_splits", "train_model", "predict_scene", "mosaic_region", "check_maps"),
    *("score_tiles", "score_region", "draw_sample", "estimate_areas", "explain_tiles", "render_report"),
)
WITHOUT_SETTINGS = {"collect_radiometry"}


def table(header: str) -> dict[str, str]:
    """Return the rows of the first table below a heading or a line that starts with a text."""
    text = PAGE.read_text(encoding="utf-8")
    below = text[text.index(header) :]
    rows = re.search(r"^\| .*\|\n\|[-|]+\|\n((?:\|.*\|\n)+)", below, re.M)
    assert rows is not None, header
    return dict(ROW.findall(rows[1]))


READERS = {stage: set(readers.split(", ")) for stage, readers in table("After `register_pair`").items()}


def with_readers(stages: set[str]) -> set[str]:
    """Return stages and all that read their results, directly or not."""
    found = set(stages)
    while following := {reader for stage in found for reader in READERS.get(stage, ())} - found:
        found |= following
    return found


def stages_of(cell: str) -> set[str]:
    """Return the stages that a cell of a table names."""
    if cell == "none":
        return set()
    if cell == "all":
        return set(STAGES)
    if cell == "all with settings":
        return set(STAGES) - WITHOUT_SETTINGS
    names = set(re.findall(r"\w+_\w+", cell))
    return with_readers(names) if "all after" in cell else names
