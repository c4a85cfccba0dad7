"""Cells on servers: reads by range, retries, changes, signatures. Nothing unread becomes nodata."""

import socket
import subprocess
import sys
import time
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from tests.made_items import planetary_computer, write_cog, write_item
from tests.range_server import RangeServer, Request, range_server

from clairemap.artefacts.scene_sources import ResolvedRole, SceneSources, write_scene_sources
from clairemap.errors import BandCountError, MissingFileError, RemoteFileError, UnreadableFileError
from clairemap.grid.window import Window
from clairemap.raster import gdal_files, remote_files, remote_names
from clairemap.raster.remote_names import gdal_name
from clairemap.raster.source import Block, RasterSource
from clairemap.settings import ResolvedOptical, ResolvedSar, ResolvedSensors
from clairemap.sources.cells import cell_of
from clairemap.sources.opened import SceneRasters
from clairemap.sources.readers import read_product
from clairemap.sources.resolved_cells import resolved_cells
from clairemap.sources.wanted import Wanted

Roles = Callable[..., dict[str, ResolvedRole]]
Read = Callable[..., Block]
pytestmark = pytest.mark.usefixtures("quick")
SIDE, BLOCK = 1024, 256
BANDS = ["red", "nir"]
RED = np.random.default_rng(0).integers(1000, 4000, (SIDE, SIDE)).astype(np.uint16)
PAIR = np.stack([RED, RED[::-1]])


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RangeServer]:
    """Serve a folder with one file of both bands, and one of each."""
    folder = tmp_path / "served"
    write_cog(folder / "pair.tif", PAIR, 10, block=BLOCK)
    for name, values in zip(BANDS, PAIR, strict=True):
        write_cog(folder / f"{name}.tif", values, 10, block=BLOCK)
    write_cog(folder / "clouds.tif", (RED > 3000).astype(np.uint8), 10, nodata=None)
    with range_server(folder) as served:
        yield served


@pytest.fixture
def opened(roles: Roles, tmp_path: Path) -> Callable[..., RasterSource]:
    """Return a function that resolves an optical cell and opens it as the stages do."""

    def source_of(cell: str, **settings: object) -> RasterSource:
        record = tmp_path / "sources.json"
        found = roles({"optical": cell}, optical={"bands": BANDS, **settings})
        write_scene_sources(record, SceneSources(scene="west", roles=found))
        return RasterSource(SceneRasters({"optical": cell}, record).sensor("optical"))

    return source_of


WHOLE = Window(0, 0, SIDE, SIDE)


def middle(path: Path) -> int:
    """Return a position in the file that is in a block of full resolution."""
    with rasterio.open(path) as file:
        return int(file.get_tag_item("BLOCK_OFFSET_1_1", "TIFF", bidx=1)) + 10


def test_one_raster_and_several_are_read(server: RangeServer, read: Read):
    for cell in (f"{server.url}/pair.tif", f"/vsicurl/{server.url}/pair.tif",
                 f"{server.url}/red.tif;{server.url}/nir.tif"):  # fmt: skip
        assert np.array_equal(read(cell, bands=BANDS).values, PAIR), cell
    assert np.array_equal(read(f"{server.url}/pair.tif", bands=["nir"], indexes=[2]).values[0], PAIR[1])
    with pytest.raises(BandCountError, match=r"pair\.tif has 2 band\(s\), but sensors\.optical\.bands lists 1"):
        read(f"{server.url}/pair.tif", bands=["nir"])


def test_local_and_remote_files_may_be_mixed(server: RangeServer, read: Read):
    assert np.array_equal(read(f"{server.folder}/red.tif;{server.url}/nir.tif", bands=BANDS).values, PAIR)


def test_a_mask_may_be_remote(server: RangeServer, roles: Roles):
    found = roles({"optical": f"{server.folder}/pair.tif", "cloud": f"{server.url}/clouds.tif"})
    assert found["cloud"].coding is None and found["cloud"].bands[0].file == "clouds.tif"


