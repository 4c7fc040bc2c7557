"""What happens to the legs of a call, as an app sees it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sip.core.reason import Reason

if TYPE_CHECKING:
    from pbx.calls.leg import Leg


class LegEnded(Exception):
    """A party of the call hung up, gave up, or was lost. It ends the app unless the app expects it."""

    def __init__(self, leg: Leg, reason: Reason) -> None:
        super().__init__(f"{leg.name} ended: {reason.text or reason.cause}")
        self.leg = leg
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Progressed:
    """A device rings (180) or is being reached (181 to 199); body is early media's answer, often empty."""

    leg: Leg
    status: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Answered:
    """A device answered. body: its answer."""

    leg: Leg
    body: bytes


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """The caller's ACK of our offer. body: its answer; empty from a caller that breaks RFC 3261 section
    13.2.2.4."""

    leg: Leg
    body: bytes


@dataclass(frozen=True, slots=True)
class Failed:
    """A device didn't take the call."""

    leg: Leg
    status: int
    reason: Reason


@dataclass(frozen=True, slots=True)
class Offered:
    """A party in the call wants to change its media; an empty body asks for our offer."""

    leg: Leg
    body: bytes


@dataclass(frozen=True, slots=True)
class OfferAnswered:
    """A party accepted our re-INVITE."""

    leg: Leg
    body: bytes


@dataclass(frozen=True, slots=True)
class OfferRefused:
    """A party refused our re-INVITE; what was agreed before holds."""

    leg: Leg
    status: int


@dataclass(frozen=True, slots=True)
class Digit:
    """A party pressed a key."""

    leg: Leg
    digit: str


@dataclass(frozen=True, slots=True)
class Played:
    """What was being played to a party is over."""

    leg: Leg


@dataclass(frozen=True, slots=True)
class TimeUp:
    """The deadline that the app gave has come."""


Happening = (
    Progressed
    | Answered
    | Acknowledged
    | Failed
    | Offered
    | OfferAnswered
    | OfferRefused
    | Digit
    | Played
    | TimeUp
)
