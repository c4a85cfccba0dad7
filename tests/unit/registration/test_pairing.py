import dataclasses
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from affine import Affine
from odc.geo.geobox import GeoBox

from clairemap.artefacts.registration import Registration, Verdict
from clairemap.classes import SourceClass, SourceLegend
from clairemap.errors import BandCountError, GridError, LabelError, MissingFileError
from clairemap.grid.window import Window
from clairemap.registration.model import NO_DISPLACEMENT, Displacement
from clairemap.registration.pairing import SceneFiles, ScenePair
from clairemap.registration.record import registration_of
from clairemap.registration.result import NO_QUALITY, Fit, single_sensor
from clairemap.settings import OpticalSettings, SarSettings, SensorsSettings
from clairemap.validity import Validity

GRID = GeoBox((40, 50), Affine(10, 0, 500_000, 0, -10, 5_300_000), "EPSG:32633")
WHOLE = Window(0, 0, 40, 50)
LEGEND = SourceLegend(classes=(SourceClass(code=0, name="dry"), SourceClass(code=7, name="wet")), ignore=(9,))
SENSORS = SensorsSettings(
    optical=OpticalSettings(bands=("red", "nir")), sar=SarSettings(bands=("VV",), scale="db", speckle_filter="none")
)


def registration(verdict: Verdict = "good", model: Displacement = NO_DISPLACEMENT) -> Registration:
    return registration_of("made", Fit(verdict, "", model, NO_QUALITY), GRID)


@pytest.fixture
def files(tmp_path: Path, made_rasters: ModuleType) -> SceneFiles:
    rng = np.random.default_rng(0)
    optical = rng.integers(1, 4000, (2, 40, 50)).astype(np.int16)
    optical[:, :5] = -9999
    sar = rng.normal(-12, 3, (40, 50)).astype(np.float32)
    sar[:, :6] = np.nan
    label = rng.choice([0, 7, 9, -1], (40, 50)).astype(np.int16)
    cloud = np.zeros((40, 50), np.uint8)
    cloud[10:20] = 3
    write = made_rasters.write_raster
    return SceneFiles(
        write(tmp_path / "optical.tif", optical, GRID, nodata=-9999),
        write(tmp_path / "sar.tif", sar, GRID),
        write(tmp_path / "label.tif", label, GRID, nodata=-1),
        write(tmp_path / "cloud.tif", cloud, GRID, nodata=0),
    )


def flagged(validity: np.ndarray, flag: Validity) -> np.ndarray:
    return (validity & np.uint8(flag)) > 0


def test_each_cause_sets_only_its_flag(files: SceneFiles) -> None:
    with ScenePair(files, SENSORS, LEGEND, registration()) as pair:
        block = pair.read(WHOLE)
        assert pair.geobox == GRID and pair.optical_dtype == np.int16
    rows, cols = np.mgrid[:40, :50]
    assert np.array_equal(flagged(block.validity, Validity.OPTICAL_NODATA), rows < 5)
    assert np.array_equal(flagged(block.validity, Validity.SAR_NODATA), cols < 6)
    assert np.array_equal(flagged(block.validity, Validity.CLOUD), (rows >= 10) & (rows < 20))
    assert np.array_equal(flagged(block.validity, Validity.NO_LABEL), block.label == 255)
    assert not flagged(block.validity, Validity.LOW_REGISTRATION).any()
    assert np.array_equal(np.isnan(block.sar[0]), cols < 6)


def test_values_are_unchanged(files: SceneFiles) -> None:
    import rasterio

    with ScenePair(files, SENSORS, LEGEND, registration()) as pair:
        block = pair.read(Window(8, 10, 20, 30))
    with rasterio.open(files.optical) as optical, rasterio.open(files.label) as label:
        codes = label.read(1)[8:28, 10:40]
        assert np.array_equal(block.optical, optical.read()[:, 8:28, 10:40])
    assert np.array_equal(block.label, np.select([codes == 0, codes == 7], [0, 1], 255))
    assert block.label.dtype == np.uint8 and block.sar.dtype == np.float32


