"""Requested memory against measured peaks (resident memory of the stage's processes, MB, on a CPU)."""

import subprocess
import sys
from typing import Any

import pytest

from clairemap.requirements import CUDA_MB, SNAKEMAKE_MB, MappedScene, mapping_mb, memory_mb, minutes, training_mb
from clairemap.settings import Settings, load_settings

DEMO = load_settings({})
PEAKS_MB = {
    "simulate_scene": (173, 219),
    "register_pair": (268, 304),
    "picture_registration": (170, 196),
    "fit_statistics": (248, 248),
    "audit_splits": (181, 181),
    "mosaic_region": (197, 200),
    "dissolve_patches": (272, 343),
    "vectorize_map": (320, 433),
    "check_maps": (179, 225),
    "score_tiles": (190, 208),
    "score_region": (243, 307),
    "draw_sample": (257, 298),
    "estimate_areas": (267, 294),
    "explain_tiles": (599, 599),
    "render_report": (378, 433),
}
"""Smallest and largest peak: the demo's scenes of 896 to 1120 px, and three scenes of 4096 px; score_region:
a labelled map of 8192 px; of post-processing, noisy maps of 1952² and 3904² px, for the polygons also 15616²."""


def assert_enough_and_not_too_much(requested_mb: int, smallest_mb: int, largest_mb: int) -> None:
    assert largest_mb + SNAKEMAKE_MB <= requested_mb <= 1.5 * (smallest_mb + SNAKEMAKE_MB)


@pytest.mark.parametrize(("rule", "peaks"), PEAKS_MB.items())
def test_rules_whose_memory_does_not_depend_on_the_scene(rule: str, peaks: tuple[int, int]):
    assert_enough_and_not_too_much(memory_mb(rule, DEMO, scenes=6), *peaks)


def test_a_mosaic_that_keeps_probabilities_requests_more():
    kept = load_settings({"deliver": {"min_area_ha": 1}})
    assert memory_mb("mosaic_region", kept) > memory_mb("mosaic_region", DEMO) + 4 * len(DEMO.legend.classes)


def tiled(bands: int, tile_px: int = 512, shard_tiles: int = 4) -> Settings:
    optical = {"bands": [f"band{number}" for number in range(bands)]}
    tiling = {"tile_px": tile_px, "shard_tiles": shard_tiles}
    return load_settings({"sensors": {"optical": optical}, "tiling": tiling})


@pytest.mark.parametrize(
    ("bands", "side", "tile_px", "shard_tiles", "peaks"),
    [
        (4, 896, 512, 4, (330, 332)),
        (4, 1024, 512, 4, (336, 354)),
        (4, 1120, 512, 4, (388, 388)),
        (12, 1024, 512, 4, (400, 400)),
        (4, 2048, 512, 4, (510, 510)),
        (12, 2048, 512, 4, (659, 659)),
        (4, 2048, 512, 2, (459, 459)),
        (4, 2048, 1024, 1, (454, 454)),
        (4, 4096, 512, 4, (677, 682)),
    ],
)
def test_tiling(bands: int, side: int, tile_px: int, shard_tiles: int, peaks: tuple[int, int]):
    requested = memory_mb("tile_scene", tiled(bands, tile_px, shard_tiles), shape=(side, side))
    assert_enough_and_not_too_much(requested, *peaks)


def test_an_unknown_scene_is_taken_for_a_large_one():
    assert memory_mb("tile_scene", DEMO) == memory_mb("tile_scene", DEMO, shape=(10_980, 10_980))
    assert mapping_mb(DEMO, None, on_gpus=False) == 3300 + SNAKEMAKE_MB


@pytest.mark.parametrize(
    ("size", "training", "peak_mb"),
    [
        ("tiny", {}, 749),
        ("tiny", {"batch_size": 16}, 841),
        ("tiny", {"crop_px": 256}, 1091),
        ("tiny", {"batch_parts": 4}, 690),
        ("tiny", {"ema_decay": 0.9}, 742),
        ("small", {}, 1551),
        ("small", {"batch_size": 16}, 1992),
        ("small", {"batch_size": 24}, 2418),
        ("base", {}, 3213),
        ("base", {"batch_parts": 4}, 2877),
        ("base", {"batch_size": 16}, 4912),
    ],
)
def test_training(size: str, training: dict[str, Any], peak_mb: int):
    settings = load_settings({"network": {"size": size}, "training": training})
    assert_enough_and_not_too_much(training_mb(settings, on_gpus=False), peak_mb, peak_mb)


def test_training_in_two_processes():
    settings = load_settings({"compute": {"training_processes": 2}})
    assert_enough_and_not_too_much(training_mb(settings, on_gpus=False), 1510, 1510)


