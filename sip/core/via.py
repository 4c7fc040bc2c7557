"""The Via header (RFC 3261 section 20.42), with `rport` (RFC 3581)."""

from __future__ import annotations

import re
from functools import lru_cache

from sip.core.errors import ParseError
from sip.core.grammar import HOST, TOKEN_CHARS, parse_parameters

_HOP = re.compile(
    rf"\s*SIP\s*/\s*2\.0\s*/\s*([{TOKEN_CHARS}]+)\s+({HOST})(?:\s*:\s*(\d{{1,5}}))?\s*\Z",
    re.IGNORECASE | re.ASCII,
)
_USUAL = re.compile(rf"(rport;)?branch=([{TOKEN_CHARS}]+)(;rport)?\Z")  # what phones send
_BRANCH = re.compile(rf";\s*branch\s*=\s*([{TOKEN_CHARS}]+)", re.IGNORECASE)
_LONGEST_REMEMBERED = 128  # characters: a stranger's long hosts must not fill the memory


class Via:
    """One hop of the response's way back. port is 0 when not given; an IPv6 host keeps its brackets.

    branch: the parameter, or the empty string.
    """

    __slots__ = ("branch", "host", "parameters", "port", "text", "transport")

    def __init__(self, text: str, transport: str, host: str, port: int, parameters: dict[str, str]) -> None:
        self.text = text
        self.transport = transport
        self.host = host
        self.port = port
        self.parameters = parameters
        self.branch = parameters.get("branch", "")

    @classmethod
    def parse(cls, text: str) -> Via:
        """Parse one Via value; raises ParseError (torture tests badinv01, badvers)."""
        hop, semicolon, tail = text.partition(";")
        read = _hop if len(hop) <= _LONGEST_REMEMBERED else _hop.__wrapped__
        transport, host, port = read(hop)
        usual = _USUAL.match(tail)
        if usual is None:
            return cls(text, transport, host, port, parse_parameters(semicolon + tail))
        before, branch, after = usual.groups()
        parameters = {"rport": "", "branch": branch} if before or after else {"branch": branch}
        return cls(text, transport, host, port, parameters)

    def stamped(self, source: tuple[str, int]) -> str:
        """The value as a server must write it into the request it received.

        RFC 3261 section 18.2.1 (`received` where the sent-by host isn't the source address), RFC 3581
        section 4 (`rport` filled in, and then `received` always). What the client claimed for both
        is dropped.
        """
        host, port = source
        wants_port = "rport" in self.parameters
        if not wants_port and self.host.strip("[]") == host and "received" not in self.parameters:
            return self.text
        text = self.text
        if wants_port and "received" not in self.parameters and ";rport;" in text + ";":  # what phones send
            return (text + ";").replace(";rport;", f";received={host};rport={port};", 1)[:-1]
        parameters = {
            name: value for name, value in self.parameters.items() if name not in {"received", "rport"}
        }
        parameters["received"] = host
        if wants_port:
            parameters["rport"] = str(port)
        tail = "".join(f";{name}={value}" if value else f";{name}" for name, value in parameters.items())
        port_text = f":{self.port}" if self.port else ""
        return f"SIP/2.0/{self.transport} {self.host}{port_text}{tail}"


def branch_of(text: str) -> str:
    """The branch of a Via value, or the empty string: all that is read of our own when it comes back in a
    response (17.1.3)."""
    found = _BRANCH.search(text)
    return found[1] if found is not None else ""


@lru_cache(1024)
def _hop(text: str) -> tuple[str, str, int]:
    """Transport, host and port of what stands before the parameters."""
    match = _HOP.match(text)
    if match is None:
        raise ParseError(f"malformed Via {text[:80]!r}")
    transport, host, digits = match.groups()
    port = int(digits or 0)
    if port > 65535:  # the response would have nowhere to go
        raise ParseError(f"port {port} in Via {text[:80]!r}")
    return transport.upper(), host.lower(), port
