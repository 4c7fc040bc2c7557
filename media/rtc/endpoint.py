"""The UDP ports that all browsers share: whose packet is it, and the STUN server that is in them.

A packet is told apart by its first byte (RFC 7983): STUN, DTLS, RTP or RTCP. Only a check of ICE that was
made with a leg's password shows that an address belongs to it; from any other address nothing but STUN is
looked at, so that a stranger can start no handshake and no decryption. A binding request without credentials
gets its address back, so many times a second: an answer is hardly longer than what asked for it.

now, everywhere: monotonic seconds.
"""

import socket
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from media.rtc import stun
from media.rtc.association import Association
from media.rtc.ice import Path
from media.rtc.line import SocketAddress
from media.rtc.protection import MAX_PACKET_BYTES, PacketBuffer

AT_ONCE: Final = 64  # packets from one port, before the media plane's have their turn
BUFFER_BYTES: Final = 4 * 1024 * 1024  # of each port: a second of 100 browsers
_SO_SNDBUFFORCE: Final = 32  # socket(7)
_SO_RCVBUFFORCE: Final = 33
SHORTEST_BYTES: Final = 12
MAX_HANDSHAKES: Final = 128  # at once; whoever comes beyond them asks again in a second
STRANGERS_A_SECOND: Final = 1000  # binding requests without credentials that are answered, of all
STRANGER_A_SECOND: Final = 20  # … of one address, of one /64 on IPv6


class Port:
    """One of our ports. associations: by the addresses that they were checked from."""

    __slots__ = ("_endpoint", "_number", "_receiving", "_view", "associations", "socket")

    def __init__(self, number: int, own: socket.socket, endpoint: "Endpoint") -> None:
        own.setblocking(False)
        for option, forced in ((socket.SO_RCVBUF, _SO_RCVBUFFORCE), (socket.SO_SNDBUF, _SO_SNDBUFFORCE)):
            own.setsockopt(socket.SOL_SOCKET, option, BUFFER_BYTES)
            with suppress(OSError):  # more than net.core.rmem_max is for who may administer the network
                own.setsockopt(socket.SOL_SOCKET, forced, BUFFER_BYTES)
        self.socket = own
        self.associations: dict[SocketAddress, Association] = {}
        self._number = number
        self._endpoint = endpoint
        self._view = endpoint.buffer.view
        self._receiving = endpoint.buffer.receiving

    def drain(self, now: float) -> None:
        """Take what has come, AT_ONCE packets at most."""
        receive, receiving, view = self.socket.recvfrom_into, self._receiving, self._view
        associations = self.associations
        for _ in range(AT_ONCE):
            try:
                size, source = receive(receiving)
            except OSError:
                return
            if not SHORTEST_BYTES <= size <= MAX_PACKET_BYTES:
                continue
            first = view[0]
            if 127 < first < 192:
                association = associations.get(source)
                if association is None:
                    continue
                if 192 <= view[1] <= 223:  # RFC 5761 section 4
                    association.receive_rtcp(size)
                else:
                    association.receive_rtp(size, now)
            elif first < 4:
                self._receive_stun(bytes(view[:size]), source, now)
            elif 19 < first < 64:
                association = associations.get(source)
                if association is not None:
                    self._endpoint.shake_hands(association, bytes(view[:size]), now)

    def _receive_stun(self, datagram: bytes, source: SocketAddress, now: float) -> None:
        try:
            request = stun.parse(datagram)
        except stun.StunError:
            return
        if request.kind != stun.BINDING_REQUEST:
            return
        if stun.USERNAME in request.attributes:
            answer = self._endpoint.check(request, Path(self._number, source), now)
        elif not request.integrity_at and self._endpoint.is_served(source[0]):
            answer = stun.success(request.transaction, source[0], source[1])
        else:
            return
        if answer:
            try:
                self.socket.sendto(answer, source)
            except OSError:
                return  # lost on the way, as it may be anywhere


class Endpoint:
    """All ports of this process, and whose browser is where. handshaking: those whose DTLS isn't through."""

    def __init__(self, sockets: Sequence[socket.socket], buffer: PacketBuffer) -> None:
        self.buffer = buffer
        self.ports = [Port(number, own, self) for number, own in enumerate(sockets)]
        self.handshaking: set[Association] = set()
        self._by_ufrag: dict[str, Association] = {}
        self._registered: dict[Association, set[Path]] = {}
        self._strangers: Counter[str] = Counter()

    def know(self, association: Association) -> None:
        """Let a browser in that has this association's credentials; again after each restart of ICE."""
        for ufrag in [old for old, one in self._by_ufrag.items() if one is association]:
            del self._by_ufrag[ufrag]
        for ufrag in association.agent.ufrags:
            self._by_ufrag[ufrag] = association
        self._registered.setdefault(association, set())

    def forget(self, association: Association) -> None:
        """Let nothing of this association in any more."""
        for ufrag in association.agent.ufrags:
            if self._by_ufrag.get(ufrag) is association:
                del self._by_ufrag[ufrag]
        for path in self._registered.pop(association, ()):
            self._release(association, path)
        self.handshaking.discard(association)

    def check(self, request: stun.Message, path: Path, now: float) -> bytes:
        """Return the answer to a check of ICE, b"" for one of nobody we know."""
        name = request.attributes[stun.USERNAME].partition(b":")[0]
        association = self._by_ufrag.get(name.decode("ascii", "replace"))
        if association is None:
            return b""
        agent = association.agent
        before = agent.ufrags
        answer = agent.receive(request, path, now)
        if path in agent.paths:
            self._follow(association, path)
            if agent.ufrags != before:
                self.know(association)
            association.follow_path(now)
            self.note_handshake(association)
        return answer

    def shake_hands(self, association: Association, datagram: bytes, now: float) -> None:
        """Take a datagram of DTLS from an address that is the association's."""
        if association.is_handshaking and association not in self.handshaking:
            if len(self.handshaking) >= MAX_HANDSHAKES:
                return
            self.handshaking.add(association)
        association.receive_dtls(datagram, now)
        self.note_handshake(association)

    def note_handshake(self, association: Association) -> None:
        """Look whether this association's DTLS has to be watched, or has no longer."""
        if not association.is_handshaking:
            self.handshaking.discard(association)
        elif len(self.handshaking) < MAX_HANDSHAKES:
            self.handshaking.add(association)

    def is_served(self, host: str) -> bool:
        """Say whether one more binding request of a stranger is answered in this second."""
        if ":" in host:
            host = ":".join(host.split(":")[:4])
        if self._strangers.total() >= STRANGERS_A_SECOND or self._strangers[host] >= STRANGER_A_SECOND:
            return False
        self._strangers[host] += 1
        return True

    def begin_second(self) -> None:
        """Answer strangers again."""
        self._strangers.clear()

    def close(self) -> None:
        """Give the ports back."""
        for port in self.ports:
            port.socket.close()

    def _follow(self, association: Association, path: Path) -> None:
        """Let in what comes over the association's paths, and nothing over those that it has left."""
        paths = association.agent.paths.keys()
        for old in self._registered[association] - paths:
            self._release(association, old)
        self.ports[path.port].associations[path.address] = association
        self._registered[association] = set(paths)

    def _release(self, association: Association, path: Path) -> None:
        associations = self.ports[path.port].associations
        if associations.get(path.address) is association:
            del associations[path.address]
