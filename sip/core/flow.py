"""Where a message came from and where the answer to it goes."""

from __future__ import annotations


class Flow:
    """One transport path between a local and a remote address (RFC 5626 section 3.1).

    local: our address as the peer is told it, in Via and Contact; behind a NAT of ours it isn't `bound`.
    The core reads it and never sends through it: what it wants sent lies in the stack's outbox, and the
    shell's own kind of flow knows how to send. Two flows are the same only when they are the same object.
    """

    __slots__ = ("local", "remote", "transport")

    def __init__(self, transport: str, local: tuple[str, int], remote: tuple[str, int]) -> None:
        self.transport = transport
        self.local = local
        self.remote = remote

    @property
    def reliable(self) -> bool:
        """True where the transport retransmits by itself (17.1.1.2 and others stop their timers)."""
        return self.transport != "UDP"

    @property
    def certificate_names(self) -> tuple[str, ...]:
        """Whom the peer's verified certificate speaks for, in lower case (RFC 5922); empty without one."""
        return ()

    @property
    def large(self) -> Flow | None:
        """The connection that takes requests too large for a datagram (18.1.1), None where there is none."""
        return None

    @property
    def open(self) -> bool:
        """False once nothing can be sent any more."""
        return True

    @property
    def bound(self) -> tuple[str, int]:
        """The address that our socket is bound to."""
        return self.local

    def expect_words(self, seconds: float) -> None:
        """The peer has promised to say something at least this often (RFC 5626 section 4.4): a connection on
        which nothing comes for longer is closed. Nothing over datagrams."""

    def toward(self, remote: tuple[str, int]) -> Flow:
        """The flow of the same local address to another remote one (a datagram transport's; 18.2.2)."""
        return Flow(self.transport, self.local, remote)

    def send(self, data: bytes) -> None:
        """Send one message; raises OSError when the path is broken. The shell's subclasses do it."""
        raise NotImplementedError(f"{self!r} belongs to no network")

    def __repr__(self) -> str:
        return f"{self.transport} {host_port(self.local)} -> {host_port(self.remote)}"


def host_port(address: tuple[str, int]) -> str:
    """`host:port` with brackets around an IPv6 address (RFC 3261 section 25.1, hostport)."""
    host, port = address[0], address[1]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
