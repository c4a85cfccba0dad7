"""Faults put into runs of a small region: what survives, whether results are identical, what the user is told.

Two scenes of 300² are mapped once undisturbed. Each fault starts from a copy in which the outputs of one stage are
absent, hits that stage, and is followed by the documented remedy: the same command again, after a killed Snakemake
`recover` first. Local faults run on this machine, the others on a SLURM of three virtual nodes, started for this.

- `faults_tried`; `faults_survived`: the rerun succeeds, the next plan is empty and, after `recover`, no temporary file
  remains; `faults_identical`: maps, weights, metrics, statistics, explanations and the hashes of the stores are
  identical, byte for byte, to those of the undisturbed run; `faults_told`: a line names the cause or the remedy.
- `minutes_lost`: time from the start to the finished result minus that of the same stages undisturbed, by fault.
- `told`: that line, by fault. `failed`: what went wrong, by fault. `skipped`: faults not tried, with the reason.

Prints a table, and as its last line one JSON object.

    python benchmarks/workflow_faults.py [--quick] [--local | --slurm] [--only NAME …] [--folder kept]
"""

import argparse
import json
import platform
import re
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from faults_local import LOCAL, QUICK
from faults_made import PROJECT, Case, Lab, fingerprint
from faults_slurm import SLURM, cluster_or_reason
from faults_table import Fault, SkippedError

import clairemap

AT_ONCE = 3
"""Faults at once on SLURM: most of their time is waiting."""

RECOVERIES, RECOVERY_WAIT_S = 60, 5
"""Attempts to remove temporary files while other faults' jobs run, and seconds between two."""


@dataclass(frozen=True)
class Outcome:
    """Result of one fault."""

    fault: Fault
    survived: bool
    identical: bool
    told: str
    told_cause: bool
    minutes_lost: float
    failed: str = ""
    skipped: str = ""


