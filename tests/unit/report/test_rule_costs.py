from pathlib import Path

from clairemap.report.rule_costs import RuleCost, rule_costs

HEADER = "s\th:m:s\tmax_rss\tmax_vms\tmax_uss\tmax_pss\tio_in\tio_out\tmean_load\tcpu_time\n"


def write(path: Path, seconds: float, peak_mb: str, cpu_s: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{HEADER}{seconds}\t0:00:38\t{peak_mb}\t9\t9\t9\t1\t1\t3\t{cpu_s}\n")


def test_costs_are_those_of_the_region(tmp_path: Path):
    write(tmp_path / "tile_scene" / "north.tsv", 60, "200.5", "90")
    write(tmp_path / "tile_scene" / "south.tsv", 30, "300", "30")
    write(tmp_path / "tile_scene" / "elsewhere.tsv", 900, "900", "900")
    write(tmp_path / "predict_scene" / "north.fused.tsv", 600, "NA", "NA")
    write(tmp_path / "train_model.tsv", 12, "100", "6")
    (tmp_path / "tile_scene" / "vale.tsv").write_text("damaged")
    assert rule_costs(tmp_path, {"vale", "north", "south"}) == (
        RuleCost("predict_scene", 1, 10.0, None, None),
        RuleCost("tile_scene", 2, 1.5, 2.0, 300.0),
        RuleCost("train_model", 1, 0.2, 0.1, 100.0),
    )


def test_without_benchmarks_there_are_no_costs(tmp_path: Path):
    assert rule_costs(tmp_path / "missing", {"vale"}) == ()
