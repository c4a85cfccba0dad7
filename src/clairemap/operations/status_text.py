"""The text of `make status`."""

import datetime
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from clairemap.attempts.records import read_attempts
from clairemap.attempts.summary import reason
from clairemap.operations.costs import Costs
from clairemap.operations.durations import DAY_S, duration
from clairemap.operations.status import RunStatus, State, last_line
from clairemap.operations.text_table import text_table
from clairemap.text import cut, shortened

MOST_LISTED = 5
LONGEST_LINE = 160
COLUMNS: dict[State, str] = {
    "done": "done",
    "running": "running",
    "queued": "in queue",
    "waiting": "waiting",
    "failed": "failed",
    "blocked": "blocked",
}


def status_text(status: RunStatus, costs: Costs) -> str:
    """Return the state of a run as text: counts by stage, running and failed jobs, expected end."""
    lines = [_headline(status), "", *_table(status)]
    for part in (_running(status), _failed(status), _queue(status)):
        if found := list(part):
            lines += ["", *found]
    return "\n".join([*lines, "", *_outlook(status, costs)])


def _headline(status: RunStatus) -> str:
    total = Counter[State]()
    for counts in status.by_stage.values():
        total.update(counts)
    start = status.start
    began = datetime.datetime.fromtimestamp(start.seconds).strftime("%Y-%m-%d %H:%M")
    return (
        f"Run started {began} on {start.host} (process {start.process}): {_state_of_run(status)}. "
        f"{total['done']} of {total.total()} jobs are done."
    )


def _state_of_run(status: RunStatus) -> str:
    if status.end is not None:
        return "ended with failed jobs" if status.end.failed else "finished"
    return "running" if status.alive else "killed"


def _table(status: RunStatus) -> list[str]:
    used = [state for state in COLUMNS if state in ("done", "running", "waiting", "failed") or status.of_state(state)]
    rows = [
        (rule, str(counts.total()), *(str(counts[state]) for state in used)) for rule, counts in status.by_stage.items()
    ]
    total = ("total", *(str(sum(int(row[column]) for row in rows)) for column in range(1, len(used) + 2)))
    return text_table(("stage", "jobs", *(COLUMNS[state] for state in used)), [*rows, total])


def _running(status: RunStatus) -> Iterator[str]:
    jobs = status.of_state("running")
    if not jobs:
        return
    yield "Running"
    longest = sorted(jobs, key=lambda found: -status.running_s(found[0]))
    for index, job in longest[:MOST_LISTED]:
        line = last_line_of(job.log)
        yield f"  {job.label}: {duration(status.running_s(index))}{', last log line: ' if line else ''}{line}"
    if len(jobs) > MOST_LISTED:
        yield f"  and {len(jobs) - MOST_LISTED} more"


def _failed(status: RunStatus) -> Iterator[str]:
    jobs = status.of_state("failed")
    if not jobs:
        return
    yield "Failed (a job may be retried while the run goes on)" if status.alive else "Failed"
    for _, job in jobs[:MOST_LISTED]:
        yield f"  {job.label}: {failure_of(job.log) or 'no message in its log'}"
        yield f"    log: {job.log}"
    if len(jobs) > MOST_LISTED:
        yield f"  and {len(jobs) - MOST_LISTED} more"


def last_line_of(log: str | None) -> str:
    """Return the last line of a log, shortened."""
    return cut(last_line(Path(log)), LONGEST_LINE) if log else ""


def failure_of(log: str | None) -> str:
    """Return why a job failed, from the records of its attempts; the last line of a log without records."""
    attempts = read_attempts(Path(log)) if log else []
    return reason(attempts[-1]) if attempts else last_line_of(log)


def _queue(status: RunStatus) -> Iterator[str]:
    if status.start.machine.is_local:
        return
    if status.queue is None:
        yield "SLURM: squeue is not available here, so jobs in the queue count as running."
        return
    waits = [job for job in status.queue.values() if job.waits]
    reasons = Counter(job.reason for job in waits)
    texts = shortened([f"{reason} {number}" for reason, number in reasons.most_common()], MOST_LISTED)
    running = len(status.queue) - len(waits)
    yield f"SLURM: {running} job(s) running, {len(waits)} waiting{f' ({texts})' if texts else ''}."


def _outlook(status: RunStatus, costs: Costs) -> Iterator[str]:
    blocked = len(status.of_state("blocked"))
    if blocked:
        yield f"{blocked} job(s) cannot run, because a job that they need failed."
    left = len(status.of_state("waiting", "running", "queued"))
    if status.end is not None and not status.end.failed and left:
        yield f"{left} job(s) were not part of this run (for example because of --until): make plan"
    elif status.end is not None and not status.end.failed:
        yield "All jobs are done. Whether results are up to date with settings and code: make plan"
    elif status.end is not None:
        yield "Correct the cause, then run the same command again: finished jobs are kept."
    elif not status.alive:
        yield (
            f"Process {status.start.process} no longer exists, so the run does not continue. Run make recover, "
            "then the same command again: finished jobs are kept."
        )
    else:
        yield _expected_end(status, costs)


def _expected_end(status: RunStatus, costs: Costs) -> str:
    left = status.seconds_left(costs)
    if left is None:
        return "Expected end: unknown, because the time of a remaining stage was never measured."
    end = datetime.datetime.now() + datetime.timedelta(seconds=left)
    at = end.strftime("%H:%M" if left < DAY_S / 2 else "%Y-%m-%d %H:%M")
    queue = "" if status.start.machine.is_local else ", plus the time in the queue"
    return f"Expected end: about {at} (in {duration(left)}){queue}. An estimate from earlier jobs; see make plan."
