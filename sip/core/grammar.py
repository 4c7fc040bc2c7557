"""The parts of RFC 3261 section 25.1 that headers share: tokens, quoted strings, parameters, lists."""

from __future__ import annotations

import re

from sip.core.errors import ParseError

TOKEN_CHARS = r"A-Za-z0-9\-.!%*_+`'~"
TOKEN = re.compile(rf"[{TOKEN_CHARS}]+")
HOST = r"\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_](?:[A-Za-z0-9_.\-]*[A-Za-z0-9_.])?"
MAGIC_COOKIE = "z9hG4bK"

# A parameter: a token, and perhaps a token, host or quoted string. `generic-param`, with the characters that
# IPv6 references and URIs bring in.
_PARAMETER = re.compile(
    rf'\s*;\s*([{TOKEN_CHARS}]+)(?:\s*=\s*("(?:[^"\\]|\\.)*"|[{TOKEN_CHARS}\[\]:/@&$,?]+))?\s*'
)
_PLAIN_PARAMETERS = re.compile(rf"(?:;[{TOKEN_CHARS}]+(?:=[{TOKEN_CHARS}\[\]:/@]+)?)*\Z")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_QUOTED_PAIR = re.compile(r"\\(.)", re.DOTALL)
_LIST_PIECE = re.compile(r'"(?:[^"\\]|\\.)*"|<[^<>]*>|[^,"<]+|,|.', re.DOTALL)


def parse_parameters(text: str) -> dict[str, str]:
    """Read `;name=value;flag` into a dictionary: names in lower case, a flag's value is the empty string.

    Quoted values keep their quotes (see `unquote`). Raises ParseError on anything else.
    """
    parameters: dict[str, str] = {}
    if not text:
        return parameters
    if _PLAIN_PARAMETERS.match(text):  # what phones send
        for piece in text[1:].split(";"):
            name, _, value = piece.partition("=")
            parameters[name.lower()] = value
        return parameters
    position = 0
    while position < len(text):
        match = _PARAMETER.match(text, position)
        if match is None:
            raise ParseError(f"malformed parameter in {text[:80]!r}", column=position + 1)
        parameters[match[1].lower()] = match[2] or ""
        position = match.end()
    return parameters


def unquote(text: str) -> str:
    """The text of a quoted string; a text without quotes is returned as it is."""
    if len(text) >= 2 and text[0] == '"' == text[-1]:
        inner = text[1:-1]
        return _QUOTED_PAIR.sub(r"\1", inner) if "\\" in inner else inner
    return text


def quote(text: str) -> str:
    """`text` as a quoted string (RFC 3261 section 25.1); control characters become spaces."""
    clean = _CONTROL.sub(" ", text)
    return '"' + clean.replace("\\", "\\\\").replace('"', '\\"') + '"'


def split_list(text: str) -> list[str]:
    """Split a header value at its commas, but not at those within quotes or angle brackets.

    Raises ParseError on an unclosed quote or bracket and on an empty element.
    """
    if "," not in text:
        return [text]
    pieces: list[str] = []
    current = ""
    for match in _LIST_PIECE.finditer(text):
        piece = match[0]
        if piece == ",":
            pieces.append(current.strip())
            current = ""
        elif piece in {'"', "<"}:
            raise ParseError(f"unclosed {piece} in {text[:80]!r}")
        else:
            current += piece
    pieces.append(current.strip())
    if not all(pieces):
        raise ParseError(f"empty element in {text[:80]!r}")
    return pieces


def parse_number(text: str, name: str, highest: int) -> int:
    """A decimal number between 0 and `highest`; raises ParseError otherwise (torture test scalar02)."""
    if not (text.isascii() and text.isdigit() and len(text) <= 12) or (number := int(text)) > highest:
        raise ParseError(f"{name} is {text[:40]!r}, expected a number from 0 to {highest}")
    return number
