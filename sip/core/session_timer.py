"""The session timer: a call whose peer is gone ends by itself (RFC 4028).

Each side of a session may ask for an interval in which somebody must refresh it, by UPDATE or re-INVITE. The
machine below knows when; the session does what it asks. Every accepted refresh, of either side, starts it
again with what was agreed then.

                  agree(): we refresh               agree(): they refresh
                .---------------------> REFRESHING  <-------------------> WATCHING <---------------.
                |                        |   ^  |    (roles may change)       |                    |
   (made) ------|-- half the interval:   |   |  |                             |                    '-- (made)
                    refresh, and again --'   |  | interval less a third or    | interval less a third
                    if it fails              |  | 32 s, not refreshed         | or 32 s, not refreshed
                                             |  v                             v
                     stop() from any state -----> OVER <--- tell the session: BYE (section 10)
"""

from __future__ import annotations

from enum import Enum, auto
from typing import Protocol

from sip.core.errors import ParseError, RemoteProtocolError
from sip.core.grammar import parse_number, parse_parameters
from sip.core.message import Request, Response

SESSION_SECONDS = 1800  # RFC 4028 section 4: the recommended interval
MIN_SECONDS = 90  # RFC 4028 section 5: nobody may ask for less
MAX_SECONDS = (1 << 32) - 1
MARGIN_SECONDS = 32.0  # RFC 4028 section 10: end this long before the interval is over, or a third of it
SHORTEST_RETRY_SECONDS = 5.0


class SessionTimerUser(Protocol):
    """The session that a timer belongs to."""

    def refresh(self, now: float) -> None:
        """It is time for us to refresh; where that isn't possible just now, it is asked again."""

    def expired(self, now: float) -> None:
        """Nobody refreshed the session in time."""


class SessionTimerState(Enum):
    """Where the machine stands."""

    REFRESHING = auto()
    WATCHING = auto()
    OVER = auto()


class SessionTimer:
    """The timer of one session. interval_seconds: what was agreed last."""

    __slots__ = ("_ends_at", "_user", "armed", "deadline", "interval_seconds", "state")

    def __init__(self, user: SessionTimerUser) -> None:
        self._user: SessionTimerUser | None = user
        self.state = SessionTimerState.OVER
        self.interval_seconds = 0
        self.deadline: float | None = None
        self.armed: float | None = None
        self._ends_at = 0.0

    @property
    def we_refresh(self) -> bool:
        """Whether refreshing is our duty."""
        return self.state is SessionTimerState.REFRESHING

    def agree(self, interval_seconds: int, we_refresh: bool, now: float) -> None:
        """A 2xx to an INVITE, re-INVITE or UPDATE said this: the interval begins again."""
        self.interval_seconds = interval_seconds
        self._ends_at = now + interval_seconds - min(MARGIN_SECONDS, interval_seconds / 3)
        if we_refresh:
            self.state = SessionTimerState.REFRESHING
            self.deadline = now + interval_seconds / 2  # RFC 4028 section 10: once half of it has elapsed
        else:
            self.state = SessionTimerState.WATCHING
            self.deadline = self._ends_at

    def stop(self) -> None:
        """The session is over, or has no interval any more. What waits in the heap is all that is left."""
        self.state = SessionTimerState.OVER
        self.deadline = None
        self._user = None

    def fire(self, now: float) -> None:
        """The deadline has come."""
        user = self._user
        if user is None:
            self.deadline = None
            return
        match self.state:
            case SessionTimerState.REFRESHING if now < self._ends_at:
                remaining = self._ends_at - now
                self.deadline = now + max(remaining / 2, min(SHORTEST_RETRY_SECONDS, remaining))
                user.refresh(now)
            case SessionTimerState.REFRESHING | SessionTimerState.WATCHING:
                self.stop()
                user.expired(now)
            case SessionTimerState.OVER:
                self.deadline = None


def session_expires(message: Request | Response) -> tuple[int, str]:
    """Session-Expires as seconds and refresher (`uac`, `uas` or empty). Raises ParseError (section 4)."""
    number, semicolon, tail = message.only("session-expires").partition(";")
    refresher = parse_parameters(semicolon + tail).get("refresher", "").lower()
    if refresher not in {"uac", "uas", ""}:
        raise ParseError(f"refresher is {refresher[:20]!r}")
    return parse_number(number.strip(), "Session-Expires", MAX_SECONDS), refresher


def least_seconds(message: Request | Response) -> int:
    """Min-SE in seconds, 90 where there is none. Raises ParseError. RFC 4028 section 5."""
    if "min-se" not in message.headers:
        return MIN_SECONDS
    number = message.only("min-se").partition(";")[0].strip()
    return max(MIN_SECONDS, parse_number(number, "Min-SE", MAX_SECONDS))


def granted(request: Request, least: int) -> tuple[int, bool]:
    """What a server agrees to: the interval in seconds, and whether it refreshes itself.

    request: an INVITE or UPDATE with Session-Expires; least: our own minimum.
    Raises RemoteProtocolError 422 with Min-SE where the interval is too short. RFC 4028 section 9.
    """
    seconds, refresher = session_expires(request)
    supported = "timer" in request.tokens("supported") or "timer" in request.tokens("require")
    if seconds < least:
        if supported:
            raise RemoteProtocolError(422, "Session Interval Too Small", (("Min-SE", str(least)),))
        seconds = least  # a proxy asks, the client wouldn't understand a 422
    # RFC 4028 section 9, table 2: what the client asks for holds; who doesn't know timers can't refresh
    return seconds, not (supported and refresher == "uac")


def server_lines(seconds: int, we_refresh: bool) -> str:
    """The header lines of a 2xx (RFC 4028 section 9): timer is required where the client has to refresh."""
    if we_refresh:
        return f"Session-Expires: {seconds};refresher=uas\r\n"
    return f"Require: timer\r\nSession-Expires: {seconds};refresher=uac\r\n"


def client_lines(seconds: int, least: int, refresher: str = "") -> str:
    """The header lines of an INVITE or UPDATE (RFC 4028 section 7.1). refresher: empty leaves it to them."""
    parameter = f";refresher={refresher}" if refresher else ""
    minimum = f"Min-SE: {least}\r\n" if least > MIN_SECONDS else ""
    return f"Session-Expires: {seconds}{parameter}\r\n{minimum}"
