"""A stand-in for an RTC worker, and the bodies of a browser: no ICE, no DTLS, plain sockets."""

from collections.abc import Callable

from media.engine import MediaUnavailable
from media.rtc.protocol import (
    Address,
    AddStream,
    Agree,
    Close,
    Command,
    LegCounts,
    Open,
    Opened,
    Ready,
    Report,
    Restart,
)
from tests.media.phone import Phone

PAGE = "AA:" * 31 + "01"
OTHER_PAGE = "AA:" * 31 + "02"
ADDRESS = ("192.0.2.10", 19_999)
CHROMIUM_SOUND = (
    "111 opus/48000/2",
    "63 red/48000/2",
    "9 G722/8000",
    "0 PCMU/8000",
    "8 PCMA/8000",
    "13 CN/8000",
    "110 telephone-event/48000",
    "126 telephone-event/8000",
)
CHROMIUM_PICTURES = (
    "96 VP8/90000",
    "97 rtx/90000",
    "103 H264/90000",
    "104 rtx/90000",
    "107 H264/90000",
    "45 AV1/90000",
)
_FMTP = {
    "111": "minptime=10;useinbandfec=1",
    "63": "111/111",
    "97": "apt=96",
    "103": "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f",
    "104": "apt=103",
    "107": "level-asymmetry-allowed=1;packetization-mode=0;profile-level-id=42e01f",
}


class FakeWorker:
    """A `Worker` that gives each leg the sockets of `Phone`s, which a test may speak and hear with.

    said: every command, in order; open: what it has now, by the leg's key.
    """

    def __init__(self, name: str = "BB") -> None:
        self.events: Callable[[Report], None] = lambda _: None
        self.ready: Ready | None = Ready(("sha-256", ":".join([name] * 32)), (ADDRESS,))
        self.said: list[Command] = []
        self.open_legs: dict[str, Open] = {}
        self.sockets: dict[str, list[Phone]] = {}
        self.agreed: dict[str, Agree] = {}

    async def wait_ready(self) -> Ready:
        if self.ready is None:
            raise MediaUnavailable("no RTC worker serves")
        return self.ready

    async def open(self, message: Open | AddStream) -> tuple[Address, ...]:
        await self.wait_ready()
        self.said.append(message)
        phones = self.sockets.setdefault(message.leg, [])
        if isinstance(message, AddStream):
            phones.append(Phone())
        else:
            self.open_legs[message.leg] = message
            phones += [Phone() for _ in range(message.streams)]
        return self._sockets(message.leg)

    def say(self, message: Command) -> None:
        if self.ready is None:
            return
        self.said.append(message)
        match message:
            case Open(leg) if leg in self.open_legs:
                self.events(Opened(leg, self._sockets(leg)))
            case Agree(leg):
                self.agreed[leg] = message
            case Restart(leg, ufrag, password):
                before = self.open_legs[leg]
                self.open_legs[leg] = Open(leg, ufrag, password, before.ipv6, before.streams)
            case Close(legs):
                for leg in legs:
                    self.open_legs.pop(leg, None)
                    self.agreed.pop(leg, None)
                    for phone in self.sockets.pop(leg, []):
                        phone.close()
            case _:
                pass

    async def counts(self, legs: tuple[str, ...]) -> dict[str, LegCounts]:
        return {leg: LegCounts(leg, ("", 0)) for leg in legs if leg in self.open_legs}

    def die(self) -> None:
        """Be gone, with all legs."""
        self.ready = None
        self.close()

    def come_back(self, name: str = "CC") -> None:
        """Be another worker, with another certificate."""
        self.ready = Ready(("sha-256", ":".join([name] * 32)), (ADDRESS,))
        self.events(self.ready)

    def close(self) -> None:
        for phones in self.sockets.values():
            for phone in phones:
                phone.close()
        self.sockets.clear()
        self.open_legs.clear()
        self.agreed.clear()

    def _sockets(self, leg: str) -> tuple[Address, ...]:
        return tuple((phone.host, phone.port) for phone in self.sockets[leg])


def page_sdp(
    *,
    setup: str = "actpass",
    ufrag: str = "pAge",
    page: str = PAGE,
    sound: tuple[str, ...] = CHROMIUM_SOUND,
    pictures: tuple[str, ...] = (),
    direction: str = "sendrecv",
    version: int = 2,
    mids: str = "0 1",
    bundle: bool = True,
) -> bytes:
    """Return what a browser offers, or answers with another `setup`; as Chromium writes it."""
    names = mids.split()
    lines = ["v=0", f"o=- 4611731400430051336 {version} IN IP4 127.0.0.1", "s=-", "t=0 0"]
    if bundle:
        lines.append(f"a=group:BUNDLE {' '.join(names[: 2 if pictures else 1])}")
    lines += ["a=extmap-allow-mixed", "a=msid-semantic: WMS stream"]
    lines += _line("audio", sound, names[0], setup, ufrag, page, direction)
    if pictures:
        lines += _line("video", pictures, names[1], setup, ufrag, page, direction)
    return ("\r\n".join(lines) + "\r\n").encode()


def _line(
    kind: str, codecs: tuple[str, ...], mid: str, setup: str, ufrag: str, page: str, direction: str
) -> list[str]:
    numbers = [codec.split()[0] for codec in codecs]
    lines = [
        f"m={kind} 9 UDP/TLS/RTP/SAVPF {' '.join(numbers)}",
        "c=IN IP4 0.0.0.0",
        "a=rtcp:9 IN IP4 0.0.0.0",
        f"a=ice-ufrag:{ufrag}",
        "a=ice-pwd:ZB2rxfXvuoCQOdDuM+Wb8i1m",
        "a=ice-options:trickle",
        f"a=fingerprint:sha-256 {page}",
        f"a=setup:{setup}",
        f"a=mid:{mid}",
        "a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level",
        f"a={direction}",
        "a=msid:stream track",
        "a=rtcp-mux",
    ]
    for codec in codecs:
        number = codec.split()[0]
        lines.append(f"a=rtpmap:{codec}")
        if kind == "video":
            lines += [
                f"a=rtcp-fb:{number} nack",
                f"a=rtcp-fb:{number} nack pli",
                f"a=rtcp-fb:{number} goog-remb",
            ]
        if number in _FMTP:
            lines.append(f"a=fmtp:{number} {_FMTP[number]}")
    return [*lines, "a=ssrc:1234567 cname:abc"]
