"""The chore that has the journal's head stamped by an authority (RFC 3161).

```
head of the journal ──POST──> authority ──> answer, checked ──> stamps/NUMBER.tsr ──> "stamped" in the journal
```
An authority that is away, slow, or answers what doesn't hold is told (`Trouble`) and asked again, less and
less often; nothing waits for it. A journal that has nothing new isn't stamped again.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

from recording.live.troubles import Troubled
from recording.live.wire import Trouble, TroubleOver
from recording.proof.journal import MOST_LINE_BYTES, Journal, Value, follow
from recording.proof.stamp import FOLDER, MOST_BYTES, SUFFIX, Stamp, StampError, authorities, read_stamp

ANSWER_SECONDS: Final = 20.0
FIRST_AGAIN_SECONDS: Final = 60.0
NODE: Final = "node"


class Authority(NamedTuple):
    """Who stamps. ca_file: PEM of whom we trust for it; every_seconds: how often, where there is news."""

    url: str
    ca_file: Path
    every_seconds: float


class NoAnswer(Exception):
    """The authority gave no answer; the text says why."""


class Stamps:
    """The chore; see the module."""

    name = "stamps"
    every_seconds = 30.0

    def __init__(self, journal: Journal, authority: Authority, ask: Callable[[str, bytes], bytes]) -> None:
        """ask: gives a question to a URL and returns the answer (`post`); raises NoAnswer."""
        self._journal = journal
        self._authority = authority
        self._ask = ask
        self._folder = journal.path.parent / FOLDER
        self._tried_at = float("-inf")
        self._wait_seconds = 0.0
        self._troubled = Troubled(self.name)

    def turn(self, now: float) -> list[Trouble | TroubleOver]:
        """Have the head stamped where it is time; now: Unix seconds."""
        # A clock that was set back mustn't keep the authority from being asked.
        if 0.0 <= now - self._tried_at < self._wait_seconds or not self._has_news():
            return []
        self._tried_at = now
        try:
            self._stamp(now)
        except (NoAnswer, StampError, OSError) as error:
            again = self._wait_seconds * 2 if self._troubled else FIRST_AGAIN_SECONDS
            self._wait_seconds = min(again, self._authority.every_seconds)
            return self._troubled.told(f"{self._authority.url} doesn't stamp the journal: {error}")
        self._wait_seconds = self._authority.every_seconds
        return self._troubled.told("")

    def _has_news(self) -> bool:
        """Whether the journal has more than what was stamped, and the entry that says so."""
        stamped = [int(path.stem) for path in self._folder.glob(f"*{SUFFIX}") if path.stem.isdecimal()]
        return self._journal.entries > max(stamped, default=-2) + 2

    def _stamp(self, now: float) -> None:
        head = self._journal.head
        number, hashed = _entry(self._journal.path, head)
        response, stamp = self._asked(hashed, bytes.fromhex(head))
        self._folder.mkdir(mode=0o700, exist_ok=True)
        _write(self._folder / f"{number}{SUFFIX}", response)
        file = hashlib.sha256(response).hexdigest()
        about: dict[str, Value] = {"entry": number, "head": head, "file": file}
        about |= {"authority": stamp.authority, "stamped_at": stamp.at}
        self._journal.append(now, "stamped", "", NODE, **about)

    def _asked(self, hashed: bytes, digest: bytes) -> tuple[bytes, Stamp]:
        """Return what the authority answers of a hash, and what that says. hashed: what the hash is of."""
        from rfc3161_client import (
            HashAlgorithm,
            TimestampRequestBuilder,
            VerificationError,
            VerifierBuilder,
            decode_timestamp_response,
        )

        trusted = authorities(self._authority.ca_file)
        request = TimestampRequestBuilder().data(hashed).hash_algorithm(HashAlgorithm.SHA256).build()
        response = self._ask(self._authority.url, request.as_bytes())
        try:
            # Ours first: what it lets through is whole, and a court's expert reads it alike.
            stamp = read_stamp(response, digest, trusted)
            verifier = VerifierBuilder(request.policy, roots=trusted, nonce=request.nonce).build()
            verifier.verify(decode_timestamp_response(response), digest)
        except StampError as error:
            raise StampError(f"its answer {error}") from None
        except (VerificationError, ValueError) as error:
            # RFC 3161 section 2.4.2: the same nonce, or somebody repeats an old answer.
            raise StampError(f"its answer isn't one to our question: {error}") from None
        return response, stamp


def _entry(journal: Path, head: str) -> tuple[int, bytes]:
    """Return the number of the entry with this hash, which is one of the last, and what was hashed."""
    with journal.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - 4 * MOST_LINE_BYTES))
        lines = file.read().split(b"\n")
    if size > 4 * MOST_LINE_BYTES:
        del lines[0]  # a part of one
    for line in reversed(lines[:-1]):
        fields = json.loads(line.partition(b"\t")[0])
        if follow(fields["previous"], line) == head:
            return fields["number"], bytes.fromhex(fields["previous"]) + hashlib.sha256(line).digest()
    raise NoAnswer("the journal grows faster than it can be read")


def _write(path: Path, data: bytes) -> None:
    """Write a file whole; it outlives a power cut when this returns."""
    unfinished = path.with_suffix(".new")
    with unfinished.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)
    descriptor = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def post(url: str, question: bytes, seconds: float = ANSWER_SECONDS) -> bytes:
    """Give a question to an authority; returns its answer. Raises NoAnswer. RFC 3161 section 3.4."""
    return asyncio.run(_posted(url, question, seconds))


async def _posted(url: str, question: bytes, seconds: float) -> bytes:
    import httpx2

    headers = {"Content-Type": "application/timestamp-query", "Accept-Encoding": "identity"}
    answer = bytearray()
    try:
        async with (
            asyncio.timeout(seconds),
            httpx2.AsyncClient(trust_env=False, verify=ssl.create_default_context(), timeout=None) as client,
            client.stream("POST", url, content=question, headers=headers, follow_redirects=False) as response,
        ):
            if response.status_code != 200:
                raise NoAnswer(f"it answers {response.status_code}")
            async for chunk in response.aiter_raw():
                answer += chunk
                if len(answer) > MOST_BYTES:
                    raise NoAnswer(f"it answers more than {MOST_BYTES} bytes")
    except TimeoutError:
        raise NoAnswer(f"nothing came within {seconds:g} s") from None
    except (httpx2.HTTPError, httpx2.InvalidURL, OSError, UnicodeError, ValueError) as error:
        raise NoAnswer(f"{type(error).__name__} {error}".strip()) from None
    return bytes(answer)
