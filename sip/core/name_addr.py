"""`"Display" <uri>;parameters`: From, To, Contact, Route and their like (RFC 3261 section 20.10)."""

from __future__ import annotations

import re
from functools import lru_cache

from sip.core.errors import ParseError
from sip.core.grammar import TOKEN_CHARS, parse_parameters, unquote
from sip.core.uri import SipUri

_NAME_ADDR = re.compile(
    rf'\s*(?:("(?:[^"\\]|\\.)*")\s*|([{TOKEN_CHARS}][{TOKEN_CHARS}\s]*))?<([^<>\s]*)>\s*(;.*)?\Z', re.DOTALL
)
# 20.10: without brackets, parameters belong to the header and the URI may hold no comma or question mark.
_ADDR_SPEC = re.compile(r"\s*([A-Za-z][A-Za-z0-9+.\-]*:[^\s;,?<>\"]+)\s*(;.*)?\Z", re.DOTALL)
_PLAIN = re.compile(rf'(?:("[^"\\]*") *)?<([^<>\s]*)>(?:;tag=([{TOKEN_CHARS}]+))?\Z')  # what phones send


class NameAddr:
    """An address with its display name and header parameters.

    uri is the text as received; `sip_uri` parses it. parameters: names in lower case, quoted values quoted.
    """

    __slots__ = ("_display", "parameters", "tag", "uri")

    def __init__(self, uri: str, display: str, parameters: dict[str, str]) -> None:
        self.uri = uri
        self._display = display
        self.parameters = parameters
        self.tag = parameters.get("tag", "")

    @classmethod
    def parse(cls, text: str) -> NameAddr:
        """Parse one address; raises ParseError when it isn't one (torture tests ltgtruri, baddn, regbadct).

        The result is shared between equal texts: it must not be changed. A caller's From comes five times in
        a call, a phone's Contact with each message.
        """
        return _parse(text) if len(text) <= _LONGEST_REMEMBERED else _parse.__wrapped__(text)

    @property
    def display(self) -> str:
        """The display name without quotes; empty when there is none."""
        return unquote(self._display.strip())

    @property
    def sip_uri(self) -> SipUri:
        """The URI, parsed; raises ParseError when it isn't a SIP URI."""
        return SipUri.parse(self.uri)

    def __repr__(self) -> str:
        return f"NameAddr({self._display!r}, {self.uri!r}, {self.parameters!r})"


_LONGEST_REMEMBERED = 256  # characters: a stranger's long addresses must not fill the memory


@lru_cache(4096)
def _parse(text: str) -> NameAddr:
    match = _PLAIN.match(text)
    if match is not None:
        quoted, uri, tag = match.groups()
        return NameAddr(uri, quoted or "", {"tag": tag} if tag else {})
    match = _NAME_ADDR.match(text)
    if match is not None:
        quoted, words, uri, tail = match.groups()
        return NameAddr(uri, quoted or words or "", parse_parameters(tail) if tail else {})
    match = _ADDR_SPEC.match(text)
    if match is None:
        raise ParseError(f"malformed address {text[:80]!r}")
    uri, tail = match.groups()
    return NameAddr(uri, "", parse_parameters(tail) if tail else {})
