"""Lists of resources in one subscription: the names of all, the states of some (RFC 4662).

A document is a multipart/related body (RFC 2387): first the list itself (RLMI), which names each resource,
then the documents of those whose state it tells.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sip.core.xml_text import xml_text

OPTION = "eventlist"
NAMESPACE = "urn:ietf:params:xml:ns:rlmi"
_BOUNDARY = "list-9f2c81d07be64a35"
_START = "list@beffroi.invalid"
CONTENT_TYPE = f'multipart/related;type="application/rlmi+xml";start="<{_START}>";boundary="{_BOUNDARY}"'


@dataclass(frozen=True, slots=True)
class Member:
    """One resource of a list. uri, name: as people know it. document: its state, None where it isn't told."""

    uri: str
    name: str
    document: bytes | None = None


def list_document(
    uri: str, version: int, members: Sequence[Member], content_type: str, *, full: bool
) -> bytes:
    """The body of a NOTIFY for a list, of CONTENT_TYPE (RFC 4662 section 5).

    full: these members are all (`fullState`, section 5.2); else they are those whose state is told.
    content_type: of the members' documents.
    """
    resources, parts = [], []
    for place, member in enumerate(members):
        instance = ""
        if member.document is not None:
            part = f"{place}.{version}@beffroi.invalid"
            instance = f'<instance id="1" state="active" cid="{part}"/>'
            parts.append(_part(part, content_type, member.document))
        name = f"<name>{xml_text(member.name)}</name>"
        resources.append(f'<resource uri="{xml_text(member.uri)}">{name}{instance}</resource>\n')
    listed = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<list xmlns="{NAMESPACE}" uri="{xml_text(uri)}" version="{version}" '
        f'fullState="{"true" if full else "false"}">\n{"".join(resources)}</list>\n'
    ).encode()
    first = _part(_START, "application/rlmi+xml;charset=UTF-8", listed)
    return first + b"".join(parts) + f"--{_BOUNDARY}--\r\n".encode()


def _part(name: str, content_type: str, body: bytes) -> bytes:
    lines = f"Content-Transfer-Encoding: binary\r\nContent-ID: <{name}>\r\nContent-Type: {content_type}\r\n"
    return f"--{_BOUNDARY}\r\n{lines}\r\n".encode() + body + b"\r\n"
