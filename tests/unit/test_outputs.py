from pathlib import Path

from clairemap.outputs import FUSED, MAPS, MapFiles, ModelFolder, SceneFolder
from clairemap.settings import VIEWS


def test_all_files_of_a_map_start_with_its_prefix():
    files = MapFiles(Path("results/alps.north/v1.2"))
    assert files.name == "v1.2"
    assert files.landcover == Path("results/alps.north/v1.2.landcover.tif")
    assert files.categories.name == f"{files.landcover.name}.aux.xml"
    assert tuple(files.styles) == MAPS
    assert all(path.stem == getattr(files, key).stem for key, path in files.styles.items())


def test_paths_keep_wildcards():
    assert str(MapFiles(Path("results/{region}/{map}")).item) == "results/{region}/{map}.item.json"
    assert str(SceneFolder(Path("work/scenes/{scene}")).probabilities_of("{view}")) == (
        "work/scenes/{scene}/{view}/probabilities.zarr"
    )


def test_each_view_has_its_own_folder():
    scene = SceneFolder(Path("west"))
    assert scene.probabilities == scene.probabilities_of("fused") == Path("west/fused/probabilities.zarr")
    assert scene.probabilities_of("sar") == Path("west/sar/probabilities.zarr")


def test_the_files_of_a_folder_differ():
    for files in (SceneFolder(Path("west")), ModelFolder(Path("model")), MapFiles(Path("alps"))):
        paths = [value for name in dir(type(files)) if isinstance(value := getattr(files, name), Path)]
        assert len(set(paths)) == len(paths) > 4


def test_the_view_of_both_sensors_is_a_view():
    assert FUSED in VIEWS
