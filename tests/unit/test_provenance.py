import errno
import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import clairemap
from clairemap import provenance
from clairemap.code import analysis, stage
from clairemap.errors import DiskFullError

MODULES = {
    "__init__.py": '"""The package."""\n',
    "grid/__init__.py": "",
    "grid/window.py": 'def area(side):\n    """Return the area."""\n    return side * side\n',
    "grid/tiles.py": "from clairemap.grid.window import area\n\nTILE = area(2)\n",
    "sar/__init__.py": "",
    "sar/speckle.py": "LOOKS = 4\n",
}
SCRIPTS = {
    "tile_scene.py": "from clairemap.grid import tiles\n\nprint(tiles.TILE)\n",
    "filter_scene.py": "def looks():\n    import clairemap.sar.speckle\n\n    return clairemap.sar.speckle.LOOKS\n\n\n"
    "looks()\n",
    "report.py": "import json\n",
}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A package of a few modules and three stages on top of it; the module under test looks at it."""
    for name, text in MODULES.items():
        path = tmp_path / "clairemap" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    for name, text in SCRIPTS.items():
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(provenance, "PACKAGE", tmp_path / "clairemap")
    yield tmp_path
    forget()


def forget() -> None:
    stage._state.cache_clear()


def hashes(project: Path) -> dict[str, str]:
    forget()
    return {name: provenance.stage_code(project / name) for name in SCRIPTS}


def changed(project: Path, name: str, old: str, new: str) -> set[str]:
    """Edit a file and return the stages whose hash changes."""
    before = hashes(project)
    path = project / name
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    after = hashes(project)
    return {stage for stage in before if before[stage] != after[stage]}


def test_code_of_a_module_reruns_the_stages_that_import_it(project: Path):
    assert changed(project, "clairemap/grid/window.py", "side * side", "side ** 2") == {"tile_scene.py"}


def test_imports_inside_functions_count(project: Path):
    assert changed(project, "clairemap/sar/speckle.py", "4", "5") == {"filter_scene.py"}


def test_the_packages_init_counts_for_all_that_import_it(project: Path):
    statement = "\nimport os\n\nos.environ['GDAL_CACHEMAX'] = '64'\n"
    assert changed(project, "clairemap/__init__.py", "\n", statement) == {"tile_scene.py", "filter_scene.py"}


def test_the_script_itself_counts(project: Path):
    assert changed(project, "report.py", "json", "csv") == {"report.py"}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"""Return the area."""', '"""Return something else entirely."""'),
        ('    """Return the area."""\n', ""),
        ("return side * side", "return (side\n            * side)  # because squares are squares"),
        ("def area", "# the area\n\n\ndef area"),
    ],
)
def test_comments_docstrings_and_layout_do_not_count(project: Path, old: str, new: str):
    assert changed(project, "clairemap/grid/window.py", old, new) == set()


@pytest.mark.parametrize(
    ("old", "new", "rerun"),
    [
        (', description="side, pixels"', "", set()),
        ("side, pixels", "size, pixels", set()),
        ("Field(4", "Field(5", {"filter_scene.py"}),
        ("ge=1", "ge=2", {"filter_scene.py"}),
    ],
)
def test_descriptions_of_settings_do_not_count_but_defaults_and_bounds_do(
    project: Path, old: str, new: str, rerun: set[str]
):
    (project / "clairemap" / "sar" / "speckle.py").write_text(
        'from pydantic import Field\n\nLOOKS: int = Field(4, ge=1, description="side, pixels")\n'
    )
    assert changed(project, "clairemap/sar/speckle.py", old, new) == rerun


PAGE = "clairemap/sar/page.html.j2"


def with_page(project: Path, module: str, line: str) -> None:
    """Write a template next to a module, and add a line to the module."""
    (project / PAGE).write_text("<h1>Map</h1>\n")
    path = project / "clairemap" / module
    path.write_text(path.read_text() + line)


def test_a_template_counts_for_the_stages_whose_modules_name_it(project: Path):
    with_page(project, "sar/speckle.py", 'PAGE = "page.html.j2"\n')
    assert changed(project, PAGE, "Map", "Report") == {"filter_scene.py"}


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("grid/window.py", 'PAGE = "page.html.j2"\n'),  # of another folder
        ("sar/speckle.py", 'def draw():\n    """Fill page.html.j2."""\n'),
        ("sar/__init__.py", 'STYLE = "page.css"\n'),
    ],
)
def test_a_template_that_no_module_of_its_folder_names_does_not_count(project: Path, module: str, line: str):
    with_page(project, module, line)
    assert changed(project, PAGE, "Map", "Report") == set()


def test_the_reports_templates_and_scripts_belong_to_its_code():
    folder = provenance.PACKAGE / "report"
    modules = (folder / f"{name}.py" for name in ("page", "page_data", "regions_index"))
    named = {path.name for module in modules for path in analysis.data_files(module)}
    assert named == {path.name for path in folder.iterdir() if path.suffix in (".j2", ".js", ".css")}


def test_equal_code_in_another_folder_has_an_equal_hash(
    project: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
):
    before = hashes(project)
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "checkout"
    project.rename(elsewhere)
    monkeypatch.setattr(provenance, "PACKAGE", elsewhere / "clairemap")
    assert hashes(elsewhere) == before


def test_a_moved_function_counts(project: Path):
    assert changed(project, "clairemap/grid/tiles.py", "area(2)", "area(3)") == {"tile_scene.py"}


def test_json_digest_ignores_the_order_of_keys():
    assert provenance.json_digest({"a": 1, "b": [2]}) == provenance.json_digest({"b": [2], "a": 1})
    assert provenance.json_digest({"a": 1}) != provenance.json_digest({"a": 2})


def test_file_digest_is_sha256_of_the_bytes(tmp_path: Path):
    path = tmp_path / "file"
    path.write_bytes(b"abc")
    assert provenance.file_digest(path) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_a_stamp_names_version_commit_stage_and_settings():
    stamp = provenance.stamp("tile_scene", json.dumps({"b": 1, "a": 2}))
    assert stamp["clairemap_version"] == clairemap.__version__
    assert stamp["clairemap_stage"] == "tile_scene"
    assert stamp["clairemap_settings"] == provenance.json_digest({"a": 2, "b": 1})
    assert stamp["clairemap_commit"]


@pytest.mark.parametrize(
    ("changed", "dirty"), [("src/code.py", True), ("Snakefile", True), ("profiles/config.yaml", False)]
)
def test_only_changes_of_the_code_make_a_commit_dirty(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changed: str, dirty: bool
):
    git = ["git", "-C", str(tmp_path), "-c", "user.name=x", "-c", "user.email=x"]
    for name in ("src/code.py", "workflow/rules.smk", "profiles/config.yaml", "Snakefile"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("first\n")
    for words in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "first"]):
        subprocess.run([*git, *words], check=True)
    monkeypatch.setattr(provenance, "PACKAGE", tmp_path / "src")
    monkeypatch.setattr(provenance, "_commit", provenance._commit.__wrapped__)
    assert not provenance.stamp("x", "{}")["clairemap_commit"].endswith("-dirty")
    (tmp_path / changed).write_text("second\n")
    assert provenance.stamp("x", "{}")["clairemap_commit"].endswith("-dirty") == dirty


def test_outside_a_checkout_the_commit_is_unknown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(provenance, "PACKAGE", tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    provenance._commit.cache_clear()
    try:
        assert provenance.stamp("x", "{}")["clairemap_commit"] == "unknown"
    finally:
        provenance._commit.cache_clear()


def test_temporary_names_are_beside_the_target_and_unique(tmp_path: Path):
    target = tmp_path / "new" / "out.tif"
    first, second = provenance.temporary_beside(target), provenance.temporary_beside(target)
    assert first != second
    assert first.parent == target.parent
    assert first.parent.is_dir()
    assert not first.exists()


def test_a_text_is_written_completely_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    target = tmp_path / "out.json"
    provenance.write_text_whole(target, "first")
    monkeypatch.setattr(Path, "replace", lambda *_: (_ for _ in ()).throw(OSError("killed")))
    with pytest.raises(OSError, match="killed"):
        provenance.write_text_whole(target, "second")
    assert target.read_text() == "first"
    assert [path.name for path in tmp_path.iterdir()] == ["out.json"]


def test_a_full_disk_is_named_with_the_file(tmp_path: Path):
    target = tmp_path / "out.json"
    with pytest.raises(DiskFullError, match=f"{target}: no space left on "), provenance.written_whole(target) as part:
        part.write_text("half")
        raise OSError(errno.ENOSPC, "No space left on device")  # as from write(), without a name
    assert not list(tmp_path.iterdir())


def test_a_file_is_renamed_at_the_end(tmp_path: Path):
    target = tmp_path / "new" / "out.bin"
    with provenance.written_whole(target) as part:
        part.write_bytes(b"whole")
        assert not target.exists()
    assert target.read_bytes() == b"whole"
    assert [path.name for path in target.parent.iterdir()] == ["out.bin"]


def test_a_folder_is_renamed_at_the_end_too(tmp_path: Path):
    with provenance.written_whole(tmp_path / "folder") as part:
        part.mkdir()
        (part / "file").touch()
    assert [path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*")] == ["folder", "folder/file"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("started", [Path.touch, Path.mkdir, Path.absolute], ids=["file", "folder", "nothing"])
def test_a_failure_leaves_no_temporary_file_and_keeps_the_older_file(
    tmp_path: Path, started: Callable[[Path], object], error: type[BaseException]
):
    target = tmp_path / "out"
    target.write_text("older")
    with pytest.raises(error), provenance.written_whole(target) as part:
        started(part)
        raise error
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert target.read_text() == "older"