def test_processes_on_gpus_take_memory_for_cuda_and_not_for_the_crops():
    one, two = (load_settings({"compute": {"training_processes": count}}) for count in (1, 2))
    large = load_settings({"training": {"crop_px": 512}})
    assert training_mb(two, on_gpus=True) > 1.9 * training_mb(one, on_gpus=True) > 1.9 * 4000
    assert training_mb(large, on_gpus=True) == training_mb(one, on_gpus=True)
    assert mapping_mb(DEMO, None, on_gpus=True) == mapping_mb(DEMO, None, on_gpus=False) + 4000


def test_several_processes_share_the_crops_and_have_a_launcher():
    one, two = (
        load_settings(
            {
                "network": {"size": "base"},
                "training": {"batch_size": 16},
                "compute": {"training_processes": processes},
            }
        )
        for processes in (1, 2)
    )
    assert training_mb(two, on_gpus=False) < 1.6 * training_mb(one, on_gpus=False)
    assert training_mb(two, on_gpus=True) - 2 * training_mb(one, on_gpus=True) + SNAKEMAKE_MB > 250


@pytest.mark.parametrize("on_gpus", [False, True])
def test_averaged_weights_take_memory(on_gpus: bool):
    base, averaged = (
        load_settings({"network": {"size": "base"}, "training": training}) for training in ({}, {"ema_decay": 0.9})
    )
    assert training_mb(averaged, on_gpus=on_gpus) - training_mb(base, on_gpus=on_gpus) > 260


@pytest.mark.parametrize(
    ("side", "peaks"), [(300, (316, 318)), (896, (400, 426)), (1024, (408, 474)), (4096, (989, 1086))]
)
def test_mapping(side: int, peaks: tuple[int, int]):
    requested = mapping_mb(DEMO, MappedScene((side, side), 256), on_gpus=False)
    assert_enough_and_not_too_much(requested, *peaks)


def test_mapping_takes_at_most_what_its_setting_allows_unless_the_window_is_given():
    large = MappedScene((20_000, 20_000), 256)
    most = mapping_mb(DEMO, None, on_gpus=False)
    assert 0.7 * most < mapping_mb(DEMO, large, on_gpus=False) <= most
    given = load_settings({"inference": {"window_px": 8192}})
    assert mapping_mb(given, large, on_gpus=False) > most
    little = load_settings({"compute": {"mapping_memory_mb": 1000}})
    assert mapping_mb(little, large, on_gpus=False) <= 1100 + SNAKEMAKE_MB


def test_larger_tiles_more_bands_and_more_scenes_take_more():
    many_classes = {"classes": [{"code": code, "name": f"c{code}", "color": "#000000"} for code in range(1, 31)]}
    more = load_settings({"legend": many_classes})
    assert memory_mb("score_tiles", more) > memory_mb("score_tiles", DEMO) < memory_mb("score_tiles", tiled(13))
    assert memory_mb("score_tiles", DEMO) < memory_mb("score_tiles", tiled(4, 1024, 2))
    assert memory_mb("render_report", DEMO, scenes=100) > memory_mb("render_report", DEMO, scenes=6)


@pytest.mark.parametrize(
    "rule", ["fit_statistics", "audit_splits", "mosaic_region", "check_maps", "score_region", "render_report"]
)
def test_rules_of_many_scenes_take_more_memory_and_time_with_their_number(rule: str):
    assert memory_mb(rule, DEMO, scenes=100) > memory_mb(rule, DEMO, scenes=6) == memory_mb(rule, DEMO, scenes=1)
    assert minutes(rule, DEMO, scenes=100) > minutes(rule, DEMO, scenes=6)


def test_a_language_model_takes_memory_and_time():
    phi = load_settings({"explain": {"model": "phi"}})
    assert memory_mb("explain_tiles", phi) > 16_000
    assert memory_mb("explain_tiles", phi, on_gpus=True) > memory_mb("explain_tiles", phi) + CUDA_MB
    assert memory_mb("explain_tiles", DEMO, on_gpus=True) == memory_mb("explain_tiles", DEMO)
    assert minutes("explain_tiles", phi) > 200 > minutes("explain_tiles", DEMO)
    few = load_settings({"explain": {"model": "phi", "tiles": "worst", "max_tiles": 20, "sensor_tiles": 0}})
    assert minutes("explain_tiles", few) == 50
    assert minutes("explain_tiles", load_settings({"network": {"size": "base"}})) > minutes("explain_tiles", DEMO)


def test_time_limits():
    assert minutes("train_model", load_settings({"compute": {"training_minutes": 200}})) == 220
    assert minutes("train_model", DEMO) == 1440
    base = load_settings({"network": {"size": "base"}})
    assert minutes("predict_scene", DEMO, shape=(1024, 1024)) == 31
    assert minutes("predict_scene", base) > 120 > minutes("predict_scene", base, on_gpus=True)
    assert minutes("tile_scene", DEMO, shape=(4096, 4096)) < minutes("tile_scene", DEMO)
    assert minutes("mosaic_region", DEMO, scenes=100) > minutes("mosaic_region", DEMO, scenes=6)


def test_planning_needs_no_torch():
    code = "import sys, clairemap.requirements; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
