"""Streams whose packets move in threads of C (`media/native/plane.c`), which need no turn of Python's.

The C code is compiled when Beffroi is installed on a machine with a compiler; `is_built` says whether. What
another version left is as good as nothing: the media process would end at the first thing that it lacks.
Python says what each stream does, plays to legs, and is told of keys and of legs that are heard again.
A stream's state lies in the memory of `Inheritance` all the time: nothing has to be written down.

What the loop is to hear comes through a ring of the C code. So do the packets of legs with keys where the C
code was compiled without OpenSSL: pylibsrtp opens and seals them here.
"""

import errno
import logging
import mmap
import os
import socket
from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from secrets import randbits
from typing import TYPE_CHECKING, Any, Final

from media import dtmf
from media.engines import wire
from media.engines.inheritance import RECORD_BYTES, STREAMS, Inheritance, KeyState, fingerprint
from media.engines.reel import Reel, Writer
from media.engines.stream import Heard, Hearing, Player, Range, Stream, Watch
from media.rtp import Frame
from media.sdes import Crypto, Security, Suite

if TYPE_CHECKING:
    from media.engines.leg_keys import LegKeys

ABI: Final = 6
"""Of `plane.h`: a module that says another number was compiled from another version of the C code."""

try:
    from beffroi_plane import ffi as ffi  # for the tests as well
    from beffroi_plane import lib as lib
except ImportError:
    lib = None

_log = logging.getLogger(__name__)

THREADS: Final = 1
TICKS: Final = 0xFFFFFFFF  # a timestamp goes round, and an event lies before the voice beside it
MOST_HEARD: Final = 512  # packets in one turn of the loop

# The places of `plane.h`.
_SUITES: Final[dict[Suite, int]] = {
    "AES_CM_128_HMAC_SHA1_80": 0,
    "AES_CM_128_HMAC_SHA1_32": 1,
    "AEAD_AES_128_GCM": 2,
    "AEAD_AES_256_GCM": 3,
}

_REQUESTS: Final = {"": 0, "info": 0, "pli": 1, "fir": 2}

_FAMILIES: Final = {4: socket.AF_INET, 6: socket.AF_INET6}


class NotBuilt(Exception):
    """The C code isn't there; the message is for a log."""


def is_built() -> bool:
    """Say whether the C code was compiled for this installation, and for this version of Beffroi."""
    return lib is not None and getattr(lib, "PLANE_ABI", 0) == ABI


def is_of_another_version() -> bool:
    """Say whether C code is there that can't be used: it must be compiled anew."""
    return lib is not None and not is_built()


def suites() -> frozenset[Suite]:
    """Return the suites that the C code itself encrypts with; none where OpenSSL wasn't there."""
    works = lib.plane_suites() if is_built() else 0
    return frozenset(suite for suite, place in _SUITES.items() if works >> place & 1)


