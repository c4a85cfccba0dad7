"""What jobs request; the figures themselves are tested in `test_requirements`."""

import json
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from clairemap import requirements
from clairemap.attempts import runner
from clairemap.job_requests import JobRequests
from clairemap.plan import Plan

SHEET = """scene,region,split,optical,sar,label
a,north,train,a.tif,,l.tif
b,north,val,b.tif,,l.tif
c,north,test,c.tif,,l.tif
d,south,test,d.tif,,l.tif
e,south,predict,e.tif,,
"""


@pytest.fixture
def requests(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> JobRequests:
    """Requests while jobs are submitted, in a folder with a small scene `a` that is registered."""
    monkeypatch.chdir(tmp_path)
    Path("scenes.csv").write_text(SHEET)
    registration = Path("work/scenes/a/registration.json")
    registration.parent.mkdir(parents=True)
    registration.write_text("{}")
    return of_run(is_submitting=True)


def of_run(*, is_submitting: bool, on_gpus: bool = False, **settings: Any) -> JobRequests:
    plan = Plan.read({"scenes": "scenes.csv", "data_dir": ".", **settings}, Path("/checkout"))
    return JobRequests(plan, Path("work"), on_gpus, "r", lambda: is_submitting)


@pytest.fixture
def small(requests: JobRequests, made_rasters: ModuleType) -> JobRequests:
    """The same requests; the file of scene `a` exists and has 64 px."""
    made_rasters.write_raster(Path("a.tif"), np.ones((1, 64, 64), np.uint8))
    return requests


@pytest.mark.parametrize(
    ("rule", "wildcards", "scenes"),
    [
        ("fit_statistics", {}, 2),
        ("audit_splits", {"region": "north"}, 3),
        ("audit_splits", {"region": "south"}, 3),
        ("mosaic_region", {"region": "north", "map": "north"}, 3),
        ("score_region", {"region": "south"}, 4),
        ("register_pair", {"scene": "a"}, 1),
    ],
)
def test_requests_follow_the_number_of_scenes(
    requests: JobRequests, monkeypatch: pytest.MonkeyPatch, rule: str, wildcards: dict[str, str], scenes: int
):
    monkeypatch.setattr(requirements, "memory_mb", lambda *_, scenes, **__: scenes)
    assert requests.memory_mb(rule, wildcards, Path("log"), 1) == scenes


def test_sizes_of_scenes_are_read_only_at_submission(small: JobRequests):
    scene = {"scene": "a"}
    at_planning = of_run(is_submitting=False)
    assert small.memory_mb("tile_scene", scene, Path("log"), 1) < at_planning.memory_mb(
        "tile_scene", scene, Path("log"), 1
    )
    assert small.minutes("tile_scene", scene) < at_planning.minutes("tile_scene", scene)


@pytest.mark.usefixtures("requests")
def test_files_on_servers_request_memory_for_their_caches():
    local = of_run(is_submitting=False)
    Path("scenes.csv").write_text(SHEET.replace("a.tif,", "https://h/a.tif,s3://h/vv.tif;s3://h/vh.tif"))
    remote = of_run(is_submitting=False)
    for rule, caches in (("tile_scene", 2), ("register_pair", 2), ("resolve_scene", 0)):
        wanted = {"scene": "a"}
        more = remote.memory_mb(rule, wanted, Path("log"), 1) - local.memory_mb(rule, wanted, Path("log"), 1)
        assert more == caches * 192


def test_a_scene_without_registration_or_readable_file_counts_as_large(requests: JobRequests):
    Path("b.tif").write_text("not a raster")
    folder = Path("work/scenes/b")
    folder.mkdir()
    large = of_run(is_submitting=False).minutes("tile_scene", {"scene": "b"})
    assert requests.minutes("tile_scene", {"scene": "b"}) == large
    (folder / "registration.json").write_text("{}")
    assert requests.minutes("tile_scene", {"scene": "b"}) == large


def test_mapping_a_small_scene_requests_less_once_the_halo_is_known(small: JobRequests):
    scene = {"scene": "a", "view": "fused"}
    unknown = small.memory_mb("predict_scene", scene, Path("log"), 1)
    assert unknown == of_run(is_submitting=False).memory_mb("predict_scene", scene, Path("log"), 1)
    given = of_run(is_submitting=True, inference={"halo_px": 64})
    assert given.memory_mb("predict_scene", scene, Path("log"), 1) < unknown


@pytest.mark.usefixtures("requests")
def test_training_on_gpus_requests_memory_for_cuda():
    on_gpu = of_run(is_submitting=True, on_gpus=True)
    settings = on_gpu.plan.settings
    assert on_gpu.memory_mb("train_model", {}, Path("log"), 1) == requirements.training_mb(settings, on_gpus=True)


def test_only_an_attempt_that_ran_out_of_memory_requests_more(requests: JobRequests):
    log, first = Path("logs/x.log"), requests.memory_mb("fit_statistics", {}, Path("log"), 1)
    runner.run(log, first, ["python3", "-c", "raise SystemExit(76)"], {"CLAIREMAP_RUN": "r"})
    assert requests.memory_mb("fit_statistics", {}, log, 2) == 2 * first
    text = log.read_text().replace(json.dumps("out of memory"), json.dumps("failed"))
    log.write_text(text)
    assert requests.memory_mb("fit_statistics", {}, log, 2) == first
