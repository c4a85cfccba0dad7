"""Write docs/benchmarks.md from the last lines that the benchmarks printed, kept in benchmarks/results/NAME.json.

python benchmarks/NAME.py … | tail -n 1 > benchmarks/results/NAME.json && python docs/write_benchmarks.py
"""

import ast
import json
from collections.abc import Iterator
from pathlib import Path

PROJECT = Path(__file__).parents[1]
HEADER = (
    "# Benchmarks\n\nWritten by `docs/write_benchmarks.py` from what each benchmark printed last. "
    "Machines differ: ratios and accuracies travel, seconds don't.\n"
)


def main() -> None:
    """Write the page."""
    parts = [section(path) for path in sorted((PROJECT / "benchmarks" / "results").glob("*.json"))]
    (PROJECT / "docs" / "benchmarks.md").write_text("\n".join([HEADER, *parts]), encoding="utf-8")


def section(path: Path) -> str:
    """Return a benchmark's part of the page: what it measures, in its own words, and its figures."""
    source = PROJECT / "benchmarks" / f"{path.stem}.py"
    about = (ast.get_docstring(ast.parse(source.read_text(encoding="utf-8"))) or "").split("\n\n")
    told = [text for index, text in enumerate(about) if index <= 1 or not ("as its last" in text or text[0] == " ")]
    words = " ".join(" ".join(told).split())
    figures = json.loads(path.read_text(encoding="utf-8"))
    rows = [f"| `{key}` | {shown(value)} |" for key, value in flat(figures)]
    return "\n".join([f"## {path.stem}\n", words, "", "| key | value |", "|---|---|", *rows, ""])


def flat(figures: dict[str, object], group: str = "") -> Iterator[tuple[str, object]]:
    """Yield the figures with those of groups one by one, under the group's name and their own."""
    for key, value in figures.items():
        if isinstance(value, dict):
            yield from flat(value, f"{group}{key} / ")
        else:
            yield f"{group}{key}", value


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
