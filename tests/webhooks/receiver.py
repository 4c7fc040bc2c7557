"""A program that is told of events: an HTTP server on loopback that keeps what it was sent."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Receiver:
    """url: where it is; got: headers and body of each request; answers: the next ones' statuses, else 200.

    large: whether its answers have a megabyte.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.answers: list[int] = []
        self.large = False


@contextmanager
def receiver() -> Iterator[Receiver]:
    """A receiver for the length of the block."""
    made: list[Receiver] = []

    class Handler(BaseHTTPRequestHandler):
        def _post(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            made[0].got.append(({"path": self.path, **dict(self.headers.items())}, body))
            status = made[0].answers.pop(0) if made[0].answers else 200
            self.send_response(status)
            if status in (301, 307):
                self.send_header("Location", f"{made[0].url}/elsewhere")
            answer = b"x" * (1 << 20) if made[0].large else b""
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        do_POST = _post  # noqa: N815 (the standard library's name)

        def log_message(self, *_: object) -> None:
            pass

        def handle(self) -> None:
            with suppress(BrokenPipeError, ConnectionResetError):  # whoever sent has heard enough
                super().handle()

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        made.append(Receiver(f"http://127.0.0.1:{server.server_port}"))
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield made[0]
        finally:
            server.shutdown()
            thread.join()
