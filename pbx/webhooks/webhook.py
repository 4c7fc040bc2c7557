"""A webhook: an address that is told of some kinds of events, and what it is told with.

```
POST /hooks/beffroi HTTP/1.1
Content-Type: application/json
Beffroi-Event: CallEnded
Beffroi-Delivery: 9f0c…            the same at each try
Beffroi-Signature: t=1798189200,v1=5257a8…

{"event":"CallEnded","at":"2026-12-25T09:00:00.000Z","call":"…"}
```
v1 is HMAC-SHA256, in hexadecimal, of `t`, a full stop and the body, by the webhook's secret. Whoever receives
it computes the same, compares in constant time, and refuses a `t` that is minutes old.
"""

from __future__ import annotations

import hmac
import re
import secrets
import string
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final
from urllib.parse import SplitResult, urlsplit

import msgspec

from pbx.events import KINDS
from pbx.records import rfc3339

TEST: Final = "Test"
OFFERED: Final = (
    "CallStarted",
    "CallAnswered",
    "CallEnded",
    "EmergencyCallMade",
    "MailboxChanged",
    "TrunkChanged",
    "RecordingFailed",
    "RecordingWorks",
    "RecordingTrouble",
    "RecordingTroubleOver",
    "AlarmRaised",
    "EmergencyTestFailed",
    "OverrideChanged",
    "DeviceReachable",
    "DeviceUnreachable",
    "PhoneWaveStopped",
    "AddressBanned",
    "BudgetSpent",
    "MediaProcessLost",
    "MediaProcessBack",
    "JournalFailed",
    "JournalWorks",
)
"""The kinds that can be chosen: what concerns another program, not every turn of a call."""
assert set(OFFERED) <= set(KINDS)

MOST: Final = 50
MOST_NAME: Final = 100
MOST_URL: Final = 1000
SECRET_PREFIX: Final = "bfs_"

# A day in all: soon again where it was a restart, rarely where somebody has to mend it.
WAITS_SECONDS: Final = (10.0, 30.0, 120.0, 600.0, 1800.0, 3600.0, 7200.0, 14_400.0, 21_600.0)
LONGEST_SECONDS: Final = 86_400.0

_LETTERS: Final = string.ascii_letters + string.digits
_URL: Final = re.compile(r"https?://[!-~]+")


class WebhookWrong(Exception):
    """A webhook that can't be so. field: what of it is wrong; the text says why."""

    def __init__(self, field: str, why: str) -> None:
        super().__init__(why)
        self.field = field


@dataclass(frozen=True, slots=True)
class Webhook:
    """A webhook without its secret. private_address: whether it may lead into a network of our own."""

    id: str
    name: str
    url: str
    kinds: tuple[str, ...]
    private_address: bool
    created_by: str
    created_at: float


@dataclass(frozen=True, slots=True)
class Delivery:
    """One event for one webhook. status: of the last answer, 0 for none; trouble: "" where it was taken.

    Unix seconds; next_at: of the next try, ended_at: when it was taken or given up, None before.
    """

    id: str
    webhook: str
    kind: str
    body: str
    made_at: float
    next_at: float | None
    tries: int
    ended_at: float | None
    status: int
    trouble: str


def new_secret() -> str:
    """Return what a new webhook's deliveries are signed with: 256 bits of chance."""
    return SECRET_PREFIX + "".join(secrets.choice(_LETTERS) for _ in range(43))


def signature(secret: str, body: bytes, now: float) -> str:
    """Return the header Beffroi-Signature. now: Unix seconds."""
    instant = str(int(now))
    signed = hmac.digest(secret.encode(), instant.encode() + b"." + body, "sha256").hex()
    return f"t={instant},v1={signed}"


def next_try(made_at: float, tries: int, now: float) -> float | None:
    """Return when a delivery is tried again after so many tries, None when it is given up. Unix seconds."""
    at = now + WAITS_SECONDS[min(tries, len(WAITS_SECONDS)) - 1]
    return at if at <= made_at + LONGEST_SECONDS else None


def tested(webhook: Webhook, now: float) -> Delivery:
    """Return the delivery of a test, which is in no queue. now: Unix seconds."""
    body = msgspec.json.encode({"event": TEST, "at": rfc3339(now), "webhook": webhook.name}).decode()
    return Delivery(f"test-{int(now)}", webhook.id, TEST, body, now, None, 0, None, 0, "")


def checked_name(name: str) -> str:
    """Return a name as it is kept. Raises WebhookWrong."""
    text = " ".join(name.split())
    if not 0 < len(text) <= MOST_NAME or not text.isprintable():
        raise WebhookWrong("name", f"a name has 1 to {MOST_NAME} letters")
    return text


def checked_kinds(kinds: Iterable[str]) -> tuple[str, ...]:
    """Return the kinds in the order of OFFERED. Raises WebhookWrong."""
    wanted = set(kinds)
    if not wanted:
        raise WebhookWrong("kinds", "a webhook is told of one kind of event at least")
    if unknown := wanted - set(OFFERED):
        raise WebhookWrong("kinds", f"{min(unknown)[:40]} isn't told to webhooks")
    return tuple(kind for kind in OFFERED if kind in wanted)


def parts_of(url: str) -> SplitResult:
    """Return a URL in its parts. Raises WebhookWrong for what is none, or has a password or a fragment."""
    try:
        parts = urlsplit(url if len(url) <= MOST_URL and _URL.fullmatch(url) else "")
        whole = bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        whole = False
    if not whole:
        raise WebhookWrong("url", "this is no URL, such as https://intranet.valmont.example/hooks")
    if parts.username is not None or parts.fragment:
        raise WebhookWrong("url", "a URL without a password and without a fragment")
    return parts
