"""A push service on loopback with browsers behind it: it checks who sends, they decrypt what is sent."""

from __future__ import annotations

import base64
import os
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import http_ece
import msgspec
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from joserfc import jwt
from joserfc.jwk import ECKey

from pbx.push.subscription import Secrets
from tests.net.authority import Authority


def encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


class Browser:
    """One browser with an address at the service. shown: what it was told, decrypted, the oldest first."""

    def __init__(self, endpoint: str) -> None:
        self._private = ec.generate_private_key(ec.SECP256R1())
        self._auth = os.urandom(16)
        point = self._private.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        self.secrets = Secrets(endpoint, encoded(point), encoded(self._auth))
        self.shown: list[dict[str, Any]] = []
        self.sizes: list[int] = []

    def take(self, body: bytes) -> None:
        """Decrypt what was sent (RFC 8291 section 3), as only this browser can."""
        text = http_ece.decrypt(body, private_key=self._private, auth_secret=self._auth, version="aes128gcm")
        self.sizes.append(len(body))
        self.shown.append(msgspec.json.decode(text))


class PushService:
    """The service. headers: of each request, in order; answers: the statuses of the next ones, else 201."""

    def __init__(self, authority: Authority) -> None:
        self._authority = authority
        self.url = ""
        self.browsers: dict[str, Browser] = {}
        self.headers: list[dict[str, str]] = []
        self.claims: list[dict[str, Any]] = []
        self.bodies: list[bytes] = []
        self.answers: list[int] = []

    @property
    def tls(self) -> ssl.SSLContext:
        """Whom to trust in order to reach it."""
        return ssl.create_default_context(cafile=str(self._authority.file))

    def browser(self) -> Browser:
        """A browser that has asked for an address."""
        path = f"/push/{len(self.browsers) + 1}"
        made = self.browsers[path] = Browser(self.url + path)
        return made

    def take(self, path: str, headers: dict[str, str], body: bytes) -> int:
        """One request; the status that it is answered."""
        self.headers.append(headers)
        self.bodies.append(body)
        scheme, _, rest = headers["Authorization"].partition(" ")
        fields = dict(part.strip().split("=", 1) for part in rest.split(","))
        point = decoded(fields["k"])
        assert scheme == "vapid"
        public = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)
        token = jwt.decode(fields["t"], ECKey.import_key(public), algorithms=["ES256"])
        self.claims.append(token.claims)
        if self.answers:
            return self.answers.pop(0)
        if path not in self.browsers:
            return 404
        self.browsers[path].take(body)
        return 201


@contextmanager
def push_service(authority: Authority) -> Iterator[PushService]:
    """It runs for the length of the block."""
    service = PushService(authority)

    class Handler(BaseHTTPRequestHandler):
        def _post(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status = service.take(self.path, dict(self.headers.items()), body)
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_POST = _post  # noqa: N815 (the standard library's name)

        def log_message(self, *_: object) -> None:
            pass

    pair = authority.issue("localhost", "127.0.0.1")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.path, pair.key_path)
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        server.socket = context.wrap_socket(server.socket, server_side=True)
        service.url = f"https://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield service
        finally:
            server.shutdown()
            thread.join()
