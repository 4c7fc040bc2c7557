"""SIP and SIPS URIs (RFC 3261 section 19.1), and their comparison."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache

from sip.core.errors import ParseError
from sip.core.grammar import HOST

_USER_CHARS = r"A-Za-z0-9\-_.!~*'()&=+$,;?/"
_PASSWORD_CHARS = r"A-Za-z0-9\-_.!~*'()&=+$,"
_PARAMETER_CHARS = r"A-Za-z0-9\-_.!~*'()\[\]/:&+$%"
_URI = re.compile(
    r"(sips?):"
    # 25.1 wants `#` escaped, and we do; baresip 1.0 dials a code such as #21# as it is.
    rf"(?:((?:[{_USER_CHARS}#]|%[0-9A-Fa-f]{{2}})+)(?::((?:[{_PASSWORD_CHARS}]|%[0-9A-Fa-f]{{2}})*))?@)?"
    rf"({HOST})(?::(\d{{1,5}}))?"
    rf"((?:;[{_PARAMETER_CHARS}]+(?:=[{_PARAMETER_CHARS}]*)?)*)"
    r"(?:\?([^?<>\s]*))?\Z",
    re.IGNORECASE | re.ASCII,
)
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]*):(\S+)\Z")
_ESCAPED = re.compile(r"%([0-9A-Fa-f]{2})")
_LITERAL_USER = re.compile(rf"[{_USER_CHARS}]*\Z")
_LITERAL_PASSWORD = re.compile(rf"[{_PASSWORD_CHARS}]*\Z")
_LITERAL_PARAMETER = re.compile(r"[A-Za-z0-9\-_.!~*'()\[\]/:&+$]*\Z")


@dataclass(frozen=True, slots=True)
class SipUri:
    """A parsed `sip:` or `sips:` URI.

    user and password are unescaped text; None says that there is none (an empty user isn't allowed).
    host is in lower case, an IPv6 reference keeps its brackets. port is 0 when not given.
    parameters: names in lower case, values as received. headers: the part after `?`, as received.
    """

    scheme: str
    user: str | None
    password: str | None
    host: str
    port: int = 0
    parameters: dict[str, str] = field(default_factory=dict)
    headers: str = ""

    @classmethod
    def parse(cls, text: str) -> SipUri:
        """Parse a URI; raises ParseError: status 416 for another scheme, 400 for a malformed URI.

        The result is shared between equal texts: it must not be changed.
        """
        return _parse(text) if len(text) <= _LONGEST_REMEMBERED else _parse.__wrapped__(text)

    @property
    def address(self) -> tuple[str, int]:
        """Host without brackets, and the port or the scheme's default one."""
        return self.host.strip("[]"), self.port or (5061 if self.scheme == "sips" else 5060)

    def __str__(self) -> str:
        user = ""
        if self.user is not None:
            user = escape_user(self.user)
            if self.password is not None:
                user += ":" + _escape(self.password, _LITERAL_PASSWORD)
            user += "@"
        port = f":{self.port}" if self.port else ""
        parameters = "".join(
            f";{name}={value}" if value else f";{name}" for name, value in self.parameters.items()
        )
        headers = f"?{self.headers}" if self.headers else ""
        return f"{self.scheme}:{user}{self.host}{port}{parameters}{headers}"


_LONGEST_REMEMBERED = 256  # characters: a stranger's long URIs must not fill the memory


@lru_cache(8192)
def _parse(text: str) -> SipUri:
    match = _URI.match(text)
    if match is None:
        scheme = _SCHEME.match(text)
        if scheme is not None and scheme[1].lower() not in {"sip", "sips"}:
            raise ParseError(f"unsupported URI scheme {scheme[1][:20]!r}", status=416)
        raise ParseError(f"malformed URI {text[:80]!r}")
    scheme_text, user, password, host, port, parameter_text, headers = match.groups()
    parameters: dict[str, str] = {}
    if parameter_text:
        for piece in parameter_text[1:].split(";"):
            name, _, value = piece.partition("=")
            name = unescape(name).lower()
            if name in parameters:  # 19.1.1: any given parameter name must not appear more than once
                raise ParseError(f"URI parameter {name[:20]!r} twice in {text[:80]!r}")
            parameters[name] = value
    number = int(port) if port else 0
    if number > 65535:
        raise ParseError(f"port {number} in {text[:80]!r}")
    return SipUri(
        scheme_text.lower(),
        None if user is None else unescape(user),
        None if password is None else unescape(password),
        host.lower(),
        number,
        parameters,
        headers or "",
    )


def unescape(text: str) -> str:
    """Replace `%41` by `A` once, never twice; bytes that aren't UTF-8 survive as surrogates."""
    if "%" not in text:
        return text
    raw = _ESCAPED.sub(lambda match: chr(int(match[1], 16)), text) if text.isascii() else text
    try:
        return raw.encode("latin-1").decode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return raw


def escape_user(text: str) -> str:
    """A user part as it may stand in a URI (19.1.2)."""
    return _escape(text, _LITERAL_USER)


def escape_parameter(text: str) -> str:
    """A value as it may stand in a URI parameter (25.1, paramchar)."""
    return _escape(text, _LITERAL_PARAMETER)


def _escape(text: str, literal: re.Pattern[str]) -> str:
    if literal.match(text):
        return text
    return "".join(
        chr(byte) if literal.match(chr(byte)) else f"%{byte:02X}"
        for byte in text.encode("utf-8", "surrogateescape")
    )


# 19.1.4: a uri-parameter in only one of the two is ignored, but for these.
_ALWAYS_COMPARED = ("user", "ttl", "method", "maddr", "transport")


def equal(first: SipUri, second: SipUri, *, parameters: bool = True) -> bool:
    """Whether two URIs are equivalent (RFC 3261 section 19.1.4).

    parameters=False leaves parameters and headers out, for digest's `uri` (phones add `;transport=`).
    """
    if first is second:
        return True
    if (first.scheme, first.user, first.password, first.host, first.port) != (
        second.scheme,
        second.user,
        second.password,
        second.host,
        second.port,
    ):
        return False
    if not parameters:
        return True
    for name in first.parameters.keys() | second.parameters.keys():
        mine, theirs = first.parameters.get(name), second.parameters.get(name)
        if mine is None or theirs is None:
            if name in _ALWAYS_COMPARED:
                return False
        elif unescape(mine).lower() != unescape(theirs).lower():
            return False
    return _header_set(first.headers) == _header_set(second.headers)


def _header_set(text: str) -> frozenset[tuple[str, str]]:
    pairs = (piece.partition("=") for piece in text.split("&") if piece)
    return frozenset((unescape(name).lower(), unescape(value)) for name, _, value in pairs)
