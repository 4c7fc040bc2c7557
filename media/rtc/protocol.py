"""The messages between the signalling process and an RTC worker, in frames (`media.frames`).

Signalling connects to the worker over a Unix stream socket; the worker says `Ready` first. A leg is named by
a key that signalling makes up, which is met once in the life of all workers.

```
    Open(leg, ufrag, password)        ->   Opened(leg, sockets)          the leg has its plain sockets
    Agree(leg, role, …)               ->   Connected(leg, address)       ICE and DTLS are through
                                           Moved(leg, address)           its network changed
                                           Gone(leg, why)                consent, DTLS: until the next Agree
    Close(legs)
```

Either process may die. A worker that comes back has another certificate and no leg. Signalling that comes
back says `Open` of each leg that it knows again, with what it was opened with: that leg goes on as it is, and
its `Opened` has the same sockets. A leg that nobody has claimed so ends CLAIM_SECONDS after the connection.
"""

from typing import Final, Literal

import msgspec

from media.frames import decoded

CLAIM_SECONDS: Final = 30.0

Role = Literal["server", "client"]
"""Which end of DTLS we are: the client begins (RFC 8842)."""

Why = Literal["consent", "closed", "failed"]
"""Why a browser is gone: consent (RFC 7675), it ended DTLS, or a handshake that didn't succeed."""

Address = tuple[str, int]


class PlainStream(msgspec.Struct, array_like=True, frozen=True):
    """Where what the browser sends of one line goes, as plain RTP. index: of its socket in `Opened`.

    host, port, rtcp_port: of the media plane, which sends from there as well. numbers: each payload type
    that the browser may send with, and the media plane's for it: another where two lines of the bundle
    would have had the same. nack: the browser asks again for what it misses, and may be asked.
    """

    index: int
    host: str
    port: int
    rtcp_port: int
    numbers: dict[int, int]
    nack: bool


class Open(msgspec.Struct, tag="open", array_like=True):
    """Have this leg: with ICE credentials of ours, and so many plain sockets, of IPv4 or IPv6."""

    leg: str
    ufrag: str
    password: str
    ipv6: bool
    streams: int


class AddStream(msgspec.Struct, tag="add", array_like=True):
    """Give a leg one plain socket more; `Opened` tells all that it has then."""

    leg: str


class Agree(msgspec.Struct, tag="agree", array_like=True):
    """What was agreed with the browser, in place of what was said before.

    role: stays for the whole association. fingerprints: hash (in small letters) and digest (capitals, with
    colons) of its certificate: one of them must fit. ufrag: the browser's, which goes with our newest.
    """

    leg: str
    role: Role
    fingerprints: tuple[tuple[str, str], ...]
    ufrag: str
    streams: tuple[PlainStream, ...]


class Restart(msgspec.Struct, tag="restart", array_like=True):
    """ICE begins again with these credentials of ours, on the same DTLS (RFC 8445 section 9)."""

    leg: str
    ufrag: str
    password: str


class Pair(msgspec.Struct, tag="pair", array_like=True):
    """What this leg asks of a picture (a key frame, less of it) is asked of that one's camera.

    "": of the media plane, which asks for whole pictures in the other party's own way.
    Lines are matched by their index.
    """

    leg: str
    partner: str


class Close(msgspec.Struct, tag="close", array_like=True):
    """Forget these legs. An unknown one is no error."""

    legs: tuple[str, ...]


class Query(msgspec.Struct, tag="query", array_like=True):
    """Ask for `Counts`. number: named again in the answer."""

    number: int
    legs: tuple[str, ...]


class Inventory(msgspec.Struct, tag="inventory", array_like=True):
    """Ask for `Held`."""


class Ready(msgspec.Struct, tag="ready", array_like=True):
    """The worker serves. fingerprint: of its certificate, hash and digest; addresses: its UDP ports."""

    fingerprint: tuple[str, str]
    addresses: tuple[Address, ...]


class Opened(msgspec.Struct, tag="opened", array_like=True):
    """The plain sockets of a leg, by index."""

    leg: str
    sockets: tuple[Address, ...]


class Refused(msgspec.Struct, tag="refused", array_like=True):
    """A leg can't be had, or not another stream of it. reason: for a log."""

    leg: str
    reason: str


class Connected(msgspec.Struct, tag="connected", array_like=True):
    """Media can flow. address: where the browser is heard from."""

    leg: str
    address: Address


class Moved(msgspec.Struct, tag="moved", array_like=True):
    """The browser is heard from elsewhere now."""

    leg: str
    address: Address


class Gone(msgspec.Struct, tag="gone", array_like=True):
    """Nothing comes from the browser any more, or nothing that may be taken."""

    leg: str
    why: Why


class LegCounts(msgspec.Struct, array_like=True, frozen=True):
    """What one leg's association has done. address: the browser's, ("", 0) before it was heard.

    packets, sent: RTP from it and to it; invalid: that couldn't be authenticated; resent: of ours, asked
    for by NACK.
    """

    leg: str
    address: Address
    packets: int = 0
    sent: int = 0
    invalid: int = 0
    resent: int = 0


class Counts(msgspec.Struct, tag="counts", array_like=True):
    """The answer to `Query`. Legs that the worker doesn't have are left out."""

    number: int
    legs: tuple[LegCounts, ...]


class Held(msgspec.Struct, tag="held", array_like=True):
    """The answer to `Inventory`: every leg that the worker has, and how many associations are connected."""

    legs: tuple[str, ...]
    connected: int


Command = Open | AddStream | Agree | Restart | Pair | Close | Query | Inventory
Report = Ready | Opened | Refused | Connected | Moved | Gone | Counts | Held

_commands = msgspec.msgpack.Decoder(list[Command])
_reports = msgspec.msgpack.Decoder(list[Report])


def commands(body: bytes) -> list[Command]:
    """Return the messages of one frame to the worker. Raises WireError."""
    return decoded(body, _commands)


def reports(body: bytes) -> list[Report]:
    """Return the messages of one frame from the worker. Raises WireError."""
    return decoded(body, _reports)
