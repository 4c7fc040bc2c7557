"""The Replaces header: an INVITE that takes the place of a dialog (RFC 3891)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Protocol, TypeVar

from sip.core.errors import ParseError, RemoteProtocolError
from sip.core.grammar import TOKEN, parse_parameters
from sip.core.message import Request

_CALL_ID = re.compile(r"[^\s;,\"<>]{1,256}\Z")
_TAG_CHARS = 128


@dataclass(frozen=True, slots=True)
class Replaces:
    """Which dialog: to_tag is the tag of whoever gets this header, from_tag that of its peer."""

    call_id: str
    to_tag: str
    from_tag: str
    early_only: bool = False

    @classmethod
    def parse(cls, value: str) -> Replaces:
        """Parse the header's value; raises ParseError (400) without both tags (RFC 3891 section 6.1)."""
        call_id, _, tail = value.strip().partition(";")
        call_id = call_id.strip()
        if not _CALL_ID.match(call_id):
            raise ParseError(f"malformed Replaces {value[:80]!r}")
        parameters = parse_parameters(f";{tail}" if tail else "")
        to_tag, from_tag = parameters.get("to-tag", ""), parameters.get("from-tag", "")
        for tag in (to_tag, from_tag):
            if len(tag) > _TAG_CHARS or not TOKEN.fullmatch(tag):
                raise ParseError(f"Replaces without readable tags: {value[:80]!r}")
        return cls(call_id, to_tag, from_tag, "early-only" in parameters)

    @property
    def value(self) -> str:
        """The header's value."""
        early = ";early-only" if self.early_only else ""
        return f"{self.call_id};to-tag={self.to_tag};from-tag={self.from_tag}{early}"


class Stage(Enum):
    """How far a dialog has come, for whoever wants to replace it."""

    EARLY = auto()  # we called: our INVITE rings there
    EARLY_INCOMING = auto()  # we were called and haven't answered
    CONFIRMED = auto()
    ENDED = auto()


class Replaceable(Protocol):
    """A dialog that an INVITE made."""

    @property
    def call_id(self) -> str:
        """Its Call-ID."""

    @property
    def local_tag(self) -> str:
        """Our tag."""

    @property
    def remote_tag(self) -> str:
        """The peer's tag; empty for a client of RFC 2543."""

    @property
    def stage(self) -> Stage:
        """How far it has come."""


T = TypeVar("T", bound=Replaceable)


def replaces_of(request: Request) -> Replaces | None:
    """What an INVITE asks to replace, None where it asks nothing.

    Raises ParseError (400) for more than one, or beside Join (RFC 3891 section 3).
    """
    values = request.headers.get("replaces")
    if values is None:
        return None
    if len(values) > 1 or "join" in request.headers:
        raise ParseError("Replaces more than once, or with Join")
    if request.method != "INVITE":
        raise ParseError("Replaces in a request that isn't INVITE")
    return Replaces.parse(values[0])


def find(replaces: Replaces, dialogs: Iterable[T], *, early: bool = False) -> T:
    """The one of our dialogs that is to be replaced.

    Whether its peer may do so is for the caller of this to decide (403). early: an early dialog that the peer
    began may be replaced too.
    Raises RemoteProtocolError: 481 for none, for several, and for an early dialog that the peer began; 603
    for one that has ended; 486 for a confirmed one where only an early one is wanted. RFC 3891 section 3.
    """
    found = [dialog for dialog in dialogs if _matches(replaces, dialog)]
    if len(found) != 1:
        raise RemoteProtocolError(481, "Call/Transaction Does Not Exist")
    (dialog,) = found
    match dialog.stage:
        case Stage.EARLY:
            return dialog
        case Stage.CONFIRMED if replaces.early_only:
            raise RemoteProtocolError(486, "Busy Here")
        case Stage.CONFIRMED:
            return dialog
        case Stage.EARLY_INCOMING if early:
            return dialog
        case Stage.EARLY_INCOMING:
            raise RemoteProtocolError(481, "Call/Transaction Does Not Exist")
        case Stage.ENDED:
            raise RemoteProtocolError(603, "Decline")


def _matches(replaces: Replaces, dialog: Replaceable) -> bool:
    # RFC 3891 section 3: to-tag is held against the local tag, from-tag against the remote one
    return (
        replaces.call_id == dialog.call_id
        and _same_tag(replaces.to_tag, dialog.local_tag)
        and _same_tag(replaces.from_tag, dialog.remote_tag)
    )


def _same_tag(asked: str, ours: str) -> bool:
    """RFC 3891 section 6.1: a tag of zero also means none, that of a client of RFC 2543."""
    return asked == ours or (asked == "0" and not ours)
