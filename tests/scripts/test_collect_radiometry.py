from collections.abc import Callable
from pathlib import Path
from typing import Any

from clairemap.artefacts.radiometry import Radiometry, read_training_radiometry, write_radiometry


def test_the_file_does_not_depend_on_the_order_of_the_scenes(
    stage: Callable[[str], Callable[..., Any]], tmp_path: Path
):
    for name in "ab":
        write_radiometry(tmp_path / f"{name}.json", Radiometry(scene=name, sar_scale="db", optical=None, sar=None))
    for number, order in enumerate(("ab", "ba")):
        paths = [tmp_path / f"{name}.json" for name in order]
        stage("collect_radiometry")(radiometry=paths, training=tmp_path / f"training{number}.json")
    found = read_training_radiometry(tmp_path / "training0.json")
    assert [scene.scene for scene in found.scenes] == ["a", "b"]
    assert (tmp_path / "training0.json").read_bytes() == (tmp_path / "training1.json").read_bytes()
