"""Label rasters on servers: the same codes, names and messages as for local ones, read only where the scene is."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from tests.made_items import write_cog
from tests.made_products import CRS, ORIGIN
from tests.range_server import RangeServer, range_server

from clairemap.artefacts.scene_sources import ResolvedRole, SceneSources, write_scene_sources
from clairemap.classes import SourceClass, SourceLegend
from clairemap.errors import BandCountError, LabelError, RemoteFileError, UnreadableFileError, ValuesError
from clairemap.grid.window import Window
from clairemap.raster import gdal_files
from clairemap.raster.pair_block import PairBlock
from clairemap.registration.pairing import SceneFiles, ScenePair
from clairemap.registration.record import registration_of
from clairemap.registration.result import single_sensor
from clairemap.report.origins import origin_properties, origin_rows
from clairemap.settings import OpticalSettings, ResolvedOptical, ResolvedSar, ResolvedSensors, SensorsSettings
from clairemap.sources.opened import SceneRasters
from clairemap.sources.resolved_cells import resolved_cells

pytestmark = pytest.mark.usefixtures("quick")
Roles = Callable[..., dict[str, ResolvedRole]]
Paired = Callable[..., PairBlock]
SIDE, BLOCK, SCENE = 1024, 256, 200
CODES = np.random.default_rng(0).choice([10, 60, 3000], (SIDE, SIDE)).astype(np.int32)
CLASSES = ((1, "a", (10, 60)), (2, "b", (3000,)))
LEGEND = SourceLegend(
    classes=tuple(SourceClass(code=code, name=name, **{"from": values}) for code, name, values in CLASSES)
)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RangeServer]:
    """Serve label.tif, of which the scene covers the first block."""
    write_cog(tmp_path / "served" / "label.tif", CODES, 10, nodata=None, block=BLOCK)
    write_cog(tmp_path / "optical.tif", np.full((SCENE, SCENE), 7, np.uint16), 10)
    with range_server(tmp_path / "served") as served:
        yield served


@pytest.fixture
def paired(roles: Roles, tmp_path: Path) -> Paired:
    """Return a function that resolves a label cell and reads the scene as tile_scene does."""

    def read(cell: str, legend: SourceLegend = LEGEND) -> PairBlock:
        cells, record = {"optical": str(tmp_path / "optical.tif"), "label": cell}, tmp_path / "sources.json"
        write_scene_sources(record, SceneSources(scene="west", roles=roles(cells)))
        files = SceneFiles(tmp_path / "optical.tif", label=SceneRasters(cells, record).raster("label"))
        sensors = SensorsSettings(optical=OpticalSettings(bands=("red",)))
        with ScenePair(files, sensors, legend, registration_of("west", single_sensor(), None)) as pair:
            return pair.read(Window(0, 0, SCENE, SCENE))

    return read


def test_codes_are_mapped_and_only_the_blocks_of_the_scene_are_fetched(server: RangeServer, paired: Paired):
    for cell in (f"{server.url}/label.tif", f"/vsicurl/{server.url}/label.tif"):
        gdal_files.forget()
        server.requests.clear()
        assert np.array_equal(paired(cell).label, np.where(CODES[:SCENE, :SCENE] == 3000, 1, 0)), cell
        assert server.sent() < 0.25 * (server.folder / "label.tif").stat().st_size
        assert {request.path for request in server.requests} == {"/label.tif"}, "no sidecar files"


def test_an_unread_block_is_an_error(server: RangeServer, paired: Paired):
    with rasterio.open(server.folder / "label.tif") as file:
        inside = int(file.get_tag_item("BLOCK_OFFSET_0_0", "TIFF", bidx=1)) + 10
    server.fail("label.tif", 503, at=inside)
    with pytest.raises(RemoteFileError, match=r"label\.tif at rows 0-199.*run again later"):
        paired(f"{server.url}/label.tif")


def test_another_file_than_was_resolved_is_an_error(server: RangeServer, roles: Roles, tmp_path: Path):
    cells, record = {"label": f"{server.url}/label.tif"}, tmp_path / "sources.json"
    write_scene_sources(record, SceneSources(scene="west", roles=roles(cells)))
    write_cog(server.folder / "label.tif", CODES[::-1], 10, nodata=None, block=BLOCK)
    gdal_files.forget()
    with pytest.raises(RemoteFileError, match=r"label\.tif: has changed on the server"):
        SceneRasters(cells, record).raster("label")


def test_codes_without_a_class_are_listed_with_the_address(server: RangeServer, paired: Paired):
    known = SourceLegend(classes=(SourceClass(code=60, name="a"), SourceClass(code=1, name="b")))
    with pytest.raises(LabelError) as caught:
        paired(f"{server.url}/label.tif?key=secret", known)
    text = str(caught.value)
    assert f"{server.url}/label.tif" in text and "3000" in text and "secret" not in text


def test_names_are_those_of_the_colour_table(server: RangeServer, paired: Paired):
    codes = (CODES > 50).astype(np.uint8)
    place = {"crs": CRS, "transform": Affine(10, 0, ORIGIN[0], 0, -10, ORIGIN[1])}
    with rasterio.open(
        server.folder / "colours.tif", "w", driver="GTiff", height=SIDE, width=SIDE, count=1, dtype=np.uint8, **place
    ) as file:
        file.write(codes, 1)
        file.write_colormap(1, {0: (0, 100, 200, 255), 1: (0, 100, 0, 255)})
    named = (("#0064c8",), ("#006400",))
    classes = tuple(SourceClass(code=code, name=f"c{code}", **{"from": names}) for code, names in enumerate(named, 1))
    read = paired(f"{server.url}/colours.tif", SourceLegend(classes=classes)).label
    assert np.array_equal(read, codes[:SCENE, :SCENE])


def test_rasters_that_are_not_codes_are_refused(server: RangeServer, roles: Roles):
    write_cog(server.folder / "picture.tif", np.zeros((3, 8, 8), np.uint8), 10, nodata=None)
    with pytest.raises(BandCountError, match=r"picture\.tif has 3 band\(s\), but a label raster must have one"):
        roles({"label": f"{server.url}/picture.tif"})
    with rasterio.open(server.folder / "label.tif", "r+", IGNORE_COG_LAYOUT_BREAK="YES") as file:
        file.scales = (0.5,)
    with pytest.raises(ValuesError, match=r"label\.tif: the label has scale 0\.5 .* -a_scale 1"):
        roles({"label": f"{server.url}/label.tif"})
    with pytest.raises(UnreadableFileError, match="the column label names one raster"):
        roles({"label": f"{server.url}/a.tif;{server.url}/b.tif"})


def test_planning_knows_the_address_and_asks_no_server(server: RangeServer):
    sensors = ResolvedSensors(optical=ResolvedOptical(), sar=ResolvedSar())
    (found,) = resolved_cells({"optical": "a.tif", "label": f"{server.url}/label.tif?sig=x"}, sensors)
    assert (found.role, found.column, found.files) == ("label", "label", {})
    assert found.addresses == (f"{server.url}/label.tif",) and not server.requests


def test_labels_are_not_listed_as_data_of_the_map(server: RangeServer, roles: Roles):
    sources = SceneSources(scene="west", roles=roles({"label": f"{server.url}/label.tif"}))
    assert list(sources.roles) == ["label"] and not origin_rows([sources]) and not origin_properties([sources])
