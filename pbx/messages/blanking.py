"""What of a message is never written down: credentials, keys of sound, and what was pressed or typed."""

from __future__ import annotations

import re

BLANK = b"(blanked)"

_CREDENTIALS = frozenset({b"authorization", b"proxy-authorization"})  # RFC 3261 section 20.7; no compact form
# RFC 4568 section 9.1: tag and suite stay. RFC 8839 section 5.4: what ICE checks are signed with.
_KEY = re.compile(rb"(a=crypto:[ \t]*[0-9]{0,9}[ \t]*[A-Z0-9_]*)[^\r\n]*", re.IGNORECASE)
_INLINE = re.compile(rb"inline:[^\s|;]*", re.IGNORECASE)
_ICE_PASSWORD = re.compile(rb"(a=ice-pwd:)[^\r\n]*", re.IGNORECASE)
_PASSWORD_IN_URI = re.compile(rb"(sips?:[^\s:@<>;?]*):[^\s@<>]+@", re.IGNORECASE)  # RFC 3261 section 19.1.1
# Most messages hold no secret: this is looked for first, in lower case, which costs a tenth.
_PASSWORD_IN_LOWER_CASE = re.compile(rb"sips?:[^\s:@<>;?]*:[^\s@<>]+@")
_CALL_ID = re.compile(rb"\r\n(?:call-id|i)[ \t]*:[ \t]*([^\r\n]*)", re.IGNORECASE)
_AS_USUAL = b"\r\nCall-ID: "


def call_id_of(message: bytes) -> bytes:
    """The Call-ID of a message's bytes; empty where it has none."""
    start = message.find(_AS_USUAL)  # as nearly everybody writes it: a tenth of the time
    if start >= 0 and message.find(b"\r\n\r\n", 0, start + 2) < 0:
        start += len(_AS_USUAL)
        return message[start : message.find(b"\r\n", start)].rstrip(b" \t")
    found = _CALL_ID.search(message.partition(b"\r\n\r\n")[0] + b"\r\n")
    return found[1].rstrip(b" \t") if found is not None else b""


def without_secrets(message: bytes, method: bytes) -> bytes:
    """Return a message without what is secret in it, whatever form its headers have.

    method: of the request, or of the one that it answers. Of an INFO's body nothing stays: it may be a digit
    of a PIN (RFC 6086, application/dtmf-relay). What can't be told apart from a secret goes with it.
    """
    head, end, body = message.lstrip(b"\r\n").partition(b"\r\n\r\n")
    lower = message.lower()
    if b"authorization" in lower:
        head = _without_credentials(head)
    if _PASSWORD_IN_LOWER_CASE.search(lower) is not None:
        head = _PASSWORD_IN_URI.sub(rb"\1:" + BLANK + b"@", head)
    if method == b"INFO" and body:
        body = BLANK
    elif body:
        if b"a=crypto:" in lower:
            body = _KEY.sub(rb"\1 inline:" + BLANK, body)
        if b"inline:" in lower:
            body = _INLINE.sub(b"inline:" + BLANK, body)
        if b"a=ice-pwd:" in lower:
            body = _ICE_PASSWORD.sub(rb"\1" + BLANK, body)
    return head + end + body


def _without_credentials(head: bytes) -> bytes:
    """The head with Authorization and Proxy-Authorization lines that say nothing, folded ones too.

    It is read as sip.core.parser reads it: lines end in CRLF, and one that begins with a blank goes on with
    the line before it (RFC 3261 section 7.3.1).
    """
    lines: list[bytes] = []
    blanking = False
    for line in head.split(b"\r\n"):
        if line[:1] in {b" ", b"\t"} and lines:
            if not blanking:
                lines.append(line)
            continue
        name, colon, _ = line.partition(b":")
        blanking = bool(colon) and name.strip().lower() in _CREDENTIALS
        lines.append(name + b": " + BLANK if blanking else line)
    return b"\r\n".join(lines)
