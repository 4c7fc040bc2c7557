"""What a web service of the town says of a call (`type: web`): one question, one answer, little time.

    {"call": "…", "service": "dossiers", "caller": "+33612345678", "called": "8000", "digits": "4711",
     "language": "fr"}
                          ──POST──> https://…  ──> {"say": {"fr": "Votre dossier est prêt."}, "to": "2010"}

Asked by GET, the same stands in the query. `say` is one text or one by language, `to` a number inside or the
name of a service; both may be left out. Nothing else is followed or believed: no redirect, no proxy of the
environment, no answer that is longer than MOST_BYTES or comes too late.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

import msgspec

if TYPE_CHECKING:
    import httpx2

LANGUAGES = ("fr", "en")
MOST_BYTES = 16_384
MOST_CHARACTERS = 500  # of what is to be said
MOST_CONNECTIONS = 20


class Question(msgspec.Struct, frozen=True):
    """What is asked. caller: as shown, "" where it isn't; called: what was dialled."""

    call: str
    service: str
    caller: str
    called: str
    digits: str
    language: str


class Answer(msgspec.Struct, frozen=True):
    """What was answered."""

    say: str | dict[str, str] = ""
    to: str = ""


class NoAnswer(Exception):
    """The web service gave no answer that can be used; the message says why."""


class Asker(Protocol):
    """Whoever can ask a web service."""

    async def ask(self, url: str, method: str, secret: str, question: Question, seconds: float) -> Answer:
        """Ask, and wait so long at most. secret: sent as a bearer token (RFC 6750), unless it is empty.

        Raises NoAnswer.
        """


class Web:
    """Asks over HTTP; what that needs is loaded with the first question, and connections are kept."""

    def __init__(self) -> None:
        self._client: httpx2.AsyncClient | None = None

    async def ask(self, url: str, method: str, secret: str, question: Question, seconds: float) -> Answer:
        """See Asker."""
        if self._client is None:
            self._client = await asyncio.to_thread(_client)  # loading it takes longer than a call may wait
        import httpx2

        headers = {"Accept": "application/json", "Accept-Encoding": "identity"}
        if secret:
            headers["Authorization"] = f"Bearer {secret}"
        fields = msgspec.to_builtins(question)
        try:
            async with asyncio.timeout(seconds):
                if method == "GET":
                    request = self._client.build_request("GET", url, params=fields, headers=headers)
                else:
                    request = self._client.build_request("POST", url, json=fields, headers=headers)
                return _read(await self._body(request))
        except TimeoutError:
            raise NoAnswer(f"nothing came within {seconds:g} s") from None
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError, UnicodeError, ValueError) as error:
            raise NoAnswer(f"{type(error).__name__} {error}".strip()) from None

    async def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            await self._client.aclose()

    async def _body(self, request: httpx2.Request) -> bytes:
        assert self._client is not None
        response = await self._client.send(request, stream=True, follow_redirects=False)
        try:
            if response.status_code != 200:
                raise NoAnswer(f"it answered {response.status_code}")
            body = bytearray()
            async for chunk in response.aiter_raw():
                body += chunk
                if len(body) > MOST_BYTES:
                    raise NoAnswer(f"more than {MOST_BYTES} bytes")
            return bytes(body)
        finally:
            await response.aclose()


def _client() -> httpx2.AsyncClient:
    import httpx2

    limits = httpx2.Limits(max_connections=MOST_CONNECTIONS)
    return httpx2.AsyncClient(trust_env=False, limits=limits, timeout=None)  # `ask` has one


def _read(body: bytes) -> Answer:
    try:
        answer = msgspec.json.decode(body, type=Answer)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise NoAnswer(f"no answer of ours: {error}") from None
    if isinstance(answer.say, dict):
        answer = Answer({name: answer.say[name] for name in LANGUAGES if name in answer.say}, answer.to)
    texts = answer.say.values() if isinstance(answer.say, dict) else [answer.say]
    if any(len(text) > MOST_CHARACTERS for text in texts):
        raise NoAnswer(f"more than {MOST_CHARACTERS} characters to say")
    return answer
