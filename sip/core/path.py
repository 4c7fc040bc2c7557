"""The Path header: the proxies between us and a phone, kept as the Route to it (RFC 3327)."""

from __future__ import annotations

from sip.core.errors import RemoteProtocolError
from sip.core.message import Request
from sip.core.name_addr import NameAddr

MAX_PROXIES = 8


def path_of(register: Request) -> tuple[str, ...]:
    """The Path of a REGISTER in the order of a Route: the proxy next to us first; empty without one.

    Raises ParseError for what isn't a SIP address, RemoteProtocolError 400 for a strict router or more than
    MAX_PROXIES of them. RFC 3327 sections 4 and 5.3.
    """
    if "path" not in register.headers:
        return ()
    path = tuple(register.values("path"))
    if len(path) > MAX_PROXIES:
        raise RemoteProtocolError(400, "Path Too Long")
    for value in path:
        if "lr" not in NameAddr.parse(value).sip_uri.parameters:
            raise RemoteProtocolError(400, "Path Without lr")
    return path


def answer_line(path: tuple[str, ...]) -> str:
    """The Path line of the 200, for the phone to see who is on its way (RFC 3327 section 5.3)."""
    return f"Path: {', '.join(path)}\r\n" if path else ""
