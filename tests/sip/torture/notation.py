"""The notation of the torture test RFCs, and the messages written in it.

RFC 4475 section 2 and RFC 5118 section 2 write their messages as text with three marks, because the lines are
too long or hold what can't be printed:

- `<allOneLine>` ... `</allOneLine>`: the lines between are one line, joined with nothing in between;
- `<repeat count=3>ab</repeat>`: `ababab`;
- `<hex>0A FF</hex>`: these octets (spaces between the digits mean nothing).

Every other end of line is CRLF. `messages/` has one file for each message, named as the RFC names it.
"""

from __future__ import annotations

import re
from pathlib import Path

MESSAGES = Path(__file__).parent / "messages"

_ONE_LINE = re.compile(rb"<allOneLine>\n(.*?)\n</allOneLine>(?=\n)", re.DOTALL)
_REPEAT = re.compile(rb"<repeat count=(\d+)>([^<>]*)</repeat>")
_HEX = re.compile(rb"<hex>([0-9A-Fa-f ]*)</hex>")
_LEFT_OVER = re.compile(rb"</?(?:allOneLine|repeat|hex)\b")


def expand(text: str) -> bytes:
    """The octets that `text` stands for (RFC 4475 section 2.1 to 2.3).

    Raises ValueError when the text isn't ASCII or a mark is misspelt or not closed.
    """
    octets = text.encode("ascii")
    octets = _ONE_LINE.sub(lambda mark: mark[1].replace(b"\n", b""), octets)
    octets = octets.replace(b"\n", b"\r\n")
    octets = _REPEAT.sub(lambda mark: mark[2] * int(mark[1]), octets)
    left_over = _LEFT_OVER.search(_HEX.sub(b"", octets))
    if left_over is not None:
        raise ValueError(f"mark {left_over[0].decode()!r} is misspelt or not closed")
    # Last, so that octets written in hexadecimal are never read as marks or line ends.
    return _HEX.sub(lambda mark: bytes.fromhex(mark[1].decode()), octets)


def message(name: str) -> bytes:
    """The message called `name` in RFC 4475 or RFC 5118, as it would be on the wire.

    Raises FileNotFoundError for a name that neither has.
    """
    folder = (
        "rfc5118" if "-" in name else "rfc4475"
    )  # as it happens, only the names of RFC 5118 have a hyphen
    return expand((MESSAGES / folder / f"{name}.txt").read_text(encoding="ascii"))


def names() -> list[str]:
    """The names of all messages, sorted, those of RFC 4475 first."""
    return [
        file.stem for folder in ("rfc4475", "rfc5118") for file in sorted((MESSAGES / folder).glob("*.txt"))
    ]
