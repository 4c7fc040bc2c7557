"""The Via header (RFC 3261 section 20.42), with `rport` (RFC 3581)."""

from __future__ import annotations

import re

from sip.core.errors import ParseError
from sip.core.grammar import HOST, TOKEN_CHARS, parse_parameters

_VIA = re.compile(
    rf"\s*SIP\s*/\s*2\.0\s*/\s*([{TOKEN_CHARS}]+)\s+({HOST})(?:\s*:\s*(\d{{1,5}}))?\s*(;.*)?\Z",
    re.DOTALL | re.IGNORECASE | re.ASCII,
)
_PLAIN = re.compile(
    r"SIP/2\.0/(UDP|TCP|TLS|WSS?) ([A-Za-z0-9.\-]+)(?::([0-9]{1,5}))?"
    rf"((?:;[{TOKEN_CHARS}]+(?:=[{TOKEN_CHARS}\[\]:]+)?)*)\Z"
)


class Via:
    """One hop of the response's way back. port is 0 when not given; an IPv6 host keeps its brackets."""

    __slots__ = ("host", "parameters", "port", "text", "transport")

    def __init__(self, text: str, transport: str, host: str, port: int, parameters: dict[str, str]) -> None:
        self.text = text
        self.transport = transport
        self.host = host
        self.port = port
        self.parameters = parameters

    @classmethod
    def parse(cls, text: str) -> Via:
        """Parse one Via value; raises ParseError (torture tests badinv01, badvers)."""
        plain = _PLAIN.match(text)
        if plain is not None:  # what phones send
            transport, host, port, tail = plain.groups()
            parameters: dict[str, str] = {}
            for piece in tail.split(";")[1:]:
                name, _, value = piece.partition("=")
                parameters[name.lower()] = value
            return cls(text, transport, host.lower(), _port(port, text), parameters)
        match = _VIA.match(text)
        if match is None:
            raise ParseError(f"malformed Via {text[:80]!r}")
        transport, host, port, tail = match.groups()
        return cls(
            text,
            transport.upper(),
            host.lower(),
            _port(port, text),
            parse_parameters(tail) if tail else {},
        )

    @property
    def branch(self) -> str:
        """The `branch` parameter, or the empty string."""
        return self.parameters.get("branch", "")

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


def _port(digits: str | None, via: str) -> int:
    if not digits:
        return 0
    port = int(digits)
    if port > 65535:  # the response would have nowhere to go
        raise ParseError(f"port {port} in Via {via[:80]!r}")
    return port
