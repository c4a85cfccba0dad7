from pathlib import Path

from clairemap.attempts.records import ENDED, FOUND, STARTED, append, kept
from clairemap.attempts.summary import FailedJob, summary


def log_with(folder: Path, name: str, text: str, **values: object) -> Path:
    log = folder / f"{name}.log"
    append(log, STARTED, {"id": "a", "run": "r", "host": "n1", "memory_mb": 900})
    with kept(log).open("a") as file:
        file.write(text)
    append(log, ENDED if "exit_code" in values else FOUND, {"id": "a", **values})
    return log


def test_each_failed_job_has_one_line_with_reason_remedy_and_log(tmp_path: Path):
    error = "1 2 ERROR: west.tif: truncated; download it again (UnreadableFileError, exit code 13)\n"
    west = log_with(tmp_path, "west", error, exit_code=13, cause="error")
    east = log_with(tmp_path, "east", "", exit_code=137, cause="out of memory", peak_mb=890)
    killed = log_with(tmp_path, "far", "", cause="killed", peak_mb=200)
    lost = log_with(tmp_path, "train", "", cause="node failure", message="SLURM job 7 on n1: NODE_FAIL")
    jobs = [
        FailedJob("tile_scene", ("west",), west),
        FailedJob("train_model", (), lost),
        FailedJob("predict_scene", ("east", "fused"), east),
        FailedJob("predict_scene", ("far", "fused"), killed),
        FailedJob("tile_scene", ("middle",), tmp_path / "none.log"),
        FailedJob("all", (), None),
    ]
    lines = summary(jobs, "r")
    assert len(lines) == len(jobs) and not any("\n" in line for line in lines)
    assert lines[0].startswith("all: did not start")
    assert lines[1].startswith("predict_scene east fused: killed: out of memory, used 890 of 900 MB. To do: run again")
    assert "--set-resources predict_scene:mem_mb=1800" in lines[1] and str(east) in lines[1]
    assert lines[2].startswith("predict_scene far fused: killed on n1, cause unknown, used 200 of 900 MB")
    assert "it may need more memory: --set-resources predict_scene:mem_mb=1800. Log: " in lines[2]
    assert lines[3].startswith("tile_scene middle: did not start")
    assert "west.tif: truncated; download it again (UnreadableFileError, exit code 13)" in lines[4]
    assert lines[5].startswith("train_model: node failure (SLURM job 7 on n1: NODE_FAIL). To do: run the same command")


def test_without_a_known_request_the_remedy_is_twice_the_used_memory(tmp_path: Path):
    log = tmp_path / "a.log"
    append(log, STARTED, {"id": "a", "run": "r"})
    append(log, ENDED, {"id": "a", "exit_code": 137, "cause": "out of memory", "peak_mb": 890})
    (line,) = summary([FailedJob("tile_scene", ("west",), log)], "r")
    assert "used 890 MB." in line and "tile_scene:mem_mb=1780. Log:" in line


def test_a_job_that_did_not_start_has_the_last_error_of_slurm(tmp_path: Path):
    log = tmp_path / "slurm" / "rule_predict_scene" / "west_fused" / "17.log"
    log.parent.mkdir(parents=True)
    log.write_text("slurmstepd: error: *** JOB 17 CANCELLED DUE TO NODE FAILURE ***\nend\n")
    job = FailedJob("predict_scene", ("west", "fused"), tmp_path / "none.log")
    (line,) = summary([job], "r", tmp_path / "slurm")
    assert line.startswith(
        "predict_scene west fused: did not start: slurmstepd: error: *** JOB 17 CANCELLED DUE TO NODE"
    )
    assert line.endswith(f"Log: {log}")
    assert "is above" in summary([job], "r", tmp_path)[0]
