"""One browser: its ICE, its DTLS, its SRTP, and the lines between it and the media plane.

```
    browser <── one path of an RTC port ──> Association ── a plain socket for each line ──> media plane
```
Packets are worked on in the one buffer of the process (`protection.PacketBuffer`): each method takes how
many of its bytes are the packet. Sequence numbers, timestamps and SSRCs stay as they are, both ways; payload
types are the browser's on its side and the plane's on the other. RTCP goes on as it is, but for NACK, which
is answered here, and for what asks a browser's camera for something: that goes to the browser whose picture
it is, where this one's partner is one (`feedback`).

now, everywhere: monotonic seconds.
"""

import secrets
import socket
from collections.abc import Callable, Sequence
from typing import Final

from media.rtc import feedback, retransmission
from media.rtc.dtls import HANDSHAKE_SECONDS, Certificate, Dtls
from media.rtc.ice import CONSENT_SECONDS, Agent, Path
from media.rtc.line import Line, SocketAddress, without_extension
from media.rtc.protection import MAX_PACKET_BYTES, SHORTEST_REPORT_BYTES, PacketBuffer, Protection
from media.rtc.protocol import Address, Agree, Connected, Gone, LegCounts, Moved, Report, Why

MAX_SOURCES: Final = 32  # SSRCs of one browser
MOST_PACKETS_A_SECOND: Final = 1000  # of one line; a telephone sends 50, a camera some 300
FIRST_RESEND_SECONDS: Final = 0.1  # of a flight of DTLS that got no answer, then twice as long
LAST_RESEND_SECONDS: Final = 0.4  # from there on by OpenSSL's own timer
AT_ONCE: Final = 16  # packets of a picture from one socket, before the others have their turn
_EXTENSION: Final = 0x10


