"""Write docs/benchmarks.md from the last lines that the benchmarks printed, kept in benchmarks/results/NAME.json.

python benchmarks/NAME.py … | tail -n 1 > benchmarks/results/NAME.json && python docs/write_benchmarks.py
"""

import ast
import json
import textwrap
from pathlib import Path

PROJECT = Path(__file__).parents[1]
HEADER = """\
# Benchmarks

Written by `docs/write_benchmarks.py` from the last results of each benchmark. Ratios and accuracies are comparable
between machines, seconds are not. The figures of accuracy and inference predate the current treatment of nodata;
[rims](#rims) measures its effect.
"""

VERSIONS = (
    "python",
    "torch",
    "scipy",
    "clairemap",
    "gdal",
    "gdal_of_rasterio",
    "rasterio",
    "peers",
    "cpus",
    "gpu",
    "code",
)
"""Keys that describe the environment: they share one sentence."""

MOST_COLUMNS = 4
"""Figures in a row at most; tables that would be wider are turned."""

Figures = dict[str, object]


def main() -> None:
    """Write the page."""
    (PROJECT / "docs" / "benchmarks.md").write_text(page(), encoding="utf-8")


def page() -> str:
    """Return the text of the page."""
    results = sorted((PROJECT / "benchmarks" / "results").glob("*.json"))
    return "\n".join([HEADER, *map(section, results)])


def section(path: Path) -> str:
    """Return a benchmark's section of the page: its description and its figures."""
    source = PROJECT / "benchmarks" / f"{path.stem}.py"
    paragraphs = (ast.get_docstring(ast.parse(source.read_text(encoding="utf-8"))) or "").split("\n\n")
    about = [text for text in paragraphs if not ("as its last line" in text or text.startswith(" "))]
    figures = json.loads(path.read_text(encoding="utf-8"))
    blocks = [f"## {path.stem}", *about, *tables(figures), versions(figures)]
    return "\n\n".join(blocks) + "\n"


def versions(figures: Figures) -> str:
    """Return a sentence with the versions that a benchmark ran with."""
    known = [f"{key} {figures[key]}" for key in VERSIONS if figures.get(key) is not None]
    text = f"Measured with {', '.join(known)}." if known else "Versions were not recorded."
    return textwrap.fill(text, 120, break_on_hyphens=False)


def tables(figures: Figures) -> list[str]:
    """Return a table of the single figures, and one for groups of figures that have the same keys."""
    single = {key: value for key, value in figures.items() if not isinstance(value, dict) and key not in VERSIONS}
    alike: dict[tuple[str, ...], dict[str, Figures]] = {}
    found = [table({"value": single})]
    for key, value in figures.items():
        if isinstance(value, dict) and all(isinstance(inner, dict) for inner in value.values()):
            found.append(table(columns(value)))
        elif isinstance(value, dict):
            alike.setdefault(tuple(value), {})[key] = value
    return found + [table(group) for group in alike.values()]


def columns(groups: Figures, name: str = "") -> dict[str, Figures]:
    """Return groups of groups as columns of a table; groups that differ stay rows."""
    found: dict[str, Figures] = {}
    for key, group in groups.items():
        assert isinstance(group, dict)
        label = f"{name} {key}".strip()
        nested = all(isinstance(inner, dict) for inner in group.values())
        found |= columns(group, label) if nested else {label: flat(group)}
    return found


def flat(figures: Figures, group: str = "") -> Figures:
    """Return the figures with those of groups one by one, under the group's name and their own."""
    found: Figures = {}
    for key, value in figures.items():
        found |= flat(value, f"{group}{key}, ") if isinstance(value, dict) else {f"{group}{key}": value}
    return found


def table(by_column: dict[str, Figures]) -> str:
    """Return a table with a row for each key, or with a row for each column's name if that is narrower."""
    keys = list(next(iter(by_column.values())))
    if len(by_column) > MOST_COLUMNS or len(keys) < len(by_column):
        by_column = {key: {name: column[key] for name, column in by_column.items()} for key in keys}
        keys = list(next(iter(by_column.values())))
    rows = [[f"`{key}`", *(shown(column[key]) for column in by_column.values())] for key in keys]
    header = ["figure", *(f"`{name}`" if name != "value" else name for name in by_column)]
    cells = [header, ["---"] * len(header)]
    return "\n".join(f"| {' | '.join(row)} |" for row in [*cells, *rows])


def shown(value: object) -> str:
    """Return a figure as text: floats with three decimals, those near zero by their order of magnitude."""
    if value is None:
        return "not measured"
    if isinstance(value, list):
        return ", ".join(map(shown, value))
    if isinstance(value, float):
        return f"{value:.1e}" if 0 < abs(value) < 5e-4 else f"{value:.3f}"
    return str(value)


if __name__ == "__main__":
    main()
