"""What is answered over LDAP (RFC 4511 sections 4.1.9 and 4.5.2)."""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum
from typing import Final

from provisioning.ldap.ber import ENUMERATED, OCTETS, SEQUENCE, SET, integer, text, written
from provisioning.ldap.requests import PAGED

BIND_DONE: Final = 0x61
SEARCH_ENTRY: Final = 0x64
SEARCH_DONE: Final = 0x65
EXTENDED_DONE: Final = 0x78
NOTICE_OF_DISCONNECTION: Final = "1.3.6.1.4.1.1466.20036"


class Result(IntEnum):
    """RFC 4511 appendix A, as far as we say it."""

    SUCCESS = 0
    PROTOCOL_ERROR = 2
    TIME_LIMIT_EXCEEDED = 3
    SIZE_LIMIT_EXCEEDED = 4
    AUTH_METHOD_NOT_SUPPORTED = 7
    UNAVAILABLE_CRITICAL_EXTENSION = 12
    CONFIDENTIALITY_REQUIRED = 13
    NO_SUCH_OBJECT = 32
    INVALID_CREDENTIALS = 49
    INSUFFICIENT_ACCESS_RIGHTS = 50
    BUSY = 51
    UNAVAILABLE = 52
    UNWILLING_TO_PERFORM = 53


def done(id_: int, tag: int, result: Result, why: str = "", cookie: bytes | None = None) -> bytes:
    """The end of an operation. cookie: of the next page, b"" for none; None where nobody asked for pages."""
    body = written(tag, integer(result, ENUMERATED), text(""), text(why))
    controls = b""
    if cookie is not None:
        value = written(SEQUENCE, integer(0), written(OCTETS, cookie))
        controls = written(0xA0, written(SEQUENCE, text(PAGED), written(OCTETS, value)))
    return written(SEQUENCE, integer(id_), body, controls)


def disconnection(result: Result, why: str) -> bytes:
    """Said before the connection ends (RFC 4511 section 4.4.1)."""
    name = text(NOTICE_OF_DISCONNECTION, 0x8A)
    return written(
        SEQUENCE, integer(0), written(EXTENDED_DONE, integer(result, ENUMERATED), text(""), text(why), name)
    )


def attribute(name: str, values: Iterable[str]) -> bytes:
    """One attribute of an entry, ready to be sent; without values where only types are wanted."""
    return written(SEQUENCE, text(name), written(SET, *(text(value) for value in values)))


def entry(id_: int, name: str, attributes: Iterable[bytes]) -> bytes:
    """One entry that was found."""
    body = written(SEARCH_ENTRY, text(name), written(SEQUENCE, *attributes))
    return written(SEQUENCE, integer(id_), body)
