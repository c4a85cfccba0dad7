import logging
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from clairemap import slurm
from clairemap.errors import SettingsError
from clairemap.slurm import Partition, Request, fault_of, keep_logs_in, minutes_of, read_partitions

PARTITIONS = {
    "cpu": Partition(None, 64, 256_000, 0),
    "gpu": Partition(1440, 32, 128_000, 4),
    "short": Partition(60, 64, 256_000, 0),
    "short2": Partition(60, 64, 256_000, 0),
    "": Partition(None, 64, 256_000, 0),
}
TRAINING = {
    "rule": "train_model",
    "partition": "gpu",
    "cpus": 8,
    "minutes": 600,
    "memory_mb": 6700,
    "gpus": 1,
    "nodes": 1,
    "options": (),
}


def test_partitions_have_the_amounts_of_their_largest_nodes():
    found = read_partitions(
        "cpu*|infinite|64|256000+|(null)\nshort|1:00:00|64|256000|(null)\n"
        "short2|1:00:00|64|256000|(null)\ngpu|1-00:00:00|16|64000|gpu:2\ngpu|1-00:00:00|32|128000|gpu:a100:4(S:0-1)\n"
    )
    assert found == PARTITIONS


@pytest.mark.parametrize(
    ("text", "minutes"),
    [("30:00", 30), ("1:30:00", 90), ("2-03:04:00", 3064), ("45", 1), ("0:30", 1), ("infinite", None), ("n/a", None)],
)
def test_time_limits(text: str, minutes: int | None):
    assert minutes_of(text) == minutes


@pytest.mark.parametrize(
    ("gres", "gpus"),
    [
        ("gpu:4", 4),
        ("gpu", 1),
        ("gpu:a100:4(S:0-1)", 4),
        ("gpu:a100:2,gpu:v100:2", 4),
        ("lustre:1,gpu:2", 2),
        ("(null)", 0),
        ("", 0),
    ],
)
def test_gpus_of_a_node(gres: str, gpus: int):
    assert slurm.gpus_of(gres) == gpus


@pytest.mark.parametrize(
    ("changed", "refusal", "words"),
    [
        ({"minutes": 2000}, None, "Change compute.training_minutes in the config file to 1361 or less"),
        ({"minutes": 2000, "rule": "predict_scene"}, None, "set-resources: predict_scene:runtime=1440 (limit of"),
        ({"cpus": 64}, "configuration is not available", "set-threads: train_model=32 (largest node of partition gpu"),
        ({"cpus": 64}, "Requested nodes are busy", "set-threads: train_model=32 (largest node of partition gpu"),
        ({"memory_mb": 200_000}, "not available", "train_model:mem_mb (largest node of partition gpu: 128000 MB)"),
        ({"gpus": 8}, None, "train_model:slurm_partition (largest node of partition gpu: 4 GPUs)"),
        ({"partition": "cpu"}, "not available", "train_model:slurm_partition (partition cpu has no GPUs)"),
        ({"partition": None}, "not available", "in the default partition (sbatch: not available)"),
        ({"partition": "big"}, "Invalid partition name specified", "train_model:slurm_partition (no such partition"),
        ({"partition": "gpu,big"}, None, "train_model:slurm_partition (no such partition: big"),
        ({"partition": "short,cpu", "gpus": 0, "minutes": 90, "cpus": 99}, None, "train_model=64 (largest node of par"),
        ({"partition": "short,short2", "minutes": 90, "gpus": 0}, None, "training_minutes in the config file to 47"),
        ({}, "Invalid account", "(sbatch: Invalid account). Change set-resources: train_model:…"),
    ],
)  # fmt: skip
def test_requests_that_can_never_start(changed: dict[str, object], refusal: str | None, words: str):
    fault = fault_of(Request(**{**TRAINING, **changed}), PARTITIONS, refusal)
    rule = changed.get("rule", "train_model")
    assert fault is not None and fault.startswith(f"rule {rule} requests ") and words in fault


@pytest.mark.parametrize(
    "changed", [{"partition": "cpu,gpu"}, {"partition": "gpu,cpu"}, {"partition": "short,gpu", "minutes": 90}]
)
def test_of_a_list_of_partitions_one_is_enough(changed: dict[str, object]):
    assert fault_of(Request(**{**TRAINING, **changed}), PARTITIONS, None) is None


