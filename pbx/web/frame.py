"""What every request passes, whatever its route: whom it is from, its host, its size, its time, its rate.

process ──> Frame ──> application
             │  proxies believed, Host checked, id given, at most MOST_AT_ONCE in progress,
             │  rates, body bounded in bytes and in time
             └─ back: headers of safety, problems for whatever went wrong, log, figures
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from email.utils import formatdate
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket

from pbx.web.client import is_loopback, network_of, seen_through_proxies
from pbx.web.figures import Figures
from pbx.web.hosts import is_ours, own_hosts
from pbx.web.node import Node
from pbx.web.problems import Problem, of_status, problem_response
from pbx.web.rates import Rates

log = logging.getLogger(__name__)

MOST_AT_ONCE = 500
MOST_BODY_BYTES = 1 << 20
BODY_SECONDS = 30.0  # until the next piece of it
MOST_URL_BYTES = 8192

# Nothing inline, nothing from elsewhere; `blob:` is what a page has made itself (a recording's sound).
CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data: blob:",
        "font-src 'self'",
        "connect-src 'self'",
        "media-src 'self' blob:",
        "worker-src 'self'",
        "manifest-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), microphone=(self), geolocation=(), payment=(), usb=()",
}
# RFC 6797: browsers take it over TLS alone. Half a year, and no other host of the domain.
STRICT_TRANSPORT = "max-age=15768000"
_HEADERS = [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]
_OVER_TLS = [*_HEADERS, (b"strict-transport-security", STRICT_TRANSPORT.encode())]


class Frame:
    """See the module. figures: what came of requests, for `/metrics`."""

    def __init__(self, app: ASGIApp, node: Node, figures: Figures) -> None:
        self._app = app
        self._node = node
        self._figures = figures
        self._hosts = own_hosts(node.configuration)
        self._proxies = node.configuration.web.proxies
        self._rates = Rates()
        self._at_once = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection's request (ASGI)."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        seen_through_proxies(scope, self._proxies)  # type: ignore[arg-type]
        scope.setdefault("state", {})["request_id"] = secrets.token_hex(8)
        if scope["type"] == "websocket":
            await self._socket(scope, receive, send)
        else:
            await self._request(scope, receive, send)

    async def _socket(self, scope: Scope, receive: Receive, send: Send) -> None:
        """A WebSocket, whose route checks who it is."""
        try:
            self._refuse(scope)
        except Problem as problem:
            refused = WebSocket(scope, receive, send)
            await refused.send_denial_response(problem_response(problem, scope["state"]["request_id"]))
            return
        await self._app(scope, receive, send)

    async def _request(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange = _Exchange(scope, receive, send, self._node.clock())
        began = asyncio.get_running_loop().time()
        self._at_once += 1
        try:
            self._refuse(scope)
            await self._app(scope, exchange.receive, exchange.send)
        except Problem as problem:
            await exchange.refuse(problem)
        except HTTPException as error:  # of a body, read by what stands before the routes
            await exchange.refuse(of_status(error.status_code, error.detail))
        except ClientDisconnect:
            exchange.status = exchange.status or 499
        except Exception:
            log.exception("request=%s failed", scope["state"]["request_id"])
            detail = "this failed, by a fault of ours"
            mend = f"the log says more: request={scope['state']['request_id']}"
            await exchange.refuse(Problem(500, "internal", detail, mend=mend))
        finally:
            self._at_once -= 1
            seconds = asyncio.get_running_loop().time() - began
            self._figures.served(_route(scope), scope["method"], exchange.status, seconds)
            _tell(scope, exchange.status, seconds)

    def _refuse(self, scope: Scope) -> None:
        """Raises Problem."""
        host = next((value for name, value in scope["headers"] if name == b"host"), b"")
        if not is_ours(host, self._hosts):
            detail, mend = "this node has another name", "add `public_url:` to `web:` in the configuration"
            raise Problem(421, "unknown_host", detail, mend=mend)
        if len(scope["path"]) + len(scope["query_string"]) > MOST_URL_BYTES:
            raise Problem(414, "url_too_long", "this address is too long")
        address = scope["client"][0] if scope.get("client") else ""
        if self._at_once > MOST_AT_ONCE and not scope["path"].startswith("/health/"):
            detail = "too much is asked at once"
            raise Problem(503, "busy", detail, mend="try again in a moment", headers={"Retry-After": "1"})
        if not is_loopback(address):
            credentials = next(
                (value for name, value in scope["headers"] if name in (b"authorization", b"cookie")), b""
            )
            self._rates.take(network_of(address), credentials, asyncio.get_running_loop().time(), scope)


class _Exchange:
    """One request and its answer. status: of the answer, 0 before; now: Unix seconds."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, now: float) -> None:
        self.status = 0
        self._now = now
        self._scope = scope
        self._receive = receive
        self._send = send
        self._received = 0
        scope["state"].setdefault("most_body_bytes", MOST_BODY_BYTES)

    async def receive(self) -> Message:
        """The next piece of the request; too large or too slow a body is refused."""
        try:
            async with asyncio.timeout(BODY_SECONDS if not self.status else None):
                message = await self._receive()
        except TimeoutError:
            raise HTTPException(408) from None
        if message["type"] == "http.request":
            self._received += len(message.get("body", b""))
            if self._received > self._scope["state"]["most_body_bytes"]:
                raise HTTPException(413)
        return message

    async def send(self, message: Message) -> None:
        """A piece of the answer, with the headers that every answer has."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            raw = message["headers"]
            given = {name for name, _ in raw}
            for name, value in _OVER_TLS if self._scope["scheme"] == "https" else _HEADERS:
                if name not in given:
                    raw.append((name, value))
            if b"cache-control" not in given:
                raw.append((b"cache-control", b"no-store"))
            raw.append((b"date", formatdate(self._now, usegmt=True).encode()))  # RFC 9110 section 6.6.1
            raw.append((b"x-request-id", self._scope["state"]["request_id"].encode()))
            raw.extend(self._scope["state"].get("rate_headers", ()))
            if self.status in (408, 413):
                raw.append((b"connection", b"close"))  # what is left of the body is no next request
        await self._send(message)

    async def refuse(self, problem: Problem) -> None:
        """Answer with a problem, where nothing has been answered yet."""
        if self.status:
            return
        response = problem_response(problem, self._scope["state"]["request_id"])
        await response(self._scope, self._receive, self.send)


def _route(scope: Scope) -> str:
    """The route's pattern: what people ask for isn't a figure's name."""
    route: Any = scope.get("route")
    return str(getattr(route, "path", "")) or "other"


def _tell(scope: Scope, status: int, seconds: float) -> None:
    """The access log: no query, which may hold what somebody searched for."""
    address = scope["client"][0] if scope.get("client") else "-"
    level = logging.INFO if status < 500 else logging.WARNING
    if log.isEnabledFor(level):
        who = scope["state"].get("account", "")
        text = "method=%s path=%s status=%d ms=%.1f from=%s account=%s request=%s"
        path = scope["path"].encode("unicode_escape").decode()[:200].replace(" ", "%20")
        request = scope["state"]["request_id"]
        log.log(level, text, scope["method"], path, status, 1000 * seconds, address, who, request)
