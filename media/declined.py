"""An answer that takes nothing of what was offered, for an offer that must have an answer.

Both functions work on what we have written ourselves: lines end in CRLF, and `o=` has its six fields.
"""

from __future__ import annotations

import re

_MEDIA = re.compile(rb"^m=(\w+) \d+(?:/\d+)? ([^\r\n]*)", re.MULTILINE)
_VERSION = re.compile(rb"^(o=\S+ \S+ )(\d+)", re.MULTILINE)
_SESSION_LINES = (b"v=", b"o=", b"s=", b"t=")


def declined(offer: bytes, ours: bytes) -> bytes:
    """The answer to `offer` that switches every stream off (RFC 3264 section 6: port zero).

    ours: the description that we gave last; the answer is its next version.
    """
    session = renewed(ours).partition(b"\r\nm=")[0].split(b"\r\n")
    lines = [line for line in session if line.startswith(_SESSION_LINES)]
    lines += [b"m=%s 0 %s" % (kind, rest) for kind, rest in _MEDIA.findall(offer)]
    return b"".join(line + b"\r\n" for line in lines)


def renewed(ours: bytes, versions: int = 1) -> bytes:
    """A description of ours again, as so many versions later (RFC 3264 section 8)."""
    return _VERSION.sub(lambda found: b"%s%d" % (found[1], int(found[2]) + versions), ours, count=1)
