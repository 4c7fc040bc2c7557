"""Requests that are sent twice and done once: the `Idempotency-Key` header.

    first request   ──> done; its answer is kept for a day, sealed
    the same again  ──> that answer, with `Idempotent-Replayed: true`
    while it goes on ──> 409 in_progress      another request with its key ──> 422 key_reused
    it began before this process did ──> 409 outcome_unknown: nobody knows whether it was done

A key is its actor's alone. Answers that a second try may change (5xx, 401, 403, 429) aren't kept, nor is one
that sets a cookie. draft-ietf-httpapi-idempotency-key-header section 2.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from typing import Any

import msgspec
import sqlalchemy as sa
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pbx.store.schema import repeatable_requests as kept
from pbx.web.access import SAFE_METHODS, May
from pbx.web.node import Node
from pbx.web.problems import Problem

KEPT_SECONDS = 86_400.0
MOST_BODY_BYTES = 32 << 20
MOST_ANSWER_BYTES = 1 << 20
_KEY = re.compile(r'"?([\x21\x23-\x7e]{8,200})"?')
_PURPOSE = "idempotency"
_NOT_KEPT = frozenset({401, 403, 408, 413, 429})
_HEADERS = (b"content-type", b"location", b"content-disposition")


class _Answer(msgspec.Struct):
    """An answer as it is sealed."""

    headers: list[tuple[str, str]]
    body: bytes


class Repeats:
    """Does once what is sent twice (ASGI)."""

    def __init__(self, app: ASGIApp, node: Node) -> None:
        self._app = app
        self._node = node
        self._process = secrets.token_hex(8)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request. Raises Problem."""
        said = "" if scope["type"] != "http" or scope["method"] in SAFE_METHODS else _header(scope)
        if not said:
            await self._app(scope, receive, send)
            return
        found = _KEY.fullmatch(said)
        if found is None:
            detail = "an idempotency key has 8 to 200 visible ASCII characters"
            raise Problem(400, "wrong_key", detail, where="Idempotency-Key")
        try:
            actor = await May("own")(HTTPConnection(scope))
        except Problem:  # the route says what is wrong, or needs nobody
            await self._app(scope, receive, send)
            return
        scope["state"]["most_body_bytes"] = MOST_BODY_BYTES
        request = Request(scope, receive)
        body = await request.body()
        who = f"{actor.how}:{actor.account}"
        kept_answer = await self._begin(who, found[1], _digest(scope, body))
        if kept_answer is not None:
            await kept_answer(scope, receive, send)
            return
        await self._carry_out(who, found[1], scope, _again(body, receive), send)

    async def _carry_out(self, who: str, key: str, scope: Scope, receive: Receive, send: Send) -> None:
        """Have it done, and keep its answer before it leaves."""
        answer = _Heard()
        is_kept = False
        try:
            await self._app(scope, receive, answer.hear)
            is_kept = answer.status < 500 and answer.status not in _NOT_KEPT and answer.is_plain
        finally:
            if is_kept:
                await self._keep(who, key, answer)
            else:
                await self._forget(who, key)
        for message in answer.messages:
            await send(message)

    async def _begin(self, who: str, key: str, digest: bytes) -> Response | None:
        """Return the answer of the first time; None when this is it. Raises Problem."""
        now = self._node.clock()

        def work(connection: sa.Connection) -> Any:
            connection.execute(sa.delete(kept).where(kept.c.begun_at < now - KEPT_SECONDS))
            here = (kept.c.actor == who) & (kept.c.idempotency_key == key)
            for row in connection.execute(sa.select(kept).where(here)):
                return row
            connection.execute(
                sa.insert(kept).values(
                    actor=who,
                    idempotency_key=key,
                    digest=digest,
                    process=self._process,
                    begun_at=now,
                    status=0,
                    answer_sealed=b"",
                )
            )
            return None

        row = await self._node.write(work)
        if row is None:
            return None
        if row.digest != digest:
            detail = "this key was used for another request"
            raise Problem(422, "key_reused", detail, mend="take a new key", where="Idempotency-Key")
        if row.status:
            sealed = self._node.sealing.unseal(row.answer_sealed, _PURPOSE, f"{who} {key}")
            answer = msgspec.msgpack.decode(sealed, type=_Answer)
            headers = {**dict(answer.headers), "Idempotent-Replayed": "true"}
            return Response(answer.body, row.status, headers)
        if row.process == self._process:
            raise Problem(409, "in_progress", "this is being done now", mend="ask again in a moment")
        detail, mend = "the node ended while this was being done", "look whether it was, then take a new key"
        raise Problem(409, "outcome_unknown", detail, mend=mend)

    async def _keep(self, who: str, key: str, answer: _Heard) -> None:
        plain = msgspec.msgpack.encode(_Answer(answer.headers, answer.body))
        sealed = self._node.sealing.seal(plain, _PURPOSE, f"{who} {key}")
        here = (kept.c.actor == who) & (kept.c.idempotency_key == key)
        change = sa.update(kept).where(here).values(status=answer.status, answer_sealed=sealed)
        await self._node.write(lambda connection: connection.execute(change).rowcount)

    async def _forget(self, who: str, key: str) -> None:
        here = (kept.c.actor == who) & (kept.c.idempotency_key == key)
        await self._node.write(lambda connection: connection.execute(sa.delete(kept).where(here)).rowcount)


class _Heard:
    """An answer on its way out. is_plain: small enough to be kept, and without a cookie."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.status = 500
        self.headers: list[tuple[str, str]] = []
        self.body = b""
        self.is_plain = True

    async def hear(self, message: Message) -> None:
        """Take a piece of it."""
        self.messages.append(message)
        if message["type"] == "http.response.start":
            self.status = message["status"]
            raw = message["headers"]
            self.headers = [
                (name.decode(), value.decode("latin-1")) for name, value in raw if name in _HEADERS
            ]
            self.is_plain = all(name != b"set-cookie" for name, _ in raw)
        elif self.is_plain:
            self.body += message.get("body", b"")
            self.is_plain = len(self.body) <= MOST_ANSWER_BYTES


def _header(scope: Scope) -> str:
    found = [value for name, value in scope["headers"] if name == b"idempotency-key"]
    return found[0].decode("latin-1") if found else ""


def _digest(scope: Scope, body: bytes) -> bytes:
    request = hashlib.sha256()
    for part in (scope["method"].encode(), scope["path"].encode(), scope["query_string"], body):
        request.update(len(part).to_bytes(8, "big"))
        request.update(part)
    return request.digest()


def _again(body: bytes, receive: Receive) -> Receive:
    """Give the body, which has been read, once more."""
    waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def given() -> Message:
        return waiting.pop() if waiting else await receive()

    return given
