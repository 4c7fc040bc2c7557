"""An OpenID Connect provider over HTTP on loopback, which can be told to lie."""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
from base64 import b64decode, urlsafe_b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, RSAKey

CLIENT, SECRET = "beffroi", "s3cret+/="
RSA = RSAKey.generate_key(2048, parameters={"kid": "one", "use": "sig"})
OTHER_RSA = RSAKey.generate_key(2048, parameters={"kid": "one", "use": "sig"})
EC = ECKey.generate_key("P-256", parameters={"kid": "two", "use": "sig"})


class OwnProvider:
    """What the provider says. issuer: its URL; person: the claims of who has signed in at its page.

    change: claims of the ID token that are otherwise (None leaves one out); header, key: what signs it;
    seen: the token requests; answers: by path, what is answered instead.
    """

    def __init__(self, issuer: str, now: float) -> None:
        self.issuer = issuer
        self.now = now
        self.person: dict[str, Any] = {"sub": "42", "preferred_username": "anne", "name": "Anne Martin"}
        self.change: dict[str, Any] = {}
        self.userinfo: dict[str, Any] = {}
        self.header: dict[str, Any] = {"alg": "RS256", "kid": "one"}
        self.key: Any = RSA
        self.published: list[Any] = [RSA]
        self.id_token: str | None = None
        self.answers: dict[str, tuple[int, bytes]] = {}
        self.seen: list[dict[str, str]] = []
        self.asked: list[str] = []
        self._codes: dict[str, dict[str, str]] = {}

    def sign_in(self, url: str) -> dict[str, str]:
        """Return what the browser brings back from the provider's page at this URL."""
        asked = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
        assert url.startswith(f"{self.issuer}/authorize?")
        code = f"code{len(self._codes)}"
        self._codes[code] = asked
        return {"code": code, "state": asked["state"]}

    def answer(self, method: str, path: str, body: str, authorization: str) -> tuple[int, bytes]:
        self.asked.append(path)
        if path in self.answers:
            return self.answers[path]
        match method, path:
            case "GET", "/.well-known/openid-configuration":
                return self._json(
                    issuer=self.issuer,
                    authorization_endpoint=f"{self.issuer}/authorize",
                    token_endpoint=f"{self.issuer}/token",
                    userinfo_endpoint=f"{self.issuer}/userinfo",
                    jwks_uri=f"{self.issuer}/keys",
                )
            case "GET", "/keys":
                return self._json(**KeySet(self.published).as_dict(private=False))
            case "POST", "/token":
                return self._token(body, authorization)
            case "GET", "/userinfo" if authorization == "Bearer access":
                return self._json(**{"sub": "42", **self.userinfo})
        return 404, b"{}"

    def _token(self, body: str, authorization: str) -> tuple[int, bytes]:
        sent = {name: values[0] for name, values in parse_qs(body).items()}
        self.seen.append({**sent, "authorization": authorization})
        asked = self._codes.pop(sent["code"], None)
        wanted = b64decode(authorization.removeprefix("Basic ")).decode()
        if asked is None or wanted != "beffroi:s3cret%2B%2F%3D":
            return 400, b'{"error": "invalid_grant"}'
        challenge = hashlib.sha256(sent["code_verifier"].encode()).digest()
        if urlsafe_b64encode(challenge).rstrip(b"=").decode() != asked["code_challenge"]:
            return 400, b'{"error": "invalid_grant"}'
        if sent["redirect_uri"] != asked["redirect_uri"]:
            return 400, b'{"error": "invalid_grant"}'
        times = {"iat": int(self.now), "exp": int(self.now) + 300}
        claims = {"iss": self.issuer, "aud": CLIENT, "nonce": asked["nonce"], **times, **self.person}
        claims = {name: value for name, value in {**claims, **self.change}.items() if value is not None}
        token = self.id_token or jwt.encode(self.header, claims, self.key, algorithms=[self.header["alg"]])
        return self._json(access_token="access", token_type="Bearer", id_token=token)

    @staticmethod
    def _json(**fields: Any) -> tuple[int, bytes]:
        return 200, json.dumps(fields).encode()


def unsigned(claims: dict[str, Any]) -> str:
    """A token by the algorithm `none`."""
    parts = (json.dumps(part).encode() for part in ({"alg": "none"}, claims))
    return ".".join(urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts) + "."


def shared_secret(claims: dict[str, Any]) -> str:
    """A token by HS256 with the public key's text as the secret: a naive client takes it for signed."""
    header = {"alg": "HS256", "kid": "one"}
    parts = (urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in (header, claims))
    text = b".".join(parts)
    signed = hmac.digest(RSA.as_pem(private=False), text, "sha256")
    return (text + b"." + urlsafe_b64encode(signed).rstrip(b"=")).decode()


@contextmanager
def provider(now: float) -> Iterator[OwnProvider]:
    """A provider that listens on loopback for the length of the block. now: Unix seconds there."""
    made: list[OwnProvider] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _serve(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0"))).decode()
            status, answer = made[0].answer(
                self.command, self.path, body, self.headers.get("Authorization", "")
            )
            self.send_response(status)
            if status == 302:
                self.send_header("Location", answer.decode())
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        do_GET = do_POST = _serve  # noqa: N815 (the standard library's names)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        made.append(OwnProvider(f"http://127.0.0.1:{server.server_port}", now))
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield made[0]
        finally:
            server.shutdown()
            thread.join()
