"""How long jobs take together."""

from clairemap.operations.planned import Machine, PlannedJob
from clairemap.operations.schedule import SUBMISSION_S, wall_seconds


def jobs(*needs: tuple[int, ...], threads: int = 1, gpus: int = 0) -> list[PlannedJob]:
    return [PlannedJob("rule", str(i), threads=threads, gpus=gpus, needs=need) for i, need in enumerate(needs)]


def test_independent_jobs_share_the_cores():
    assert wall_seconds(jobs((), (), ()), [10, 10, 10], Machine("local", 2, 1)) == 20
    assert wall_seconds(jobs((), (), ()), [10, 10, 10], Machine("local", 3, 1)) == 10
    assert wall_seconds([], [], Machine("local", 3, 1)) == 0


def test_a_job_starts_after_those_that_it_needs():
    assert wall_seconds(jobs((), (0,), (0,), (1, 2)), [1, 2, 5, 1], Machine("local", 8, 1)) == 7


def test_a_job_with_more_threads_than_cores_has_all_cores():
    assert wall_seconds(jobs((), (), threads=8), [3, 3], Machine("local", 4, 1)) == 6


def test_jobs_with_a_gpu_wait_for_one_and_others_do_not():
    mixed = [*jobs((), (), gpus=1), *jobs((), ())]
    assert wall_seconds(mixed, [5, 5, 1, 1], Machine("local", 8, 1, gpus=1)) == 10
    assert wall_seconds(mixed, [5, 5, 1, 1], Machine("local", 8, 1, gpus=4)) == 5


def test_on_a_cluster_the_number_of_jobs_is_limited_not_the_cores():
    many = jobs(*[()] * 6, threads=8)
    assert wall_seconds(many, [1] * 6, Machine("slurm", 2, 3)) == 2 * (1 + SUBMISSION_S)