def main() -> None:
    """Run the faults and print what came of them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="three local faults only")
    parser.add_argument("--local", action="store_true", help="local faults only")
    parser.add_argument("--slurm", action="store_true", help="faults on SLURM only")
    parser.add_argument("--only", nargs="+", help="names of faults")
    parser.add_argument("--folder", type=Path, help="keep the runs here, and use a kept undisturbed run")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the cluster is stopped
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs, and theirs, ignore Ctrl-C
    found = run_faults(options.folder, quick=options.quick, names=_chosen(options))
    print(json.dumps({**found, "python": platform.python_version(), "clairemap": clairemap.__version__}))


def _chosen(options: argparse.Namespace) -> set[str] | None:
    if options.only:
        return set(options.only)
    if options.local or options.slurm:
        return {fault.name for fault in (LOCAL if options.local else SLURM)}
    return None


def run_faults(folder: Path | None = None, *, quick: bool = False, names: set[str] | None = None) -> dict[str, Any]:
    """Run the faults, print a line for each, and return the figures.

    Args:
        folder: where to run them; by default a temporary folder.
        quick: only three local faults.
        names: only these faults.
    """
    with ExitStack() as stack:
        place = folder or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="clairemap-faults-")))
        lab = Lab(place.resolve())
        chosen = [f for f in (*LOCAL, *SLURM) if (f.name in QUICK if quick else names is None or f.name in names)]
        outcomes = [_shown(examine(lab, fault)) for fault in chosen if not fault.slurm]
        outcomes += on_slurm(lab, [fault for fault in chosen if fault.slurm])
    return figures(outcomes)


def on_slurm(lab: Lab, faults: Sequence[Fault]) -> list[Outcome]:
    """Run faults on SLURM: those that change the cluster one by one, after the others."""
    if not faults:
        return []
    cluster = cluster_or_reason()
    if isinstance(cluster, str):
        return [_shown(_skipped(fault, cluster)) for fault in faults]
    with cluster as running, ThreadPoolExecutor(AT_ONCE) as pool:
        together = [fault for fault in faults if not fault.alone]
        for fault in sorted({(fault.stages, fault.slurm): fault for fault in faults}.values(), key=lambda f: f.name):
            undisturbed_s(lab, fault)
        outcomes = [_shown(outcome) for outcome in pool.map(lambda fault: examine(lab, fault, running), together)]
        return outcomes + [_shown(examine(lab, fault, running)) for fault in faults if fault.alone]


def examine(lab: Lab, fault: Fault, cluster: Any = None) -> Outcome:  # noqa: ANN401 - the tests' ToyCluster
    """Run one fault, the remedy and the comparison."""
    usual_s = undisturbed_s(lab, fault)
    case = lab.case(fault.name, fault.stages, slurm=fault.slurm)
    case.cluster = cluster
    started = time.monotonic()
    try:
        fault.act(case)
        case.fault = {}
        if fault.recover:
            case.recover()
        last = case.run()
    except SkippedError as reason:
        return _skipped(fault, str(reason))
    except (TimeoutError, AssertionError, OSError) as error:
        case.end()
        failed = _without_places(f"{type(error).__name__}: {error} {case.last_line}", case)
        return Outcome(fault, False, False, "", False, 0.0, failed)
    minutes = max(0.0, time.monotonic() - started - usual_s) / 60
    told = _told(case, fault)
    problems = _problems(case, last.code, last.output)
    differing = sorted(name for name, digest in fingerprint(case.folder).items() if lab.expected.get(name) != digest)
    missing = sorted(set(lab.expected) - set(fingerprint(case.folder)))
    failed = _without_places("; ".join([*problems, *(f"differs: {name}" for name in (*differing, *missing))]), case)
    return Outcome(fault, not problems, not (differing or missing), told, bool(told), round(minutes, 2), failed)


def _problems(case: Case, code: int, output: str) -> list[str]:
    problems = [f"the rerun exits with {code}: {output.strip().splitlines()[-1]}"] if code else []
    plan = case.run("--dry-run").output
    if "Nothing to be done" not in plan:
        problems.append("the next plan is not empty")
    for _ in range(RECOVERIES):  # what other faults' jobs could be writing is kept until these have ended
        if "newer than a running job of another folder" not in case.recover().output:
            break
        time.sleep(RECOVERY_WAIT_S)
    problems += [f"remains: {path.relative_to(case.folder)}" for path in case.folder.rglob("*.part")]
    return problems


def _told(case: Case, fault: Fault) -> str:
    """Return the last line shown to the user that names the cause or the remedy; records of logs do not count."""
    lines = [line.strip() for output in case.outputs for line in output.splitlines() if not line.startswith("=== ")]
    told = next((line for line in reversed(lines) if re.search(fault.says, line, re.IGNORECASE)), "")
    return _without_places(told, case)


def _without_places(text: str, case: Case) -> str:
    """Return a text in which files have paths relative to the run or the project."""
    for folder in (case.folder, PROJECT, Path(sys.prefix)):
        text = text.replace(f"{folder}/", "").replace(str(folder), ".")
    return text


def undisturbed_s(lab: Lab, fault: Fault) -> float:
    """Return the seconds that the stages of a fault take undisturbed; measured once."""
    key = (fault.stages, fault.slurm)
    if key not in lab.usual_s:
        case = lab.case(
            "usual-" + "-".join([*fault.stages, "slurm" if fault.slurm else "local"]), fault.stages, slurm=fault.slurm
        )
        started = time.monotonic()
        case.run()
        lab.usual_s[key] = time.monotonic() - started
        shutil.rmtree(case.folder)
    return lab.usual_s[key]


def _skipped(fault: Fault, reason: str) -> Outcome:
    return Outcome(fault, False, False, "", False, 0.0, skipped=reason)


def _shown(outcome: Outcome) -> Outcome:
    state = "skipped" if outcome.skipped else "identical" if outcome.survived and outcome.identical else "FAILED"
    detail = outcome.skipped or outcome.failed or outcome.told or "nothing told"
    print(f"{outcome.fault.name:<34}{state:<11}{outcome.minutes_lost:>6.2f} min lost  {detail[:200]}", flush=True)
    return outcome


def figures(outcomes: Iterable[Outcome]) -> dict[str, Any]:
    """Return the figures of the benchmark."""
    listed = list(outcomes)
    tried = [each for each in listed if not each.skipped]
    return {
        "faults_tried": len(tried),
        "faults_survived": sum(each.survived for each in tried),
        "faults_identical": sum(each.identical for each in tried),
        "faults_told": sum(each.told_cause for each in tried),
        "minutes_lost": {each.fault.name: each.minutes_lost for each in tried},
        "told": {each.fault.name: each.told for each in tried},
        "failed": {each.fault.name: each.failed for each in tried if each.failed},
        "skipped": {each.fault.name: each.skipped for each in listed if each.skipped},
    }


if __name__ == "__main__":
    main()
