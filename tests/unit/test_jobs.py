from pathlib import Path

import pytest

from clairemap import jobs
from clairemap.errors import MissingFileError, SettingsError
from clairemap.settings import Settings, load_settings


def with_compute(**values: object) -> Settings:
    return load_settings({"compute": values, "training": {"batch_size": 8}})


@pytest.mark.parametrize(
    ("device", "machine_has_one", "expected"),
    [("auto", True, True), ("auto", False, False), ("cpu", True, False), ("cuda", False, True)],
)
def test_gpu_is_requested(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, device: str, machine_has_one: bool, expected: bool
):
    if machine_has_one:
        (tmp_path / "nvidia-smi").touch(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert jobs.uses_gpu(with_compute(device=device)) == expected


def test_launchers():
    assert jobs.training_launcher(1, None, 1, 8) == "python"
    assert jobs.training_launcher(4, None, 1, 32) == "python -m clairemap.training.launcher --processes 4"
    assert jobs.training_launcher(8, "srun", 2, 64) == (
        "srun --nodes=2 --ntasks-per-node=1 --cpus-per-task=64 --kill-on-bad-exit=1"
        " python -m clairemap.training.launcher --processes 8"
    )
    assert jobs.training_launcher(1, "srun", 1, 8).endswith("--processes 1")


@pytest.mark.parametrize(
    ("nodes", "processes", "threads", "tasks", "cpus"),
    [(1, 4, 32, 4, None), (2, 4, 32, 4, 8), (2, 1, 8, 2, 4), (2, 3, 10, 3, 4)],
)
def test_cpus_of_training_over_nodes(nodes: int, processes: int, threads: int, tasks: int, cpus: int | None):
    settings = load_settings(
        {
            "compute": {"training_nodes": nodes, "training_processes": processes},
            "training": {"batch_size": nodes * processes},
        }
    )
    assert jobs.tasks_per_node(settings) == tasks
    assert jobs.cpus_per_task(settings, threads) == cpus


def test_training_over_nodes_needs_a_cluster():
    settings = with_compute(training_nodes=2)
    with pytest.raises(SettingsError, match=r"training_nodes is 2, but this run uses one machine"):
        jobs.check_gpus_of({"train_model"}, settings)
    jobs.check_gpus_of({"tile_scene"}, settings)


@pytest.mark.parametrize(
    ("compute", "rules", "limit", "words"),
    [
        ({"device": "auto"}, {"predict_scene"}, None, r"compute\.device is auto, but the jobs run on a cluster"),
        ({"device": "auto"}, {"tile_scene"}, None, None),
        ({"device": "cpu", "training_processes": 4}, {"train_model"}, 2, None),
        ({"device": "cuda", "training_processes": 4}, {"train_model"}, 2, r"profile allows 2 GPU\(s\) at once"),
        ({"device": "cuda", "training_processes": 4}, {"train_model"}, 4, None),
        ({"device": "cuda", "training_processes": 4}, {"train_model"}, None, None),
        ({"device": "cuda", "training_processes": 4}, {"predict_scene"}, 2, None),
        ({"device": "cuda", "training_processes": 4, "training_nodes": 2}, {"train_model"}, 2, None),
    ],
)
def test_settings_of_a_cluster_run(compute: dict[str, object], rules: set[str], limit: int | None, words: str | None):
    if words is None:
        jobs.check_cluster(rules, with_compute(**compute), limit)
        return
    with pytest.raises(SettingsError, match=words):
        jobs.check_cluster(rules, with_compute(**compute), limit)


@pytest.mark.parametrize(
    ("rules", "device", "explainer", "expected"),
    [
        ({"train_model", "predict_scene"}, "cuda", None, [4]),
        ({"predict_scene"}, "cuda", None, [1]),
        ({"explain_tiles"}, "cuda", "phi", [1]),
        ({"explain_tiles"}, "cuda", None, []),
        ({"summarize_region"}, "cuda", "phi", [1]),
        ({"tile_scene"}, "cuda", "phi", []),
        ({"train_model"}, "auto", None, []),
    ],
)
def test_gpus_are_checked_if_a_planned_rule_needs_them(
    monkeypatch: pytest.MonkeyPatch, rules: set[str], device: str, explainer: str | None, expected: list[int]
):
    checked: list[int] = []
    monkeypatch.setattr(jobs, "check_gpus", checked.append)
    settings = load_settings({"compute": {"device": device, "training_processes": 4}, "explain": {"model": explainer}})
    jobs.check_gpus_of(rules, settings)
    assert checked == expected


def test_options():
    files = {"pair": [Path("a b"), "c"], "optical_share": [Path("d")], "radiometry": []}
    assert jobs.options(files) == ["--pair", "a b", "--pair", "c", "--optical-share", "d"]


def test_a_missing_image_is_reported_with_its_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(MissingFileError, match="make image"):
        jobs.check_image()
    (tmp_path / "envs").mkdir()
    (tmp_path / jobs.IMAGE).touch()
    jobs.check_image()