class NativePlane:
    """See `stream.Plane`, and `PythonPlane` for the arguments. threads: that move packets, at least one.

    Raises NotBuilt, and OSError when the system has no thread or no descriptor left.
    """

    def __init__(
        self,
        watch: Watch,
        reports: list[wire.Report],
        inheritance: Inheritance | None,
        heard: Heard,
        threads: int = THREADS,
    ) -> None:
        if is_of_another_version():
            raise NotBuilt("the native engine is compiled for another version: install Beffroi again")
        if not is_built():
            raise NotBuilt("the native engine isn't compiled here")
        memory = inheritance.memory if inheritance is not None else mmap.mmap(-1, STREAMS * RECORD_BYTES)
        self._memory = ffi.from_buffer("uint8_t[]", memory)  # held: the plane writes to it
        self.plane = lib.plane_new(self._memory, threads)
        if self.plane == ffi.NULL:
            raise OSError(ffi.errno, os.strerror(ffi.errno))
        self.reports = reports
        self.heard = heard
        self.tapes: Writer | None = None
        self.packet: Any = ffi.new("plane_packet *")
        self.counts: Any = ffi.new("plane_counts_t *")
        self.suites = suites()
        self._event: Any = ffi.new("plane_event *")
        self._heard: Any = ffi.new("plane_heard_t *")
        self._lost = 0
        self._tape: Any = None
        self._streams: dict[int, NativeStream] = {}
        self._sockets: list[socket.socket] = []
        watch(lib.plane_events_fd(self.plane), self._told)

    def tape(self, reel: Reel) -> None:
        """See Plane."""
        if lib.tape_memory() > len(reel.memory):
            raise OSError(errno.ENOMEM, "the tape's memory is too small for this C code")
        self._tape = ffi.from_buffer("uint8_t[]", reel.memory)  # held: the plane writes to it
        lib.plane_tape(self.plane, self._tape)

    def start(self) -> None:
        """Let packets move. Raises OSError."""
        error = lib.plane_start(self.plane)
        if error:
            raise OSError(error, os.strerror(error))

    def open(self, number: int, ports: Range, pair: tuple[socket.socket, socket.socket]) -> "NativeStream":
        """See Plane."""
        made = lib.plane_add(self.plane, number, pair[0].fileno(), pair[1].fileno(), ports.cname.encode())
        if made == ffi.NULL:
            error = ffi.errno
            for each in pair:
                each.close()
            raise OSError(error, os.strerror(error))
        self._sockets += pair
        stream = self._streams[number] = NativeStream(self, made, number, ports)
        return stream

    def stream(self, number: int) -> "NativeStream":
        """Return the stream of this number."""
        return self._streams[number]

    def close(self) -> None:
        """See Plane."""
        lib.plane_free(self.plane)  # ends the threads: only then can a descriptor be another one's
        for each in self._sockets:
            each.close()
        ffi.release(self._memory)
        if self._tape is not None:
            ffi.release(self._tape)

    def _told(self, _now: float) -> None:
        """Report what the threads have met, but of a leg that has gone."""
        event = self._event
        while lib.plane_next_event(self.plane, event):
            stream = self._streams[event.number]
            if event.generation != stream.generation:
                continue
            if event.kind == lib.PLANE_DIGIT:
                self.reports.append(wire.Digit(event.number, dtmf.DIGITS[event.digit]))
            else:
                self.reports.append(wire.Heard(event.number))
        self._hear()

    def _hear(self) -> None:
        """Take the packets that are for the loop, not too many at once, but of a leg that has gone."""
        packet = self._heard
        for _ in range(MOST_HEARD):
            if not lib.plane_next_heard(self.plane, packet):
                break
            stream = self._streams[packet.number]
            if packet.generation != stream.generation:
                continue
            data = ffi.buffer(packet.data, packet.length)[:]
            if packet.kind == lib.PLANE_TO_HEAR:
                self.heard(stream, data, packet.at)
            elif packet.kind == lib.PLANE_TO_REPORT:
                stream.hear_report(data, packet.at)
            elif packet.kind == lib.PLANE_TO_OPEN:
                stream.open(data, packet)
            else:
                stream.seal(data, packet)
        else:
            lib.plane_wake(self.plane)
        lost = lib.plane_lost(self.plane)
        if lost != self._lost:
            _log.warning("packets=%d were lost: the loop can't follow what it is to hear", lost - self._lost)
            self._lost = lost


