"""How long jobs take together on given cores, GPUs and job limits."""

import heapq
from collections import deque
from collections.abc import Sequence

from clairemap.operations.planned import Machine, PlannedJob

SUBMISSION_S = 30.0
"""Additional time of a job on a cluster: Snakemake starts twice in it, and its end is noticed late (measured)."""


def wall_seconds(jobs: Sequence[PlannedJob], seconds: Sequence[float], machine: Machine) -> float:
    """Return the time until the last job ends, if each starts as soon as its needs and the machine allow.

    On a cluster the number of jobs and of GPUs is limited; the time in the queue is not known and not counted, only
    `SUBMISSION_S` for each job.

    Args:
        jobs: `needs` are positions in this sequence.
        seconds: time of each job.
        machine: cores or number of jobs, and GPUs.
    """
    extra_s = 0.0 if machine.is_local else SUBMISSION_S
    followers: dict[int, list[int]] = {}
    open_needs = [len(job.needs) for job in jobs]
    for index, job in enumerate(jobs):
        for before in job.needs:
            followers.setdefault(before, []).append(index)
    size = [_size(job, machine) for job in jobs]
    ready: dict[tuple[int, int], deque[int]] = {}
    for index, count in enumerate(open_needs):
        if not count:
            ready.setdefault(size[index], deque()).append(index)
    free = [machine.cores if machine.is_local else machine.jobs, _gpus(machine)]
    running: list[tuple[float, int]] = []
    now = 0.0
    while running or any(ready.values()):
        for needed, queue in ready.items():
            while queue and needed[0] <= free[0] and needed[1] <= free[1]:
                index = queue.popleft()
                free = [free[0] - needed[0], free[1] - needed[1]]
                heapq.heappush(running, (now + seconds[index] + extra_s, index))
        now, ended = heapq.heappop(running)
        free = [free[0] + size[ended][0], free[1] + size[ended][1]]
        for index in followers.get(ended, ()):
            open_needs[index] -= 1
            if not open_needs[index]:
                ready.setdefault(size[index], deque()).append(index)
    return now


def _gpus(machine: Machine) -> int:
    return 10**9 if machine.gpus is None else max(1, machine.gpus)


def _size(job: PlannedJob, machine: Machine) -> tuple[int, int]:
    """Return cores (on a cluster: 1 job) and GPUs that a job occupies, never more than there are."""
    cores = min(job.threads, machine.cores) if machine.is_local else 1
    return cores, min(job.gpus, _gpus(machine))
