"""Streams whose packets move in threads of C (`media/native/plane.c`), which need no turn of Python's.

The C code is compiled when Beffroi is installed on a machine with a compiler; `is_built` says whether.
Python says what each stream does, plays to legs, and is told of keys and of legs that are heard again.
A stream's state lies in the memory of `Inheritance` all the time: nothing has to be written down.
"""

import mmap
import os
import socket
from collections.abc import Callable
from functools import lru_cache, partial
from secrets import randbits
from typing import Any, Final

from media import dtmf
from media.engines import wire
from media.engines.inheritance import RECORD_BYTES, STREAMS, Inheritance
from media.engines.stream import Player, Range, Stream, Watch
from media.rtp import Frame

try:
    from beffroi_plane import ffi as ffi  # for the tests as well
    from beffroi_plane import lib as lib
except ImportError:
    lib = None

THREADS: Final = 1

_FAMILIES: Final = {4: socket.AF_INET, 6: socket.AF_INET6}


class NotBuilt(Exception):
    """The C code isn't there; the message is for a log."""


def is_built() -> bool:
    """Say whether the C code was compiled for this installation."""
    return lib is not None


class NativePlane:
    """See `stream.Plane`. threads: that move packets, at least one.

    Raises NotBuilt, and OSError when the system has no thread or no descriptor left.
    """

    def __init__(
        self,
        watch: Watch,
        reports: list[wire.Report],
        inheritance: Inheritance | None,
        threads: int = THREADS,
    ) -> None:
        if lib is None:
            raise NotBuilt("the native engine isn't compiled here")
        memory = inheritance.memory if inheritance is not None else mmap.mmap(-1, STREAMS * RECORD_BYTES)
        self._memory = ffi.from_buffer("uint8_t[]", memory)  # held: the plane writes to it
        self.plane = lib.plane_new(self._memory, threads)
        if self.plane == ffi.NULL:
            raise OSError(ffi.errno, os.strerror(ffi.errno))
        self.reports = reports
        self.packet: Any = ffi.new("plane_packet *")
        self.counts: Any = ffi.new("plane_counts_t *")
        self._event: Any = ffi.new("plane_event *")
        self._streams: dict[int, NativeStream] = {}
        self._sockets: list[socket.socket] = []
        watch(lib.plane_events_fd(self.plane), self._told)

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

    def close(self) -> None:
        """See Plane."""
        lib.plane_free(self.plane)  # ends the threads: only then can a descriptor be another one's
        for each in self._sockets:
            each.close()
        ffi.release(self._memory)

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


class NativeStream(Stream):
    """A stream of a `NativePlane`. made: what the C code calls it; generation: which of its legs it has."""

    __slots__ = ("_clock_rate", "_plane", "generation", "made", "transmit")

    def __init__(self, plane: NativePlane, made: Any, port: int, ports: Range) -> None:
        self._plane = plane
        self._clock_rate = 8000
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
        lib.plane_route(self.made, said, peer.made if isinstance(peer, NativeStream) else ffi.NULL, now)

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
            self.made, payload, len(payload), frame.marker, frame.advance_ticks, payload_type, now, packet
        ):
            self.transmit(packet, 0)

    def each_second(self, now: float, silence_seconds: float, *, report: bool) -> None:
        """See Stream."""
        silent = lib.plane_silence(self.made, silence_seconds, now)
        if silent >= 0:
            self._plane.reports.append(wire.Silent(self.port, round(silent, 1)))
        if report and lib.plane_report(self.made, now, self._plane.packet):
            self.transmit(self._plane.packet, 1)

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
        )


def _plain(host: str, port: int) -> dict[str, object]:
    """Return an address as the C code takes it; none for a host that isn't an address."""
    family = 6 if ":" in host else 4
    try:
        packed = socket.inet_pton(_FAMILIES[family], host)
    except OSError:
        return {"family": 0}
    return {"host": packed, "port": port, "family": family}


def _host_bytes(address: Any) -> bytes:
    return bytes(ffi.buffer(address.host)[: 4 if address.family == 4 else 16])


@lru_cache(maxsize=256)
def _numbers(payload_types: tuple[tuple[int, int], ...]) -> bytes:
    """Return what a peer knows each number of a leg by, for all 128 of them."""
    numbers = bytearray((lib.PLANE_NO_TYPE,)) * 128
    for number, peer_number in payload_types:
        numbers[number] = peer_number
    return bytes(numbers)
