"""The gate: whose messages are read, who is answered, how much each device may ask for.

    message ──> admits ──> parsed ──> known by digest? ──yes──> allows_register, allows_call (by device)
                  │                        └──no──> answers_stranger (by source)
                  └─ dropped unread: banned, or a stranger's too many

A source (an address, or an IPv6 /64) has one of three standings:

- ours: loopback (unless asked), the sites' networks, the trunks' addresses, the networks that are never to be
banned.
  Never banned; its messages are always read, since an emergency call may be among them.
- familiar: a telephone of ours signed in from there in the last days. Never banned, always read; only what is
  unauthenticated is throttled, and the account that fails.
- a stranger: its messages are counted, what it does wrong adds up to a ban.

While datagrams come faster than they can be understood, those of the first two are read first (`knows`), and
strangers wait their turn.

Whether evidence proves who sent it is told apart: a datagram's address can be forged, a nonce that came back
or a connection can't. Forged evidence only earns the shortest ban, and never one for a familiar source:
nobody can be locked out by somebody else. No account is ever locked: failures count by account and source.
"""

from __future__ import annotations

import ipaddress
import logging
import re
from collections import Counter, OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from pbx.defence.bans import MOST_BANS, Ban, Bans, KeptBans, source_of
from pbx.defence.limit import Limit
from pbx.events import AddressBanned, Events

log = logging.getLogger(__name__)

FAMILIAR_SECONDS = 7 * 24 * 3600.0
MOST_FAMILIAR = 16_384
WINDOW_SECONDS = 1.0
STRIKES = 20.0  # points that make a ban; one is forgiven every FORGIVEN_SECONDS
FORGIVEN_SECONDS = 30.0

# Points of what strangers do.
UNKNOWN_USER = 4.0  # five wrong names in a row
WRONG_PASSWORD = 1.0
BAD_METHOD = 5.0
MALFORMED = 1.0
FLOOD = 0.1
TOOL = STRIKES + 1

# Scanners by the name that they give themselves. None of them is a telephone.
_TOOLS = re.compile(
    r"friendly-scanner|friendly-request|sipvicious|sipcli|sundayddr|sip-?scan|sivus|smap\b|vaxsipuseragent"
    r"|pplsip|iwar\b|siparmyknife|warvox|sipptk|voip-?scan|massscan",
    re.IGNORECASE,
)
_MOST_AGENTS = 1024
_ALWAYS = -1_000_000_000


class Standing(Enum):
    """How a source is treated."""

    OURS = "ours"
    FAMILIAR = "familiar"
    STRANGER = "stranger"


@dataclass(frozen=True, slots=True)
class Settings:
    """What may be configured under `defence:`. never_ban: networks besides the sites' own.

    messages_per_second is for one stranger; the others are for one device.
    """

    ban_loopback: bool = False
    messages_per_second: int = 100
    registrations_per_minute: int = 30
    calls_per_minute: int = 60
    texts_per_minute: int = 60
    never_ban: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...] = ()


