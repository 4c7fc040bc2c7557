"""As much of an S3-compatible store as copies need: PUT, GET of a part, HEAD and DELETE over loopback."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any


class TinyS3(ThreadingHTTPServer):
    """objects: by their path. signed: what each request says of who signed it. garbles: what is read is
    otherwise than what was put; refuses: everything."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Request)
        self.objects: dict[str, bytes] = {}
        self.signed: list[str] = []
        self.garbles = False
        self.refuses = False

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Request(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: TinyS3

    def do_PUT(self) -> None:
        self.server.objects[self.path] = self.rfile.read(int(self.headers["Content-Length"]))
        self._answer(200)

    def do_GET(self) -> None:
        if self.path not in self.server.objects:
            self._answer(404)
            return
        whole = self.server.objects[self.path]
        found = re.fullmatch(r"bytes=([0-9]+)-([0-9]+)", self.headers.get("Range", ""))
        first, last = (int(found[1]), int(found[2])) if found else (0, len(whole) - 1)
        part = whole[first : last + 1]
        if self.server.garbles:
            part = bytes(len(part))
        self._answer(206, part, {"Content-Range": f"bytes {first}-{first + len(part) - 1}/{len(whole)}"})

    def do_HEAD(self) -> None:
        there = self.path in self.server.objects
        self._answer(200 if there else 404, self.server.objects.get(self.path, b""))

    def do_DELETE(self) -> None:
        self.server.objects.pop(self.path, None)
        self._answer(204)

    def do_POST(self) -> None:
        """Several at once: `POST /calls?delete`, a list of keys in XML."""
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        bucket = self.path.partition("?")[0]
        for key in re.findall(r"<Key>([^<]*)</Key>", body):
            self.server.objects.pop(f"{bucket.rstrip('/')}/{key}", None)
        self._answer(200, b'<?xml version="1.0"?><DeleteResult></DeleteResult>')

    def _answer(self, status: int, body: bytes = b"", headers: dict[str, str] | None = None) -> None:
        self.server.signed.append(self.headers.get("Authorization", ""))
        if self.server.refuses:
            status, body = 403, b"<Error><Code>AccessDenied</Code></Error>"
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("ETag", '"tag"')
        self.send_header("Last-Modified", "Sun, 22 Nov 2026 10:15:00 GMT")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *said: Any) -> None:
        """Say nothing."""


@contextmanager
def served() -> Iterator[TinyS3]:
    """A store that is there for as long as the test."""
    with TinyS3() as store:
        thread = Thread(target=store.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield store
        finally:
            store.shutdown()
            thread.join()
