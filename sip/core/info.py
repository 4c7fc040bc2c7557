"""INFO: what travels within a session without changing it (RFC 6086); digits as phones really send them.

No info package is offered: `Recv-Info` would list the ones that we take (RFC 6086 section 4.2.1), and the two
bodies that carry digits are older than packages. They are RFC 2976's legacy usage (RFC 6086 section 9.1).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from sip.core import media_control
from sip.core.errors import RemoteProtocolError
from sip.core.message import Request

RELAY = "application/dtmf-relay"
PLAIN = "application/dtmf"
ACCEPTED = f"{RELAY}, {PLAIN}, {media_control.CONTENT_TYPE}"
DEFAULT_MILLISECONDS = 250
_MOST_MILLISECONDS = 6000
_MAX_BODY_BYTES = 256
_DIGITS = "0123456789*#ABCD"
_EVENTS = {"10": "*", "11": "#", "12": "A", "13": "B", "14": "C", "15": "D"}  # RFC 4733 section 3.2
_LINE = re.compile(r"[ \t]*(signal|duration)[ \t]*=[ \t]*([0-9*#a-z]{1,6})[ \t]*\Z", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Digit:
    """A key that the party pressed: one of 0-9, *, #, A-D, and for how long."""

    digit: str
    duration_ms: int = DEFAULT_MILLISECONDS


def digit_of(info: Request) -> Digit | None:
    """The key that an INFO carries; None for an empty one, which only asks whether we are there.

    Raises RemoteProtocolError, to be answered: 469 for an info package, since we take none, with an empty
    Recv-Info; 415 for another body; 400 for one that is no digit.
    """
    if "info-package" in info.headers:
        raise RemoteProtocolError(469, "Bad Info Package", (("Recv-Info", ""),))  # RFC 6086 section 4.2.2
    if not info.body:
        return None
    kind = info.get("content-type").partition(";")[0].strip().lower()
    if kind not in {RELAY, PLAIN}:
        raise RemoteProtocolError(415, "Unsupported Media Type", (("Accept", ACCEPTED),))
    if len(info.body) > _MAX_BODY_BYTES:
        raise RemoteProtocolError(413, "Request Entity Too Large")
    text = info.body.decode("latin-1")
    return _relayed(text) if kind == RELAY else Digit(_key(text.strip()))


def relay_body(digit: Digit) -> bytes:
    """A key as application/dtmf-relay."""
    return f"Signal={digit.digit}\r\nDuration={digit.duration_ms}\r\n".encode()


def _relayed(text: str) -> Digit:
    """`Signal=5` and `Duration=160` on lines of their own; spaces and small letters are seen from phones."""
    fields: dict[str, str] = {}
    for line in text.splitlines():
        if line.strip():
            match = _LINE.match(line)
            if match is None:
                raise _malformed()
            fields.setdefault(match[1].lower(), match[2])
    duration = fields.get("duration", str(DEFAULT_MILLISECONDS))
    if "signal" not in fields or not duration.isdigit():
        raise _malformed()
    return Digit(_key(fields["signal"]), min(max(int(duration), 1), _MOST_MILLISECONDS))


def _key(text: str) -> str:
    """The digit for what a phone writes: itself, or its number as an event."""
    key = _EVENTS.get(text, text.upper())
    if len(key) != 1 or key not in _DIGITS:
        raise _malformed()
    return key


def _malformed() -> RemoteProtocolError:
    return RemoteProtocolError(400, "Malformed Digit")