def test_each_block_is_requested_once(server: RangeServer, opened: Callable[..., RasterSource]):
    with rasterio.open(server.folder / "pair.tif") as file:
        blocks = range(SIDE // BLOCK)
        sizes = (file.get_tag_item(f"BLOCK_SIZE_{x}_{y}", "TIFF", bidx=1) for y in blocks for x in blocks)
        needed = sum(int(size) for size in sizes)
    cell, step = f"{server.url}/pair.tif", SIDE // 4
    # Windows that overlap, row by row, and a cache of GDAL that keeps a few blocks.
    with opened(cell) as one, rasterio.Env(GDAL_CACHEMAX=2**19):
        for y in range(0, SIDE, step):
            for x in range(0, SIDE, step):
                one.read(Window(y - 2, x - 2, step + 4, step + 4), (1, 2))
    assert needed < server.sent() < 1.15 * needed, server.sent() / needed
    assert server.sent() < 0.9 * (server.folder / "pair.tif").stat().st_size, "overviews are not fetched"


def test_sidecar_files_are_not_asked_for(server: RangeServer, opened: Callable[..., RasterSource]):
    with opened(f"{server.url}/pair.tif") as one:
        one.read(WHOLE, (1, 2))
    assert {request.path for request in server.requests} == {"/pair.tif"}


@pytest.mark.parametrize("status", [429, 500, 503])
def test_what_a_server_refuses_for_a_moment_is_retried(
    status: int, server: RangeServer, opened: Callable[..., RasterSource]
):
    with opened(f"{server.url}/pair.tif") as one:
        server.fail("pair.tif", status, times=4, at=middle(server.folder / "pair.tif"))
        assert np.array_equal(one.read(WHOLE, (1, 2)).values, PAIR)
    assert sum(request.status == status for request in server.requests) == 4, "more than GDAL's own retries"


@pytest.mark.parametrize("status", [403, 404, 503])
@pytest.mark.parametrize("resampling", ["nearest", "bilinear"])
def test_an_unread_block_is_an_error(
    status: int, resampling: str, server: RangeServer, opened: Callable[..., RasterSource]
):
    write_cog(server.folder / "nir.tif", PAIR[1][::2, ::2].copy(), 20, block=BLOCK)
    with opened(f"{server.url}/red.tif;{server.url}/nir.tif", resampling=resampling) as one:
        server.fail("nir.tif", status, at=middle(server.folder / "nir.tif"))
        for _ in range(2):
            with pytest.raises(RemoteFileError, match=r"nir\.tif at rows 0-1023, columns 0-1023: cannot be read"):
                one.read(WHOLE, (1, 2))
        server.fail("nir.tif", status)
        for _ in range(2):
            with pytest.raises(RemoteFileError, match=rf"nir\.tif at rows 0-1023, columns 0-1023: .*HTTP {status}"):
                one.read(WHOLE, (1, 2))
        server.faults.clear()
        assert one.read(WHOLE, (1, 2)).valid.all(), "once the server answers again"


def test_slow_answers_are_waited_for(server: RangeServer, read: Read):
    server.delay_s = 0.05
    assert np.array_equal(read(f"{server.url}/pair.tif", bands=BANDS).values, PAIR)


@pytest.mark.parametrize(
    ("status", "remedy"),
    [
        (404, "does not exist on the server"),
        (403, "denies access .*AWS_NO_SIGN_REQUEST"),
        (503, "answers HTTP 503, also after retries"),
    ],
)
def test_files_that_cannot_be_opened_are_named(status: int, remedy: str, server: RangeServer, roles: Roles):
    server.fail("pair.tif", status)
    with pytest.raises(RemoteFileError, match=rf"http://127\.0\.0\.1:\d+/pair\.tif.*{remedy}"):
        roles({"optical": f"{server.url}/pair.tif"}, optical={"bands": BANDS})


@pytest.mark.parametrize("status", [403, 404, 503])
def test_items_that_cannot_be_read_are_named(status: int, server: RangeServer, roles: Roles):
    server.fail("item.json", status)
    with pytest.raises(RemoteFileError, match=rf"^http://127\.0\.0\.1:\d+/item\.json: .*HTTP {status}"):
        roles({"optical": f"{server.url}/item.json"}, optical={"bands": BANDS})


def test_servers_that_refuse_head_are_read(server: RangeServer, opened: Callable[..., RasterSource]):
    server.faults.append(lambda request: 405 if request.method == "HEAD" else None)
    with opened(f"{server.url}/pair.tif") as one:
        assert np.array_equal(one.read(WHOLE, (1, 2)).values, PAIR)


def test_hosts_without_an_answer_and_web_pages_are_named(server: RangeServer, roles: Roles):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(RemoteFileError, match=rf"127\.0\.0\.1:{port}/a\.tif.*check the address"):
        roles({"optical": f"http://127.0.0.1:{port}/a.tif"}, optical={"bands": BANDS})
    (server.folder / "page.tif").write_text("<html>log in</html>")
    with pytest.raises(RemoteFileError, match=r"page\.tif.*not recognized as being in a supported file format"):
        roles({"optical": f"{server.url}/page.tif"}, optical={"bands": BANDS})
    with pytest.raises(UnreadableFileError, match=r"product\.SAFE\.zip: products on servers are not read"):
        roles({"optical": f"{server.url}/product.SAFE.zip"}, optical={"bands": BANDS})
    with pytest.raises(MissingFileError, match=r"NETCDF:none\.nc:red: none\.nc does not exist"):
        read_product(cell_of("optical", "NETCDF:none.nc:red"), Wanted("optical", ("red",)))


@pytest.mark.parametrize("has_etag", [True, False])
def test_a_file_that_changes_on_the_server_is_an_error(
    has_etag: bool, server: RangeServer, roles: Roles, tmp_path: Path
):
    server.has_etag = has_etag
    cell, record = f"{server.url}/pair.tif", tmp_path / "sources.json"
    found = roles({"optical": cell}, optical={"bands": BANDS})
    write_scene_sources(record, SceneSources(scene="west", roles=found))
    assert SceneRasters({"optical": cell}, record).sensor("optical") is not None
    file = server.folder / "pair.tif"
    file.write_bytes(file.read_bytes() + (b"" if has_etag else b"\0"))
    if has_etag:
        content = bytearray(file.read_bytes())
        content[-1] ^= 1
        file.write_bytes(content)
    with pytest.raises(RemoteFileError, match=r"pair\.tif: has changed on the server.*--forcerun resolve_scene"):
        SceneRasters({"optical": cell}, record).sensor("optical")
    server.fail("pair.tif", 503)
    gdal_files.forget()
    with pytest.raises(RemoteFileError, match="HTTP 503"):
        SceneRasters({"optical": cell}, record).sensor("optical")


def test_local_files_behind_names_of_gdal_are_tracked(tmp_path: Path):
    sensors = ResolvedSensors(optical=ResolvedOptical(bands=("red", "nir")), sar=ResolvedSar(bands=("VV",)))
    (tmp_path / "a.nc").touch()
    cells = {"optical": f"NETCDF:{tmp_path}/a.nc:red;{tmp_path}/b.tif", "sar": f"NETCDF:{tmp_path}/a.nc:vv"}
    optical, sar = resolved_cells(cells, sensors)
    assert list(optical.files.values()) == [tmp_path / "a.nc", tmp_path / "b.tif"]
    assert list(sar.files.values()) == [tmp_path / "a.nc"] and not sar.addresses


def test_planning_knows_addresses_and_asks_no_server(server: RangeServer):
    sensors = ResolvedSensors(optical=ResolvedOptical(bands=("red", "nir")), sar=ResolvedSar(bands=("VV",)))
    cells = {"optical": f"{server.url}/red.tif?sig=x;{server.url}/nir.tif", "sar": f"{server.url}/item.json"}
    found = resolved_cells(cells, sensors)
    assert [one.addresses for one in found] == [
        (f"{server.url}/red.tif", f"{server.url}/nir.tif"), (f"{server.url}/item.json",)
    ]  # fmt: skip
    assert [one.files for one in found] == [{}, {}] and not server.requests


class Signer(types.ModuleType):
    """The package planetary_computer, for a server on this machine: tokens count upwards."""

    def __init__(self, server: RangeServer) -> None:
        super().__init__("planetary_computer")
        self.server, self.number = server, 0
        self.sas = types.SimpleNamespace(TOKEN_CACHE={})

    def sign(self, url: str) -> str:
        """Return the address with the token in the cache, or a new one."""
        if "token" not in self.sas.TOKEN_CACHE:
            self.number += 1
            self.sas.TOKEN_CACHE["token"] = self.number
        return f"{url}?se=2026&sig=a%2B{self.sas.TOKEN_CACHE['token']}"

    def fault(self, request: Request) -> int | None:
        """Return 403 unless a request has the newest token."""
        return None if request.query == f"se=2026&sig=a%2B{self.number}" else 403


@pytest.fixture
def signer(server: RangeServer, monkeypatch: pytest.MonkeyPatch) -> Signer:
    """Return a signer for the server."""
    found = Signer(server)
    monkeypatch.setattr(remote_names, "planetary_computer", lambda: found)
    monkeypatch.setattr(remote_files, "planetary_computer", lambda: found)
    monkeypatch.setattr(remote_names, "PLANETARY_COMPUTER", "127.0.0.1")
    server.faults.append(found.fault)
    return found


def test_addresses_are_signed_late_and_again(
    server: RangeServer, signer: Signer, opened: Callable[..., RasterSource], tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
):  # fmt: skip
    with opened(f"{server.url}/pair.tif") as one:
        assert "sig" not in (tmp_path / "sources.json").read_text()
        assert np.array_equal(one.read(Window(0, 0, BLOCK, SIDE), (1, 2)).values, PAIR[:, :BLOCK])
        signer.number += 1  # the token that was used is no longer accepted
        server.fail("pair.tif", 503, times=1, at=middle(server.folder / "pair.tif"))
        assert np.array_equal(one.read(WHOLE, (1, 2)).values, PAIR)
    assert signer.number == 3
    assert "HTTP error code: 503" in caplog.text and "sig=" not in caplog.text


@pytest.mark.usefixtures("signer")
def test_an_address_that_is_refused_after_signing_is_an_error(server: RangeServer, opened: Callable[..., RasterSource]):
    with opened(f"{server.url}/pair.tif") as one:
        server.fail("pair.tif", 403)
        server.faults.reverse()
        with pytest.raises(RemoteFileError) as raised:
            one.read(WHOLE, (1, 2))
    assert "refused after signing again" in str(raised.value) and "sig=" not in str(raised.value)


def test_without_the_package_the_error_names_it(server: RangeServer, roles: Roles, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(remote_names, "planetary_computer", lambda: None)
    monkeypatch.setattr(remote_files, "planetary_computer", lambda: None)
    monkeypatch.setattr(remote_names, "PLANETARY_COMPUTER", "127.0.0.1")
    server.fail("pair.tif", 403)
    with pytest.raises(RemoteFileError, match=r"pip install 'clairemap\[planetary-computer\]'"):
        roles({"optical": f"{server.url}/pair.tif"}, optical={"bands": BANDS})


def test_the_real_package_signs_its_storage_only(monkeypatch: pytest.MonkeyPatch):
    package = pytest.importorskip("planetary_computer", reason="the extra planetary-computer is not installed")
    token = package.sas.SASToken(token="sig=x", **{"msft:expiry": "2999-01-01T00:00:00Z"})
    monkeypatch.setattr(package.sas, "get_token", lambda *_: token)
    url = "https://sentinel2l2a01.blob.core.windows.net/sentinel2-l2/B04.tif"
    assert gdal_name(url) == f"/vsicurl/{url}?sig=x"
    assert gdal_name("https://host/B04.tif") == "/vsicurl/https://host/B04.tif"


@pytest.fixture
def bucket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Start an S3 on this machine with a bucket, and return boto's client of it."""
    boto3 = pytest.importorskip("boto3", reason="moto with its S3 is not installed")
    pytest.importorskip("moto", reason="moto with its S3 is not installed")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    log = (tmp_path / "moto.log").open("w")
    with log, subprocess.Popen(command, stdout=log, stderr=log) as running:
        keys = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_DEFAULT_REGION": "us-east-1"}
        for name, value in {**keys, "AWS_REGION": "us-east-1", "AWS_S3_ENDPOINT": f"127.0.0.1:{port}",
                            "AWS_HTTPS": "NO", "AWS_VIRTUAL_HOSTING": "FALSE"}.items():  # fmt: skip
            monkeypatch.setenv(name, value)
        client = boto3.client("s3", endpoint_url=f"http://127.0.0.1:{port}")
        for _ in range(100):
            try:
                client.create_bucket(Bucket="scenes")
                break
            except Exception:
                time.sleep(0.2)
        yield client
        running.terminate()


def test_files_and_items_on_s3_are_read(bucket: Any, tmp_path: Path, read: Read, roles: Roles):
    write_cog(tmp_path / "B04.tif", RED, 10)
    write_item(tmp_path / "item.json", planetary_computer(baseline="03.01", keys={"B04": 10}))
    for name in ("B04.tif", "item.json"):
        bucket.upload_file(str(tmp_path / name), "scenes", f"a/{name}")
    assert np.array_equal(read("s3://scenes/a/B04.tif", bands=["red"]).values[0], RED)
    found = roles({"optical": "s3://scenes/a/item.json", "sar": "/vsis3/scenes/a/B04.tif"},
                  optical={"bands": ["red"]}, sar={"bands": ["VV"]})  # fmt: skip
    assert found["optical"].bands[0].file == "s3://scenes/a/B04.tif"
    assert found["optical"].bands[0].remote is not None and found["optical"].bands[0].remote.etag
    with pytest.raises(RemoteFileError, match=r"s3://scenes/a/none\.tif: .*does not exist"):
        roles({"optical": "s3://scenes/a/none.tif"}, optical={"bands": ["red"]})