class NativeStream(Stream):
    """A stream of a `NativePlane`. made: what the C code calls it; generation: which of its legs it has."""

    __slots__ = ("_clock_rate", "_kept_keys", "_keys", "_plane", "generation", "made", "transmit")

    def __init__(self, plane: NativePlane, made: Any, port: int, ports: Range) -> None:
        self._plane = plane
        self._clock_rate = 8000
        self._keys: LegKeys | None = None  # in force here: the C code can't encrypt with them
        self._kept_keys: LegKeys | None = None
        self.made = made
        # Sends what the C code made (a packet, 1 for RTCP); what can't be sent is lost.
        self.transmit: Callable[[Any, int], object] = partial(lib.plane_transmit, made)
        self.generation = 0
        super().__init__(port, ports)

    def claim(self, *, again: bool) -> None:
        """See Stream."""
        chance = randbits(80)  # RFC 3550 section 5.1: an SSRC and first numbers that nobody can guess
        self.generation = lib.plane_claim(
            self.made, again, chance & 0xFFFFFFFF, chance >> 32 & 0xFFFF, chance >> 48
        )

    def release(self) -> None:
        """See Stream."""
        super().release()
        lib.plane_release(self.made)
        self.generation = 0
        self._keys = self._kept_keys = None

    def route(self, route: wire.Route, peer: Stream | None, now: float) -> None:
        """See Stream."""
        super().route(route, peer, now)
        self._clock_rate = route.clock_rate
        said = ffi.new("plane_route_t *")
        if route.host:
            said.rtp = _plain(route.host, route.rtp_port)
            said.rtcp = _plain(route.host, route.rtcp_port)
        said.nat, said.latch, said.again, said.watch = route.nat, route.latch, route.again, route.watch
        said.clock_rate = route.clock_rate
        ffi.buffer(said.payload_types)[:] = _numbers(tuple(route.payload_types.items()))
        for number in route.event_types:
            said.events[number] = 1
        said.mux, said.datagrams, said.pictures = route.mux, route.kind == "datagrams", bool(route.pictures)
        said.security = self._secure(said, route.security)
        if not lib.plane_route(
            self.made, said, peer.made if isinstance(peer, NativeStream) else ffi.NULL, now
        ):
            _log.error("port=%d the leg's keys can't be used: nothing passes", self.port & 0xFFFF)

    def _secure(self, said: Any, security: Security | None) -> int:
        """Say which keys are in force, and return who encrypts with them."""
        self._keys = None
        if security is None:
            return int(lib.PLANE_CLEAR)
        said.ours, said.theirs = _key(security.ours), _key(security.theirs)
        if {security.ours.suite, security.theirs.suite} <= self._plane.suites:
            return int(lib.PLANE_SECURED)
        from media.engines.leg_keys import LegKeys  # libsrtp is for those who need it

        if self._kept_keys is None:
            used = ffi.new("plane_keys_used_t *")
            lib.plane_keys_used(self.made, used)
            left = KeyState(used.ours, used.theirs, used.sent, used.reports, used.heard_ssrc, used.heard)
            self._kept_keys = LegKeys(used.ssrc, security, left)
        else:
            self._kept_keys.use(security)
        self._keys = self._kept_keys
        return int(lib.PLANE_SEALED)

    def tape(self, slot: int, by_leg: int, to_leg: int) -> None:
        """See Stream."""
        lib.plane_record(self.made, slot, by_leg, to_leg)

    def open(self, data: bytes, heard: Any) -> None:
        """Decrypt a packet of the leg, and let it go on from there."""
        clear = self._keys.unprotect(data) if self._keys is not None else b""
        packet = self._plane.packet
        peer = lib.plane_receive(
            self.made, clear, len(clear), ffi.addressof(heard, "address"), heard.at, 1, packet
        )
        if peer >= 0:
            self._plane.stream(peer).transmit(packet, 0)

    def hear_report(self, data: bytes, at: float) -> None:
        """Read what the leg reports."""
        report = self._keys.unprotect_report(data) if self._keys is not None else data
        if report:
            self._take_report(report, at)

    def ask_for_picture(self, now: float) -> None:
        """See Stream."""
        if not self._is_to_be_asked(now):
            return
        if self.pictures == "info":
            self._plane.reports.append(wire.PictureWanted(self.port))
        else:
            self._report(now, _REQUESTS[self.pictures])

    def seal(self, data: bytes, heard: Any) -> None:
        """Encrypt a packet for the leg, and send it."""
        protected = self._keys.protect(data) if self._keys is not None else b""
        if protected:
            packet = self._plane.packet
            ffi.memmove(packet.data, protected, len(protected))
            packet.length, packet.to = len(protected), heard.address
            self.transmit(packet, 0)

    def hear(self, hearing: Hearing) -> None:
        """See Stream."""
        lib.plane_hear(self.made, hearing.value)

    def echo(self, on: bool) -> None:
        """See Stream."""
        lib.plane_echo(self.made, on)

    def play(self, player: Player | None) -> None:
        """See Stream."""
        super().play(player)
        lib.plane_play(self.made, player is not None)

    def speak(self, frame: Frame, payload_type: int, now: float) -> None:
        """See Stream."""
        payload = frame.payload
        packet = self._plane.packet
        if lib.plane_speak(
            self.made,
            payload,
            len(payload),
            frame.marker,
            frame.advance_ticks & TICKS,
            payload_type,
            now,
            packet,
        ):
            self.transmit(packet, 0)

    def speak_with(self, others: Sequence[Stream], frame: Frame, payload_type: int, now: float) -> None:
        """See Stream."""
        made = [self.made, *(one.made for one in others if isinstance(one, NativeStream))]
        payload, packet = frame.payload, self._plane.packet
        lib.plane_speak_to_all(
            made,
            len(made),
            payload,
            len(payload),
            frame.marker,
            frame.advance_ticks & TICKS,
            payload_type,
            now,
            packet,
        )

    def each_second(self, now: float, silence_seconds: float, *, report: bool) -> None:
        """See Stream."""
        silent = lib.plane_silence(self.made, silence_seconds, now)
        if silent >= 0:
            self._plane.reports.append(wire.Silent(self.port, round(silent, 1)))
        if report:
            self._report(now)

    def _report(self, now: float, asks: int = 0) -> None:
        """Send the leg a report, unless it is nowhere. asks: of `_REQUESTS`, what goes behind it."""
        packet, heard = self._plane.packet, self.reception.sender
        said = heard.ssrc, heard.middle, heard.delay(now)
        if not lib.plane_report(self.made, *said, asks, self.asked & 0xFF, now, packet):
            return
        if self._keys is not None:
            protected = self._keys.protect_report(ffi.buffer(packet.data, packet.length)[:])
            ffi.memmove(packet.data, protected, len(protected))
            packet.length = len(protected)
        self.transmit(packet, 1)

    def counts(self, now: float) -> wire.StreamCounts:
        """See Stream."""
        counts = self._plane.counts
        lib.plane_read(self.made, counts, now)
        host, port = "", 0
        if counts.remote.family:
            family = _FAMILIES[counts.remote.family]
            host, port = socket.inet_ntop(family, _host_bytes(counts.remote)), counts.remote.port
        return wire.StreamCounts(
            self.port,
            host,
            port,
            counts.packets,
            counts.octets,
            counts.packets_sent,
            counts.lost,
            round(counts.jitter_ticks * 1000 / self._clock_rate, 3),
            round(counts.silent_seconds, 3),
            counts.third_party,
            counts.invalid,
            counts.limited,
            self.reception.round_trip_ms,
            self.reception.lost,
            round(self.reception.jitter_ticks * 1000 / self._clock_rate, 3),
        )

    def silent_seconds(self, now: float) -> float:
        """See Stream."""
        counts = self._plane.counts
        lib.plane_read(self.made, counts, now)
        return float(counts.silent_seconds)


def _plain(host: str, port: int) -> dict[str, object]:
    """Return an address as the C code takes it; none for a host that isn't an address."""
    family = 6 if ":" in host else 4
    try:
        packed = socket.inet_pton(_FAMILIES[family], host)
    except OSError:
        return {"family": 0}
    return {"host": packed, "port": port, "family": family}


def _key(crypto: Crypto) -> dict[str, object]:
    """Return a key as the C code takes it."""
    return {
        "fingerprint": fingerprint(crypto),
        "suite": _SUITES[crypto.suite],
        "mki_bytes": len(crypto.mki),
        "mki": crypto.mki,
        "key": crypto.key,
    }


def _host_bytes(address: Any) -> bytes:
    return bytes(ffi.buffer(address.host)[: 4 if address.family == 4 else 16])


@lru_cache(maxsize=256)
def _numbers(payload_types: tuple[tuple[int, int], ...]) -> bytes:
    """Return what a peer knows each number of a leg by, for all 128 of them."""
    numbers = bytearray((lib.PLANE_NO_TYPE,)) * 128
    for number, peer_number in payload_types:
        numbers[number] = peer_number
    return bytes(numbers)
