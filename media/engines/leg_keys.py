"""The keys of one leg whose packets are encrypted by Python, and the sessions made of them.

A key that is used from its beginning twice is broken (RFC 3711 section 9.1). So a session stays for as long
as a leg has its stream, also while another key is in force: a new offer that fails brings the old one back.
A session that begins anew in another process goes on where `inheritance.KeyState` says.

libsrtp is loaded by the first leg that has keys.
"""

from typing import Final

from media.engines.inheritance import KeyState, fingerprint
from media.sdes import Security
from media.srtp import Receiver, Sender, SrtpError, SrtpState

MOST_SESSIONS: Final = 16  # of a leg in each direction; the oldest goes


class LegKeys:
    """What a leg's packets are encrypted and decrypted with. ssrc: of what the leg hears from us."""

    __slots__ = ("_ours", "_receiver", "_receivers", "_sender", "_senders", "_ssrc", "_theirs")

    def __init__(self, ssrc: int, security: Security, left: KeyState | None = None) -> None:
        self._ssrc = ssrc
        self._senders: dict[int, Sender] = {}
        self._receivers: dict[int, Receiver] = {}
        self.use(security, left)

    def use(self, security: Security, left: KeyState | None = None) -> None:
        """Let these keys be in force. left: how far a process before this one had used them.

        Raises SrtpError for a state that can't be.
        """
        self._ours, self._theirs = fingerprint(security.ours), fingerprint(security.theirs)
        if self._ours not in self._senders:
            state = None
            if left is not None and left.ours == self._ours:
                sent = {self._ssrc: left.sent} if left.sent >= 0 else {}
                state = SrtpState(sent, {self._ssrc: left.reports})
            self._senders[self._ours] = Sender(security.ours, state)
        if self._theirs not in self._receivers:
            state = None
            if left is not None and left.theirs == self._theirs and left.heard >= 0:
                state = SrtpState({left.heard_ssrc: left.heard}, {})
            self._receivers[self._theirs] = Receiver(security.theirs, state)
        self._sender, self._receiver = self._senders[self._ours], self._receivers[self._theirs]
        for sessions in (self._senders, self._receivers):
            if len(sessions) > MOST_SESSIONS:
                del sessions[next(number for number in sessions if number not in (self._ours, self._theirs))]

    def protect(self, packet: bytes) -> bytes:
        """Return the RTP packet as the leg is to get it, b"" when its number was used before."""
        try:
            return self._sender.protect(packet)
        except SrtpError:
            return b""

    def protect_report(self, report: bytes) -> bytes:
        """Return the RTCP packet as the leg is to get it."""
        return self._sender.protect_rtcp(report)

    def unprotect_report(self, report: bytes) -> bytes:
        """Return an RTCP packet of the leg in clear, b"" when it isn't the leg's, or came before."""
        try:
            return self._receiver.unprotect_rtcp(report)
        except SrtpError:
            return b""

    def unprotect(self, packet: bytes) -> bytes:
        """Return a packet of the leg in clear, b"" when it isn't the leg's, or came before."""
        try:
            return self._receiver.unprotect(packet)
        except SrtpError:
            return b""

    def state(self, sequence: int, heard_ssrc: int) -> KeyState:
        """Return how far the keys in force were used. sequence: of our next packet, where none was sent."""
        sent, heard = self._sender.state(), self._receiver.state()
        return KeyState(
            self._ours,
            self._theirs,
            sent.indexes.get(self._ssrc, sequence),
            sent.rtcp_indexes.get(self._ssrc, 0),
            max(heard_ssrc, 0),
            heard.indexes.get(heard_ssrc, -1),
        )