def test_a_rejected_registration_flags_sar_and_is_not_applied(files: SceneFiles) -> None:
    with ScenePair(files, SENSORS, LEGEND, registration("rejected", Displacement.translation(5, 5))) as pair:
        rejected = pair.read(WHOLE)
    with ScenePair(files, SENSORS, LEGEND, registration()) as pair:
        plain = pair.read(WHOLE)
    assert np.array_equal(rejected.sar, plain.sar, equal_nan=True)
    low = flagged(rejected.validity, Validity.LOW_REGISTRATION)
    assert np.array_equal(low, ~flagged(rejected.validity, Validity.SAR_NODATA))


def test_an_applied_displacement_moves_sar_but_no_label(files: SceneFiles) -> None:
    with ScenePair(files, SENSORS, LEGEND, registration(model=Displacement.translation(3, 2))) as pair:
        moved = pair.read(WHOLE)
    with ScenePair(files, SENSORS, LEGEND, registration()) as pair:
        plain = pair.read(WHOLE)
    assert np.array_equal(moved.sar[:, :37, :48], plain.sar[:, 3:, 2:], equal_nan=True)
    assert np.isnan(moved.sar[:, 37:]).all()
    assert np.array_equal(moved.label, plain.label) and np.array_equal(moved.optical, plain.optical)


def test_without_optical_the_grid_is_the_sar_grid(files: SceneFiles) -> None:
    alone = dataclasses.replace(files, optical=None, cloud=None)
    with ScenePair(alone, SENSORS, LEGEND, registration_of("made", single_sensor(), None)) as pair:
        block = pair.read(WHOLE)
    assert block.optical.shape == (2, 40, 50) and not block.optical.any()
    assert flagged(block.validity, Validity.OPTICAL_NODATA).all()
    assert np.isfinite(block.sar[:, :, 6:]).all()


def test_without_sar_and_label_all_flags_are_set(files: SceneFiles) -> None:
    alone = SceneFiles(optical=files.optical)
    with ScenePair(alone, SENSORS, LEGEND, registration_of("made", single_sensor(), None)) as pair:
        block = pair.read(WHOLE)
    assert np.isnan(block.sar).all() and (block.label == 255).all()
    assert flagged(block.validity, Validity.SAR_NODATA | Validity.NO_LABEL).all()
    assert not flagged(block.validity, Validity.CLOUD).any()
    unknown, nodata = flagged(block.validity, Validity.CLOUD_UNKNOWN), flagged(block.validity, Validity.OPTICAL_NODATA)
    assert np.array_equal(unknown, ~nodata)


def test_labels_and_clouds_are_warped_to_the_grid(files: SceneFiles, tmp_path: Path, made_rasters: ModuleType) -> None:
    coarse = GeoBox((10, 10), Affine(50, 0, 500_000, 0, -40, 5_300_000), GRID.crs)
    codes = np.random.default_rng(0).choice([0, 7], (10, 10)).astype(np.uint8)
    label = made_rasters.write_raster(tmp_path / "coarse.tif", codes, coarse)
    with ScenePair(dataclasses.replace(files, label=label), SENSORS, LEGEND, registration()) as pair:
        block = pair.read(WHOLE)
    assert np.array_equal(block.label, np.kron(codes, np.ones((4, 5), np.uint8)) > 0)


def test_float_labels_are_accepted_if_whole(files: SceneFiles, tmp_path: Path, made_rasters: ModuleType) -> None:
    for value, fits in ((7.0, True), (6.5, False), (-3.4028235e38, False)):
        label = made_rasters.write_raster(tmp_path / "f.tif", np.full((40, 50), value, np.float32), GRID)
        with ScenePair(dataclasses.replace(files, label=label), SENSORS, LEGEND, registration()) as pair:
            if fits:
                assert (pair.read(WHOLE).label == 1).all()
            else:
                with pytest.raises(LabelError, match=r"f\.tif.*found .*-a_nodata (6\.5|-3\.4028235e\+38) /.*f\.tif"):
                    pair.read(WHOLE)


