"""A web server on this machine for tests: byte ranges, a log of what was sent, failures, slow answers, tokens."""

import hashlib
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit


@dataclass(frozen=True)
class Request:
    """A request: method, path, byte range (start, end; None: the whole file), query, status and bytes sent."""

    method: str
    path: str
    part: tuple[int, int] | None
    query: str
    status: int
    sent: int


Fault = Callable[[Request], int | None]
"""Returns the status of a fault for a request, or None; called with status 200 before the answer."""


@dataclass
class RangeServer:
    """A running server.

    Attributes:
        folder: files that are served.
        requests: log of all requests.
        faults: what fails; the first that returns a status counts.
        delay_s: time before each answer, seconds.
        has_etag: whether answers have an ETag and a date.
    """

    folder: Path
    requests: list[Request] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    delay_s: float = 0.0
    has_etag: bool = True
    port: int = 0

    @property
    def url(self) -> str:
        """Address of the folder."""
        return f"http://127.0.0.1:{self.port}"

    def sent(self, ending: str = "") -> int:
        """Return the bytes sent of all files whose path ends with a text."""
        return sum(one.sent for one in self.requests if one.path.endswith(ending))

    def fail(self, ending: str, status: int, times: int | None = None, at: int | None = None) -> None:
        """Answer requests of a path with a status: always or some times; only of ranges that contain byte `at`."""
        left = [times]

        def fault(request: Request) -> int | None:
            first, last = request.part or (0, -1)
            if not request.path.endswith(ending) or (at is not None and not first <= at <= last):
                return None
            if left[0] is not None:
                if left[0] <= 0:
                    return None
                left[0] -= 1
            return status

        self.faults.append(fault)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    served: RangeServer

    def log_message(self, *_: Any) -> None:
        """Print nothing."""

    def do_HEAD(self) -> None:
        """Answer with headers."""
        self._answer("HEAD")

    def do_GET(self) -> None:
        """Answer with a file or a range of it."""
        self._answer("GET")

    def _answer(self, method: str) -> None:
        served, address = self.served, urlsplit(self.path)
        path = unquote(address.path)
        part = _range(self.headers.get("Range", ""))
        asked = Request(method, path, part, address.query, 200, 0)
        time.sleep(served.delay_s)
        status = next((found for fault in served.faults if (found := fault(asked)) is not None), None)
        file = served.folder / path.lstrip("/")
        if status is None and not file.is_file():
            status = 404
        if status is not None:
            self._send(asked, status, f"<html><body>{status}</body></html>".encode(), {})
            return
        content = file.read_bytes()
        headers = {"Accept-Ranges": "bytes"}
        if served.has_etag:
            headers["ETag"] = f'"{hashlib.md5(content).hexdigest()}"'
            headers["Last-Modified"] = self.date_time_string(int(file.stat().st_mtime))
        if part is None:
            self._send(asked, 200, content, headers)
            return
        first, last = part[0], min(part[1], len(content) - 1)
        headers["Content-Range"] = f"bytes {first}-{last}/{len(content)}"
        self._send(asked, 206, content[first : last + 1], headers)

    def _send(self, asked: Request, status: int, body: bytes, headers: dict[str, str]) -> None:
        sent = 0 if asked.method == "HEAD" else len(body)
        self.served.requests.append(Request(asked.method, asked.path, asked.part, asked.query, status, sent))
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if sent:
            self.wfile.write(body)


def _range(text: str) -> tuple[int, int] | None:
    if not text.startswith("bytes="):
        return None
    first, _, last = text.removeprefix("bytes=").partition("-")
    return int(first), int(last) if last else 2**62


@contextmanager
def range_server(folder: Path) -> Iterator[RangeServer]:
    """Serve a folder on a free port of this machine while the context is open."""
    served = RangeServer(folder)
    handler = type("Handler", (_Handler,), {"served": served})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        served.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield served
        finally:
            server.shutdown()
            thread.join()