class Gate:
    """One node's gate.

    clock: Unix seconds, for bans; every `now` is the loop's. is_ours: whether a literal address is of a
    site's network or of a trunk. events: told of every ban.
    """

    def __init__(
        self,
        *,
        clock: Callable[[], float],
        is_ours: Callable[[str], bool] = lambda _: False,
        settings: Settings | None = None,
        kept: KeptBans | None = None,
        events: Events | None = None,
    ) -> None:
        self.settings = settings = settings or Settings()
        self.bans = Bans(kept)
        self.counts: Counter[str] = Counter()
        self._clock = clock
        self._events = events or Events(clock)
        self._is_ours = is_ours
        self._loopback_is_ours = not settings.ban_loopback
        self._most_messages = settings.messages_per_second
        self._familiar: OrderedDict[str, float] = OrderedDict((kept or KeptBans()).familiar)
        # Banned sources begin each second at the most: one lookup finds both a ban and a flood.
        self._banned = {ban.source: self._most_messages for ban in self.bans.in_force(clock())}
        self._heard: dict[str, int] = {}  # by source, in this second
        self._ours: dict[str, bool] = {}  # by address, in this second: plans and names change
        self._window_ends = 0.0
        self._strikes = Limit(1 / FORGIVEN_SECONDS, STRIKES)
        # An office whose 200 telephones start at once is a stranger until the first of them has signed in.
        self._strangers = Limit(per_second=5, burst=50)
        self._strangers_together = Limit(per_second=1000, burst=2000)  # a flood from everywhere
        self._unauthenticated = Limit(per_second=100, burst=1000)
        self._attempts = Limit(per_second=1 / 30, burst=10)
        self._registrations = Limit(settings.registrations_per_minute / 60, settings.registrations_per_minute)
        self._calls = Limit(settings.calls_per_minute / 60, settings.calls_per_minute)
        self._texts = Limit(settings.texts_per_minute / 60, settings.texts_per_minute)
        self._agents: dict[str, bool] = {}

    # Every message

    def admits(self, host: str, now: float) -> bool:
        """Whether a message (or a connection) from an address is to be read at all."""
        if now >= self._window_ends:
            self._window_ends = now + WINDOW_SECONDS
            self._heard = self._banned.copy()
            self._ours.clear()
        source = source_of(host) if ":" in host else host
        heard = self._heard
        count = heard.get(source, 0) + 1
        heard[source] = count
        return count <= self._most_messages or self._admits_more(host, source, now)

    def knows(self, host: str) -> bool:
        """Whether a source is ours or familiar: its messages are read before those of strangers."""
        return (source_of(host) if ":" in host else host) in self._familiar or self._of_ours(host)

    def _admits_more(self, host: str, source: str, now: float) -> bool:
        """Whether a source that is banned, or has sent a second's share, is heard all the same."""
        ours = self._of_ours(host)
        if not ours and source in self._banned:
            if self.bans.find(source, self._clock()) is not None:
                self.counts["from banned sources"] += 1
                return False
            del self._banned[source]  # it is over
            self._heard[source] = 1
            return True
        if ours or source in self._familiar:
            self._heard[source] = _ALWAYS  # until the next second
            return True
        self.counts["too many messages"] += 1
        self.accuse(host, FLOOD, "too many messages", now)
        return False

    # Requests without credentials

    def answers_stranger(self, host: str, now: float, user_agent: str = "") -> bool:
        """Whether a request that proves nothing gets an answer; False is silence."""
        if host.startswith("127.") and self._loopback_is_ours:
            return True
        if user_agent and self._is_tool(user_agent) and not self._of_ours(host):
            self.counts["from scanners"] += 1
            self.accuse(host, TOOL, f"a scanner: {user_agent[:80]}", now)
            return False
        source = source_of(host)
        if self.standing(host) is Standing.STRANGER:
            answered = self._strangers.allows(source, now)
            if answered:
                answered = self._strangers_together.allows("", now)
                if not answered:  # a flood from everywhere: until the next second none of this one's is read
                    self._heard[source] = self._most_messages
            else:
                self.accuse(host, FLOOD, "too many requests without credentials", now)
        else:
            answered = self._unauthenticated.allows(source, now)
        if not answered:
            self.counts["unauthenticated, not answered"] += 1
        return answered

    def _is_tool(self, user_agent: str) -> bool:
        known = self._agents.get(user_agent)
        if known is None:
            if len(self._agents) >= _MOST_AGENTS:
                self._agents.clear()
            known = self._agents[user_agent] = _TOOLS.search(user_agent) is not None
        return known

    # Credentials

    def wrong_credentials(self, host: str, username: str, now: float, *, known_user: bool) -> None:
        """A nonce of ours came back with a wrong digest."""
        if host.startswith("127.") and self._loopback_is_ours:
            return
        self._attempts.allows((source_of(host), username), now)
        points = WRONG_PASSWORD if known_user else UNKNOWN_USER
        self.accuse(host, points, f"wrong credentials, the last for {username[:64]}", now, proven=True)

    def tries_too_often(self, host: str, username: str, now: float) -> bool:
        """Whether an account has failed too often from this source to be tried again now."""
        return len(self._attempts) > 0 and self._attempts.spent((source_of(host), username), now)

    def welcome(self, host: str) -> None:
        """A device of ours signed in from there."""
        source = source_of(host)
        self._familiar[source] = self._clock()
        self._familiar.move_to_end(source)
        if len(self._familiar) > MOST_FAMILIAR:
            self._familiar.popitem(last=False)
        self._strangers.give_back(source)
        self._unauthenticated.give_back(source)

    # Devices

    def allows_register(self, host: str, sign_in: str, now: float) -> bool:
        """Whether a device may register once more now."""
        return (host.startswith("127.") and self._loopback_is_ours) or self._registrations.allows(
            sign_in, now
        )

    def allows_call(self, host: str, sign_in: str, now: float) -> bool:
        """Whether a device may call once more now. It isn't asked for an emergency call."""
        return (host.startswith("127.") and self._loopback_is_ours) or self._calls.allows(sign_in, now)

    def allows_text(self, host: str, sign_in: str, now: float) -> bool:
        """Whether a device may send one more short message now."""
        return (host.startswith("127.") and self._loopback_is_ours) or self._texts.allows(sign_in, now)

    # Evidence

    def accuse(self, host: str, points: float, why: str, now: float, *, proven: bool = False) -> None:
        """Note what a source did; a stranger that has STRIKES points is banned."""
        if self.standing(host) is not Standing.STRANGER:
            return
        source = source_of(host)
        if points < STRIKES and self._strikes.allows(source, now, points):
            return
        unix_now = self._clock()
        if self.bans.find(source, unix_now) is not None:
            return
        self._strikes.forget(source)
        self._put_in_force(self.bans.add(source, why, unix_now, proven=proven))

    def standing(self, host: str) -> Standing:
        """How the source of an address is treated."""
        if self._of_ours(host):
            return Standing.OURS
        signed_in = self._familiar.get(source_of(host))
        if signed_in is not None and self._clock() - signed_in < FAMILIAR_SECONDS:
            return Standing.FAMILIAR
        return Standing.STRANGER

    def _of_ours(self, host: str) -> bool:
        known = self._ours.get(host)
        if known is None:
            known = self._ours[host] = self._look_up(host)
        return known

    def _look_up(self, host: str) -> bool:
        try:
            address = ipaddress.ip_address(host.partition("%")[0])
        except ValueError:
            return False
        if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        if address.is_loopback and self._loopback_is_ours:
            return True
        if any(address in network for network in self.settings.never_ban):
            return True
        return self._is_ours(str(address))

    # Bans

    def ban(self, source: str, why: str, seconds: float) -> Ban:
        """Ban a source because a person asked. Raises ValueError for one of ours, with why not."""
        if self._of_ours(source.partition("/")[0]) or source == source_of("::1"):
            raise ValueError(f"{source} is loopback, of a site, of a trunk or under never_ban: never banned")
        ban = self.bans.add_manual(source, why, self._clock(), seconds)
        self._familiar.pop(source, None)
        self._put_in_force(ban)
        return ban

    def lift(self, source: str) -> bool:
        """Lift a source's ban; False when it had none."""
        self._banned.pop(source, None)
        self._heard.pop(source, None)
        self._strikes.forget(source)
        return self.bans.remove(source)

    def _put_in_force(self, ban: Ban) -> None:
        if len(self._banned) >= MOST_BANS:
            self._banned = {one.source: self._most_messages for one in self.bans.in_force(self._clock())}
        self._banned[ban.source] = self._heard[ban.source] = self._most_messages
        self.counts["bans"] += 1
        log.warning(
            "source=%s banned seconds=%.0f times=%d why=%s",
            ban.source,
            ban.until - ban.since,
            ban.times,
            ban.why,
        )
        self._events.publish(AddressBanned, ban.source, ban.why, ban.until)

    def bans_in_force(self) -> list[Ban]:
        """The bans in force, the newest last."""
        return self.bans.in_force(self._clock())

    def kept(self) -> KeptBans:
        """What is to be written down."""
        unix_now = self._clock()
        oldest = unix_now - FAMILIAR_SECONDS
        familiar = {source: instant for source, instant in self._familiar.items() if instant > oldest}
        return KeptBans(bans=self.bans.kept(unix_now), familiar=familiar)
