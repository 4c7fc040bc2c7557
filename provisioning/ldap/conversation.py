"""One connection of LDAP, as octets in and octets out (RFC 4511 section 5).

    conversation.next_request(octets)     -> a request; a Bind is judged by somebody else
    conversation.judged(bind, viewer)     -> the answer to it
    conversation.search(search, book)     -> the answers to it, slice by slice

    anonymous ──bind, right──> bound ──another bind──> anonymous or bound ──unbind, nonsense──> over
        │  rootDSE and schema alone        │ searches

It reads no clock and decides nobody's password.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from provisioning.ldap import answers, ber
from provisioning.ldap.answers import Result
from provisioning.ldap.book import Book, Viewer, is_about_server
from provisioning.ldap.requests import (
    MOST_MESSAGE,
    START_TLS,
    Abandon,
    Bind,
    Critical,
    Extended,
    Refused,
    Request,
    Search,
    Unbind,
    read_request,
)

VERSION: Final = 3
_READ_ONLY: Final = "this directory is only read"


class Conversation:
    """One client's. is_over: nothing more is to be read."""

    def __init__(self) -> None:
        self._begun = bytearray()
        self._viewer: Viewer | None = None
        self.is_over = False

    @property
    def is_bound(self) -> bool:
        """Whether it has said who it is."""
        return self._viewer is not None

    def next_request(self, octets: bytes = b"") -> Request | None:
        """Take octets, and return the next whole request; None where more is needed.

        Raises BerError for what isn't LDAP: `refused` is to be sent, and the connection to end.
        """
        self._begun += octets
        length = ber.message_length(self._begun, MOST_MESSAGE)
        if not length or len(self._begun) < length:
            return None
        whole = bytes(self._begun[:length])
        del self._begun[:length]
        return read_request(whole)

    def refused(self, result: Result = Result.PROTOCOL_ERROR, why: str = "not understood") -> bytes:
        """What is said before the connection ends."""
        self.is_over = True
        return answers.disconnection(result, why)

    def without_judge(self, bind: Bind) -> bytes:
        """The answer to a bind that nobody needs to judge; b"" for one that somebody must."""
        self._viewer = None  # RFC 4511 section 4.2.1: whatever comes of it, it is nobody until then
        if bind.version != VERSION:
            return answers.done(bind.id, answers.BIND_DONE, Result.PROTOCOL_ERROR, "LDAP 3 alone")
        if bind.password is None:
            why = "a name and a password alone"
            return answers.done(bind.id, answers.BIND_DONE, Result.AUTH_METHOD_NOT_SUPPORTED, why)
        if not bind.name and not bind.password:
            return answers.done(bind.id, answers.BIND_DONE, Result.SUCCESS)
        if not bind.password:
            # RFC 4513 section 5.1.2: a name without a password proves nothing, and is refused.
            return answers.done(bind.id, answers.BIND_DONE, Result.UNWILLING_TO_PERFORM, "a password, please")
        return b""

    def judged(self, bind: Bind, viewer: Viewer | None) -> bytes:
        """The answer to a bind. viewer: who it is, None for a wrong name or password."""
        self._viewer = viewer
        result = Result.SUCCESS if viewer is not None else Result.INVALID_CREDENTIALS
        return answers.done(bind.id, answers.BIND_DONE, result)

    def search(self, search: Search, book: Book) -> Iterator[bytes]:
        """The answers to a search, slice by slice, b"" for one in which nothing is; the last one ends it.

        Nothing more need be taken of them once nobody wants them.
        """
        if self._viewer is None and not is_about_server(search):
            why = "say first who you are"
            yield answers.done(search.id, answers.SEARCH_DONE, Result.INSUFFICIENT_ACCESS_RIGHTS, why)
            return
        end = yield from book.look(search, self._viewer or Viewer("", sees_mobiles=False))
        yield answers.done(search.id, answers.SEARCH_DONE, end.result, end.why, end.cookie)

    def out_of_time(self, search: Search) -> bytes:
        """What ends a search that takes longer than its client wants (RFC 4511 section 4.5.1.5)."""
        return answers.done(search.id, answers.SEARCH_DONE, Result.TIME_LIMIT_EXCEEDED)

    def answer(self, request: Request) -> list[bytes]:
        """The answers to anything but a bind and a search."""
        match request:
            case Extended(id_, name):
                is_tls = name == START_TLS
                # RFC 4511 section 4.14.1: `unavailable` where TLS can't be begun.
                result = Result.UNAVAILABLE if is_tls else Result.PROTOCOL_ERROR
                why = "TLS from the first octet is on the port of LDAPS" if is_tls else "not known here"
                return [answers.done(id_, answers.EXTENDED_DONE, result, why)]
            case Refused(id_, tag):
                return [answers.done(id_, tag, Result.UNWILLING_TO_PERFORM, _READ_ONLY)]
            case Critical(id_, tag):
                result = Result.UNAVAILABLE_CRITICAL_EXTENSION
                return [answers.done(id_, tag, result, "a control that isn't known")]
            case Unbind():
                self.is_over = True
                return []
            case Abandon():
                return []  # RFC 4511 section 4.11: there is no answer, and what was asked is answered already
            case Bind() | Search():
                raise ValueError("a bind is judged, and a search takes its time")
