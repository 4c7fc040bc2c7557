"""CPIM: a text with headers of its own, which survive whatever carries it (RFC 3862).

From: <sip:1001@valmont.example>            the message's headers
NS: imdn <urn:ietf:params:imdn>
imdn.Message-ID: 34jk324j
                                            an empty line
Content-Type: text/plain;charset=UTF-8      the content's headers
                                            an empty line
...                                         the content
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from sip.core.errors import ParseError

CONTENT_TYPE = "message/cpim"
MAX_LINES = 40
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9.-]{0,63}\Z")
_NAMESPACE = re.compile(r"(?:([A-Za-z][A-Za-z0-9-]{0,31})\s+)?<([^<>\s]{1,255})>\Z")
_BREAK = re.compile(rb"\r?\n")


@dataclass(frozen=True, slots=True)
class Cpim:
    """A message with headers of its own.

    headers: the first value of each, by namespace ("" for those of RFC 3862 itself) and name in lower case.
    content_type: of the content, with its parameters. encoded: whether that is in base64 or the like.
    """

    headers: Mapping[tuple[str, str], str]
    content_type: str
    content: bytes
    encoded: bool = False


def parse_cpim(body: bytes) -> Cpim:
    """Read a message/cpim body; raises ParseError. RFC 3862 section 2."""
    message, rest = _block(body)
    content_headers, content = _block(rest)
    namespaces = {"": ""}
    headers: dict[tuple[str, str], str] = {}
    for name, value in message:
        prefix, dot, local = name.rpartition(".")
        if not dot and name.lower() == "ns":  # RFC 3862 section 3.4
            found = _NAMESPACE.match(value)
            if found is None:
                raise ParseError("malformed NS")
            namespaces[found[1] or ""] = found[2]
        elif prefix in namespaces:
            headers.setdefault((namespaces[prefix], local.lower()), value)
        else:
            raise ParseError(f"the prefix {prefix[:40]!r} has no NS")
    known = {name.lower(): value for name, value in reversed(content_headers)}
    encoding = known.get("content-transfer-encoding", "8bit").lower()
    content_type = known.get("content-type", "text/plain")
    return Cpim(headers, content_type, content, encoding not in ("7bit", "8bit", "binary"))


def cpim(headers: list[tuple[str, str]], content_headers: list[tuple[str, str]], content: bytes) -> bytes:
    """The body of a message/cpim; the values hold no line break."""
    message = "".join(f"{name}: {value}\r\n" for name, value in headers)
    inner = "".join(f"{name}: {value}\r\n" for name, value in content_headers)
    return f"{message}\r\n{inner}\r\n".encode() + content


def _block(data: bytes) -> tuple[list[tuple[str, str]], bytes]:
    """The header lines up to an empty line, and what follows it."""
    lines: list[tuple[str, str]] = []
    position = 0
    while (found := _BREAK.search(data, position)) is not None:
        line = data[position : found.start()]
        position = found.end()
        if not line:
            return lines, data[position:]
        try:
            name, colon, value = line.decode().partition(":")
        except UnicodeDecodeError as error:
            raise ParseError("a header of the message isn't UTF-8") from error
        if not colon or not _NAME.match(name) or len(lines) == MAX_LINES:
            raise ParseError(f"malformed header {name[:40]!r} of a message")
        lines.append((name, value.strip()))
    raise ParseError("a message whose headers have no end")
