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

The last results of each script in `benchmarks/`. Ratios and accuracies are comparable between machines, seconds are
not. The figures of accuracy are of two trainings of the main variants in each fold and one of the others; since then,
only log messages and the card of the training have changed. Those of rims were measured on earlier made scenes. Those
of rims, inference and gpu are of the network before its gate came first; those of inference are also older than the
present treatment of nodata inside tiles, which [rims](#rims) measures. Those of workflow_faults are merged from runs of
its two groups, in which four local faults and one on SLURM were repeated; the local ones were timed on a busy machine.
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
    "snakemake",
    "cpus",
    "gpu",
    "code",
)
"""Keys that describe the environment: they share one sentence."""

MOST_COLUMNS = 4
"""Maximum number of figures in a row; wider tables are transposed."""

DETAILS = ("top_ms", "seconds", "share")
"""Keys that stay in the file: time by kernel and by section of gpu.py; a sum of two shown figures of rims.py."""

WIDTH = 120
"""Maximum length of a line of prose, characters."""

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
    figures = json.loads(path.read_text(encoding="utf-8"), object_hook=without_details)
    blocks = [f"## {path.stem}", *about, *tables(figures), versions(figures)]
    return "\n\n".join(blocks) + "\n"


def without_details(figures: Figures) -> Figures:
    """Return the figures that the page shows."""
    return {key: value for key, value in figures.items() if key not in DETAILS}


def versions(figures: Figures) -> str:
    """Return a sentence with the versions that a benchmark ran with."""
    known = [f"{key} {figures[key]}" for key in VERSIONS if figures.get(key) is not None]
    text = f"Measured with {', '.join(known)}." if known else "Versions were not recorded."
    return textwrap.fill(text, WIDTH, break_on_hyphens=False)


def tables(figures: Figures) -> list[str]:
    """Return a table of the single figures, and a table of the groups of figures with the same keys."""
    groups = {key: value for key, value in figures.items() if isinstance(value, dict) and value}
    single = {key: value for key, value in figures.items() if not isinstance(value, dict) and key not in VERSIONS}
    measured = {key: value for key, value in single.items() if value is not None and not detailed(key, groups)}
    missing = ", ".join(f"`{key}`" for key, value in single.items() if value is None)
    alike: dict[tuple[str, ...], dict[str, Figures]] = {}
    found = [table({"value": measured})] if measured else []
    for key, value in groups.items():
        if all(isinstance(inner, dict) for inner in value.values()):
            found.append(table(columns(value), f"`{key}`"))
        else:
            alike.setdefault(tuple(flat(value)), {})[key] = flat(value)
    found += [table(group) for group in alike.values()]
    return [*found, textwrap.fill(f"Not measured: {missing}.", WIDTH)] if missing else found


def detailed(key: str, groups: dict[str, Figures]) -> bool:
    """Return whether groups have the same figure in more detail: `KEY_by_…`, or KEY in each of several sets."""
    inner = {name for group in groups.values() for value in group.values() if isinstance(value, dict) for name in value}
    return key in inner or any(name.startswith(f"{key}_by_") for name in groups)


def columns(groups: Figures, name: str = "") -> dict[str, Figures]:
    """Return groups of groups as columns of a table; groups that differ stay rows."""
    found: dict[str, Figures] = {}
    for key, group in groups.items():
        assert isinstance(group, dict)
        label = f"{name} {key}".strip()
        nested = bool(group) and all(isinstance(inner, dict) for inner in group.values())
        found |= columns(group, label) if nested else {label: flat(group)}
    return found


def flat(figures: Figures, group: str = "") -> Figures:
    """Return the figures with groups flattened, named by group and figure."""
    found: Figures = {}
    for key, value in figures.items():
        found |= flat(value, f"{group}{key}, ") if isinstance(value, dict) else {f"{group}{key}": value}
    return found


def table(by_column: dict[str, Figures], name: str = "figure") -> str:
    """Return a table with a row for each key, or transposed if that has fewer rows and fits. `name` heads the rows."""
    keys = list(dict.fromkeys(key for column in by_column.values() for key in column))
    named = list(by_column) != ["value"]
    if len(by_column) > MOST_COLUMNS or (named and len(by_column) < len(keys) <= MOST_COLUMNS):
        names = list(by_column)
        by_column, keys = {key: {name: by_column[name].get(key) for name in names} for key in keys}, names
    header = [name, *(f"`{name}`" if named else name for name in by_column)]
    rows = [[f"`{key}`", *(shown(column.get(key)) for column in by_column.values())] for key in keys]
    head, *body = (f"| {' | '.join(row)} |" for row in [header, *rows])
    return "\n".join([head, f"|{'---|' * len(header)}", *body])


def shown(value: object) -> str:
    """Return a figure as text: floats with three decimals, those near zero by their order of magnitude."""
    if value is None:
        return "not measured"
    if isinstance(value, list):
        return ", ".join(map(shown, value)) or "none"
    if isinstance(value, float):
        return f"{value:.1e}" if 0 < abs(value) < 5e-4 else f"{value:.3f}"
    return str(value)


if __name__ == "__main__":
    main()
