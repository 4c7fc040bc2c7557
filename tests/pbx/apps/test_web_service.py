"""What a web service answers, over real HTTP on loopback: what is believed, and what isn't."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from pbx.apps.web_service import MOST_BYTES, Answer, NoAnswer, Question, Web

QUESTION = Question("c1", "dossiers", "+33612345678", "8010", "4711", "fr")


class Service:
    """A web service that gives each request the same answer. requests: head and body of what came."""

    def __init__(self, answer: bytes) -> None:
        self.answer = answer
        self.requests: list[tuple[str, bytes]] = []
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Read one request, answer, and close."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        length = next(
            (int(line[15:]) for line in head.splitlines() if line.lower().startswith("content-length:")), 0
        )
        self.requests.append((head, await reader.readexactly(length)))
        writer.write(self.answer)
        if not self.answer:
            await reader.read()  # until whoever asked has left
        writer.close()


def response(body: bytes, status: str = "200 OK", headers: str = "") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{headers}\r\n".encode() + body


@asynccontextmanager
async def serving(answer: bytes) -> AsyncIterator[Service]:
    service = Service(answer)
    server = await asyncio.start_server(service.serve, "127.0.0.1", 0)
    service.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/appel"
    try:
        yield service
    finally:
        server.close()
        await server.wait_closed()


@pytest.fixture
async def web() -> AsyncIterator[Web]:
    made = Web()
    yield made
    await made.close()


async def ask(web: Web, answer: bytes, *, method: str = "POST", secret: str = "") -> tuple[Answer, Service]:
    async with serving(answer) as service:
        return await web.ask(service.url, method, secret, QUESTION, 10), service


async def test_the_question_is_posted_as_json_and_the_answer_read(web: Web):
    """RFC 6750 section 2.1: the secret goes as a bearer token."""
    body = json.dumps({"say": {"fr": "Prêt.", "en": "Ready.", "xx": "?"}, "to": "2010", "more": 1}).encode()
    answer, service = await ask(web, response(body), secret="token")
    assert answer == Answer({"fr": "Prêt.", "en": "Ready."}, "2010")
    ((head, posted),) = service.requests
    assert head.startswith("POST /appel HTTP/1.1")
    assert "authorization: bearer token" in head.lower()
    assert json.loads(posted) == {
        "call": "c1",
        "service": "dossiers",
        "caller": "+33612345678",
        "called": "8010",
        "digits": "4711",
        "language": "fr",
    }


async def test_by_get_the_question_is_in_the_query(web: Web):
    _, service = await ask(web, response(b"{}"), method="GET")
    ((head, posted),) = service.requests
    assert "caller=%2B33612345678" in head.splitlines()[0]
    assert "authorization" not in head.lower()
    assert posted == b""


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (response(b"{}", "500 Internal Server Error"), "it answered 500"),
        (response(b"{}", "302 Found", "Location: http://127.0.0.1:9/\r\n"), "it answered 302"),
        (response(b"<html>"), "no answer of ours"),
        (response(b'{"to": 2010}'), "no answer of ours"),
        (response(b"[" * 100_000), "more than"),
        (response(b" " * (MOST_BYTES + 1)), "more than"),
        (response(b'{"say": "' + b"a" * 501 + b'"}'), "more than 500 characters"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"a" * 200_000 + b"\r\n\r\n", "Error"),
        (b"SIP/2.0 200 OK\r\n\r\n", "Error"),
        (response(b"{}")[:-1], "Error"),
    ],
    ids=["error", "redirect", "page", "types", "nested", "long", "talkative", "head", "no HTTP", "cut"],
)
async def test_what_is_no_answer_is_told_as_such(web: Web, answer: bytes, why: str):
    with pytest.raises(NoAnswer, match=why):
        await ask(web, answer)


async def test_a_service_that_says_nothing_is_left_in_time(web: Web):
    async with serving(b"") as service:
        with pytest.raises(NoAnswer, match="nothing came within"):
            await web.ask(service.url, "POST", "", QUESTION, 0.05)


async def test_a_service_that_is_not_there_is_told_as_such(web: Web):
    with pytest.raises(NoAnswer, match="Error"):
        await web.ask("http://127.0.0.1:9/", "POST", "", QUESTION, 5)
