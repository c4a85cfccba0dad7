from pathlib import Path

import pytest

from clairemap import jobs
from clairemap.errors import MissingFileError
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
    assert jobs.training_launcher(1, None, 1) == "python"
    assert jobs.training_launcher(4, None, 1) == "python -m clairemap.training.launcher --processes 4"
    assert jobs.training_launcher(8, "srun", 2) == (
        "srun --nodes=2 --ntasks-per-node=1 --kill-on-bad-exit=1 python -m clairemap.training.launcher --processes 8"
    )
    assert jobs.training_launcher(1, "srun", 1).endswith("--processes 1")


@pytest.mark.parametrize(
    ("rules", "device", "explainer", "expected"),
    [
        ({"train_model", "predict_scene"}, "cuda", None, [4]),
        ({"predict_scene"}, "cuda", None, [1]),
        ({"explain_tiles"}, "cuda", "phi", [1]),
        ({"explain_tiles"}, "cuda", None, []),
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
