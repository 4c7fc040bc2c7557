"""The RTC worker: browsers' legs, as signalling says them, between their UDP ports and the media plane.

```
    signalling ── listening (Unix stream) ── Worker ── Endpoint ── the ports of all browsers
                                               └────── Line, Line … ── plain sockets, one a stream
```
One loop over epoll: what has come is drained in bounded turns, then time is looked at, then what is to be
told leaves in one frame. The process may die at any moment: it leaves nothing behind that another could
use, since its certificate dies with it.
"""

import argparse
import gc
import logging
import select
import socket
import time
from collections.abc import Callable, Sequence
from typing import Final

from media.frames import READ_BYTES, FrameReader, WireError, frame
from media.rtc.association import Association
from media.rtc.dtls import Certificate
from media.rtc.endpoint import Endpoint
from media.rtc.ice import Agent
from media.rtc.line import Line
from media.rtc.protection import PacketBuffer
from media.rtc.protocol import (
    CLAIM_SECONDS,
    AddStream,
    Agree,
    Close,
    Command,
    Counts,
    Held,
    Inventory,
    Open,
    Opened,
    Pair,
    Query,
    Ready,
    Refused,
    Report,
    Restart,
    commands,
)

_log = logging.getLogger(__name__)

MAX_STREAMS: Final = 8  # of one leg
MAX_LEGS: Final = 4096
GATHER_SECONDS: Final = 0.0007  # with 100 calls a third less time, and half a millisecond of delay
TICK_SECONDS: Final = 0.02  # where something waits to be sent, or asked for, again
MAX_UNSENT_BYTES: Final = 8 * 1024 * 1024

Clock = Callable[[], float]
_CLOCK: Final[Clock] = time.monotonic  # noqa: TID251 (the clock of this process is read here)


