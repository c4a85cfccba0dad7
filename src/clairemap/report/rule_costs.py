"""Time, CPU and memory by rule, from the benchmarks that Snakemake recorded."""

import csv
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class RuleCost:
    """Jobs of a rule: their number, summed times, and the largest memory, MB; None if it was not measured."""

    rule: str
    jobs: int
    minutes: float
    cpu_minutes: float | None
    peak_mb: float | None


def rule_costs(folder: Path, names: Collection[str]) -> tuple[RuleCost, ...]:
    """Return the cost of each rule, largest time first: jobs for these scenes, maps and regions, and for the model.

    Files that are damaged or from another version are left out.
    """
    found = []
    for entry in sorted(folder.iterdir()) if folder.is_dir() else ():
        files = [entry] if entry.suffix == ".tsv" else [file for file in entry.glob("*.tsv") if _is_of(file, names)]
        rows = [row for file in sorted(files) for row in _last_row(file)]
        if rows:
            found.append(_cost(entry.name.removesuffix(".tsv"), rows))
    return tuple(sorted(found, key=lambda cost: -cost.minutes))


def _is_of(file: Path, names: Collection[str]) -> bool:
    stem = file.name.removesuffix(".tsv")
    return stem in names or stem.split(".")[0] in names


def _last_row(file: Path) -> Iterator[dict[str, float]]:
    try:
        with file.open(encoding="utf-8", newline="") as lines:
            rows = list(csv.DictReader(lines, delimiter="\t"))
        yield {name: float(rows[-1][name]) for name in ("s", "max_rss", "cpu_time") if _is_number(rows[-1][name])}
    except (OSError, ValueError, KeyError, IndexError):
        return


def _is_number(text: str) -> bool:
    return text.replace(".", "", 1).isdigit()


def _cost(rule: str, rows: list[dict[str, float]]) -> RuleCost:
    cpu = [row["cpu_time"] for row in rows if "cpu_time" in row]
    peaks = [row["max_rss"] for row in rows if "max_rss" in row]
    return RuleCost(
        rule,
        len(rows),
        sum(row.get("s", 0.0) for row in rows) / 60,
        sum(cpu) / 60 if cpu else None,
        max(peaks, default=None),
    )