def test_what_passes_with_time_is_no_fault(caplog: pytest.LogCaptureFixture):
    assert fault_of(Request(**TRAINING), PARTITIONS, None) is None
    assert fault_of(Request(**TRAINING), {}, None) is None  # sinfo failed
    with caplog.at_level(logging.WARNING):
        said = "Required node not available (down, drained or reserved)"
        assert fault_of(Request(**TRAINING), PARTITIONS, said) is None
    assert f"rule train_model: sbatch says: {said}" in caplog.text


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A partition of one node, and an sbatch that refuses every job, twice."""
    refusal = "echo 'sbatch: error: No account' >&2\n"
    commands = {"sinfo": "echo 'gpu|1-00:00:00|32|128000|gpu:4'", "sbatch": f"{refusal}{refusal}exit 1"}
    for name, text in commands.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))


@pytest.mark.usefixtures("cluster")
def test_all_refused_requests_are_listed_with_what_sbatch_says_once():
    other = {**TRAINING, "rule": "predict_scene", "cpus": 64}
    with pytest.raises(SettingsError) as error:
        slurm.check_requests([Request(**TRAINING), Request(**other)])
    lines = str(error.value).splitlines()
    assert [line.split()[2] for line in lines[1:]] == ["train_model", "predict_scene"]
    assert all("(sbatch: No account). Change" in line for line in lines[1:])


@pytest.mark.usefixtures("cluster")
def test_without_an_answer_of_sinfo_nothing_is_refused(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    (tmp_path / "sinfo").write_text("#!/bin/sh\necho 'Unable to contact slurm controller' >&2\nexit 1\n")
    slurm.check_requests([Request(**TRAINING)])
    assert "not checked: sinfo failed: Unable to contact slurm controller" in caplog.text


@pytest.mark.usefixtures("cluster")
def test_a_slow_cluster_ends_the_check(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture):
    monkeypatch.setattr(slurm, "CHECK_SECONDS", -1)
    slurm.check_requests([Request(**TRAINING)])
    assert "rule train_model and later ones are not checked" in caplog.text


class Resources(dict[str, object]):
    __getattr__ = dict.__getitem__


def job(name: str, threads: int = 1, **resources: object) -> SimpleNamespace:
    return SimpleNamespace(name=name, threads=threads, resources=Resources(resources), is_group=lambda: False)


def test_the_largest_requests_of_a_rule_are_checked():
    pytest.importorskip("snakemake_executor_plugin_slurm")
    planned = [job("tile_scene", slurm_partition="cpu", mem_mb=1000 * size, runtime=60, _cores=1) for size in (1, 7, 3)]
    planned.append(job("tile_scene", slurm_partition="cpu", mem_mb=900, runtime=90, _cores=1))
    found = slurm.largest_requests(planned, None)
    assert {(one.memory_mb, one.minutes) for one in found} == {(7000, 60), (900, 90)}
    assert "--nodes=1" in found[0].options


def test_training_over_nodes_requests_its_threads_on_each_node():
    pytest.importorskip("snakemake_executor_plugin_slurm")
    resources = {"mpi": "srun", "nodes": 2, "tasks_per_node": 2, "cpus_per_task": 4, "gres": "gpu:1", "gpu": 0}
    (request,) = slurm.largest_requests([job("train_model", 8, slurm_partition="gpu", **resources)], None)
    assert (request.cpus, request.gpus, request.nodes) == (8, 1, 2)
    assert {"--ntasks-per-node=2", "--cpus-per-task=4", "--nodes=2", "--gres=gpu:1"} <= set(request.options)
    assert sum(option.startswith("--nodes") for option in request.options) == 1
    assert request.text == "8 CPUs, 1 GPU on each of 2 nodes"
    with pytest.raises(SettingsError, match="rule train_model: the SLURM executor refuses its resources"):
        slurm.largest_requests([job("train_model", 8, **{**resources, "tasks_per_node": 1})], None)


def test_logs_of_slurm_follow_the_work_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    plugin = SimpleNamespace(_select_logdir=lambda workflow: Path(workflow.executor_settings.logdir))
    monkeypatch.setitem(sys.modules, slurm.PLUGIN, plugin)
    warnings: list[str] = []
    keep_logs_in(tmp_path / "logs", warnings.append)
    unset, chosen = (SimpleNamespace(executor_settings=SimpleNamespace(logdir=value)) for value in (None, "/other"))
    assert plugin._select_logdir(unset) == tmp_path / "logs"
    assert plugin._select_logdir(chosen) == Path("/other")
    del plugin._select_logdir
    keep_logs_in(tmp_path / "logs", warnings.append)
    assert len(warnings) == 1 and ".snakemake/slurm_logs" in warnings[0]