@pytest.mark.parametrize(("tag", "name"), [(0, "dry"), (7, "wet")])
def test_a_nodata_tag_of_labels_that_is_a_class_is_an_error(
    tag: int, name: str, files: SceneFiles, tmp_path: Path, made_rasters: ModuleType
) -> None:
    label = made_rasters.write_raster(tmp_path / "tagged.tif", np.full((40, 50), 7, np.uint8), GRID, nodata=tag)
    changed = dataclasses.replace(files, label=label)
    with pytest.raises(LabelError, match=rf"tagged\.tif: {tag} is a code of the class '{name}'.*-unsetnodata"):
        ScenePair(changed, SENSORS, LEGEND, registration())


def test_large_codes_and_names_of_label_rasters(
    files: SceneFiles, tmp_path: Path, made_rasters: ModuleType, caplog: pytest.LogCaptureFixture
) -> None:
    codes = np.random.default_rng(0).choice([70_000, 311, 3], (40, 50)).astype(np.int32)
    label = made_rasters.write_raster(tmp_path / "clc.tif", codes, GRID)
    table = "".join(f"<Category>{'Moor' if code == 3 else ''}</Category>" for code in range(4))
    text = f'<PAMDataset><PAMRasterBand band="1"><CategoryNames>{table}</CategoryNames></PAMRasterBand></PAMDataset>'
    (tmp_path / "clc.tif.aux.xml").write_text(text)
    classes = [{"code": 1, "name": "dry", "from": [70_000]}, {"code": 2, "name": "wet", "from": [311, "Moor", "Fen"]}]
    legend = SourceLegend.model_validate({"classes": classes})
    with ScenePair(dataclasses.replace(files, label=label), SENSORS, legend, registration()) as pair:
        assert np.array_equal(pair.read(WHOLE).label, codes != 70_000)
    assert "clc.tif: its tables of names do not contain Fen" in caplog.text
    with ScenePair(dataclasses.replace(files, label=label), SENSORS, LEGEND, registration()) as pair:
        counts = rf"3 \({(codes == 3).sum()} px\), 311 \({(codes == 311).sum()} px\), 70000 "
        with pytest.raises(LabelError, match=rf"clc\.tif.*{counts}"):
            pair.read(Window(0, 0, 1, 1))


def test_a_raster_of_polygons_has_the_codes_of_the_map(
    files: SceneFiles, tmp_path: Path, made_rasters: ModuleType
) -> None:
    codes = np.random.default_rng(0).choice([1, 2, 255], (40, 50)).astype(np.uint8)
    burnt = made_rasters.write_raster(tmp_path / "label.tif", codes, GRID, nodata=255)
    classes = [{"code": 1, "name": "dry", "from": [2]}, {"code": 2, "name": "wet", "from": [1]}]
    legend = SourceLegend.model_validate({"classes": classes})
    with ScenePair(dataclasses.replace(files, label=None, polygons=burnt), SENSORS, legend, registration()) as pair:
        assert np.array_equal(pair.read(WHOLE).label, np.where(codes == 255, 255, codes - 1))
        assert pair.files.named["label"] == "label.tif"


def test_faulty_scenes_are_named(files: SceneFiles, tmp_path: Path, made_rasters: ModuleType) -> None:
    def failing(error: type[Exception], match: str, **changed: Path | None) -> None:
        with pytest.raises(error, match=match):
            ScenePair(dataclasses.replace(files, **changed), SENSORS, LEGEND, registration())

    plain = made_rasters.write_raster(tmp_path / "plain.tif", np.zeros((40, 50), np.uint8))
    failing(MissingFileError, "gone", cloud=tmp_path / "gone.tif")
    failing(BandCountError, r"sar\.tif: has 1 band", optical=files.sar)
    failing(BandCountError, r"optical\.tif: has 2 band", label=files.optical)
    failing(GridError, r"plain\.tif has no CRS", label=plain)
    failing(GridError, "neither an optical nor a SAR", optical=None, sar=None)