class Association:
    """One leg. ports: the RTC ports, as paths name them; tell: called with each report; gaps: where it puts
    itself while it misses packets, to be asked by `ask_for_missing`.

    partner: the leg whose picture this one sees. handshake_ends_at: when a handshake is given up.
    """

    def __init__(
        self,
        leg: str,
        agent: Agent,
        certificate: Certificate,
        buffer: PacketBuffer,
        ports: Sequence[socket.socket],
        tell: Callable[[Report], None],
        gaps: "set[Association]",
    ) -> None:
        self.leg = leg
        self.agent = agent
        self.lines: list[Line] = []
        self.partner: Association | None = None
        self.dtls: Dtls | None = None
        self.handshake_ends_at = 0.0
        self.packets = self.sent = self.invalid = self.resent = self.limited = 0
        self._certificate = certificate
        self._view = buffer.view
        self._receiving = buffer.receiving
        self._buffer = buffer
        self._ports = ports
        self._tell = tell
        self._gaps = gaps
        self._ssrc = secrets.randbits(32)  # of the feedback that we send
        self._protection: Protection | None = None
        self._send = ports[0].sendto
        self._path: Path | None = None
        self._to: SocketAddress | None = None  # where the browser is: the path's address
        self._routes: dict[int, tuple[Line, int]] = {}  # of each payload type of the browser
        self._sources: dict[bytes, Line] = {}
        self._resend_seconds = FIRST_RESEND_SECONDS
        self._resend_at = 0.0
        self._budget = MOST_PACKETS_A_SECOND
        self._connected_told = False
        self._gone: Why | None = None  # why, until it is connected again

    # -- what signalling says ----------------------------------------------------------------------

    def agree(self, message: Agree, now: float) -> None:
        """Do from now on what was agreed with the browser; another certificate is another association."""
        self.agent.agree(message.ufrag)
        said = {stream.index: stream for stream in message.streams}
        self._routes = {}
        for line in self.lines:
            stream = said.get(line.index)
            if stream is None:
                line.silence()
                continue
            line.agree(stream)
            for browsers, planes in stream.numbers.items():
                self._routes[browsers] = (line, planes)
        dtls = self.dtls
        if dtls is None or dtls.state in ("closed", "failed") or dtls.fingerprints != message.fingerprints:
            self._protection = None
            self._connected_told = False
            self._sources.clear()
            self.dtls = Dtls(self._certificate, message.role, message.fingerprints)
            self.handshake_ends_at = now + HANDSHAKE_SECONDS
            self._begin(now)

    def restart(self, ufrag: str, password: str, now: float) -> None:
        """ICE begins again with these credentials of ours."""
        self.agent.restart(ufrag, password, now)

    def close(self) -> None:
        """Say goodbye to the browser, and give the sockets back."""
        if self.dtls is not None:
            self._send_all(self.dtls.close())
        self._protection = None
        self._path = self._to = None
        self._gaps.discard(self)
        for line in self.lines:
            line.socket.close()

    def say_again(self) -> None:
        """Tell a new signalling process how this leg stands."""
        if self._connected_told and self._to is not None:
            self._tell(Connected(self.leg, self.address))
        elif self._gone is not None:
            self._tell(Gone(self.leg, self._gone))

    @property
    def is_connected(self) -> bool:
        """Whether media can flow."""
        return self._protection is not None and self._to is not None

    @property
    def address(self) -> Address:
        """Where the browser is, ("", 0) when it isn't heard."""
        return ("", 0) if self._to is None else (self._to[0], self._to[1])

    def counts(self) -> LegCounts:
        """Return what it has done."""
        return LegCounts(
            self.leg, self.address, self.packets, self.sent, self.invalid + self.limited, self.resent
        )

    # -- ICE and DTLS ------------------------------------------------------------------------------

    def follow_path(self, now: float) -> None:
        """The browser was checked: send where its agent says."""
        path = self.agent.path
        if path is None or path == self._path:
            return
        before = self._path
        self._path = path
        self._to = path.address
        self._send = self._ports[path.port].sendto
        if before is None:
            self._begin(now)
            self._report_connected()
        elif self._connected_told:
            self._tell(Moved(self.leg, self.address))

    def receive_dtls(self, datagram: bytes, now: float) -> None:
        """Take a datagram of DTLS that came over one of the paths."""
        if self.dtls is not None:
            self._after(self.dtls.receive(datagram), now)

    def retransmit(self, now: float) -> None:
        """Send a flight of DTLS again that has got no answer, or give the handshake up."""
        dtls = self.dtls
        if dtls is None or dtls.state != "handshaking":
            return
        if now >= self.handshake_ends_at:
            dtls.state = "failed"
            self._after([], now)
        elif dtls.timeout_seconds() <= 0:
            self._after(dtls.handle_timeout(), now)
        elif now >= self._resend_at and self._resend_seconds <= LAST_RESEND_SECONDS:
            self._send_all(dtls.resend())
            self._resend_seconds *= 2
            self._resend_at = now + self._resend_seconds

    @property
    def is_handshaking(self) -> bool:
        """Whether DTLS waits for something that may have to be sent again."""
        return self.dtls is not None and self.dtls.state == "handshaking" and self._to is not None

    def _begin(self, now: float) -> None:
        if self.dtls is not None and self.dtls.role == "client" and self._to is not None:
            self._after(self.dtls.start(), now)

    def _after(self, datagrams: list[bytes], now: float) -> None:
        dtls = self.dtls
        assert dtls is not None
        if datagrams:
            self._send_all(datagrams)
            self._resend_seconds = FIRST_RESEND_SECONDS
            self._resend_at = now + FIRST_RESEND_SECONDS
        if dtls.state == "connected" and self._protection is None:
            assert dtls.keys is not None
            self._protection = Protection(dtls.keys, self._buffer)
            self._report_connected()
        elif dtls.state == "closed" or dtls.state == "failed":
            why = dtls.state
            self.dtls = None
            self._protection = None
            self._lost(why)

    def _lost(self, why: Why) -> None:
        self._connected_told, self._gone = False, why
        self._tell(Gone(self.leg, why))

    def _report_connected(self) -> None:
        if self._protection is not None and self._to is not None and not self._connected_told:
            self._connected_told = True
            self._gone = None
            self._tell(Connected(self.leg, self.address))

    def _send_all(self, datagrams: list[bytes]) -> None:
        for datagram in datagrams:
            self._send_one(datagram)

    def _send_one(self, datagram: bytes | memoryview) -> None:
        if self._to is not None:
            try:
                self._send(datagram, self._to)
            except OSError:
                self.limited += 1  # the port's buffer is full, or its network is down: lost, as on the way

    # -- from the browser --------------------------------------------------------------------------

    def receive_rtp(self, size: int, now: float) -> None:
        """Take an RTP packet of the browser, and send it to the plane."""
        protection = self._protection
        if protection is None:
            return
        size = protection.unprotect(size)
        if not size:
            self.invalid += 1
            return
        if self._budget <= 0:
            self.limited += 1
            return
        self._budget -= 1
        view = self._view
        route = self._routes.get(view[1] & 0x7F)
        if route is None:
            self.limited += 1
            return
        line, number = route
        ssrc = bytes(view[8:12])
        if ssrc != line.heard and not self._hears(line, ssrc):
            return
        if line.nack:
            self._look_for_gaps(line, ssrc, view[2] << 8 | view[3], now)
        if view[0] & _EXTENSION:
            size = without_extension(view, size)
        view[1] = view[1] & 0x80 | number
        target = line.target
        if size and target is not None:
            self.packets += 1
            try:
                line.socket.sendto(view[:size], target)
            except OSError:
                self.limited += 1

    def receive_rtcp(self, size: int) -> None:
        """Take an RTCP packet of the browser: what it asks of us is done, the rest goes on."""
        protection = self._protection
        if protection is None:
            return
        size = protection.unprotect_report(size)
        if not size:
            self.invalid += 1
            return
        if self._budget <= 0:
            self.limited += 1
            return
        self._budget -= 1
        onward: dict[int, list[bytes]] = {}
        for packet in feedback.packets(bytes(self._view[:size])):
            line = self._line_of(packet)
            if line is None:
                continue
            if feedback.is_nack(packet) and line.sent is not None:
                self._resend(line, packet)
            elif feedback.is_request(packet) and self.partner is not None:
                self.partner.pass_request(line.index, packet)
            else:
                onward.setdefault(line.index, []).append(packet)
        for index, parts in onward.items():
            line = self.lines[index]
            if line.rtcp_target is not None:
                try:
                    line.socket.sendto(b"".join(parts), line.rtcp_target)
                except OSError:
                    self.limited += 1

    def pass_request(self, index: int, packet: bytes) -> None:
        """Ask this browser for what its partner asks of the picture in the line with this index."""
        if index < len(self.lines) and self.lines[index].heard:
            self._send_report(feedback.readdressed(packet, self._ssrc, self.lines[index].heard))

    def _hears(self, line: Line, ssrc: bytes) -> bool:
        """Note which SSRC a line is heard with now; say no where a browser has had too many."""
        if ssrc not in self._sources and len(self._sources) >= MAX_SOURCES:
            self.limited += 1
            return False
        self._sources[ssrc] = line
        line.heard = ssrc
        return True

    def _look_for_gaps(self, line: Line, ssrc: bytes, sequence: int, now: float) -> None:
        missing = line.missing
        if missing is None or missing.ssrc != ssrc:
            line.missing = retransmission.Missing(ssrc, sequence)
        elif missing.note(sequence, now):
            clear = bytes(self._view[: self._buffer.length[0]])  # what asks takes the packet's place
            self.ask_for_missing(now)
            self._buffer.fill(clear)

    def ask_for_missing(self, now: float) -> None:
        """Ask for what is missing and due."""
        waits = False
        for line in self.lines:
            if line.missing:
                due = line.missing.due(now)
                if due:
                    self._send_report(retransmission.request(self._ssrc, line.missing.ssrc, due))
                waits = waits or bool(line.missing)
        if waits:
            self._gaps.add(self)
        else:
            self._gaps.discard(self)

    def _resend(self, line: Line, packet: bytes) -> None:
        assert line.sent is not None
        for kept in line.sent.find(packet[8:12], retransmission.requested(packet)):
            if self._budget <= 0:  # what is asked for by one packet is many
                return
            self._budget -= 1
            self.resent += 1
            self._send_one(kept)

    def _line_of(self, packet: bytes) -> Line | None:
        """Return the line that an RTCP packet is about: by who speaks in it, or by what it speaks of."""
        if len(self.lines) == 1:
            return self.lines[0]
        about = feedback.about(packet)
        for line in self.lines:
            if line.told and line.told in about:
                return line
        return self._sources.get(packet[4:8], self.lines[0] if self.lines else None)

    def _send_report(self, packet: bytes) -> None:
        if self._protection is not None and self._to is not None:
            size = self._protection.protect_report(self._buffer.fill(packet))
            if size:
                self._send_one(self._view[:size])

    # -- from the media plane ----------------------------------------------------------------------

    def receive_plain(self, line: Line) -> None:
        """Take what the plane has sent to a line, and send it to the browser."""
        receive, view = line.socket.recvfrom_into, self._view
        for _ in range(AT_ONCE if line.nack else 1):
            try:
                size, source = receive(self._receiving)
            except OSError:
                return
            protection = self._protection
            if protection is None or self._to is None or source not in line.origins:
                continue
            if not SHORTEST_REPORT_BYTES <= size <= MAX_PACKET_BYTES:
                continue
            is_report = 192 <= view[1] <= 223  # RFC 5761 section 4
            if is_report:
                size = protection.protect_report(size)
            else:
                size = self._prepare(line, size)
                size = size and protection.protect(size)
            if not size:
                continue
            try:
                self._send(view[:size], self._to)
            except OSError:
                self.limited += 1
                continue
            self.sent += 1
            if line.sent is not None and not is_report:
                line.sent.keep(bytes(view[:size]))

    def _prepare(self, line: Line, size: int) -> int:
        """Make the plane's packet one for the browser; 0 for what the browser doesn't know."""
        view = self._view
        number = line.to_browser.get(view[1] & 0x7F)
        if number is None or size < 12:
            return 0
        view[1] = view[1] & 0x80 | number
        ssrc = bytes(view[8:12])
        if ssrc != line.told:
            line.told = ssrc
        return without_extension(view, size) if view[0] & _EXTENSION else size

    # -- time --------------------------------------------------------------------------------------

    def begin_second(self, now: float) -> None:
        """Give the browser what it may send in this second, and look whether it is still there."""
        self._budget = MOST_PACKETS_A_SECOND * max(1, len(self.lines))
        if self._to is not None and now - self.agent.heard_at >= CONSENT_SECONDS:
            self.agent.forget_paths()
            self._path = self._to = None
            self._lost("consent")
