"""The town's own site, somewhere else: pages with the button of click to call, on ports of loopback."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Site:
    """A site. origin: where it is; body: of its only page, which a test sets."""

    def __init__(self, origin: str) -> None:
        self.origin = origin
        self.body = ""


@contextmanager
def towns_site() -> Iterator[Site]:
    """It runs for the length of the block."""
    made: list[Site] = []

    class Handler(BaseHTTPRequestHandler):
        def _get(self) -> None:
            page = (
                f'<!doctype html><html lang="fr"><meta charset="utf-8"><title>Valmont</title>{made[0].body}'
            )
            found = self.path == "/"
            self.send_response(200 if found else 404)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write(page.encode() if found else b"")

        do_GET = _get  # noqa: N815 (the standard library's name)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        made.append(Site(f"http://127.0.0.1:{server.server_port}"))
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield made[0]
        finally:
            server.shutdown()
            thread.join()