class Worker:
    """The legs of one RTC process.

    listening: where signalling connects to; ports: bound UDP sockets, one an address; plain: the addresses
    of sockets towards the media plane, one for IPv4, IPv6 or each. All sockets are owned from here on.
    clock: monotonic seconds.
    """

    def __init__(
        self,
        listening: socket.socket,
        ports: Sequence[socket.socket],
        plain: Sequence[str],
        clock: Clock = _CLOCK,
    ) -> None:
        self._clock = clock
        self._plain = {":" in address: address for address in reversed(plain)}
        self._certificate = Certificate()
        self._buffer = PacketBuffer()
        self._endpoint = Endpoint(ports, self._buffer)
        self._sockets = [port.socket for port in self._endpoint.ports]
        self._legs: dict[str, Association] = {}
        self._gaps: set[Association] = set()  # those that miss something
        self._unclaimed: set[str] = set()
        self._claims_end_at = 0.0
        self._listening = listening
        self._control: socket.socket | None = None
        self._reader = FrameReader()
        self._reports: list[Report] = []
        self._unsent = bytearray()
        self._epoll = select.epoll()
        self._readers: dict[int, Callable[[float], None]] = {}
        self._next_second_at = clock()
        for port in self._endpoint.ports:
            self._watch(port.socket, port.drain)
        self._watch(listening, self._accept)

    def run(self) -> None:
        """Serve for ever."""
        gc.freeze()
        begun = 0.0
        while True:
            if self._clock() - begun < 3 * GATHER_SECONDS:
                # Packets come thick and fast: to be woken for each costs as much as to move it.
                time.sleep(GATHER_SECONDS)
            begun = self._clock()
            self.turn()

    def turn(self, longest_seconds: float = 1.0) -> None:
        """Wait so long at most for something to come, and do all that it asks for."""
        readers = self._readers
        until = longest_seconds
        if self._endpoint.handshaking or self._gaps:
            until = min(until, TICK_SECONDS)
        ready = self._epoll.poll(min(until, max(0.0, self._next_second_at - self._clock())), 256)
        now = self._clock()
        for descriptor, _ in ready:
            if descriptor in readers:  # not one that has been closed in this turn
                readers[descriptor](now)
        self._tick(now)
        if self._reports or self._unsent:
            self._report()

    def close(self) -> None:
        """Give all sockets back, and tell browsers goodbye."""
        for leg in tuple(self._legs):
            self._end(leg)
        self._endpoint.close()
        self._hang_up()
        self._listening.close()
        self._epoll.close()

    def _watch(self, own: socket.socket, readable: Callable[[float], None]) -> None:
        self._readers[own.fileno()] = readable
        self._epoll.register(own.fileno(), select.EPOLLIN)

    def _unwatch(self, own: socket.socket) -> None:
        del self._readers[own.fileno()]
        self._epoll.unregister(own.fileno())

    # -- time --------------------------------------------------------------------------------------

    def _tick(self, now: float) -> None:
        for association in tuple(self._endpoint.handshaking):
            association.retransmit(now)
            self._endpoint.note_handshake(association)
        for association in tuple(self._gaps):
            association.ask_for_missing(now)
        if now >= self._next_second_at:
            self._next_second_at = now + 1.0
            self._endpoint.begin_second()
            for association in self._legs.values():
                association.begin_second(now)
            if self._unclaimed and now >= self._claims_end_at:
                _log.warning("legs that nobody knows any more: %d", len(self._unclaimed))
                for leg in tuple(self._unclaimed):
                    self._end(leg)

    # -- signalling --------------------------------------------------------------------------------

    def _accept(self, now: float) -> None:
        """Obey a signalling process from here on; whoever was there before is gone."""
        try:
            control, _ = self._listening.accept()
        except OSError:
            return  # whoever came has left again
        self._hang_up()
        control.setblocking(False)
        self._control = control
        self._watch(control, self._obey)
        self._unclaimed = set(self._legs)
        self._claims_end_at = now + CLAIM_SECONDS
        addresses = tuple((name[0], name[1]) for name in (own.getsockname() for own in self._sockets))
        self._tell(Ready(self._certificate.fingerprint, addresses))

    def _hang_up(self) -> None:
        """Let go of a signalling process that is gone; its legs go on."""
        if self._control is not None:
            self._unwatch(self._control)
            self._control.close()
            self._control = None
        self._reader = FrameReader()
        self._unsent.clear()
        self._reports.clear()

    def _obey(self, now: float) -> None:
        assert self._control is not None
        try:
            data = self._control.recv(READ_BYTES)
            for body in self._reader.receive(data):
                for command in commands(body):
                    self._do(command, now)
        except BlockingIOError:
            return
        except (OSError, WireError) as error:
            _log.error("signalling: %s", error)
            data = b""
        if not data:
            self._hang_up()

    def _tell(self, report: Report) -> None:
        if self._control is not None:
            self._reports.append(report)

    def _report(self) -> None:
        if self._control is None:
            return
        if self._reports:
            self._unsent += frame(self._reports)
            self._reports.clear()
        try:
            del self._unsent[: self._control.send(self._unsent)]
        except BlockingIOError:
            pass
        except OSError:
            self._hang_up()
        if len(self._unsent) > MAX_UNSENT_BYTES:
            _log.error("signalling doesn't read what it is told")
            self._hang_up()

    def _do(self, command: Command, now: float) -> None:
        match command:
            case Open():
                self._open(command, now)
            case AddStream(leg) if leg in self._legs:
                self._add_stream(self._legs[leg])
            case AddStream(leg):
                self._tell(Refused(leg, "no such leg"))
            case Agree(leg) if leg in self._legs:
                self._agree(self._legs[leg], command, now)
            case Restart(leg, ufrag, password) if leg in self._legs:
                self._legs[leg].restart(ufrag, password, now)
                self._endpoint.know(self._legs[leg])
            case Pair(leg, partner) if leg in self._legs:
                self._legs[leg].partner = self._legs.get(partner)
            case Close(legs):
                for leg in legs:
                    self._end(leg)
            case Query(number, legs):
                known = tuple(self._legs[leg].counts() for leg in legs if leg in self._legs)
                self._tell(Counts(number, known))
            case Inventory():
                connected = sum(1 for one in self._legs.values() if one.is_connected)
                self._tell(Held(tuple(self._legs), connected))
            case _:
                _log.debug("of a leg that has ended: %s", type(command).__name__)

    # -- legs --------------------------------------------------------------------------------------

    def _open(self, command: Open, now: float) -> None:
        """Have a leg. One that is there already goes on as it is."""
        association = self._legs.get(command.leg)
        self._unclaimed.discard(command.leg)
        if association is None:
            if len(self._legs) >= MAX_LEGS or not 0 <= command.streams <= MAX_STREAMS:
                self._tell(Refused(command.leg, "too many legs, or streams"))
                return
            association = Association(
                command.leg,
                Agent(command.ufrag, command.password, now),
                self._certificate,
                self._buffer,
                self._sockets,
                self._tell,
                self._gaps,
            )
            try:
                for _ in range(command.streams):
                    self._bind(association, ipv6=command.ipv6)
            except OSError as error:
                self._release(association)
                self._tell(Refused(command.leg, str(error)))
                return
            self._legs[command.leg] = association
            self._endpoint.know(association)
        self._tell_opened(association)
        association.say_again()

    def _add_stream(self, association: Association) -> None:
        ipv6 = any(line.socket.family == socket.AF_INET6 for line in association.lines)
        try:
            if len(association.lines) >= MAX_STREAMS:
                raise OSError(f"more than {MAX_STREAMS} streams")
            self._bind(association, ipv6=ipv6)
        except OSError as error:
            self._tell(Refused(association.leg, str(error)))
            return
        self._tell_opened(association)

    def _agree(self, association: Association, command: Agree, now: float) -> None:
        try:
            association.agree(command, now)
        except ValueError as error:
            _log.error("leg=%s: what was agreed can't be done: %s", association.leg, error)
            return
        self._endpoint.note_handshake(association)

    def _end(self, leg: str) -> None:
        association = self._legs.pop(leg, None)
        self._unclaimed.discard(leg)
        if association is None:
            return
        self._endpoint.forget(association)
        for other in self._legs.values():
            if other.partner is association:
                other.partner = None
        self._release(association)

    def _bind(self, association: Association, *, ipv6: bool) -> None:
        """Give a leg one plain socket more. Raises OSError."""
        address = self._plain.get(ipv6)
        if address is None:
            raise OSError(f"no address of IPv{6 if ipv6 else 4} towards the media plane")
        plain = socket.socket(socket.AF_INET6 if ipv6 else socket.AF_INET, socket.SOCK_DGRAM)
        try:
            plain.setblocking(False)
            plain.bind((address, 0))
        except OSError:
            plain.close()
            raise
        line = Line(len(association.lines), plain)
        association.lines.append(line)
        receive = association.receive_plain
        self._watch(plain, lambda now: receive(line))

    def _release(self, association: Association) -> None:
        for line in association.lines:
            self._unwatch(line.socket)
        association.close()

    def _tell_opened(self, association: Association) -> None:
        self._tell(Opened(association.leg, tuple(line.address for line in association.lines)))


def main(listening: socket.socket, ports: Sequence[socket.socket], plain: Sequence[str]) -> None:
    """Be the RTC worker; the arguments are those of `Worker`. Never returns."""
    Worker(listening, ports, plain).run()


def _command_line() -> None:
    parser = argparse.ArgumentParser(description="The RTC worker, for tests and benches.")
    parser.add_argument("--listening", type=int, required=True, help="descriptor of a Unix stream socket")
    parser.add_argument("--port", type=int, action="append", required=True, help="descriptor of a UDP socket")
    parser.add_argument("--plain", action="append", help="address to bind; once for IPv4, IPv6 or each")
    options = parser.parse_args()
    main(
        socket.socket(fileno=options.listening),
        [socket.socket(fileno=port) for port in options.port],
        options.plain or ["127.0.0.1"],
    )


if __name__ == "__main__":
    _command_line()
